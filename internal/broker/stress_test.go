package broker_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/mqtt"
)

// The numbers of the stress test.
const (
	stressPublishers  = 4
	stressSubscribers = 4
	stressTopics      = 2   // of each publisher
	stressMessages    = 120 // to each topic
)

// TestEveryAcknowledgedMessageArrives lets publishers and persistent subscribers
// come and go at random. Every message that was acknowledged arrives at every
// subscriber, and those of one publisher to one topic in their order: a repeat may
// come again, but nothing overtakes.
func TestEveryAcknowledgedMessageArrives(t *testing.T) {
	for _, test := range []struct {
		name   string
		limits func() broker.Limits
		qos    mqtt.QoS
	}{
		{"aws", broker.AWS, mqtt.QoS1},
		{"mqtt", broker.Standard, mqtt.QoS1},
		{"exactly once", broker.Standard, mqtt.QoS2},
	} {
		t.Run(test.name, func(t *testing.T) { stress(t, test.limits(), test.qos) })
	}
}

func stress(t *testing.T, limits broker.Limits, qos mqtt.QoS) {
	limits.PublishRate, limits.ReplayRate, limits.ByteRate = 0, 0, 0
	limits.QueueMessages = 1 << 20
	limits.SendMaximum = 20 // so that queues spill
	w := newWorld(t, limits)
	w.listen() // clients that do one thing at a time need the network's buffers
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	var subscribers []*stressSubscriber
	for i := range stressSubscribers {
		s := &stressSubscriber{world: w, id: fmt.Sprintf("sub-%d", i), qos: qos, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		if err := s.subscribe(); err != nil {
			t.Fatal(err)
		}
		subscribers = append(subscribers, s)
	}
	var publishing, reading sync.WaitGroup
	var published atomic.Bool
	for _, s := range subscribers {
		reading.Go(func() { s.run(&published) })
	}
	for i := range stressPublishers {
		p := &stressPublisher{world: w, id: fmt.Sprintf("pub-%d", i), qos: qos, rng: rand.New(rand.NewPCG(seed, uint64(100+i)))}
		publishing.Go(func() {
			if err := p.run(); err != nil {
				t.Error(err)
			}
		})
	}
	publishing.Wait()
	published.Store(true)
	reading.Wait()
	for _, s := range subscribers {
		for _, err := range s.verdict() {
			t.Error(s.id, err)
		}
	}
}

// wire is a bare connection of the stress test.
type wire struct {
	net.Conn
	reader *mqtt.Reader
}

func (l *wire) send(p mqtt.Packet) error {
	_ = l.SetWriteDeadline(time.Now().Add(patience))
	_, err := l.Write(p.Append(nil, mqtt.V5))
	return err
}

func (l *wire) next() (mqtt.Packet, error) {
	_ = l.SetReadDeadline(time.Now().Add(patience))
	return l.reader.ReadPacket(mqtt.V5)
}

// enter connects, with a persistent session or without one.
func (w *world) enter(id string, persistent bool) (*wire, *mqtt.Connack, error) {
	conn, err := net.Dial("tcp", w.listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	link := &wire{conn, mqtt.NewReader(conn, 0)}
	connect := &mqtt.Connect{ClientID: id, CleanStart: !persistent}
	if persistent {
		connect.SessionExpiry = mqtt.Some(time.Hour)
	}
	if err := link.send(connect); err != nil {
		return nil, nil, err
	}
	p, err := link.next()
	if err != nil {
		return nil, nil, err
	}
	ack, ok := p.(*mqtt.Connack)
	if !ok || ack.Reason.Failed() {
		return nil, nil, fmt.Errorf("%s: CONNECT is answered with %s", id, show(p))
	}
	return link, ack, nil
}

// stressPublisher sends its messages one by one to each topic, and again until
// they are acknowledged.
type stressPublisher struct {
	*world
	id   string
	qos  mqtt.QoS
	rng  *rand.Rand
	link *wire
}

func (p *stressPublisher) run() error {
	for n := 1; n <= stressMessages; n++ {
		for topic := range stressTopics {
			m := &mqtt.Publish{
				QoS: p.qos, PacketID: uint16(n*stressTopics + topic),
				Topic:   fmt.Appendf(nil, "stress/%s/%d", p.id, topic),
				Payload: fmt.Appendf(nil, "%d %s", n, strings.Repeat("x", p.rng.IntN(1000))),
			}
			if err := p.deliver(m); err != nil {
				return err
			}
		}
	}
	p.link.Close()
	return nil
}

// deliver publishes until the message is acknowledged, on as many connections as
// that takes.
func (p *stressPublisher) deliver(m *mqtt.Publish) error {
	for try := 0; ; try++ {
		if p.link == nil {
			link, _, err := p.enter(p.id, true)
			if err != nil {
				return err
			}
			p.link = link
		}
		m.Dup = try > 0
		if p.rng.IntN(20) == 0 { // the link breaks before, while or after it is taken
			_ = p.link.send(m)
			p.link.Close()
			p.link = nil
			continue
		}
		if err := p.exchange(m); err != nil {
			return err
		}
		return nil
	}
}

func (p *stressPublisher) exchange(m *mqtt.Publish) error {
	if err := p.link.send(m); err != nil {
		return err
	}
	answer, err := p.link.next()
	if err != nil {
		return err
	}
	switch a := answer.(type) {
	case *mqtt.Puback:
		if a.PacketID == m.PacketID && !a.Reason.Failed() {
			return nil
		}
	case *mqtt.Pubrec:
		if err := p.link.send(&mqtt.Pubrel{PacketID: m.PacketID}); err != nil {
			return err
		}
		_, err := p.link.next()
		return err
	}
	return fmt.Errorf("%s: answer %s", p.id, show(answer))
}

// stressSubscriber takes messages and leaves now and then, with and without
// acknowledging the last ones.
type stressSubscriber struct {
	*world
	id     string
	qos    mqtt.QoS
	rng    *rand.Rand
	heard  map[string][]int // by topic, in the order of arrival
	known  map[uint16]bool  // QoS 2 messages not released
	errors []error
}

func (s *stressSubscriber) subscribe() error {
	s.heard, s.known = map[string][]int{}, map[uint16]bool{}
	link, _, err := s.enter(s.id, true)
	if err != nil {
		return err
	}
	defer link.Close()
	ask := &mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "stress/#", QoS: s.qos}}}
	if err := link.send(ask); err != nil {
		return err
	}
	_, err = link.next()
	return err
}

