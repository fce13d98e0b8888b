package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/wire"
	"thingd/internal/message"
	"thingd/internal/shadow"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

// shadowFront is the shadow operations behind the wire, for a device with a
// certificate that may do everything.
type shadowFront struct{ mux *wire.Mux }

func openShadowFront(t *testing.T) shadowFront {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(context.Background(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), log)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Unix(1700000000, 0) }
	service := shadow.New(shadow.Config{Store: db.Shadows("111122223333"), Publisher: deaf{}, Now: now, Log: log})
	t.Cleanup(func() {
		if err := errors.Join(service.Close(context.Background()), db.Close()); err != nil {
			t.Error(err)
		}
	})
	mux := wire.NewMux(wire.Options{
		Authenticator: anyone{}, Authorizer: anyone{}, Now: now, Log: log,
		NewID: func() string { return "7f0c1c1e-9f0a-4d0f-8a53-5d2a6f0c2b11" },
	})
	mux.Mount(iotdata.Service, &IoTData{Shadows: service, Now: now})
	return shadowFront{mux}
}

// deaf is a message.Publisher without subscribers.
type deaf struct{}

func (deaf) Publish(_ message.Message, done message.Done) { done(nil) }

// anyone lets every caller in and allows everything.
type anyone struct{}

func (anyone) Authenticate(context.Context, *http.Request, *sigv4.Signature) (wire.Caller, error) {
	return wire.Caller{}, nil
}
func (anyone) Authorize(context.Context, wire.Caller, wire.Call) error { return nil }

// shadowAnswer is what an HTTP client sees.
type shadowAnswer struct {
	Status    int
	Exception string // x-amzn-ErrorType
	Body      string
}

func (f shadowFront) ask(method, path, body string) shadowAnswer {
	r := httptest.NewRequest(method, "https://localhost"+path, strings.NewReader(body))
	r = r.WithContext(wire.WithCaller(r.Context(), wire.Caller{Kind: wire.Certificate, CertificateID: strings.Repeat("a", 64)}))
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	return shadowAnswer{w.Code, exception(w.Header()), w.Body.String()}
}

// exception finds the name of the error, in a header that is spelled as AWS
// spells it.
func exception(h http.Header) string {
	for name, values := range h {
		if strings.EqualFold(name, "x-amzn-ErrorType") {
			return strings.Join(values, ",")
		}
	}
	return ""
}

// refusal is the answer for a failed request.
func refusal(status int, exception, message string) shadowAnswer {
	return shadowAnswer{status, exception, `{"message":"` + message + `","traceId":"7f0c1c1e-9f0a-4d0f-8a53-5d2a6f0c2b11"}`}
}

func TestShadowsOverHTTP(t *testing.T) {
	f := openShadowFront(t)
	const classic, named = "/things/pump7/shadow", "/things/pump7/shadow?name=net"
	const list = "/api/things/shadow/ListNamedShadowsForThing/"
	for _, step := range []struct {
		name, method, path, body string
		want                     shadowAnswer
	}{
		{"refused/absent classic", "GET", classic, "", refusal(404, "ResourceNotFoundException", "No shadow exists with name: 'pump7'")},
		{"refused/absent named", "GET", named, "", refusal(404, "ResourceNotFoundException", "No shadow exists with name: 'net'")},
		{"refused/delete of nothing", "DELETE", named, "", refusal(404, "ResourceNotFoundException", "No shadow exists with name: 'net'")},
		{"ok/update", "POST", classic, `{"state":{"desired":{"wait_time":10},"reported":{"wait_time":5}},"clientToken":"t-1"}`, shadowAnswer{200, "",
			`{"state":{"desired":{"wait_time":10},"reported":{"wait_time":5}},"metadata":{"desired":{"wait_time":{"timestamp":1700000000}},"reported":{"wait_time":{"timestamp":1700000000}}},"version":1,"timestamp":1700000000,"clientToken":"t-1"}`}},
		{"ok/get", "GET", classic, "", shadowAnswer{200, "",
			`{"state":{"desired":{"wait_time":10},"reported":{"wait_time":5},"delta":{"wait_time":10}},"metadata":{"desired":{"wait_time":{"timestamp":1700000000}},"reported":{"wait_time":{"timestamp":1700000000}}},"version":1,"timestamp":1700000000}`}},
		{"ok/update of a named one", "POST", named, `{"state":{}}`, shadowAnswer{200, "", `{"state":{},"metadata":{},"version":1,"timestamp":1700000000}`}},
		{"ok/update of the packages", "POST", "/things/pump7/shadow?name=$package", `{"state":{}}`, shadowAnswer{200, "", `{"state":{},"metadata":{},"version":1,"timestamp":1700000000}`}},
		{"ok/list", "GET", list + "pump7", "", shadowAnswer{200, "", `{"results":["$package","net"],"timestamp":1700000000}`}},
		{"ok/list a page", "GET", list + "pump7?pageSize=1", "", shadowAnswer{200, "", `{"results":["$package"],"nextToken":"JHBhY2thZ2U=","timestamp":1700000000}`}},
		{"ok/list the next", "GET", list + "pump7?pageSize=1&nextToken=JHBhY2thZ2U%3D", "", shadowAnswer{200, "", `{"results":["net"],"timestamp":1700000000}`}},
		{"ok/list of an unknown thing", "GET", list + "nobody", "", shadowAnswer{200, "", `{"results":[],"timestamp":1700000000}`}},
		{"refused/version", "POST", classic, `{"state":{},"version":7}`, refusal(409, "ConflictException", "Version conflict")},
		{"refused/no JSON", "POST", classic, `nonsense`, refusal(400, "InvalidRequestException", "Invalid JSON")},
		{"refused/no state", "POST", classic, `{}`, refusal(400, "InvalidRequestException", "Missing required node: state")},
		{"refused/unknown node", "POST", classic, `{"state":{"foo":1}}`, refusal(400, "InvalidRequestException", "State contains an invalid node: 'foo'")},
		{"refused/not UTF-8", "POST", classic, "{\"state\":\"\xff\"}", refusal(415, "UnsupportedDocumentEncodingException", "Unsupported documented encoding; supported encoding is UTF-8")},
		{"refused/too large", "POST", classic, `{"state":{"desired":{"a":"` + strings.Repeat("x", 8192) + `"}}}`, refusal(413, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")},
		{"refused/nextToken", "GET", list + "pump7?nextToken=%3F", "", refusal(400, "InvalidRequestException", "Invalid nextToken")},
		{"ok/delete", "DELETE", named, "", shadowAnswer{200, "", `{"version":1,"timestamp":1700000000}`}},
		{"ok/a deleted one is not listed", "GET", list + "pump7", "", shadowAnswer{200, "", `{"results":["$package"],"timestamp":1700000000}`}},
	} {
		t.Run(step.name, func(t *testing.T) {
			if diff := cmp.Diff(step.want, f.ask(step.method, step.path, step.body)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	// What breaks the service model is refused before the service sees it.
	for name, got := range map[string]shadowAnswer{
		"no payload": f.ask("POST", classic, ""),
		"thing name": f.ask("GET", "/things/a.b/shadow", ""),
		"page size":  f.ask("GET", list+"pump7?pageSize=101", ""),
	} {
		if got.Status != 400 || got.Exception != "InvalidRequestException" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
