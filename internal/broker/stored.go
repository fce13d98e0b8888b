package broker

import (
	"context"
	"slices"

	"thingd/internal/mqtt"
)

// This file is where a queue meets the store. Callbacks of the store take
// session.mu; therefore nobody who holds it waits for the store.

// untidy says whether the store has something to hear.
func (q *queue) untidy() bool { return len(q.gone)+len(q.shared)+len(q.marks) > 0 }

// tidy tells the store which messages are done with, and where QoS 2 messages
// stand. It is put off until there is nothing better to do: a message that the
// store still has after a crash is only sent once more.
func (s *session) tidy() {
	s.mu.Lock()
	gone, shared, marks := s.queue.gone, s.queue.shared, s.queue.marks
	s.queue.gone, s.queue.shared, s.queue.marks = nil, nil, nil
	s.mu.Unlock()
	if len(gone)+len(shared)+len(marks) == 0 {
		return
	}
	s.b.submit("settle a queue", func(tx StoreTx) error {
		for _, m := range marks {
			if err := tx.MarkSent(s.id, m.number, m.packetID, m.received); err != nil {
				return err
			}
		}
		for _, number := range gone {
			if err := tx.Dequeue(s.id, number); err != nil {
				return err
			}
		}
		for _, m := range shared {
			if err := tx.DequeueShared(m.group.key, m.number); err != nil {
				return err
			}
		}
		return nil
	}, func(err error) {
		for _, m := range marks {
			s.marked(m, err)
		}
	})
}

// wrote hears that an entry is in the store, or could not be written.
func (s *session) wrote(row *StoredMessage, err error) {
	s.mu.Lock()
	s.queue.written = max(s.queue.written, row.Number)
	page := s.wantsPage()
	s.mu.Unlock()
	if row.PacketID != 0 && row.QoS == mqtt.QoS2 {
		s.marked(mark{number: row.Number, packetID: row.PacketID}, err)
	}
	if page {
		go s.loadPages()
	}
}

// marked goes on with a QoS 2 message when the store knows where it stands.
func (s *session) marked(m mark, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, i := s.conn.Load(), s.queue.find(m.packetID)
	if c == nil || i < 0 || s.queue.flight[i].number != m.number {
		return
	}
	if err != nil {
		c.drop(storeFailed.because(err))
		return
	}
	e := &s.queue.flight[i]
	switch {
	case m.received && e.state == received:
		c.post(&mqtt.Pubrel{PacketID: e.packetID})
	case !m.received && e.state == marking:
		s.sendMarked(c, i)
	}
}

// sendMarked sends a QoS 2 message. The caller holds s.mu.
func (s *session) sendMarked(c *conn, i int) {
	q := &s.queue
	e := &q.flight[i]
	now := s.b.Now()
	switch c.transmit(e, &delivery{now: now}) {
	case sent:
		e.state, e.sent = inFlight, now
	case refused: // the outbox is full; pump tries again
		e.state = again
		q.sent--
		q.again++
	case tooLarge:
		q.forget(e)
		q.remove(i)
	}
}

// wantsPage says whether messages must be read from the store, and if so, that
// the caller starts loadPages. The caller holds s.mu.
func (s *session) wantsPage() bool {
	q := &s.queue
	if s.conn.Load() == nil || s.removed || q.loading || q.stored == 0 || len(q.waiting) > 0 || q.written <= q.read {
		return false
	}
	q.loading = true
	s.b.running.Add(1) // the client is here: Close waits for it, and then for this
	return true
}

// loadPages brings messages from the store into memory, until some wait there or
// all are read.
func (s *session) loadPages() {
	for more := true; more; {
		s.mu.Lock()
		after, written, recall := s.queue.read, s.queue.written, s.queue.recall
		s.mu.Unlock()
		var flying, page []StoredMessage
		var err error
		if recall {
			flying, err = s.recallable()
		}
		if err == nil {
			page, err = s.b.Store.Queue(context.Background(), s.id, after, pageSize)
		}
		more = s.loaded(flying, page, after, written, err)
		s.tidy()
		s.b.running.Done()
	}
}

// recallable reads the QoS 2 messages that were in flight when the server stopped.
// They are among the oldest. They must be known before any other message is sent,
// because they hold packet identifiers.
func (s *session) recallable() (flying []StoredMessage, err error) {
	after := int64(0)
	for read := 0; read <= s.b.Limits.SendMaximum; {
		page, err := s.b.Store.Queue(context.Background(), s.id, after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, row := range page {
			after = row.Number
			if row.PacketID != 0 {
				flying = append(flying, row)
			}
		}
		if read += len(page); len(page) < pageSize {
			break
		}
	}
	return flying, nil
}

// loaded takes what loadPages has read, and says whether it must read more.
func (s *session) loaded(flying, page []StoredMessage, after, written int64, err error) (more bool) {
	s.b.failed("read a queue", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	q, c := &s.queue, s.conn.Load()
	q.loading = false
	if err != nil {
		if c != nil {
			c.drop(storeFailed.because(err))
		}
		return false
	}
	if c == nil || s.removed || q.read != after {
		return s.wantsPage() // the client went away meanwhile
	}
	if q.recall {
		q.recall = false
		s.resume(c, flying)
	}
	s.admit(c, page, written)
	return s.wantsPage()
}

// resume puts QoS 2 messages back in flight under their packet identifiers.
// [MQTT-4.4.0-1]
func (s *session) resume(c *conn, flying []StoredMessage) {
	q := &s.queue
	for _, row := range flying {
		e := entryOf(row)
		e.packetID, e.tried, e.since = row.PacketID, true, s.b.Now()
		q.packet, q.free = max(q.packet, e.packetID), 0
		if row.Received {
			e.state = received
			q.sent++
			c.post(&mqtt.Pubrel{PacketID: e.packetID})
		} else {
			e.state = again
			q.again++
		}
		q.flight = append(q.flight, e)
	}
}

// admit puts a page of stored messages into memory and sends what it can. written
// is what the store had at least when the page was read: after a short page,
// nothing up to there is left.
func (s *session) admit(c *conn, page []StoredMessage, written int64) {
	q := &s.queue
	for _, row := range page {
		q.read = row.Number
		q.stored = max(0, q.stored-1)
		if row.PacketID != 0 && q.flies(row.Number) { // resume has it
			continue
		}
		q.push(entryOf(row))
	}
	if len(page) < pageSize {
		q.read = max(q.read, written)
		q.stored = int(q.last - q.read)
	}
	s.pump(c, nil)
}

func (q *queue) flies(number int64) bool {
	return slices.ContainsFunc(q.flight, func(e entry) bool { return e.number == number })
}

func entryOf(row StoredMessage) entry {
	return entry{m: row.Message, number: row.Number, qos: row.QoS, retain: row.Retain, ids: row.SubscriptionIDs}
}
