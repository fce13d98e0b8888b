package thingd

import (
	"io"
	"net/http"
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

// A panic in the embedded S3 is the failure of one request.
func TestInsideSurvivesAPanic(t *testing.T) {
	broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("bug")
	})
	client := &http.Client{Transport: inside{objects: broken}}
	answer, err := client.Get("http://" + insideHost + "/b/k")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("read %q without an error", text)
	}
}
