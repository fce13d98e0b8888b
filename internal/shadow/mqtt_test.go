package shadow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/message"
	"thingd/internal/shadow"
)

func TestAnswersAreOrdinaryMessages(t *testing.T) {
	h := open(t, nil)
	if err := h.send("$aws/things/pump7/shadow/delete", `{"clientToken":"t-1"}`); err != nil {
		t.Fatal(err)
	}
	want := []message.Message{{
		Topic:   "$aws/things/pump7/shadow/delete/rejected",
		Payload: []byte(`{"code":404,"message":"No shadow exists with name: 'pump7'","timestamp":1700000000,"clientToken":"t-1"}`),
		QoS:     message.QoS1,
		// The hops of rules so far go on, so that a rule that turns answers
		// into requests comes to its end.
		Origin: message.Origin{Kind: message.FromService, TraceID: "trace-1", Rules: 2},
	}}
	if diff := cmp.Diff(want, h.heard()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	h := open(t, nil)
	for name, m := range map[string]message.Message{
		"answer":                 {Topic: "$aws/things/pump7/shadow/update/accepted"},
		"answer of a named one":  {Topic: "$aws/things/pump7/shadow/name/net/update/delta"},
		"unknown":                {Topic: "$aws/things/pump7/shadow/foo"},
		"shadow alone":           {Topic: "$aws/things/pump7/shadow"},
		"name without a request": {Topic: "$aws/things/pump7/shadow/name/net"},
		"name of a request":      {Topic: "$aws/things/pump7/shadow/name/get"},
		"elsewhere":              {Topic: "$aws/things/pump7/jobs/get"},
		"will": {Topic: "$aws/things/pump7/shadow/update", Payload: []byte(speed40),
			Origin: message.Origin{Kind: message.FromWill, ClientID: "pump7"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := h.deliver(m); err != nil {
				t.Error(err)
			}
			if said := h.lines(); said != nil {
				t.Errorf("%v", said)
			}
		})
	}
	if _, err := h.Get(context.Background(), pump7); err == nil {
		t.Error("a last will changed the shadow")
	}
}

// Names that are none are refused by name rules before anything else.
func TestTopicsWithBadNames(t *testing.T) {
	h := open(t, nil)
	for topic, what := range map[string]string{
		"$aws/things/pump 7/shadow/get":                                       "Invalid thing name",
		"$aws/things//shadow/get":                                             "Invalid thing name",
		"$aws/things/pump7/shadow/name/a.b/get":                               "Invalid shadow name",
		"$aws/things/pump7/shadow/name//get":                                  "Invalid shadow name",
		"$aws/things/pump7/shadow/name/" + strings.Repeat("x", 65) + "/get":   "Invalid shadow name",
		"$aws/things/" + strings.Repeat("x", 129) + "/shadow/name/net/delete": "Invalid thing name",
	} {
		if err := h.send(topic, `{"clientToken":"t-1"}`); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
		said := h.heard()
		if len(said) != 1 || said[0].Topic != topic+"/rejected" || !strings.Contains(string(said[0].Payload), `{"code":400,"message":"`+what) {
			t.Errorf("%s: %v", topic, said)
		}
	}
}

// The sender is acknowledged after everything it caused is where it must be.
func TestAcknowledgementWaitsForTheAnswers(t *testing.T) {
	lost := errors.New("lost")
	h := open(t, nil)
	h.recorder.fail = lost
	if err := h.send("$aws/things/pump7/shadow/update", speed40); !errors.Is(err, lost) {
		t.Errorf("acknowledged with %v", err)
	}
	if err := h.send("$aws/things/pump7/shadow/update", "nonsense"); !errors.Is(err, lost) {
		t.Errorf("acknowledged with %v", err)
	}
	if n := len(h.heard()); n != 4 {
		t.Errorf("%d messages; want delta, documents, accepted and rejected", n)
	}
}

func TestRequestsUnderWayPerConnection(t *testing.T) {
	slow := newSlow()
	h := open(t, func(c *shadow.Config) { c.Store = slow })
	answered := make(chan error, 20)
	send := func(client string, n int) {
		h.Handler()(message.Message{
			Topic:   fmt.Sprintf("$aws/things/thing-%d/shadow/update", n),
			Payload: fmt.Appendf(nil, `{"state":{},"clientToken":"t-%d"}`, n),
			Origin:  message.Origin{Kind: message.FromDevice, ClientID: client},
		}, func(err error) { answered <- err })
	}
	var writes []func(error)
	for n := range 10 {
		send("pump7", n)
		writes = append(writes, <-slow.saves)
	}
	send("pump7", 10)
	if err := <-answered; err != nil { // refused, and acknowledged
		t.Error(err)
	}
	want := []string{`thing-10/shadow/update/rejected {"code":429,"message":"Rate exceeded","timestamp":1700000000,"clientToken":"t-10"}`}
	if diff := cmp.Diff(want, h.lines()); diff != "" {
		t.Error(diff)
	}
	send("pump8", 11) // another connection has room of its own
	writes = append(writes, <-slow.saves)
	writes[0](nil)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	send("pump7", 12) // and so has this one again
	writes = append(writes, <-slow.saves)
	for _, write := range writes[1:] {
		write(nil)
	}
	for range len(writes) - 1 {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
	for _, said := range h.lines() {
		if strings.Contains(said, "rejected") {
			t.Error(said)
		}
	}
}

func TestRequestsUnderWayInAll(t *testing.T) {
	slow := newSlow()
	h := open(t, func(c *shadow.Config) { c.Store, c.Limits.InFlight = slow, 2 })
	ctx := context.Background()
	answered := make(chan error, 2)
	for n := range 2 {
		go func() {
			_, err := h.Update(ctx, shadow.ID{Thing: fmt.Sprint("thing-", n)}, []byte(`{"state":{}}`))
			answered <- err
		}()
	}
	writes := []func(error){<-slow.saves, <-slow.saves}
	if _, err := h.Get(ctx, pump7); err == nil || !strings.Contains(err.Error(), "Rate exceeded") {
		t.Errorf("%v", err)
	}
	for _, write := range writes {
		write(nil)
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}

// A burst on one shadow is answered in its order, gets included: each sees what
// was asked before it.
func TestOneShadowInOrder(t *testing.T) {
	h := open(t, func(c *shadow.Config) { c.Limits.PerConnection = 1000 })
	if err := h.send("$aws/things/pump7/shadow/update", `{"state":{}}`); err != nil {
		t.Fatal(err)
	}
	h.heard()
	const n = 200
	done := make(chan error, 2*n)
	origin := message.Origin{Kind: message.FromDevice, ClientID: "pump7"}
	for i := range n {
		h.Handler()(message.Message{Topic: "$aws/things/pump7/shadow/update", Origin: origin,
			Payload: fmt.Appendf(nil, `{"state":{"reported":{"n":%d}}}`, i)}, func(err error) { done <- err })
		h.Handler()(message.Message{Topic: "$aws/things/pump7/shadow/get", Origin: origin}, func(err error) { done <- err })
	}
	for range 2 * n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	next := 0
	for _, m := range h.heard() {
		want := fmt.Sprintf(`{"state":{"reported":{"n":%d}},"metadata":{"reported":{"n":{"timestamp":1700000000}}},"version":%d,"timestamp":1700000000}`, next, next+2)
		switch {
		case strings.HasSuffix(m.Topic, "/update/accepted") && string(m.Payload) != want:
			t.Fatalf("update: got %s, want %s", m.Payload, want)
		case strings.HasSuffix(m.Topic, "/get/accepted"):
			if string(m.Payload) != want {
				t.Fatalf("get: got %s, want %s", m.Payload, want)
			}
			next++
		}
	}
	if next != n {
		t.Errorf("%d answers", next)
	}
}