// run reads on one connection after the other until everything has come.
func (s *stressSubscriber) run(published *atomic.Bool) {
	for visits := 0; !s.complete(); visits++ {
		link, ack, err := s.enter(s.id, true)
		if err != nil || !ack.SessionPresent {
			s.errors = append(s.errors, fmt.Errorf("visit %d: session lost: %w", visits, errors.Join(err, io.ErrUnexpectedEOF)))
			return
		}
		takes := s.rng.IntN(200) // on this visit
		if published.Load() {
			takes = 1 << 30
		}
		err = s.visit(link, takes)
		link.Close()
		if err != nil {
			s.errors = append(s.errors, fmt.Errorf("visit %d: %w", visits, err))
			return
		}
	}
}

func (s *stressSubscriber) visit(link *wire, takes int) error {
	for range takes {
		if s.complete() {
			return nil
		}
		p, err := link.next()
		if err != nil {
			return err
		}
		if err := s.answer(link, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *stressSubscriber) answer(link *wire, p mqtt.Packet) error {
	switch p := p.(type) {
	case *mqtt.Publish:
		if p.QoS == mqtt.QoS2 {
			if !s.known[p.PacketID] {
				s.known[p.PacketID] = true
				s.note(p)
			}
			return link.send(&mqtt.Pubrec{PacketID: p.PacketID})
		}
		s.note(p)
		return link.send(&mqtt.Puback{PacketID: p.PacketID})
	case *mqtt.Pubrel:
		delete(s.known, p.PacketID)
		return link.send(&mqtt.Pubcomp{PacketID: p.PacketID})
	}
	return fmt.Errorf("hears %s", show(p))
}

func (s *stressSubscriber) note(p *mqtt.Publish) {
	number, _, _ := strings.Cut(string(p.Payload), " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		panic(err)
	}
	s.heard[string(p.Topic)] = append(s.heard[string(p.Topic)], n)
}

// complete says whether the last message of every topic has come.
func (s *stressSubscriber) complete() bool {
	if len(s.heard) < stressPublishers*stressTopics {
		return false
	}
	for _, all := range s.heard {
		if all[len(all)-1] != stressMessages {
			return false
		}
	}
	return true
}

// verdict checks what has come: each message first in its order; at QoS 2 once.
func (s *stressSubscriber) verdict() []error {
	for topic, all := range s.heard {
		next := 1
		for _, n := range all {
			switch {
			case n == next:
				next++
			case n > next:
				s.errors = append(s.errors, fmt.Errorf("%s: %d comes before %d", topic, n, next))
				next = n + 1
			case s.qos == mqtt.QoS2:
				s.errors = append(s.errors, fmt.Errorf("%s: %d comes twice", topic, n))
			}
		}
		if next != stressMessages+1 {
			s.errors = append(s.errors, fmt.Errorf("%s: the last is %d", topic, next-1))
		}
	}
	return s.errors
}
