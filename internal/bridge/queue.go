package bridge

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// The bounds of what is in memory.
const (
	memoryMessages = 1000    // QoS 0 that wait
	memoryBytes    = 1 << 20 // of their topics and payloads
	cacheBytes     = 1 << 20 // of QoS 1 that wait on disk and in memory as well
	pageMessages   = 64      // read from disk at once
	windowMax      = 64      // QoS 1 sent and not yet acknowledged
)

// queue holds an integration's uplinks. There are two lines: QoS 0 in memory,
// QoS 1 on disk with an index in memory. A line that is full lets its oldest
// message go that is not on its way; a module's last word is worth more than
// its first, and neither the module nor others may be held up by a far side that
// is away.
type queue struct {
	id     string
	store  Store
	log    *slog.Logger
	counts *counts
	wake   chan struct{} // holds one when there may be work for the sender

	order sync.Mutex // held from numbering to submission: the store hears of messages in order

	mu       sync.Mutex
	limits   lineLimits // of disk
	memory   line
	disk     line
	flight   map[uint16]*slot // by packet identifier
	cached   int              // bytes of the messages in disk
	number   int64            // the last one given
	packetID uint16           // likewise
}

// counts are what View shows.
type counts struct {
	sent, received, refused, dropped, invalid, connects, failures atomic.Int64
}

// lineLimits bound a line.
type lineLimits struct{ messages, bytes int }

// slot is one message of a line.
type slot struct {
	number   int64 // 0 at QoS 0
	size     int
	written  bool             // on disk, or needs not be
	message  *message.Message // nil: on disk only
	packetID uint16           // under which it was sent; 0 before
}

// line is slots in order. Its front moves, so that taking from it is cheap.
type line struct {
	slots []*slot
	bytes int
}

func (l *line) push(s *slot) {
	l.slots = append(l.slots, s)
	l.bytes += s.size
}

func (l *line) pop() *slot {
	s := l.slots[0]
	l.slots[0] = nil
	l.slots = l.slots[1:]
	l.bytes -= s.size
	return s
}

// over says whether one more message of size bytes is too much.
func (l *line) over(limits lineLimits, size int) bool {
	return len(l.slots) > 0 && (len(l.slots)+1 > limits.messages || l.bytes+size > limits.bytes)
}

// openQueue brings back what waits on disk.
func openQueue(ctx context.Context, in Integration, store Store, log *slog.Logger, c *counts) (*queue, error) {
	q := &queue{id: in.ID, store: store, log: log, counts: c, wake: make(chan struct{}, 1), flight: map[uint16]*slot{}}
	q.limit(in)
	return q, store.View(ctx, func(tx Tx) error {
		for {
			page, err := tx.Queue(in.ID, q.number, 1000)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, w := range page {
				q.disk.push(&slot{number: w.Number, size: w.Size, written: true})
				q.number = w.Number
			}
		}
	})
}

// limit sets the bounds of the line on disk; they hold from the next message on.
func (q *queue) limit(in Integration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits = lineLimits{in.QueueMessages, in.QueueBytes}
}

// put takes a message. done is called when it is where it must survive; at QoS 0
// at once.
func (q *queue) put(m *message.Message, done message.Done) {
	s := &slot{size: len(m.Topic) + len(m.Payload), message: m, written: m.QoS == mqtt.QoS0}
	if m.QoS > mqtt.QoS0 {
		q.keep(s, done)
		return
	}
	q.mu.Lock()
	for q.memory.over(lineLimits{memoryMessages, memoryBytes}, s.size) {
		q.memory.pop()
		q.counts.dropped.Add(1)
	}
	q.memory.push(s)
	q.mu.Unlock()
	q.signal()
	done(nil)
}

// keep writes a message, and what must go for it, in one transaction.
func (q *queue) keep(s *slot, done message.Done) {
	q.order.Lock()
	defer q.order.Unlock()
	gone, m := q.append(s), s.message
	q.store.Submit(func(tx Tx) error {
		for _, number := range gone {
			if err := tx.Dequeue(q.id, number); err != nil {
				return err
			}
		}
		return tx.Enqueue(q.id, Waiting{s.number, s.size}, m)
	}, func(err error) {
		q.wrote(s, err)
		done(err)
	})
}

// append numbers a message, puts it into its line, and gives the numbers of
// those that have to leave.
func (q *queue) append(s *slot) (gone []int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.disk.over(q.limits, s.size) {
		oldest := q.disk.pop()
		q.uncache(oldest)
		gone = append(gone, oldest.number)
		q.counts.dropped.Add(1)
	}
	q.number++
	s.number = q.number
	q.disk.push(s)
	return gone
}

// wrote lets a message be sent that is on disk. One that could not be written is
// not there: its sender is not acknowledged and comes again.
func (q *queue) wrote(s *slot, err error) {
	q.mu.Lock()
	s.written = true
	if err != nil {
		q.remove(s)
	} else if q.cached+s.size > cacheBytes {
		s.message = nil
	} else {
		q.cached += s.size
	}
	q.mu.Unlock()
	q.signal()
}

// remove takes a message out of the line on disk, near whose end it is.
func (q *queue) remove(s *slot) {
	for i := len(q.disk.slots) - 1; i >= 0; i-- {
		if q.disk.slots[i] == s {
			q.disk.slots = slices.Delete(q.disk.slots, i, i+1)
			q.disk.bytes -= s.size
			return
		}
	}
}

