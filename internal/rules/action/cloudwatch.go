package action

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"

	"github.com/aws/smithy-go"
)

// cloudWatch calls an operation of CloudWatch in the Query protocol. The SDK's
// client speaks CBOR only, which few other implementations of the service do.
func (t *Targets) cloudWatch(ctx context.Context, role, operation string, parameters url.Values) error {
	e, err := t.endpoint("monitoring")
	if err != nil {
		return err
	}
	parameters.Set("Action", operation)
	parameters.Set("Version", "2010-08-01")
	_, err = t.request(ctx, e, order{
		service: "monitoring", role: role, method: http.MethodPost, url: e.URL + "/",
		contentType: "application/x-www-form-urlencoded; charset=utf-8", body: []byte(parameters.Encode()),
	})
	return asQueryError(err)
}

// asQueryError reads the XML of a refusal.
func asQueryError(err error) error {
	refused, ok := err.(*statusError) //nolint:errorlint // request makes it, nobody wraps it
	if !ok {
		return err
	}
	var said struct {
		Error     struct{ Code, Message string }
		RequestID string `xml:"RequestId"`
	}
	if xml.Unmarshal([]byte(refused.body), &said) != nil || said.Error.Code == "" {
		return err
	}
	return &queryError{statusError: refused, request: said.RequestID, APIError: &smithy.GenericAPIError{Code: said.Error.Code, Message: said.Error.Message}}
}

// queryError is a refusal whose code and words are known.
type queryError struct {
	smithy.APIError
	*statusError
	request string
}

// Error gives code and words.
func (e *queryError) Error() string { return e.APIError.Error() }

// ServiceRequestID is how the SDK's errors tell the ID of the request.
func (e *queryError) ServiceRequestID() string { return e.request }

// Unwrap gives the answer's status.
func (e *queryError) Unwrap() error { return e.statusError }
