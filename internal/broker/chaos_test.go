package broker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// TestNothingIsLeft lets many clients with few client IDs do everything at once,
// while the server cuts them, changes their rights and moves its clock. When they
// are gone and their sessions have expired, nothing of them is left, in memory or
// in the store.
func TestNothingIsLeft(t *testing.T) {
	for name, limits := range map[string]broker.Limits{"aws": broker.AWS(), "mqtt": broker.Standard()} {
		t.Run(name, func(t *testing.T) {
			limits.QueueMessages, limits.SendMaximum = 50, 5
			w := newWorld(t, limits)
			w.listen()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					c := &chaos{world: w, rng: rand.New(rand.NewPCG(seed, uint64(i))), version: mqtt.Version(4 + i%2)}
					c.run(150)
				})
			}
			all.Go(func() { (&chaos{world: w, rng: rand.New(rand.NewPCG(seed, 99))}).interfere(150) })
			all.Wait()
			w.settle(t)
		})
	}
}

// settle lets everything end, and looks for what is left.
func (w *world) settle(t *testing.T) {
	late := time.Now().Add(patience)
	for (w.dialed.Load() < w.entered.Load() || w.broker.Open() > 0) && time.Now().Before(late) {
		time.Sleep(time.Millisecond) // links that were dropped end when the broker has read to their end
	}
	w.clock.move(1000 * time.Hour)
	w.broker.Sweep()
	w.broker.Sweep() // wills that were due are out: what they left is due now
	w.flushed()
	if left := w.broker.Leftovers(); left != "" {
		t.Error("left:", left)
	}
	if n := w.broker.Stats().Sessions.Load(); n != 0 {
		t.Errorf("%d sessions are counted", n)
	}
	err := w.store.Sessions(context.Background(), func(s broker.StoredSession) { t.Errorf("stored: %+v", s) })
	if err != nil {
		t.Error(err)
	}
	err = w.store.SharedQueues(context.Background(), func(filter string, count int, _ int64) {
		t.Errorf("stored: %d messages to %s", count, filter)
	})
	if err != nil {
		t.Error(err)
	}
	w.broker.Sweep() // wills that are out leave the store
	w.flushed()
	if wills, err := w.store.Wills(context.Background()); len(wills) > 0 || err != nil {
		t.Error("stored:", wills, err)
	}
	if n := w.broker.Stats().StoreFailures.Load(); n != 0 {
		t.Errorf("the store failed %d times", n)
	}
}

// chaos is a client without a plan.
type chaos struct {
	*world
	rng     *rand.Rand
	version mqtt.Version
	conn    net.Conn
	reading sync.WaitGroup
}

func (c *chaos) run(steps int) {
	for range steps {
		if c.conn == nil {
			c.connect()
		}
		c.send(c.packet())
		if c.rng.IntN(8) == 0 {
			c.leave()
		}
	}
	c.leave()
}

func (c *chaos) id() string { return fmt.Sprintf("client-%d", c.rng.IntN(4)) }

func (c *chaos) topic() string { return fmt.Sprintf("chaos/%d", c.rng.IntN(4)) }

func (c *chaos) qos() mqtt.QoS { return mqtt.QoS(c.rng.IntN(int(c.limits.MaxQoS) + 1)) }

func (c *chaos) connect() {
	conn, err := net.Dial("tcp", c.listener.Addr().String())
	if err != nil {
		c.t.Error(err)
		return
	}
	c.entered.Add(1)
	c.conn = conn
	p := &mqtt.Connect{ClientID: c.id(), CleanStart: c.rng.IntN(2) == 0}
	if c.rng.IntN(3) > 0 {
		p.SessionExpiry = mqtt.Some(time.Duration(c.rng.IntN(100)) * time.Second)
	}
	if c.rng.IntN(2) == 0 {
		p.Will = &mqtt.Will{Topic: c.topic(), Payload: []byte("gone"), Delay: time.Duration(c.rng.IntN(3)) * time.Second}
	}
	c.send(p)
	c.reading.Go(func() { c.answer(conn) })
}

// answer acknowledges what comes, most of the time.
func (c *chaos) answer(conn net.Conn) {
	r := mqtt.NewReader(conn, 0)
	for n := 0; ; n++ {
		p, err := r.ReadPacket(c.version)
		if err != nil {
			return
		}
		var answer mqtt.Packet
		switch p := p.(type) {
		case *mqtt.Publish:
			switch p.QoS {
			case mqtt.QoS1:
				answer = &mqtt.Puback{PacketID: p.PacketID}
			case mqtt.QoS2:
				answer = &mqtt.Pubrec{PacketID: p.PacketID}
			}
		case *mqtt.Pubrec:
			answer = &mqtt.Pubrel{PacketID: p.PacketID}
		case *mqtt.Pubrel:
			answer = &mqtt.Pubcomp{PacketID: p.PacketID}
		}
		if answer != nil && n%5 != 4 {
			_, _ = conn.Write(answer.Append(nil, c.version))
		}
	}
}

// send does not care whether the link is still there.
func (c *chaos) send(p mqtt.Packet) {
	if c.conn != nil {
		_, _ = c.conn.Write(p.Append(nil, c.version))
	}
}

func (c *chaos) packet() mqtt.Packet {
	filters := []string{c.topic(), "chaos/+", "$share/g/chaos/+", "$share/g/" + c.topic(), "#"}
	filter := filters[c.rng.IntN(len(filters))]
	switch c.rng.IntN(10) {
	case 0, 1, 2:
		return &mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: filter, QoS: c.qos()}}}
	case 3:
		return &mqtt.Unsubscribe{PacketID: 2, Filters: []string{filter}}
	case 4:
		return &mqtt.Pingreq{}
	}
	return &mqtt.Publish{
		QoS: c.qos(), PacketID: uint16(3 + c.rng.IntN(20)), Topic: []byte(c.topic()),
		Retain: c.rng.IntN(8) == 0, Payload: make([]byte, c.rng.IntN(2000)),
	}
}

// leave says good-bye, or not.
func (c *chaos) leave() {
	if c.conn == nil {
		return
	}
	if c.rng.IntN(2) == 0 {
		c.send(&mqtt.Disconnect{})
	}
	c.conn.Close()
	c.reading.Wait()
	c.conn = nil
}

// interfere is what the server and its operators do meanwhile.
func (c *chaos) interfere(steps int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range steps {
		id, m := c.id(), message.Message{Topic: c.topic(), Payload: []byte("x"), QoS: mqtt.QoS1}
		switch c.rng.IntN(8) {
		case 0:
			_ = c.broker.Disconnect(ctx, id, c.rng.IntN(2) == 0, c.rng.IntN(2) == 0)
		case 1:
			_ = c.broker.SendDirect(ctx, id, m, time.Millisecond)
		case 2:
			c.broker.DropPrincipal("cert-"+id, why.Phrase{})
		case 3:
			right := id + " iot:Receive topic/" + c.topic()
			c.guard.change(func() { c.guard.denied[right] = !c.guard.denied[right] })
		case 4:
			c.clock.move(time.Duration(c.rng.IntN(20)) * time.Second)
			c.broker.Sweep()
		case 5:
			c.broker.Connections("", 10)
			_, _ = c.broker.Subscriptions(id, "", 10)
			_, _ = c.broker.RetainedMessages(ctx, "", 10)
		default:
			c.broker.Publish(m, nil)
		}
	}
}
