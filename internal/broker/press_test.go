package broker_test

import (
	"fmt"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/mqtt"
)

// A burst to a clean session that acknowledges one message after the other is slowed
// down to its pace, and nobody is cut.
func TestBurstWaitsForTheReader(t *testing.T) {
	limits := broker.AWS()
	limits.QueueMessages, limits.SendMaximum, limits.PublishRate = 10, 2, 0
	w := newWorld(t, limits)
	w.listen()
	pub, _, err := w.enter("pub", false)
	if err != nil {
		t.Fatal(err)
	}
	defer pub.Close()
	sub, _, err := w.enter("sub", false)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	ask := &mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "t", QoS: mqtt.QoS1}}}
	if err := sub.send(ask); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.next(); err != nil {
		t.Fatal(err)
	}
	const messages = 90 // without an answer
	for n := range messages {
		m := &mqtt.Publish{QoS: mqtt.QoS1, PacketID: uint16(n + 1), Topic: []byte("t"), Payload: fmt.Append(nil, n)}
		if err := pub.send(m); err != nil {
			t.Fatal(err)
		}
	}
	for n := range messages {
		p, err := sub.next()
		if err != nil {
			t.Fatal(n, err)
		}
		got, ok := p.(*mqtt.Publish)
		if !ok || string(got.Payload) != fmt.Sprint(n) {
			t.Fatalf("message %d: the client hears %s", n, show(p))
		}
		time.Sleep(time.Millisecond) // this client is slow
		if err := sub.send(&mqtt.Puback{PacketID: got.PacketID}); err != nil {
			t.Fatal(err)
		}
	}
}

// Two clients that flood each other and acknowledge nothing wait for each other, but
// not for long: both are cut.
func TestFloodersDoNotWaitForEver(t *testing.T) {
	limits := broker.AWS()
	limits.QueueMessages, limits.SendMaximum, limits.PublishRate, limits.ByteRate = 10, 2, 0, 0
	w := newWorld(t, limits)
	w.listen()
	done := make(chan struct{}, 2)
	for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} {
		link, _, err := w.enter(names[0], false)
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		ask := &mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: names[0], QoS: mqtt.QoS1}}}
		if err := link.send(ask); err != nil {
			t.Fatal(err)
		}
		go func() {
			for id := uint16(1); ; id = id%65000 + 1 {
				if link.send(&mqtt.Publish{QoS: mqtt.QoS1, PacketID: id, Topic: []byte(names[1])}) != nil {
					done <- struct{}{}
					return
				}
			}
		}()
		go func() { // takes everything and answers nothing
			for {
				if _, err := link.next(); err != nil {
					return
				}
			}
		}()
	}
	late := time.After(3 * patience)
	select {
	case <-done:
	case <-late:
		t.Fatal("nobody was cut")
	}
}

// Many slow readers do not each cost a publisher its time: its messages go on.
func TestManySlowReadersCostLittle(t *testing.T) {
	limits := broker.AWS()
	limits.QueueMessages, limits.SendMaximum, limits.PublishRate = 2, 1, 0
	w := newWorld(t, limits)
	w.listen()
	for i := range 60 {
		sub, _, err := w.enter(fmt.Sprintf("sub-%d", i), false)
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		ask := &mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "t", QoS: mqtt.QoS1}}}
		if err := sub.send(ask); err != nil {
			t.Fatal(err)
		}
		if _, err := sub.next(); err != nil {
			t.Fatal(err)
		}
	}
	pub, _, err := w.enter("pub", false)
	if err != nil {
		t.Fatal(err)
	}
	defer pub.Close()
	for id := range uint16(100) {
		if err := pub.send(&mqtt.Publish{QoS: mqtt.QoS1, PacketID: id + 1, Topic: []byte("t")}); err != nil {
			t.Fatal(err)
		}
		if _, err := pub.next(); err != nil { // it would be 60 seconds
			t.Fatal(err)
		}
	}
}
