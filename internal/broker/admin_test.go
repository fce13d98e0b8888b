package broker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/broker"
	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// joined connects a client in a world.
func joined(t *testing.T, w *world, connect *mqtt.Connect) *client {
	t.Helper()
	c := newClient(connect.ClientID, mqtt.V5, w.dial())
	t.Cleanup(c.drop)
	if err := c.send(connect); err != nil {
		t.Fatal(err)
	}
	if p, err := c.next(); err != nil {
		t.Fatal(err)
	} else if ack, ok := p.(*mqtt.Connack); !ok || ack.Reason.Failed() {
		t.Fatalf("CONNECT is answered with %s", show(p))
	}
	return c
}

func subscribed(t *testing.T, c *client, filters ...string) {
	t.Helper()
	ask := &mqtt.Subscribe{PacketID: 1}
	for _, f := range filters {
		ask.Subscriptions = append(ask.Subscriptions, mqtt.Subscription{Filter: f, QoS: mqtt.QoS1})
	}
	if err := c.send(ask); err != nil {
		t.Fatal(err)
	}
	if _, err := c.next(); err != nil {
		t.Fatal(err)
	}
}

func TestSendDirectWithConfirmation(t *testing.T) {
	w := newWorld(t, broker.AWS())
	c := joined(t, w, &mqtt.Connect{ClientID: "car", SessionExpiry: mqtt.Some(time.Hour)})
	m := message.Message{Topic: "cmd/car", Payload: []byte("honk")}
	send := func(wait time.Duration) error { return w.broker.SendDirect(context.Background(), "car", m, wait) }

	confirmed := make(chan error)
	go func() { confirmed <- send(patience) }()
	p, err := c.next()
	if err != nil {
		t.Fatal(err)
	}
	got := p.(*mqtt.Publish)
	if string(got.Topic) != "cmd/car" || got.QoS != mqtt.QoS1 {
		t.Errorf("the client hears %s", show(got))
	}
	if err := c.send(&mqtt.Puback{PacketID: got.PacketID}); err != nil {
		t.Fatal(err)
	}
	if err := <-confirmed; err != nil {
		t.Errorf("acknowledged: %v", err)
	}
	if err := send(time.Millisecond); !fault.Is(err, fault.CodeGatewayTimeout) {
		t.Errorf("not acknowledged: %v", err)
	}
	// What was not confirmed is not sent again to a client that comes back.
	c.drop()
	back := joined(t, w, &mqtt.Connect{ClientID: "car", SessionExpiry: mqtt.Some(time.Hour)})
	if err := back.barrier(); err != nil {
		t.Error(err)
	}
}

// Messages over HTTPS count among those of the account.
func TestMessagesOverHTTPSAreCounted(t *testing.T) {
	limits := broker.AWS()
	limits.AccountPublishRate, limits.TopicRetainRate = 3, 1
	w := newWorld(t, limits)
	m := message.Message{Topic: "t", Origin: message.Origin{Kind: message.FromHTTP, Principal: "cert-web"}}
	kept := m
	kept.Retain = true
	var got []fault.Code
	for _, one := range []message.Message{kept, kept, m, m} {
		got = append(got, fault.CodeOf(w.broker.MayPublish(one)))
	}
	if diff := cmp.Diff([]fault.Code{"", fault.CodeThrottling, "", fault.CodeThrottling}, got); diff != "" {
		t.Error(diff)
	}
	event, err := w.told.await("")
	want := why.Event{
		Time: w.clock.Now(), Principal: "cert-web", Door: "https", Step: why.StepHTTP, Cause: why.TooFast,
		Detail: "more than 1 retained messages a second to t",
	}
	event.Reason = why.Phrase{} // Detail in parts
	if diff := cmp.Diff(want, event); diff != "" || err != nil {
		t.Errorf("the journal (-want +got):\n%s%v", diff, err)
	}
	w.clock.move(time.Second)
	if err := w.broker.MayPublish(kept); err != nil {
		t.Error(err)
	}
}

