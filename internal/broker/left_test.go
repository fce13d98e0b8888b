package broker_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// leaving is a connection whose client says good-bye below MQTT.
type leaving struct{ net.Conn }

func (l leaving) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err != nil {
		err = broker.ErrLeft
	}
	return n, err
}

// A WebSocket Close frame counts as DISCONNECT: no will.
func TestGoodbyeBelowMQTT(t *testing.T) {
	w := newWorld(t, broker.AWS())
	wills, events := &inbox{}, &inbox{}
	w.broker.Handle("will", wills.handle)
	w.broker.Handle("$aws/events/presence/disconnected/+", events.handle)
	ours, theirs := net.Pipe()
	w.serve(leaving{theirs})
	c := newClient("car", mqtt.V4, ours)
	if err := c.send(&mqtt.Connect{ClientID: "car", CleanStart: true, Will: &mqtt.Will{Topic: "will"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.next(); err != nil {
		t.Fatal(err)
	}
	c.drop()
	if _, err := events.await("$aws/events/presence/disconnected/car"); err != nil {
		t.Fatal(err)
	}
	if len(wills.all) > 0 {
		t.Error("the will was published")
	}
}

// A service's answer to the sender alone reaches it at the QoS of its subscription,
// and nobody else. Those of jobs need no subscription.
func TestReplyToTheSender(t *testing.T) {
	const unsubscribed = 9
	for _, test := range []struct {
		name            string
		ask             string
		filter          mqtt.QoS
		want            mqtt.QoS
		denied, unheard bool
	}{
		{name: "QoS 1 to QoS 1", ask: "$aws/certificates/create/json", filter: 1, want: 1},
		{name: "QoS 1 to QoS 0", ask: "$aws/certificates/create/json", filter: 0, want: 0},
		{name: "not subscribed", ask: "$aws/certificates/create/json", filter: unsubscribed, unheard: true},
		{name: "may not receive", ask: "$aws/certificates/create/json", filter: 1, denied: true, unheard: true},
		{name: "jobs, not subscribed", ask: "$aws/things/car/jobs/get", filter: unsubscribed, want: 1},
		{name: "jobs, subscribed", ask: "$aws/things/car/jobs/get", filter: 0, want: 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, broker.AWS())
			answer := test.ask + "/accepted"
			w.broker.Handle(test.ask, func(m message.Message, done message.Done) {
				m.Origin.Reply(message.Message{Topic: answer, Payload: []byte("{}"), QoS: mqtt.QoS1})
				done(nil)
			})
			w.guard.change(func() { w.guard.denied["car iot:Receive topic/"+answer] = test.denied })
			c := joined(t, w, &mqtt.Connect{ClientID: "car", SessionExpiry: mqtt.Some(time.Minute)})
			other := joined(t, w, &mqtt.Connect{ClientID: "other"})
			subscribe(t, other, answer, 1)
			if test.filter != unsubscribed {
				subscribe(t, c, answer, test.filter)
			}
			if err := c.send(&mqtt.Publish{Topic: []byte(test.ask), Payload: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
			if !test.unheard {
				p, err := c.next()
				got, ok := p.(*mqtt.Publish)
				if err != nil || !ok || got.QoS != test.want || string(got.Topic) != answer {
					t.Errorf("the client hears %s, %v", show(p), err)
				}
			}
			if err := errors.Join(c.barrier(), other.barrier()); err != nil {
				t.Error(err)
			}
		})
	}
}

func subscribe(t *testing.T, c *client, filter string, qos mqtt.QoS) {
	t.Helper()
	ask := &mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: filter, QoS: qos}}}
	if err := c.send(ask); err != nil {
		t.Fatal(err)
	}
	if p, err := c.next(); err != nil || p.Type() != mqtt.TypeSuback {
		t.Fatalf("SUBSCRIBE is answered with %s, %v", show(p), err)
	}
}

// An answer that waits for room in flight, or for its acknowledgement, ends with the
// connection that asked.
func TestReplyEndsWithTheConnection(t *testing.T) {
	w := newWorld(t, broker.AWS())
	w.broker.Handle("$aws/certificates/create/json", func(m message.Message, done message.Done) {
		m.Origin.Reply(message.Message{Topic: m.Topic + "/accepted", Payload: m.Payload, QoS: mqtt.QoS1})
		done(nil)
	})
	connect := &mqtt.Connect{ClientID: "car", SessionExpiry: mqtt.Some(time.Minute), ReceiveMaximum: 1}
	c := joined(t, w, connect)
	subscribe(t, c, "$aws/certificates/create/json/accepted", 1)
	for _, payload := range []string{"1", "2", "3"} {
		if err := c.send(&mqtt.Publish{Topic: []byte("$aws/certificates/create/json"), Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"1", "2"} {
		p, err := c.next()
		got, ok := p.(*mqtt.Publish)
		if err != nil || !ok || string(got.Payload) != want {
			t.Fatalf("the client hears %s, %v", show(p), err)
		}
		if err := c.barrier(); err != nil { // one at a time
			t.Fatal(err)
		}
		if want == "1" {
			if err := c.send(&mqtt.Puback{PacketID: got.PacketID}); err != nil {
				t.Fatal(err)
			}
		}
	}
	again := joined(t, w, connect)
	if err := again.barrier(); err != nil {
		t.Error(err)
	}
	c.drop()
}

// A message whose service has not taken it is not acknowledged; one that it could
// not take ends the connection.
func TestAcknowledgementWaitsForServices(t *testing.T) {
	w := newWorld(t, broker.AWS())
	taken := make(chan message.Done, 1)
	w.broker.Handle("work", func(_ message.Message, done message.Done) { taken <- done })
	c := joined(t, w, &mqtt.Connect{ClientID: "car", CleanStart: true})
	m := &mqtt.Publish{QoS: mqtt.QoS1, PacketID: 7, Topic: []byte("work")}
	if err := c.send(m); err != nil {
		t.Fatal(err)
	}
	done := <-taken
	if err := c.barrier(); err != nil {
		t.Error(err)
	}
	done(nil)
	if p, err := c.next(); err != nil || p.Type() != mqtt.TypePuback {
		t.Errorf("%v, %v", p, err)
	}
	if err := c.send(m); err != nil {
		t.Fatal(err)
	}
	(<-taken)(context.DeadlineExceeded)
	if p, err := c.next(); err != nil || p.Type() != mqtt.TypeDisconnect {
		t.Errorf("%v, %v", p, err)
	}
}
