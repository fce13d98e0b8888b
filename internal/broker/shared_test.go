package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/mqtt"
)

// TestEveryAcknowledgedMessageReachesTheGroup lets publishers and the members of a
// shared subscription come and go at random, some with persistent sessions, some
// without, and never all acknowledging what they got. Every message that was
// acknowledged reaches a member, and then nothing is left of it.
func TestEveryAcknowledgedMessageReachesTheGroup(t *testing.T) {
	for name, limits := range map[string]broker.Limits{"aws": broker.AWS(), "mqtt": broker.Standard()} {
		t.Run(name, func(t *testing.T) {
			limits.PublishRate, limits.ShareReplayRate, limits.ByteRate = 0, 0, 0
			limits.QueueMessages, limits.SendMaximum = 1<<20, 20
			w := newWorld(t, limits)
			w.listen()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			group := &sharing{world: w, heard: map[string]bool{}, complete: make(chan struct{})}
			var all sync.WaitGroup
			for i := range 4 {
				m := &member{sharing: group, id: fmt.Sprintf("member-%d", i), persistent: i%2 == 0, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
				m.enters(t)
				all.Go(m.run)
			}
			for i := range stressPublishers {
				p := &stressPublisher{world: w, id: fmt.Sprintf("pub-%d", i), qos: mqtt.QoS1, rng: rand.New(rand.NewPCG(seed, uint64(100+i)))}
				all.Go(func() {
					if err := p.run(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if len(group.heard) != stressPublishers*stressTopics*stressMessages {
				t.Errorf("%d messages arrived", len(group.heard))
			}
			group.takeRest(t)
			w.close()
			w.open() // what was acknowledged is settled
			err := w.store.SharedQueues(context.Background(), func(filter string, count int, _ int64) {
				t.Errorf("%d messages to %s are left", count, filter)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// sharing is what the members of a group have heard together.
type sharing struct {
	*world
	mu       sync.Mutex
	heard    map[string]bool
	complete chan struct{}
}

func (s *sharing) note(p *mqtt.Publish) {
	number, _, _ := strings.Cut(string(p.Payload), " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.heard)
	s.heard[string(p.Topic)+" "+number] = true
	if before < len(s.heard) && len(s.heard) == stressPublishers*stressTopics*stressMessages {
		close(s.complete)
	}
}

func (s *sharing) isComplete() bool {
	select {
	case <-s.complete:
		return true
	default:
		return false
	}
}

// member takes messages of the group, and leaves now and then.
type member struct {
	*sharing
	id         string
	persistent bool
	rng        *rand.Rand
}

// enters makes sure that the group exists before anything is published.
func (m *member) enters(t *testing.T) {
	link, err := m.join()
	if err != nil {
		t.Fatal(err)
	}
	link.Close()
}

// join connects and subscribes.
func (m *member) join() (*wire, error) {
	link, ack, err := m.enter(m.id, m.persistent)
	if err != nil || ack.SessionPresent {
		return link, err
	}
	ask := &mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "$share/g/stress/#", QoS: mqtt.QoS1}}}
	if err := link.send(ask); err != nil {
		return nil, err
	}
	_, err = link.next() // SUBACK comes before any message
	return link, err
}

func (m *member) run() {
	late := time.Now().Add(6 * patience)
	for !m.isComplete() && time.Now().Before(late) {
		_ = m.visit(m.rng.IntN(100)) // a visit may end in any way
	}
}

// takeRest takes what was heard, but whose acknowledgement was lost with its link.
func (s *sharing) takeRest(t *testing.T) {
	m := &member{sharing: s, id: "member-0", persistent: true}
	link, err := m.join()
	for err == nil {
		_ = link.SetReadDeadline(time.Now().Add(pause))
		var p mqtt.Packet
		if p, err = link.reader.ReadPacket(mqtt.V5); err == nil {
			err = link.send(&mqtt.Puback{PacketID: p.(*mqtt.Publish).PacketID})
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
		return
	}
	if err := link.send(&mqtt.Disconnect{}); err != nil {
		t.Error(err)
	}
	_, _ = link.next() // until the server has closed
}

const pause = 200 * time.Millisecond

// visit takes so many messages, acknowledges most of them, and breaks the link.
func (m *member) visit(takes int) error {
	link, err := m.join()
	if err != nil {
		return err
	}
	defer link.Close()
	for n := 0; n < takes; {
		_ = link.SetReadDeadline(time.Now().Add(pause)) // who hears nothing leaves, with what it has
		p, err := link.reader.ReadPacket(mqtt.V5)
		if err != nil {
			return err
		}
		got, ok := p.(*mqtt.Publish)
		if n++; !ok || m.rng.IntN(30) == 0 {
			continue // this one is left to others
		}
		m.note(got)
		if err := link.send(&mqtt.Puback{PacketID: got.PacketID}); err != nil {
			return err
		}
	}
	return nil
}
