package broker

import (
	"context"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// queue holds a session's QoS 1 and 2 messages, oldest first: sent and not yet
// acknowledged, then waiting in memory, then waiting in the store alone. It is
// guarded by session.mu.
type queue struct {
	flight  []entry // sent; in the order of sending
	waiting []entry // not sent yet
	bytes   int     // of payload, waiting in memory
	stored  int     // waiting in the store, behind those in memory
	last    int64   // number of the newest message; they grow by one
	read    int64   // number of the newest message in memory
	loading bool    // somebody is reading from the store
	packet  uint16  // the packet identifier given out last
	replay  int64   // messages up to this number waited while the client was away
	tokens  bucket  // for those
}

// entry is one message in a queue.
type entry struct {
	m        *Message
	number   int64 // 0: not stored
	packetID uint16
	qos      mqtt.QoS
	retain   bool
	state    state
	repeats  uint8
	sent     time.Time
	ids      []uint32

	confirmed chan struct{} // closed when the client has acknowledged; nil for most
}

type state uint8

const (
	inFlight state = iota
	received       // QoS 2: the client has it, PUBREL is out
	settled        // acknowledged; waits for its elders to leave the slice
)

const (
	// waitingInMemory bounds the messages of one persistent session that wait
	// in memory; more wait in the store.
	waitingInMemory = 128
	bytesInMemory   = 1 << 20
	pageSize        = 128 // messages read from the store at once
)

// size is the number of messages in the queue.
func (q *queue) size() int { return len(q.flight) + len(q.waiting) + q.stored }

// enqueue adds a QoS 1 or 2 message to the session: sent if there is room in
// flight, stored if the session is persistent.
func (s *session) enqueue(d *delivery, qos mqtt.QoS, retain bool, ids []uint32) {
	s.mu.Lock()
	c := s.conn.Load()
	if s.removed || (c == nil && !s.persistent.Load()) {
		s.mu.Unlock()
		return
	}
	persistent := s.persistent.Load()
	if s.queue.size() >= s.b.Limits.QueueMessages || (!persistent && s.queue.bytes > s.b.Limits.OutboxBytes) {
		s.mu.Unlock()
		s.overflow(c)
		return
	}
	e := entry{m: d.keep(), qos: qos, retain: retain, ids: ids}
	if persistent {
		s.queue.last++
		e.number = s.queue.last
		s.store(d, e)
	}
	if c == nil || s.queue.stored > 0 || (persistent && s.queue.fullMemory()) {
		s.queue.stored++
		s.mu.Unlock()
		if c != nil {
			s.load(c)
		}
		return
	}
	s.queue.read = e.number
	if len(s.queue.waiting) > 0 || !s.fly(c, e, d) {
		s.queue.push(e)
	}
	s.mu.Unlock()
}

// push puts an entry behind those that wait in memory.
func (q *queue) push(e entry) {
	q.waiting = append(q.waiting, e)
	q.bytes += len(e.m.Payload)
}

// pop forgets the first n that wait. What is left does not move: a long queue
// would be copied for every acknowledgement.
func (q *queue) pop(n int) {
	clear(q.waiting[:n])
	q.waiting = q.waiting[n:]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
}

// fullMemory says whether no more should wait in memory.
func (q *queue) fullMemory() bool {
	return len(q.waiting) >= waitingInMemory || q.bytes >= bytesInMemory
}

// overflow is the answer to a full queue: the newest message of a persistent
// session is dropped, a clean session that doesn't read is cut.
func (s *session) overflow(c *conn) {
	s.b.stats.DroppedFull.Add(1)
	if !s.persistent.Load() && c != nil {
		go c.kick(slowReader)
	}
}

// store writes a queue entry; the publisher's acknowledgement waits for it. A
// message for several sessions is written once.
func (s *session) store(d *delivery, e entry) {
	row := StoredMessage{Number: e.number, QoS: e.qos, Retain: e.retain, SubscriptionIDs: e.ids, Message: e.m}
	id := s.id
	d.promise.expect()
	s.b.submit("queue a message", func(tx StoreTx) error { return tx.Enqueue(id, row) }, func(err error) {
		d.promise.settle(err)
		s.wake()
	})
}

// wake lets a reader of the store try again, after something new was written.
func (s *session) wake() {
	if c := s.conn.Load(); c != nil && c.hungry.CompareAndSwap(true, false) {
		go s.load(c)
	}
}

// fly sends a message if there is room in flight, and says whether it did. The
// caller holds s.mu.
func (s *session) fly(c *conn, e entry, d *delivery) bool {
	if len(s.queue.flight) >= c.sendMax || !s.queue.nextPacketID() {
		return false
	}
	e.packetID, e.sent = s.queue.packet, d.now
	switch c.transmit(&e, d, false) {
	case tooLarge: // dropped as if it had been delivered [MQTT-3.1.2-25]
		s.dequeue(e)
		return true
	case refused:
		return false
	}
	s.queue.flight = append(s.queue.flight, e)
	if e.qos == mqtt.QoS2 && e.number > 0 {
		s.markSent(e, false)
	}
	return true
}

// nextPacketID takes the next free packet identifier. They are given out in a
// circle and come back in about the order they left, so only the oldest can be
// in the way.
func (q *queue) nextPacketID() bool {
	next := q.packet + 1
	if next == 0 {
		next = 1
	}
	for i := range q.flight {
		if q.flight[i].packetID == next {
			return false
		}
		if i > 8 { // deep in the circle: the rest is newer
			break
		}
	}
	q.packet = next
	return true
}

type outcome int

const (
	sent outcome = iota
	refused
	tooLarge
)

// transmit appends a QoS 1 or 2 PUBLISH to the outbox. d, if there is one, has
// the encoding at hand.
func (c *conn) transmit(e *entry, d *delivery, dup bool) outcome {
	buf, ok := c.out.begin(c.b.Limits.OutboxBytes)
	if !ok {
		return refused
	}
	before := len(buf)
	var work *batch
	if d != nil {
		work = d.work
	}
	if d != nil && d.frames != nil && len(e.ids) == 0 {
		buf = d.frame(c.version, e.qos).Append(buf, e.packetID, dup, e.retain)
	} else {
		p := c.packet(e.m, c.b.Now(), e.qos, e.retain, e.ids)
		p.PacketID, p.Dup = e.packetID, dup
		buf = p.Append(buf, c.version)
	}
	if c.maxPacket > 0 && len(buf)-before > c.maxPacket {
		c.out.end(buf[:before])
		c.b.stats.DroppedTooLarge.Add(1)
		return tooLarge
	}
	c.b.stats.PublishOut.Add(1)
	c.b.stats.PublishOutBytes.Add(int64(len(e.m.Payload)))
	if c.out.end(buf) {
		work.add(c)
	}
	return sent
}

// acknowledged takes a PUBACK: the message is delivered, and another may fly.
func (s *session) acknowledged(c *conn, packetID uint16) {
	s.settle(c, packetID, mqtt.QoS1)
}

// completed takes a PUBCOMP.
func (s *session) completed(c *conn, packetID uint16) {
	s.settle(c, packetID, mqtt.QoS2)
}

func (s *session) settle(c *conn, packetID uint16, qos mqtt.QoS) {
	s.mu.Lock()
	if e := s.queue.find(packetID); e != nil && e.qos == qos {
		e.state = settled
		s.dequeue(*e)
		if e.confirmed != nil {
			close(e.confirmed)
		}
		e.m = nil
		s.queue.trim()
	}
	s.pump(c, &c.work)
	s.mu.Unlock()
	s.load(c)
}

// find gives the message in flight under a packet identifier.
func (q *queue) find(packetID uint16) *entry {
	for i := range q.flight {
		if e := &q.flight[i]; e.packetID == packetID && e.state != settled {
			return e
		}
	}
	return nil
}

// trim drops the settled messages at the front.
func (q *queue) trim() {
	n := 0
	for n < len(q.flight) && q.flight[n].state == settled {
		n++
	}
	if n == len(q.flight) {
		q.flight = q.flight[:0]
	} else {
		q.flight = q.flight[n:]
	}
}

// dequeue forgets a stored message.
func (s *session) dequeue(e entry) {
	if e.number == 0 {
		return
	}
	id, number := s.id, e.number
	s.b.submit("forget a delivered message", func(tx StoreTx) error { return tx.Dequeue(id, number) }, nil)
}

// pump sends what waits in memory, as far as there is room. The caller holds
// s.mu.
func (s *session) pump(c *conn, work *batch) {
	if s.conn.Load() != c {
		return
	}
	now := s.b.Now()
	n := 0
	for ; n < len(s.queue.waiting); n++ {
		e := s.queue.waiting[n]
		size := len(e.m.Payload)
		if !e.m.Expires.IsZero() && now.After(e.m.Expires) { // [MQTT-3.3.2-5]
			s.b.stats.DroppedExpired.Add(1)
			s.dequeue(e)
			s.queue.bytes -= size
			continue
		}
		if !c.rights.Allows("iot:Receive", "topic/"+e.m.Topic) {
			s.b.stats.ReceiveDenied.Add(1)
			s.dequeue(e)
			s.queue.bytes -= size
			continue
		}
		if e.number > 0 && e.number <= s.queue.replay && !s.queue.tokens.take(now, s.b.Limits.ReplayRate, 1) {
			break // the next sweep goes on
		}
		if !s.fly(c, e, &delivery{now: now, work: work}) {
			break
		}
		s.queue.bytes -= size
	}
	s.queue.pop(n)
}

// load brings messages from the store into memory when none wait there.
func (s *session) load(c *conn) {
	s.mu.Lock()
	q := &s.queue
	if s.conn.Load() != c || s.removed || q.loading || q.stored == 0 || len(q.waiting) > 0 {
		s.mu.Unlock()
		return
	}
	q.loading = true
	after := q.read
	s.mu.Unlock()
	go s.loadPage(c, after)
}

func (s *session) loadPage(c *conn, after int64) {
	c.hungry.Store(true) // before reading: a write that comes now wakes us again
	page, err := s.b.Store.Queue(context.Background(), s.id, after, pageSize)
	if err != nil {
		s.b.stats.StoreFailures.Add(1)
		s.b.Log.Error("the broker's store failed", "while", "read a queue", "client", s.id, "error", err)
		go c.kick(storeFailed.because(err))
		page = nil
	}
	s.mu.Lock()
	s.queue.loading = false
	if s.conn.Load() == c {
		s.admit(c, page)
	}
	more := len(page) > 0 && s.queue.stored > 0 && len(s.queue.waiting) == 0
	s.mu.Unlock()
	if len(page) > 0 {
		c.hungry.Store(false)
	}
	if more {
		s.load(c)
	}
}

// admit puts a page of stored messages into memory and sends what it can. A
// QoS 2 message that was on its way before goes on where it was.
func (s *session) admit(c *conn, page []StoredMessage) {
	for _, row := range page {
		s.queue.stored = max(0, s.queue.stored-1)
		s.queue.read = row.Number
		e := entry{m: row.Message, number: row.Number, qos: row.QoS, retain: row.Retain, ids: row.SubscriptionIDs, packetID: row.PacketID}
		if row.PacketID != 0 {
			s.resume(c, e, row.Received)
			continue
		}
		s.queue.push(e)
	}
	s.pump(c, nil)
}

// resume puts a QoS 2 message back in flight under its packet identifier.
// [MQTT-4.4.0-1]
func (s *session) resume(c *conn, e entry, has bool) {
	e.sent = s.b.Now()
	if has {
		e.state = received
		c.post(&mqtt.Pubrel{PacketID: e.packetID})
	} else {
		c.transmit(&e, nil, s.b.Limits.SendsDUP)
	}
	s.queue.packet = max(s.queue.packet, e.packetID)
	s.queue.flight = append(s.queue.flight, e)
}

// markSent keeps where a QoS 2 message stands.
func (s *session) markSent(e entry, has bool) {
	id := s.id
	s.b.submit("note a QoS 2 message", func(tx StoreTx) error { return tx.MarkSent(id, e.number, e.packetID, has) }, nil)
}

// resumeWith opens the session for messages to a new connection. What was in
// flight is sent again, in order, before anything else. [MQTT-4.6.0-1]
func (s *session) resumeWith(c *conn) {
	s.mu.Lock()
	s.conn.Store(c)
	q := &s.queue
	now := s.b.Now()
	flight := q.flight
	q.flight = nil
	for _, e := range flight {
		if e.state == settled {
			continue
		}
		e.sent = now
		if e.state == received {
			c.post(&mqtt.Pubrel{PacketID: e.packetID})
		} else {
			c.transmit(&e, nil, s.b.Limits.SendsDUP)
			s.b.stats.Repeats.Add(1)
		}
		q.flight = append(q.flight, e)
	}
	s.pump(c, nil)
	s.mu.Unlock()
	s.load(c)
}

// rest leaves to the store what waits for a client that went away. Messages in
// flight stay: they are sent again under their packet identifiers. The caller
// holds s.mu.
func (q *queue) rest() {
	if len(q.waiting) == 0 || q.waiting[0].number == 0 {
		return
	}
	q.read = q.waiting[0].number - 1
	q.stored += len(q.waiting)
	q.waiting, q.bytes = nil, 0
}

// onPubrec is the client's word that it has a QoS 2 message. [MQTT-4.3.3-4]
func (c *conn) onPubrec(p *mqtt.Pubrec) *ending {
	if c.b.Limits.MaxQoS < mqtt.QoS2 {
		return clientError(why.StepConnection, mqtt.ProtocolError, why.QoSNotSupported, "PUBREC without QoS 2")
	}
	if p.Reason.Failed() { // the client does not want it: done with it
		c.session.settle(c, p.PacketID, mqtt.QoS2)
		return nil
	}
	s := c.session
	s.mu.Lock()
	e := s.queue.find(p.PacketID)
	known := e != nil && e.qos == mqtt.QoS2
	if known {
		e.state = received
		if e.number > 0 {
			s.markSent(*e, true)
		}
	}
	s.mu.Unlock()
	answer := &mqtt.Pubrel{PacketID: p.PacketID}
	if !known {
		answer.Reason = mqtt.PacketIdentifierNotFound
	}
	c.reply(answer)
	return nil
}
