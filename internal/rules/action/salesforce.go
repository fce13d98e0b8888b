package action

import (
	"context"
	"net/http"

	"thingd/internal/aws/iot"
)

// compileSalesforce posts the payload to a Salesforce IoT input stream. Neither
// its token nor its URL have templates.
func compileSalesforce(c *compiler, spec *iot.Action) prepare {
	a := spec.Salesforce
	if a == nil {
		return nil
	}
	t := c.t
	return func(r *rendering) send {
		r.resource = a.Url
		r.fields = append(r.fields, Field{"url", a.Url})
		header := http.Header{"Authorization": {"Bearer " + a.Token}, "Content-Type": {"application/json"}}
		payload := r.Payload
		return func(ctx context.Context) error { return t.hook(ctx, t.web, a.Url, header, payload) }
	}
}
