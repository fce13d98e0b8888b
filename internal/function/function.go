// Package function calls what AWS would run as Lambda functions. There is no
// Lambda here: the operator names a webhook for each function's ARN, which gets
// the event as the body of a POST and answers with what the function would
// return.
package function

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"thingd/internal/fault"
)

// answerMax bounds an answer, in bytes; Lambda's own bound is 6 MB.
const answerMax = 1 << 20

// Caller calls functions by their webhooks.
type Caller struct {
	URLs   map[string]string // by ARN, without version or alias or with it
	Client *http.Client      // nil: one that follows no redirects
}

// Call sends event to the function and gives its answer, which it must have
// given within limit. The error is InvalidRequest for a function without a
// webhook, and InvalidResponse for one that failed.
func (c *Caller) Call(ctx context.Context, function string, event []byte, limit time.Duration) ([]byte, error) {
	url, err := c.url(function)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(event))
	if err != nil {
		return nil, fault.InvalidRequest("the webhook of function %s is not a URL", function).Because(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
	answer, err := c.do(r)
	if err != nil {
		return nil, fault.New(fault.CodeInvalidResponse, "function %s did not answer", function).Because(err)
	}
	return answer, nil
}

// url finds the webhook of a function, with its version or alias or without.
func (c *Caller) url(function string) (string, error) {
	if url, ok := c.URLs[function]; ok {
		return url, nil
	}
	parts := strings.SplitN(function, ":", 8)
	if url, ok := c.URLs[strings.Join(parts[:min(7, len(parts))], ":")]; ok {
		return url, nil
	}
	return "", fault.InvalidRequest("function %s has no webhook here; start the server with --function %s=URL", function, function)
}

func (c *Caller) do(r *http.Request) ([]byte, error) {
	client := http.Client{CheckRedirect: stay}
	if c.Client != nil {
		client = *c.Client
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerMax+1))
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode/100 != 2:
		return nil, fmt.Errorf("the webhook answered %s", answer.Status)
	case len(text) > answerMax:
		return nil, fmt.Errorf("the webhook answered with more than %d bytes", answerMax)
	}
	return text, nil
}

// stay follows no redirects: a webhook that moved is a setting to mend.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
