package action

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"thingd/internal/fault"
)

// Failure is a failure in words of an action's own.
type Failure struct {
	Text  string // for the error action
	Again bool   // worth another try
	cause error
}

// Error gives the words.
func (f *Failure) Error() string { return f.Text }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.cause }

// Explain says in the words of AWS's error actions why a delivery failed.
func (d *Delivery) Explain(err error) string {
	var own *Failure
	if errors.As(err, &own) {
		return own.Text
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Failed to %s. The error received was %s. Message arrived on: %s, Action: %s",
		d.kind.failed, reason(err, d.kind.service), d.topic, d.kind.member)
	for _, p := range d.details {
		format := ", %s: %s"
		if p.quoted {
			format = ", %s: \"%s\""
		}
		fmt.Fprintf(&text, format, p.name, p.value)
	}
	return text.String()
}

// reason describes an error the way the AWS SDK for Java prints it, which is
// what existing handlers of error actions were written for.
func reason(err error, service string) string {
	var answered smithy.APIError
	if !errors.As(err, &answered) {
		return strings.TrimSuffix(plainReason(err), ".")
	}
	request := ""
	var identified interface{ ServiceRequestID() string }
	if errors.As(err, &identified) {
		request = identified.ServiceRequestID()
	}
	words := strings.TrimSuffix(answered.ErrorMessage(), ".")
	return fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s)",
		words, service, statusOf(err), answered.ErrorCode(), request)
}

func plainReason(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Message
	}
	return err.Error()
}

// Retryable says whether trying again may help: the network, 5xx and throttling.
// What was refused stays refused.
func Retryable(err error) bool {
	var own *Failure
	if errors.As(err, &own) {
		return own.Again
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	if code := fault.CodeOf(err); code != fault.Internal {
		return code == fault.CodeServiceUnavailable || code == fault.CodeThrottling
	}
	var network net.Error
	if errors.As(err, &network) {
		return true
	}
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err).Bool() ||
		retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err).Bool() ||
		againWorthy(statusOf(err)) || stale(err)
}

func againWorthy(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }

// statusOf gives the HTTP status of the answer in an error, 0 without one.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	var own *statusError
	if errors.As(err, &own) {
		return own.status
	}
	return 0
}

// stale says whether a service does not know a session (any more): the role was
// made anew, say. The next try has a new one.
func stale(err error) bool {
	var answered smithy.APIError
	if !errors.As(err, &answered) {
		return false
	}
	return slices.Contains(staleCodes, answered.ErrorCode())
}

var staleCodes = []string{
	"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "UnrecognizedClientException",
}
