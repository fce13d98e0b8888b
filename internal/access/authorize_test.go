package access_test

import (
	"context"
	"crypto/x509"
	"testing"

	"thingd/internal/access"
	"thingd/internal/fault"
	"thingd/internal/policy"
)

func TestTestAuthorization(t *testing.T) {
	b := newBench(t).withLamp(false)
	b.attach("lamps", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/t/${iot:Connection.Thing.ThingName}"},
		{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:ClientId}"}]}`, c1)
	b.attach("site", allow("iot:Subscribe", "*"), c1)
	b.attach("ban", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iot:Publish","Resource":"*"}}`)
	b.attach("dev", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Receive","Resource":"arn:aws:iot:*:*:topic/${iot:Certificate.Subject.CommonName}"}}`)
	b.Certificate = func(context.Context, string) (*x509.Certificate, error) { return certificateOf(t, "CN=dev"), nil }
	ask := func(action string, resources ...string) []access.Question {
		for i := range resources {
			resources[i] = iotARN(resources[i])
		}
		return []access.Question{{Action: action, Resources: resources}}
	}
	none := []string{}
	for _, test := range []struct {
		name  string
		trial access.Trial
		want  access.Answer
	}{
		{"allowed", access.Trial{Principal: c1, ClientID: "lamp-7", Questions: ask("PUBLISH", "topic/t/lamp-7")},
			access.Answer{Outcome: policy.Allowed, Allow: []string{"lamps"}, Deny: none, Silent: []string{"site"}, Missing: none}},
		{"implicit/another topic", access.Trial{Principal: c1, ClientID: "lamp-7", Questions: ask("PUBLISH", "topic/t/lamp-8")},
			access.Answer{Outcome: policy.ImplicitDeny, Allow: none, Deny: none, Silent: []string{"lamps", "site"}, Missing: none}},
		{"implicit/no client", access.Trial{Principal: c1, Questions: ask("CONNECT", "client/lamp-7")},
			access.Answer{Outcome: policy.ImplicitDeny, Allow: none, Deny: none, Silent: []string{"lamps", "site"}, Missing: []string{"iot:ClientId"}}},
		{"implicit/one of two resources", access.Trial{Principal: c1, ClientID: "lamp-7", Questions: ask("PUBLISH", "topic/t/lamp-7", "topic/x")},
			access.Answer{Outcome: policy.ImplicitDeny, Allow: []string{"lamps"}, Deny: none, Silent: []string{"site"}, Missing: none}},
		{"explicit/added", access.Trial{Principal: c1, ClientID: "lamp-7", Questions: ask("PUBLISH", "topic/t/lamp-7"), Add: []string{"ban"}},
			access.Answer{Outcome: policy.ExplicitDeny, Allow: []string{"lamps"}, Deny: []string{"ban"}, Silent: []string{"site"}, Missing: none}},
		{"implicit/skipped", access.Trial{Principal: c1, ClientID: "lamp-7", Questions: ask("PUBLISH", "topic/t/lamp-7"), Skip: []string{"lamps"}},
			access.Answer{Outcome: policy.ImplicitDeny, Allow: none, Deny: none, Silent: []string{"site"}, Missing: none}},
		{"allowed/no principal", access.Trial{Questions: ask("SUBSCRIBE", "topicfilter/#"), Add: []string{"site"}},
			access.Answer{Outcome: policy.Allowed, Allow: []string{"site"}, Deny: none, Silent: none, Missing: none}},
		{"allowed/by the certificate", access.Trial{Principal: c1, Questions: ask("RECEIVE", "topic/dev"), Add: []string{"dev"}},
			access.Answer{Outcome: policy.Allowed, Allow: []string{"dev"}, Deny: none, Silent: []string{"lamps", "site"}, Missing: none}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := b.TestAuthorization(b.ctx, test.trial)
			b.ok(err)
			same(t, []access.Answer{test.want}, got)
		})
	}
	b.PrincipalExists = func(_ context.Context, p string) (bool, error) { return p == c1, nil }
	for name, test := range map[string]struct {
		trial access.Trial
		code  fault.Code
	}{
		"no ARN":              {access.Trial{Questions: []access.Question{{Action: "PUBLISH", Resources: []string{"topic/x"}}}}, fault.CodeInvalidRequest},
		"no resource":         {access.Trial{Questions: []access.Question{{Action: "PUBLISH"}}}, fault.CodeInvalidRequest},
		"no question":         {access.Trial{}, fault.CodeInvalidRequest},
		"another action":      {access.Trial{Questions: ask("DELETE", "topic/x")}, fault.CodeInvalidRequest},
		"unknown policy":      {access.Trial{Questions: ask("PUBLISH", "topic/x"), Add: []string{"no"}}, fault.CodeNotFound},
		"unknown skipped":     {access.Trial{Questions: ask("PUBLISH", "topic/x"), Skip: []string{"no"}}, fault.CodeNotFound},
		"unknown certificate": {access.Trial{Principal: c2, Questions: ask("PUBLISH", "topic/x")}, fault.CodeNotFound},
		"a group":             {access.Trial{Principal: scope.IoT("thinggroup", "g"), Questions: ask("PUBLISH", "topic/x")}, fault.CodeInvalidRequest},
	} {
		if _, err := b.TestAuthorization(b.ctx, test.trial); !fault.Is(err, test.code) {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
}