func TestConnectionIsDescribed(t *testing.T) {
	w := newWorld(t, broker.AWS())
	c := joined(t, w, &mqtt.Connect{ClientID: "car", SessionExpiry: mqtt.Some(time.Minute), KeepAlive: 40 * time.Second})
	subscribed(t, c, "a", "b/+", "c/#")
	got, ok := w.broker.Connection("car")
	got.SourcePort = 0 // another with each connection
	want := broker.Connection{
		ClientID: "car", Connected: true, Principal: "cert-car", Version: mqtt.V5, Door: "test",
		KeepAlive: 40 * time.Second, SessionExpiry: time.Minute, ConnectedSince: w.clock.Now(),
		SourceIP: "198.51.100.23", TargetIP: "127.0.0.1", TargetPort: 8883, Subscriptions: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("connected (-want +got):\n%s", diff)
	}
	if err := w.broker.Disconnect(context.Background(), "car", false, false); err != nil {
		t.Fatal(err)
	}
	got, ok = w.broker.Connection("car")
	want = broker.Connection{
		ClientID: "car", Principal: "cert-car", Version: mqtt.V5, SessionExpiry: time.Minute, Left: w.clock.Now(),
		DisconnectReason: "API_INITIATED_DISCONNECT", Subscriptions: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("away (-want +got):\n%s", diff)
	}
	w.clock.move(time.Second)
	if err := w.broker.Disconnect(context.Background(), "car", true, false); err != nil {
		t.Fatal(err)
	}
	got, ok = w.broker.Connection("car")
	want = broker.Connection{ClientID: "car", Left: w.clock.Now().Add(-time.Second), DisconnectReason: "API_INITIATED_DISCONNECT"}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("without a session (-want +got):\n%s", diff)
	}
	w.clock.move(broker.LeftKept)
	if got, ok := w.broker.Connection("car"); ok {
		t.Errorf("long gone: %+v", got)
	}
	if _, ok := w.broker.Connection("nobody"); ok {
		t.Error("nobody is known")
	}
}

func TestListsHavePages(t *testing.T) {
	w := newWorld(t, broker.AWS())
	for i := range 5 {
		c := joined(t, w, &mqtt.Connect{ClientID: fmt.Sprintf("car-%d", i)})
		if i == 0 {
			subscribed(t, c, "d", "a", "c", "b")
		}
		m := message.Message{Topic: fmt.Sprintf("kept/%d", i), Payload: []byte("x"), Retain: true}
		if i == 2 {
			m.Expires = w.clock.Now()
		}
		if err := message.Publish(context.Background(), w.broker, m); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for after := ""; ; {
		page := w.broker.Connections(after, 2)
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			got, after = append(got, c.ClientID), c.ClientID
		}
	}
	for after := ""; ; {
		page, err := w.broker.Subscriptions("car-0", after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			got, after = append(got, s.Filter), s.Filter
		}
	}
	for after := ""; ; {
		page, err := w.broker.RetainedMessages(context.Background(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got, after = append(got, r.Message.Topic), r.Message.Topic
		}
	}
	want := []string{
		"car-0", "car-1", "car-2", "car-3", "car-4", "a", "b", "c", "d", "kept/0", "kept/1", "kept/3", "kept/4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := w.broker.Subscriptions("nobody", "", 1); !fault.Is(err, fault.CodeNotFound) {
		t.Errorf("subscriptions of nobody: %v", err)
	}
}

// Every limit that can be set is read back as it was set.
func TestSettings(t *testing.T) {
	for _, s := range broker.Settings() {
		for _, l := range []broker.Limits{broker.AWS(), broker.Standard()} {
			want := s.Value(l)
			var other broker.Limits
			if err := other.Set(s.Name, want); err != nil && s.Name != "topic-slashes" { // -1 is no limit
				t.Errorf("%s: %v", s.Name, err)
			} else if got := s.Value(other); err == nil && got != want {
				t.Errorf("%s: %s was set, %s is read", s.Name, want, got)
			}
		}
		var l broker.Limits
		if err := l.Set(s.Name, "nonsense"); err == nil {
			t.Errorf("%s takes nonsense", s.Name)
		}
	}
	var l broker.Limits
	if err := l.Set("no-such-limit", "1"); err == nil {
		t.Error("an unknown limit is taken")
	}
}
