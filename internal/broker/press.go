package broker

import "time"

// press is how a clean session whose queue is full holds up those who publish to it,
// for a moment, before it is cut: a burst shall not cost a client its connection, and
// a client that stays slower than its publishers shall not cost them theirs.
//
// A publisher's reader waits after the message, holding no lock, for a short time and
// never for its own session, so two that wait for each other both go on. What a
// session has cost publishers in time is bounded, and so is what one publisher spends
// on many slow sessions; both are forgiven slowly.
type press struct {
	cost time.Duration // of the waiting
	at   time.Time     // when cost was worked out
	room chan struct{} // closed when there is room; nil when nobody waits
}

const (
	pressOnce    = 50 * time.Millisecond // a publisher waits for one message
	pressMax     = time.Second           // all wait for one session, and one for all,
	pressForgive = 10                    // and again after so many times as long
	pressBeyond  = 2                     // times its bounds, a queue takes meanwhile
)

// mayPress says whether a full queue takes one more, because the publisher will
// wait. The caller holds s.mu.
func (s *session) mayPress(d *delivery, stored bool) bool {
	limits := &s.b.Limits
	if stored || d.patience == nil || d.from == s ||
		s.queue.size() >= pressBeyond*limits.QueueMessages || s.queue.bytes > pressBeyond*limits.OutboxBytes {
		return false
	}
	now := time.Now()
	if s.press.owed(now) >= pressMax || d.patience.owed(now) >= pressMax {
		return false
	}
	d.slow = s
	return true
}

// owed is the cost that is not forgiven yet. Time is the machine's, as the waiting
// is.
func (p *press) owed(now time.Time) time.Duration {
	p.cost = max(0, p.cost-now.Sub(p.at)/pressForgive)
	p.at = now
	return p.cost
}

// ease lets waiting publishers go on when there is room. The caller holds s.mu.
func (s *session) ease() {
	if s.press.room != nil && !s.isFull(s.persistent.Load()) {
		close(s.press.room)
		s.press.room = nil
	}
}

// waitForSlow holds the publisher up for a session that a delivery has found full.
func (c *conn) waitForSlow(d *delivery) {
	s := d.slow
	if s == nil {
		return
	}
	d.slow = nil
	c.catchUp() // the session's messages too
	began := time.Now()
	pause := time.NewTimer(pressOnce)
	defer pause.Stop()
	select {
	case <-s.awaitRoom():
	case <-pause.C:
	case <-c.ended:
	}
	now := time.Now()
	c.patience.add(now, now.Sub(began))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.press.add(now, now.Sub(began))
}

func (p *press) add(now time.Time, waited time.Duration) { p.cost = p.owed(now) + waited }

// awaitRoom gives a channel that is closed when the queue has room.
func (s *session) awaitRoom() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.press.room == nil {
		s.press.room = make(chan struct{})
	}
	room := s.press.room
	s.ease()
	return room
}
