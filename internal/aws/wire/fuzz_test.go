package wire_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/wire"
)

func TestTablesOfEveryService(t *testing.T) {
	for _, s := range everyService {
		t.Run(s.Name, func(t *testing.T) { wire.CheckTables(s) })
	}
}

// anybody lets everyone in as somebody.
type anybody struct{}

func (anybody) Authenticate(context.Context, *http.Request, *sigv4.Signature) (wire.Caller, error) {
	return wire.Caller{Kind: wire.AccessKey}, nil
}

func (anybody) Authorize(context.Context, wire.Caller, wire.Call) error { return nil }

func openMux() *wire.Mux {
	mux := wire.NewMux(wire.Options{
		Authenticator: anybody{}, Authorizer: anybody{}, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	impls := everything()
	for _, s := range everyService {
		mux.Mount(s, impls[s])
	}
	return mux
}

// knownPanic is the only request that may panic: its handler does.
func knownPanic(r *http.Request) bool {
	return r.Method == "GET" && r.URL.Path == "/tags"
}

func serveFuzzed(t *testing.T, mux *wire.Mux, r *http.Request) {
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code == 500 && !knownPanic(r) {
		t.Fatalf("%s %s: %s", r.Method, r.URL, w.Body)
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("GET", "/things/a%3Ab", "maxResults=1", "", "")
	f.Add("PUT", "/things/t/jobs/$next", "", "", "")
	f.Add("POST", "/topics/a//b%2Fc", "qos=1&retain=true", "", "")
	f.Add("POST", "/", "Action=GetRole&RoleName=a", "", form)
	f.Add("POST", "/", "", "SageMaker.CreateDeviceFleet", "")
	f.Add("DELETE", "/destinations/arn:aws:x/y", "", "", "")
	mux := openMux()
	f.Fuzz(func(t *testing.T, method, path, query, target, contentType string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Host != "" {
			return
		}
		u.RawQuery = query
		r := (&http.Request{Method: method, URL: u, Header: http.Header{}, Body: http.NoBody}).WithContext(context.Background())
		r.Header.Set("Content-Type", contentType)
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		serveFuzzed(t, mux, r)
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(0, `{"thingTypeName":"t","attributePayload":{"attributes":{"a":"b"},"merge":true}}`)
	f.Add(1, `{"sql":"select 1","actions":[{"s3":{"bucketName":"b","key":"k","roleArn":"r"}}],"ruleDisabled":false}`)
	f.Add(2, `{"statusDetails":{"a":"b"},"stepTimeoutInMinutes":5}`)
	f.Add(3, `{"DeviceName":"d","DeviceFleetName":"f"}`)
	f.Add(4, `{"DeviceFleetName":"f","OutputConfig":{"S3OutputLocation":"s3://b/k"},"Tags":[{"Key":"k","Value":"v"}]}`)
	f.Add(5, "Action=TagRole&RoleName=r&Tags.member.1.Key=a&Tags.member.1.Value=b")
	f.Add(5, "Action=AssumeRole&RoleArn=arn:aws:iam::1:role/r&RoleSessionName=none&PolicyArns.member.1.arn=x&DurationSeconds=900")
	mux := openMux()
	requests := []func(string) *http.Request{
		func(body string) *http.Request {
			return httptest.NewRequest("POST", "/things/t", strings.NewReader(body))
		},
		func(body string) *http.Request {
			return httptest.NewRequest("POST", "/rules/r", strings.NewReader(body))
		},
		func(body string) *http.Request {
			return httptest.NewRequest("PUT", "/things/t/jobs/$next", strings.NewReader(body))
		},
		func(body string) *http.Request {
			return httptest.NewRequest("POST", "/GetDeployments", strings.NewReader(body))
		},
		func(body string) *http.Request {
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Header.Set("X-Amz-Target", "SageMaker.CreateDeviceFleet")
			return r
		},
		func(body string) *http.Request {
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Header.Set("Content-Type", form)
			return r
		},
	}
	f.Fuzz(func(t *testing.T, which int, body string) {
		r := requests[uint(which)%uint(len(requests))](body)
		serveFuzzed(t, mux, r)
	})
}
