package broker_test

import (
	"context"
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

// A service's answer to the sender alone reaches it unsubscribed, and nobody else.
func TestReplyToTheSender(t *testing.T) {
	w := newWorld(t, broker.AWS())
	w.broker.Handle("$aws/things/+/jobs/get", func(m message.Message, done message.Done) {
		for _, qos := range []mqtt.QoS{mqtt.QoS0, mqtt.QoS1} {
			m.Origin.Reply(message.Message{Topic: m.Topic + "/accepted", Payload: []byte("{}"), QoS: qos})
		}
		done(nil)
	})
	c := joined(t, w, &mqtt.Connect{ClientID: "car", SessionExpiry: mqtt.Some(time.Minute)})
	other := joined(t, w, &mqtt.Connect{ClientID: "other"})
	if err := c.send(&mqtt.Publish{Topic: []byte("$aws/things/car/jobs/get"), Payload: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	for _, qos := range []mqtt.QoS{mqtt.QoS0, mqtt.QoS1} {
		p, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		got, ok := p.(*mqtt.Publish)
		if !ok || got.QoS != qos || string(got.Topic) != "$aws/things/car/jobs/get/accepted" {
			t.Errorf("QoS %d: the client hears %s", qos, show(p))
		}
	}
	if err := other.barrier(); err != nil {
		t.Error(err)
	}
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
