package broker

import (
	"context"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// Sweep does what is due at this time: it cuts silent clients and those whose
// time is over, repeats unacknowledged messages, goes on with replays, ends
// expired sessions and publishes delayed wills. Run calls it every second.
func (b *Broker) Sweep() {
	now := b.Now()
	conns, expired, wills := b.due(now)
	for _, c := range conns {
		c.sweep(now)
	}
	for _, s := range expired {
		b.expire(s, now)
	}
	for _, w := range wills {
		b.release(w)
	}
}

// due collects under the lock what Sweep works through without it.
func (b *Broker) due(now time.Time) (conns []*conn, expired []*session, wills []*pendingWill) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		if c := s.conn.Load(); c != nil {
			conns = append(conns, c)
		} else if s.isExpired(now) {
			expired = append(expired, s)
		}
	}
	for id, w := range b.wills {
		if !now.Before(w.due) {
			delete(b.wills, id)
			wills = append(wills, w)
		}
	}
	for id, n := range b.numbers {
		if !n.left.IsZero() && now.Sub(n.left) > numberKept {
			delete(b.numbers, id)
		}
	}
	return conns, expired, wills
}

func (s *session) isExpired(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.left.IsZero() && s.expiry != mqtt.NeverExpires && now.After(s.left.Add(s.expiry))
}

// expire ends a session that nobody came back to. Its delayed will is due with
// it. [MQTT-3.1.2-10]
func (b *Broker) expire(s *session, now time.Time) {
	defer b.claim(s.id)()
	if s.conn.Load() != nil || !s.isExpired(now) || b.session(s.id) != s {
		return // the client came back meanwhile
	}
	b.forget(s)
	b.mu.Lock()
	w := b.wills[s.id]
	delete(b.wills, s.id)
	b.mu.Unlock()
	if w != nil {
		b.release(w)
	}
}

// sweep looks after one connection.
func (c *conn) sweep(now time.Time) {
	switch {
	case c.keepAlive > 0 && now.UnixNano()-c.heard.Load() > int64(c.keepAlive+c.keepAlive/2): // [MQTT-3.1.2-22]
		go c.kick(keepAliveOver)
	case !c.until.IsZero() && now.After(c.until):
		go c.kick(ending{reason: mqtt.NotAuthorized, disconnect: c.untilWhy, cause: why.LifetimeOver, step: why.StepConnection})
	default:
		c.session.sweep(c, now)
	}
}

// sweep repeats what was not acknowledged and goes on with a replay.
func (s *session) sweep(c *conn, now time.Time) {
	s.mu.Lock()
	s.repeat(c, now)
	waits := len(s.queue.waiting) > 0
	if waits {
		s.pump(c, nil)
	}
	s.mu.Unlock()
	if waits {
		s.load(c)
	}
}

// retryFor is how long an unacknowledged message is repeated before it is given
// up.
const retryFor = time.Hour

// repeat sends again what the client did not acknowledge in time: at first after
// RetryAfter, then after twice that, and so on. The standard forbids it on a
// living connection, AWS does it.
func (s *session) repeat(c *conn, now time.Time) {
	first := s.b.Limits.RetryAfter
	if first == 0 {
		return
	}
	for i := range s.queue.flight {
		e := &s.queue.flight[i]
		if e.state != inFlight || now.Sub(e.sent) < first<<e.repeats {
			continue
		}
		if first<<e.repeats > retryFor {
			e.state = settled
			s.dequeue(*e)
			continue
		}
		e.sent, e.repeats = now, e.repeats+1
		c.transmit(e, nil, s.b.Limits.SendsDUP)
		s.b.stats.Repeats.Add(1)
	}
	s.queue.trim()
}

// flushed waits until everything submitted so far is in the store.
func (b *Broker) flushed(ctx context.Context) error {
	return b.Store.Update(ctx, func(StoreTx) error { return nil })
}
