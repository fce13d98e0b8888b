package thingd

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/rules/action"
)

func TestParseEndpoint(t *testing.T) {
	tests := []struct {
		address string
		want    action.Endpoint
	}{
		{"http://localhost:9324", action.Endpoint{URL: "http://localhost:9324"}},
		{"https://AKIA:s%2Fecret@sqs.example.net/queue?region=eu-west-1", action.Endpoint{
			URL: "https://sqs.example.net/queue", Region: "eu-west-1",
			Credentials: action.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s/ecret"},
		}},
	}
	for _, test := range tests {
		got, err := parseEndpoint(test.address)
		if err != nil {
			t.Errorf("%s: %v", test.address, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.address, diff)
		}
	}
	for _, bad := range []string{"", "sqs.example.net", "ftp://x", "http://"} {
		if _, err := parseEndpoint(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
