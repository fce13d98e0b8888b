package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// flooding is what one client can do to a server. It says when it has begun, and goes
// on until stop is closed.
type flooding func(w *world, begun func(), stop <-chan struct{}) error

// floods are some of them.
var floods = []struct {
	name    string
	do      flooding
	counted func(*broker.Stats) int64
	cause   why.Cause
}{
	{"messages", floodMessages, func(s *broker.Stats) int64 { return s.PublishThrottled.Load() }, why.TooFast},
	{"subscriptions", floodSubscriptions, func(s *broker.Stats) int64 { return s.SubscribeRefused.Load() }, why.TooManySubscriptions},
	{"connections", floodConnections, func(s *broker.Stats) int64 { return s.ConnectThrottled.Load() }, why.TooFast},
	{"a slow reader of QoS 0", slowly(mqtt.QoS0), func(s *broker.Stats) int64 { return s.DroppedSlow.Load() }, why.SlowReader},
	{"a slow reader of QoS 1", slowly(mqtt.QoS1), func(s *broker.Stats) int64 { return s.SlowCut.Load() }, why.SlowReader},
	{"a full queue", absently, func(s *broker.Stats) int64 { return s.DroppedFull.Load() }, why.QueueFull},
}

// Whatever one client does too much of is counted and told, and two others go on
// talking to each other: nothing of theirs is lost or late.
func TestFloodsHarmNobodyElse(t *testing.T) {
	for _, flood := range floods {
		t.Run(flood.name, func(t *testing.T) {
			limits := broker.AWS()
			limits.QueueMessages, limits.OutboxBytes, limits.AccountConnectRate = 20, 8<<10, 20
			w := newWorld(t, limits)
			pub := joined(t, w, &mqtt.Connect{ClientID: "pub"})
			sub := joined(t, w, &mqtt.Connect{ClientID: "sub"})
			subscribe(t, sub, "t", 1)
			begun, stop, over := make(chan struct{}), make(chan struct{}), sync.WaitGroup{}
			over.Go(func() {
				begin := sync.OnceFunc(func() { close(begun) })
				defer begin()
				if err := flood.do(w, begin, stop); err != nil {
					t.Errorf("the flood: %v", err)
				}
			})
			<-begun
			talk(t, pub, sub, 1, 50)
			counted := func() int64 { return flood.counted(w.broker.Stats()) }
			for late := time.Now().Add(patience); counted() == 0 && time.Now().Before(late); {
				time.Sleep(patience / 1000)
			}
			talk(t, pub, sub, 51, 80)
			close(stop)
			over.Wait()
			if counted() == 0 {
				t.Error("it is not counted")
			}
			for cause := why.Cause(""); cause != flood.cause; {
				e, err := w.told.await("bad")
				if err != nil {
					t.Fatalf("the journal has no %s: %v", flood.cause, err)
				}
				cause = e.Cause
			}
		})
	}
}

// talk sends messages from one client to another, one after the other. They are long
// enough to fill the outboxes of those who do not read.
func talk(t *testing.T, pub, sub *client, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		payload := fmt.Append(nil, n, strings.Repeat(" ", 1000))
		if err := pub.send(&mqtt.Publish{QoS: mqtt.QoS1, PacketID: uint16(n), Topic: []byte("t"), Payload: payload}); err != nil {
			t.Fatal(err)
		}
		p, err := sub.next()
		got, ok := p.(*mqtt.Publish)
		if err != nil || !ok || string(got.Payload) != string(payload) {
			t.Fatalf("message %d: the subscriber hears %s, %v", n, show(p), err)
		}
		if err := sub.send(&mqtt.Puback{PacketID: got.PacketID}); err != nil {
			t.Fatal(err)
		}
		if p, err := pub.next(); err != nil || p.Type() != mqtt.TypePuback {
			t.Fatalf("message %d: the publisher hears %s, %v", n, show(p), err)
		}
	}
}

// bad connects the client that floods.
func bad(w *world, session time.Duration) (*client, error) {
	c := newClient("bad", mqtt.V5, w.dial())
	if err := c.send(&mqtt.Connect{ClientID: "bad", SessionExpiry: mqtt.Some(session)}); err != nil {
		return c, err
	}
	p, err := c.next()
	if err == nil && p.Type() != mqtt.TypeConnack {
		err = fmt.Errorf("the client hears %s", show(p))
	}
	return c, err
}

// until sends packets until stop is closed, and leaves unread what is answered.
func until(c *client, stop <-chan struct{}, packets func(n int) mqtt.Packet) error {
	defer c.drop()
	go func() {
		for range c.heard { //nolint:revive // nobody wants to know
		}
	}()
	for n := 1; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := c.send(packets(n)); err != nil {
			return err
		}
	}
}

func floodMessages(w *world, begun func(), stop <-chan struct{}) error {
	c, err := bad(w, 0)
	begun()
	return errors.Join(err, until(c, stop, func(int) mqtt.Packet {
		return &mqtt.Publish{Topic: []byte("flood"), Payload: []byte("x")}
	}))
}

func floodSubscriptions(w *world, begun func(), stop <-chan struct{}) error {
	c, err := bad(w, 0)
	begun()
	return errors.Join(err, until(c, stop, func(n int) mqtt.Packet {
		filters := []mqtt.Subscription{{Filter: fmt.Sprint("flood/", n), QoS: mqtt.QoS1}, {Filter: "t/#"}, {Filter: "$share/g/t/+"}}
		return &mqtt.Subscribe{PacketID: uint16(n%60000 + 1), Subscriptions: filters}
	}))
}

func floodConnections(w *world, begun func(), stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		c, err := bad(w, time.Hour)
		begun()
		c.drop()
		if err != nil {
			return err
		}
	}
}

func slowly(qos mqtt.QoS) flooding {
	return func(w *world, begun func(), stop <-chan struct{}) error {
		c, err := bad(w, 0)
		if err == nil {
			err = c.send(&mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "t", QoS: qos}}})
		}
		if err == nil {
			_, err = c.next()
		}
		c.gate.Lock()
		begun()
		<-stop
		c.gate.Unlock()
		c.drop()
		return err
	}
}

// absently leaves a session behind that nobody comes back to.
func absently(w *world, _ func(), _ <-chan struct{}) error {
	c, err := bad(w, time.Hour)
	if err == nil {
		err = c.send(&mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "t", QoS: mqtt.QoS1}}})
	}
	if err == nil {
		_, err = c.next()
	}
	c.drop()
	return err
}
