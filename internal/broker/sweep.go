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
	sessions, wills := b.due(now)
	for _, s := range sessions {
		if c := s.conn.Load(); c != nil {
			c.sweep(now)
		} else if s.isExpired(now) {
			b.expire(s, now)
		}
	}
	for _, w := range wills {
		b.release(w)
	}
	b.settleWills()
	b.quotas.forget(now, b.Limits)
	b.expireRetained(now)
	b.sweepShared(now)
	b.recountRetained(now)
}

// due collects under the lock what Sweep works through without it.
func (b *Broker) due(now time.Time) (sessions []*session, wills []*will) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sessions = make([]*session, 0, len(b.sessions))
	for _, s := range b.sessions {
		sessions = append(sessions, s)
	}
	for id, w := range b.wills {
		if !now.Before(w.due) {
			delete(b.wills, id)
			wills = append(wills, w)
		}
	}
	b.versions.expire(b.sessions, now)
	return sessions, wills
}

func (s *session) isExpired(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expired(now)
}

// expired is isExpired for callers that hold s.mu.
func (s *session) expired(now time.Time) bool {
	switch {
	case s.left.IsZero() || s.expiry == mqtt.NeverExpires:
		return false
	case s.expiry == 0:
		return true
	}
	return now.After(s.left.Add(s.expiry))
}

// expire ends a session that nobody came back to. Its delayed will is due with
// it. [MQTT-3.1.2-10]
func (b *Broker) expire(s *session, now time.Time) {
	defer b.claim(s.id)()
	if s.conn.Load() != nil || !s.isExpired(now) || b.session(s.id) != s {
		return // the client came back meanwhile
	}
	b.forget(s)
	b.endWill(s.id)
}

// sweep looks after one connection.
func (c *conn) sweep(now time.Time) {
	switch {
	case c.keepAlive > 0 && now.UnixNano()-c.heard.Load() > int64(c.keepAlive+c.keepAlive/2): // [MQTT-3.1.2-22]
		c.drop(keepAliveOver)
	case c.life != nil && now.After(c.life.until):
		c.drop(ending{reason: mqtt.NotAuthorized, disconnect: c.life.why, cause: why.LifetimeOver, step: why.StepConnection})
	default:
		c.session.sweep(c, now)
		c.rest(now)
	}
}

// sweep repeats what was not acknowledged and goes on with a replay.
func (s *session) sweep(c *conn, now time.Time) {
	s.mu.Lock()
	s.repeat(c, now)
	s.pump(c, nil)
	page := s.wantsPage()
	s.mu.Unlock()
	s.tidy()
	if page {
		go s.loadPages()
	}
}

// repeat sends again what the client did not acknowledge in time: at first after
// RetryAfter, then after twice that, and so on, for as long as RetryFor. The standard forbids it on a
// living connection, AWS does it.
func (s *session) repeat(c *conn, now time.Time) {
	first := s.b.Limits.RetryAfter
	if first == 0 {
		return
	}
	q := &s.queue
	d := delivery{now: now}
	for i := 0; i < len(q.flight); {
		e := &q.flight[i]
		switch {
		case e.state != inFlight:
		case s.b.Limits.RetryFor > 0 && now.Sub(e.since) >= s.b.Limits.RetryFor:
			q.forget(e)
			q.remove(i)
			continue
		case now.Sub(e.sent) < first<<e.repeats:
		case c.transmit(e, &d) == sent:
			e.sent, e.repeats = now, e.repeats+1
			s.b.stats.Repeats.Add(1)
		}
		i++
	}
}

// flushed waits until everything submitted so far is in the store.
func (b *Broker) flushed(ctx context.Context) error {
	return b.Store.Update(ctx, func(StoreTx) error { return nil })
}
