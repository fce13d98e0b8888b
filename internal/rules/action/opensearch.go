package action

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"thingd/internal/aws/iot"
)

// compileOpenSearch puts the payload as a document: PUT endpoint/index/type/id,
// signed for the service es (es:ESHttpPut).
func compileOpenSearch(c *compiler, spec *iot.Action) prepare {
	a := spec.OpenSearch
	if a == nil {
		return nil
	}
	return c.document(a.RoleArn, a.Endpoint, a.Index, a.Type, a.Id)
}

// compileElasticsearch is the same under its older name. AWS lets only existing
// rules use it; thingd takes it from anybody.
func compileElasticsearch(c *compiler, spec *iot.Action) prepare {
	a := spec.Elasticsearch
	if a == nil {
		return nil
	}
	return c.document(a.RoleArn, a.Endpoint, a.Index, a.Type, a.Id)
}

// document is what both have in common. The endpoint of the rule decides where
// it goes; a configured endpoint of the service es brings the region, and keys
// where the domain knows no roles of ours.
func (c *compiler) document(roleARN, endpoint, index, kind, id string) prepare {
	host, role, t := c.text("endpoint", endpoint), c.role(roleARN), c.t
	path := []*parameter{c.text("index", index), c.text("type", kind), c.text("id", id)}
	return func(r *rendering) send {
		to := strings.TrimSuffix(r.text(host), "/")
		for _, p := range path {
			to += "/" + url.PathEscape(r.text(p))
		}
		r.resource = to
		r.detail("URL", to)
		if !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "https://") {
			return r.fail("endpoint does not begin with https://")
		}
		payload := r.Payload
		return func(ctx context.Context) error {
			e, err := t.endpoint("es")
			if err != nil {
				e = Endpoint{Region: t.Scope.Region}
			}
			_, err = t.request(ctx, e, order{service: "es", role: role, method: http.MethodPut, url: to, body: payload})
			return err
		}
	}
}
