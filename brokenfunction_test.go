package thingd

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"thingd/internal/authorizer"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// brokenFunctions are the ways in which an authorizer's webhook can fail, and what the
// operator reads of each.
var brokenFunctions = []struct{ name, says string }{
	{"failing", "the webhook answered 500 Internal Server Error"},
	{"moved", "the webhook answered 307 Temporary Redirect"},
	{"nonsense", "not the JSON object that is expected"},
	{"empty", "not the JSON object that is expected"},
	{"undecided", "isAuthenticated is missing"},
	{"greedy", "at most 10 policyDocuments are allowed, not 11"},
	{"verbose", "policy document 1: it has at most 2048 characters, not 2049"},
	{"gone", "connection refused"},
	{"unknown", "start the server with --function"},
	{"slow", "context deadline exceeded"},
}

// broken answers as the last element of the path says.
func broken(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	const yes = `{"isAuthenticated":true,"principalId":"alice","policyDocuments":[`
	switch r.URL.Path {
	case "/failing":
		w.WriteHeader(http.StatusInternalServerError)
	case "/moved":
		http.Redirect(w, r, "/greedy", http.StatusTemporaryRedirect)
	case "/nonsense":
		io.WriteString(w, "<html>")
	case "/undecided":
		io.WriteString(w, "{}")
	case "/greedy":
		io.WriteString(w, yes+strings.Repeat("{},", 10)+"{}]}")
	case "/verbose":
		io.WriteString(w, yes+`"`+strings.Repeat(" ", 2049)+`"]}`)
	case "/slow":
		<-r.Context().Done()
	}
}

// Whatever is wrong with the function of an authorizer, nobody gets in, and the
// operator hears what it is.
func TestBrokenFunctionsLetNobodyIn(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(broken))
	t.Cleanup(hook.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	arn := func(name string) string { return "arn:aws:lambda:us-east-1:123456789012:function:" + name }
	h := start(t, func(c *Config) {
		c.Functions = map[string]string{arn("gone"): gone.URL}
		for _, f := range brokenFunctions[:7] {
			c.Functions[arn(f.name)] = hook.URL + "/" + f.name
		}
		c.Functions[arn("slow")] = hook.URL + "/slow"
	})
	for _, f := range brokenFunctions {
		t.Run(f.name, func(t *testing.T) {
			a := authorizer.Authorizer{Name: f.name, FunctionARN: arn(f.name), TokenKeyName: "tok", SigningDisabled: true, Status: authorizer.Active}
			must(t, h.authorizers.Create(t.Context(), a, nil))
			events, cancel := h.journal.Subscribe()
			defer cancel()
			explained := func(step why.Step) {
				t.Helper()
				select {
				case e := <-events:
					if e.Cause != why.AuthorizerRefused || e.Step != step || !strings.Contains(e.Detail, f.says) {
						t.Errorf("the journal has %s at %s: %s; want %q in it", e.Cause, e.Step, e.Detail, f.says)
					}
				case <-time.After(patience):
					t.Errorf("the journal has nothing about step %s", step)
				}
			}
			config := h.trust(nil)
			config.NextProtos = []string{"mqtt"}
			old := newClient(h.dial(t, config), mqtt.V4)
			connect := &mqtt.Connect{ClientID: "lamp-7", CleanStart: true}
			connect.Username = mqtt.Some("alice?x-amz-customauthorizer-name=" + f.name + "&tok=a")
			old.send(t, connect)
			if said := rest(t, old); said != "" {
				t.Errorf("an MQTT 3.1.1 client is told % x", said)
			}
			explained(why.StepConnect)
			if f.name == "slow" { // once is long enough
				return
			}
			head, _ := exchange(t, h.dial(t, h.trust(nil)), post("/topics/a", "hi", "X-Amz-Customauthorizer-Name: "+f.name, "tok: a"))
			if got := parse(t, head); got.StatusCode != 401 || got.Header.Get("x-amzn-ErrorType") != "UnauthorizedException" {
				t.Errorf("HTTPS is answered with %s", head)
			}
			explained(why.StepHTTP)
		})
	}
}
