package action

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
)

// compileLambda invokes a function with the payload as its event and does not
// wait for it (InvocationType Event). It has no role: on AWS the function's own
// policy lets the rule in. A webhook that is configured for the function gets
// the event instead, which is how functions are run beside a server of one's own.
func compileLambda(c *compiler, spec *iot.Action) prepare {
	a := spec.Lambda
	if a == nil {
		return nil
	}
	function, t := c.text("functionArn", a.FunctionArn), c.t
	return func(r *rendering) send {
		name := r.text(function)
		r.resource = name
		r.detail("FunctionArn", name)
		if !r.JSON {
			return r.fail("the payload is not JSON")
		}
		payload := r.Payload
		return func(ctx context.Context) error {
			_, err := t.invoke(ctx, name, payload, types.InvocationTypeEvent)
			return err
		}
	}
}

// invoke calls a function or what stands in for it, and gives its answer.
func (t *Targets) invoke(ctx context.Context, function string, payload []byte, how types.InvocationType) ([]byte, error) {
	if url, ok := t.Webhooks[unqualified(function)]; ok {
		header := http.Header{"Content-Type": {"application/json"}, "X-Amz-Invocation-Type": {string(how)}}
		return t.call(ctx, t.Client, url, header, payload)
	}
	config, err := t.sdk(ctx, "lambda", "")
	if err != nil {
		return nil, err
	}
	out, err := lambda.NewFromConfig(config).Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &function, Payload: payload, InvocationType: how,
	})
	if err != nil {
		return nil, err
	}
	if out.FunctionError != nil {
		return nil, fault.InvalidRequest("the function %s failed: %s", function, short(out.Payload))
	}
	return out.Payload, nil
}

// unqualified is a function's ARN without version or alias:
// arn:aws:lambda:region:account:function:name:alias.
func unqualified(function string) string {
	parts := strings.SplitN(function, ":", 8)
	return strings.Join(parts[:min(7, len(parts))], ":")
}

// hook posts to a URL and wants no answer but success.
func (t *Targets) hook(ctx context.Context, client *http.Client, url string, header http.Header, body []byte) error {
	_, err := t.call(ctx, client, url, header, body)
	return err
}

// call posts to a URL and reads the answer, at most callMax bytes of it.
func (t *Targets) call(ctx context.Context, client *http.Client, url string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fault.InvalidRequest("%s is not a URL", url).Because(err)
	}
	r.Header = header
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, callMax))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		return nil, &statusError{answer.StatusCode, http.StatusText(answer.StatusCode), short(text)}
	}
	return text, nil
}

const callMax = 1 << 20 // bytes of an answer that is used