// uncache takes a slot's message out of the count of memory.
func (q *queue) uncache(s *slot) {
	if s.message != nil && s.written {
		q.cached -= s.size
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// outgoing is a message as it goes out: a slot at QoS 1, a copy at QoS 0.
type outgoing struct {
	*message.Message
	packetID uint16
	again    bool // it was sent on a connection before
}

// next gives messages to send, some at a time; of QoS 1 no more than window may
// be on their way. When there are none the caller waits for wake.
func (q *queue) next(ctx context.Context, now time.Time, window int) ([]outgoing, error) {
	if err := q.load(ctx); err != nil {
		return nil, err
	}
	q.mu.Lock()
	batch := q.takeMemory(now)
	batch, late := q.takeDisk(batch, now, window)
	q.mu.Unlock()
	for _, s := range late {
		q.forget(s, &q.counts.dropped)
	}
	return batch, nil
}

func (q *queue) takeMemory(now time.Time) (batch []outgoing) {
	for len(batch) < pageMessages && len(q.memory.slots) > 0 {
		m := q.memory.pop().message
		if expired(m, now) {
			q.counts.dropped.Add(1)
			continue
		}
		batch = append(batch, outgoing{Message: m})
	}
	return batch
}

// takeDisk sets messages on their way; late are those that expired meanwhile.
func (q *queue) takeDisk(batch []outgoing, now time.Time, window int) (all []outgoing, late []*slot) {
	for len(batch) < pageMessages && len(q.flight) < window && q.sendable() {
		s := q.disk.pop()
		q.uncache(s)
		if expired(s.message, now) {
			late = append(late, s)
			continue
		}
		again := s.packetID != 0
		if !again {
			s.packetID = q.freeID()
		}
		q.flight[s.packetID] = s
		batch = append(batch, outgoing{s.message, s.packetID, again})
	}
	return batch, late
}

// sendable says whether the oldest message on disk is at hand. Later ones wait
// for it.
func (q *queue) sendable() bool {
	if len(q.disk.slots) == 0 {
		return false
	}
	front := q.disk.slots[0]
	return front.written && front.message != nil
}

func expired(m *message.Message, now time.Time) bool {
	return !m.Expires.IsZero() && !now.Before(m.Expires)
}

// freeID gives a packet identifier that no message is on its way under.
func (q *queue) freeID() uint16 {
	for {
		q.packetID++
		if _, taken := q.flight[q.packetID]; !taken && q.packetID != 0 {
			return q.packetID
		}
	}
}

// load reads the messages at the front of the line from disk where they are not
// in memory.
func (q *queue) load(ctx context.Context) error {
	after, missing := q.missing()
	if !missing {
		return nil
	}
	var page []Stored
	err := q.store.View(ctx, func(tx Tx) (err error) {
		page, err = tx.Messages(q.id, after, pageMessages)
		return err
	})
	if err != nil {
		return err
	}
	q.fill(after, page)
	return nil
}

// missing says after which number the disk has to be read.
func (q *queue) missing() (after int64, missing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.disk.slots) == 0 || q.disk.slots[0].message != nil || !q.disk.slots[0].written {
		return 0, false
	}
	return q.disk.slots[0].number - 1, true
}

// fill gives the slots at the front their messages. One that the disk does not
// have is let go, so that nobody waits for it.
func (q *queue) fill(after int64, page []Stored) {
	q.mu.Lock()
	defer q.mu.Unlock()
	found := map[int64]*message.Message{}
	for _, one := range page {
		found[one.Number] = one.Message
	}
	for _, s := range q.disk.slots[:min(pageMessages, len(q.disk.slots))] {
		if m := found[s.number]; m != nil && s.message == nil && s.written {
			s.message = m
			q.cached += s.size
		}
	}
	if len(q.disk.slots) == 0 {
		return
	}
	if front := q.disk.slots[0]; front.number == after+1 && front.message == nil {
		q.log.Error("a message of an integration is gone from the store", "integration", q.id, "number", front.number)
		q.disk.pop()
		q.counts.dropped.Add(1)
	}
}

// forget takes a message out of the store for good.
func (q *queue) forget(s *slot, count *atomic.Int64) {
	count.Add(1)
	q.store.Submit(func(tx Tx) error { return tx.Dequeue(q.id, s.number) }, func(err error) {
		if err != nil { // it comes back at the next start, and is sent twice
			q.log.Error("a message of an integration could not be forgotten", "integration", q.id, "error", err)
		}
	})
}

// answered settles a message that the far side has acknowledged.
func (q *queue) answered(packetID uint16, reason mqtt.ReasonCode) {
	q.mu.Lock()
	s := q.flight[packetID]
	delete(q.flight, packetID)
	q.mu.Unlock()
	if s == nil {
		return
	}
	count := &q.counts.sent
	if reason.Failed() {
		count = &q.counts.refused
	}
	q.forget(s, count)
	q.signal()
}

// unanswered puts what is on its way back to the front, after a connection has
// ended. With a session on the far side it goes again under the same identifiers
// [MQTT-4.4.0-1]; without one they mean nothing there.
func (q *queue) unanswered() {
	q.mu.Lock()
	defer q.mu.Unlock()
	back := make([]*slot, 0, len(q.flight)+len(q.disk.slots))
	for _, s := range q.flight {
		back = append(back, s)
		q.disk.bytes += s.size
		q.cached += s.size
	}
	clear(q.flight)
	slices.SortFunc(back, func(a, b *slot) int { return cmp.Compare(a.number, b.number) })
	q.disk.slots = append(back, q.disk.slots...)
}

// strangers forgets the packet identifiers of an earlier session.
func (q *queue) strangers() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.disk.slots {
		if s.packetID == 0 {
			return // they stand at the front
		}
		s.packetID = 0
	}
}

// waiting counts what is not yet over there.
func (q *queue) waiting() (messages, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	messages = int64(len(q.memory.slots) + len(q.disk.slots) + len(q.flight))
	bytes = int64(q.memory.bytes + q.disk.bytes)
	for _, s := range q.flight {
		bytes += int64(s.size)
	}
	return messages, bytes
}
