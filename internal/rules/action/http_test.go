package action_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

func hook(url string, change func(*iot.HttpAction)) iot.Action {
	a := &iot.HttpAction{Url: url}
	if change != nil {
		change(a)
	}
	return iot.Action{Http: a}
}

func TestHTTPPosts(t *testing.T) {
	targets := newTargets(t, action.Config{})
	for _, test := range []struct {
		name, payload string
		change        func(*iot.HttpAction)
		want          map[string]string // headers
	}{
		{"JSON", `{"n":1}`, nil, map[string]string{"Content-Type": "application/json"}},
		{"bytes", "\x01\x02", nil, map[string]string{"Content-Type": "application/octet-stream"}},
		{"own headers", `{"n":1}`, func(a *iot.HttpAction) {
			a.Headers = []iot.HttpActionHeader{{Key: "content-TYPE", Value: "text/x-${n}"}, {Key: "X-A", Value: "b"}}
		}, map[string]string{"Content-Type": "text/x-1", "X-A": "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := listen(t)
			done(t, run(t, targets, hook(server.URL+"/in?k=${topic(2)}", test.change), test.payload))
			got := server.all()[0]
			headers := map[string]string{}
			for name := range test.want {
				headers[name] = got.Header.Get(name)
			}
			if diff := cmp.Diff(test.want, headers); diff != "" {
				t.Error(diff)
			}
			if got.Method != "POST" || got.Path != "/in?k=7" || got.Body != test.payload {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestHTTPSigns(t *testing.T) {
	server := listen(t)
	targets := newTargets(t, action.Config{})
	done(t, run(t, targets, hook(server.URL, func(a *iot.HttpAction) {
		a.Auth = &iot.HttpAuthorization{Sigv4: &iot.SigV4Authorization{SigningRegion: "eu-central-1", ServiceName: "execute-api", RoleArn: role}}
	}), `{}`))
	got := server.all()[0].Header.Get("Authorization")
	if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=AKIATEST/20231114/eu-central-1/execute-api/aws4_request") {
		t.Error(got)
	}
}

func TestHTTPFailures(t *testing.T) {
	targets := newTargets(t, action.Config{})
	type outcome struct {
		Words string
		Again bool
	}
	failed := func(words string) string {
		return "HttpAction failed to make a request to the specified endpoint. " + words
	}
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   outcome
	}{
		{"refused", 404, "", outcome{failed("StatusCode: 404. Reason: Not Found."), false}},
		{"server error", 500, "", outcome{failed("StatusCode: 500. Reason: Internal Server Error."), true}},
		{"throttled", 429, "", outcome{failed("StatusCode: 429. Reason: Too Many Requests."), true}},
		{"redirect is not followed", 302, "", outcome{failed("StatusCode: 302. Reason: Found."), false}},
		{"long answer", 200, strings.Repeat("x", 16385), outcome{failed("Reason: the response has more than 16384 bytes."), false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := listen(t)
			server.status, server.body = []int{test.status}, test.body
			delivery, err := prepare(t, targets, hook(server.URL, nil), `{}`)
			done(t, err)
			err = delivery.Send(context.Background())
			if diff := cmp.Diff(test.want, outcome{delivery.Explain(err), action.Retryable(err)}); diff != "" {
				t.Error(diff)
			}
			if delivery.Tries != 3 || delivery.Budget != 3*time.Second {
				t.Error(delivery.Tries, delivery.Budget)
			}
		})
	}
	t.Run("peer hangs up", func(t *testing.T) {
		server := listen(t)
		server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		err := run(t, targets, hook(server.URL, nil), `{}`)
		if err == nil || action.Retryable(err) {
			t.Error(err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		server := listen(t)
		server.Close()
		err := run(t, targets, hook(server.URL, nil), `{}`)
		if err == nil || !action.Retryable(err) {
			t.Error(err)
		}
	})
}

func TestHTTPURLs(t *testing.T) {
	strict := action.New(action.Config{Scope: scope})
	defer strict.Close()
	for url, ok := range map[string]bool{
		"https://a.example":                              true,
		"https://a.example:443/x":                        true,
		"https://192.0.2.1:8443":                         true,
		"https://a.example:8080":                         false,
		"http://a.example":                               false,
		"https://[2001:db8::1]/":                         false,
		"https://user:pw@a.example":                      false,
		"https://":                                       false,
		"https://a.example/" + strings.Repeat("x", 2000): false,
		"ftp://a.example":                                false,
	} {
		if err := strict.CheckURL(url); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestHTTPBatches(t *testing.T) {
	server := listen(t)
	targets := newTargets(t, action.Config{})
	query, err := iotsql.Parse("SELECT * FROM '#'", iotsql.V20160323)
	done(t, err)
	size := 3
	compiled, err := targets.Compile(hook(server.URL, func(a *iot.HttpAction) {
		a.EnableBatching, a.BatchConfig = new(true), &iot.BatchConfig{MaxBatchSize: &size, MaxBatchOpenMs: new(200)}
		a.Headers = []iot.HttpActionHeader{{Key: "Content-Type", Value: "text/plain"}}
	}), query)
	done(t, err)
	var sending sync.WaitGroup
	for _, payload := range []string{`{"n":1}`, `{"n":1}`, "text", `{"n":1}`} {
		delivery, err := compiled.Prepare(event(t, query, payload))
		done(t, err)
		sending.Go(func() { done(t, delivery.Send(context.Background())) })
	}
	sending.Wait()
	// Which three go together is up to the scheduler; the last goes by time.
	lengths := map[int]int{}
	parts := map[string]int{}
	for _, got := range server.all() {
		if got.Header.Get("Content-Type") != "application/json" || got.Body[0] != '[' {
			t.Errorf("%+v", got)
		}
		all := strings.Split(strings.Trim(got.Body, "[]"), ",")
		lengths[len(all)]++
		for _, part := range all {
			parts[part]++
		}
	}
	if diff := cmp.Diff(map[int]int{3: 1, 1: 1}, lengths); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{`{"n":1}`: 3, `"text"`: 1}, parts); diff != "" {
		t.Error(diff)
	}
	if _, err := compiled.Prepare(event(t, query, "\xff")); err == nil {
		t.Error("bytes went into a batch")
	}
}

func TestLambda(t *testing.T) {
	const function = "arn:aws:lambda:eu-west-1:123456789012:function:f"
	spec := iot.Action{Lambda: &iot.LambdaAction{FunctionArn: function + ":live"}}
	t.Run("webhook", func(t *testing.T) {
		server := listen(t)
		targets := newTargets(t, action.Config{Webhooks: map[string]string{function: server.URL + "/f"}})
		done(t, run(t, targets, spec, `{"n":1}`))
		got := server.all()[0]
		if got.Path != "/f" || got.Body != `{"n":1}` || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("endpoint", func(t *testing.T) {
		server := listen(t)
		server.status = []int{202}
		targets := newTargets(t, action.Config{Endpoints: map[string]action.Endpoint{
			"lambda": {URL: server.URL, Credentials: action.Credentials{AccessKeyID: "AKIAOWN", SecretAccessKey: "s"}},
		}})
		done(t, run(t, targets, spec, `{"n":1}`))
		got := server.all()[0]
		if got.Path != "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af%3Alive/invocations" ||
			got.Body != `{"n":1}` || got.Header.Get("X-Amz-Invocation-Type") != "Event" || !strings.Contains(got.Header.Get("Authorization"), "AKIAOWN") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("not JSON", func(t *testing.T) {
		if err := run(t, newTargets(t, action.Config{}), spec, "raw"); err == nil {
			t.Error("raw bytes were sent")
		}
	})
	t.Run("answer", func(t *testing.T) {
		server := listen(t)
		server.body = `{"answer":42}`
		lookups := &action.Lookups{Targets: newTargets(t, action.Config{Webhooks: map[string]string{function: server.URL}})}
		got, err := lookups.InvokeLambda(context.Background(), function, []byte(`{}`))
		if string(got) != `{"answer":42}` || err != nil {
			t.Error(string(got), err)
		}
	})
}
