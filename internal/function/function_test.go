package function

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"thingd/internal/fault"
)

const arn = "arn:aws:lambda:us-east-1:000000000000:function:f"

func TestCall(t *testing.T) {
	hold := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("POST /big", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("x", answerMax+1))
	})
	mux.HandleFunc("POST /moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/echo", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("POST /slow", func(http.ResponseWriter, *http.Request) { <-hold })
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(hold)
	for _, c := range []struct {
		name, function, path string
		limit                time.Duration
		want                 string
		code                 fault.Code
	}{
		{"ok", arn, "/echo", time.Minute, "event", ""},
		{"ok/with a version", arn + ":7", "/echo", time.Minute, "event", ""},
		{"refused/another function", arn + "g", "/echo", time.Minute, "", fault.CodeInvalidRequest},
		{"failed/not found", arn, "/nowhere", time.Minute, "", fault.CodeInvalidResponse},
		{"failed/moved", arn, "/moved", time.Minute, "", fault.CodeInvalidResponse},
		{"failed/too much", arn, "/big", time.Minute, "", fault.CodeInvalidResponse},
		{"failed/too slow", arn, "/slow", 10 * time.Millisecond, "", fault.CodeInvalidResponse},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller := Caller{URLs: map[string]string{arn: server.URL + c.path}}
			got, err := caller.Call(t.Context(), c.function, []byte("event"), c.limit)
			if string(got) != c.want || fault.CodeOf(err) != c.code {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
