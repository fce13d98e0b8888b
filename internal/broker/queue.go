package broker

import (
	"fmt"
	"slices"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// queue holds a session's QoS 1 and 2 messages, oldest first: sent and not yet
// acknowledged, then waiting in memory, then waiting in the store alone. It is
// guarded by session.mu.
type queue struct {
	flight  []entry // sent and not acknowledged, in the order of sending
	sent    int     // of them, how many were sent on this connection
	again   int     // and how many must be sent again on it
	answers []entry // not sent yet, to the connection that asked; they go before the rest
	waiting []entry // not sent yet

	flightRoom, waitingRoom []entry // memory of theirs, see lineUp

	bytes   int    // of payload, waiting in memory
	stored  int    // waiting in the store, behind those in memory; may count too many until it is read
	last    int64  // number of the newest message; they grow by one
	read    int64  // number of the newest message in memory; stored are those between it and last
	written int64  // number of the newest message that the store has, or could not take
	loading bool   // somebody is reading from the store
	recall  bool   // the store may know QoS 2 messages in flight from before the server started
	packet  uint16 // the packet identifier given out last
	free    int    // how many after it are known to be unused
	told    int64  // when the journal last heard that it is full, Unix seconds
	replay  int64  // messages up to this number waited while the client was away
	tokens  bucket // for those

	// What the store shall hear when nobody is in a hurry, see session.tidy.
	gone   []int64   // numbers of messages that are done with
	shared []*shared // messages of groups that are done with
	marks  []mark
}

// entry is one message in a queue.
type entry struct {
	m        *Message
	number   int64 // 0: not stored
	packetID uint16
	qos      mqtt.QoS
	retain   bool
	state    state
	repeats  uint8     // on a living connection
	tried    bool      // it was sent before
	since    time.Time // when it was sent first
	sent     time.Time // and last
	ids      []uint32
	shared   *shared // as its group has it; nil for others

	fleeting  bool          // it does not outlive the connection
	confirmed chan struct{} // closed when the client has acknowledged; nil for most
}

type state uint8

const (
	again    state = iota // was in flight on an earlier connection; to be sent on this one
	marking               // QoS 2: goes out when the store knows its packet identifier
	inFlight              // sent
	received              // QoS 2: the client has it, PUBREL is out
)

// mark is where a QoS 2 message stands.
type mark struct {
	number   int64
	packetID uint16
	received bool
}

const (
	// waitingInMemory bounds the messages of one persistent session that wait
	// in memory; more wait in the store.
	waitingInMemory = 128
	bytesInMemory   = 1 << 20
	pageSize        = 128 // messages read from the store at once
)

// size is the number of messages in the queue.
func (q *queue) size() int { return len(q.flight) + len(q.waiting) + q.stored }

// give puts one message into the session's queue, outside of a route.
func (s *session) give(d *delivery, checked *conn, qos mqtt.QoS, retain bool, ids []uint32) {
	if !s.persistent.Load() {
		s.enqueue(d, checked, qos, retain, ids)
		return
	}
	s.b.order.Lock()
	defer s.b.order.Unlock()
	s.enqueue(d, checked, qos, retain, ids)
	s.b.write(d)
}

// enqueue adds a QoS 1 or 2 message to the session: sent if there is room in
// flight, and added to what d must store if the session is persistent. checked is
// the connection whose right to receive it is known. It says no if the session has
// ended or is full. The caller holds b.order if
// the session is persistent.
func (s *session) enqueue(d *delivery, checked *conn, qos mqtt.QoS, retain bool, ids []uint32) (taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, stored := s.conn.Load(), s.persistent.Load()
	if s.removed || c == nil && !stored {
		return false
	}
	if s.isFull(stored) && !s.mayPress(d, stored) {
		s.overflow(c, stored, d)
		return false
	}
	if c == nil && !s.b.mayQueue(d.now) {
		return false
	}
	e := entry{m: d.keep(), qos: qos, retain: retain, ids: ids}
	if !stored {
		s.place(c, &e, d, checked)
		return true
	}
	s.queue.last++
	e.number = s.queue.last
	s.place(c, &e, d, checked)
	stand := StoredMessage{Number: e.number, QoS: qos, Retain: retain, SubscriptionIDs: ids, Message: e.m}
	if e.state == marking {
		stand.PacketID = e.packetID
	}
	d.rows = append(d.rows, row{s, stand})
	return true
}

// place finds the entry's place in the queue: in flight, in memory or in the store
// alone.
func (s *session) place(c *conn, e *entry, d *delivery, checked *conn) {
	q := &s.queue
	if c == nil || q.stored > 0 || e.number > 0 && q.fullMemory() {
		q.stored++
		return
	}
	q.read = e.number
	if c == checked && len(q.waiting) == 0 && q.again == 0 && s.launch(c, e, d) {
		return
	}
	q.push(*e)
	if c != checked { // who came meanwhile
		s.pump(c, d.work)
	}
}

// push puts an entry behind those that wait in memory.
func (q *queue) push(e entry) {
	q.waiting, q.waitingRoom = lineUp(q.waiting, q.waitingRoom, e)
	q.bytes += len(e.m.Payload)
}

// pop forgets the first n that wait. What is left does not move: a long queue
// would be copied for every acknowledgement.
func (q *queue) pop(n int) {
	for i := range q.waiting[:n] {
		q.bytes -= len(q.waiting[i].m.Payload)
	}
	clear(q.waiting[:n])
	q.waiting, q.waitingRoom = trim(q.waiting[n:], q.waitingRoom)
}

// fullMemory says whether no more should wait in memory.
func (q *queue) fullMemory() bool {
	return len(q.waiting) >= waitingInMemory || q.bytes >= bytesInMemory
}

func (s *session) isFull(stored bool) bool {
	return s.queue.size() >= s.b.Limits.QueueMessages || !stored && s.queue.bytes > s.b.Limits.OutboxBytes
}

// overflow is the answer to a full queue: the newest message of a persistent
// session is dropped, a clean session that doesn't read is cut. The journal hears of
// drops once a second at most.
func (s *session) overflow(c *conn, stored bool, d *delivery) {
	s.b.stats.DroppedFull.Add(1)
	if !stored && c != nil {
		c.drop(slowly("%d messages of %d bytes wait for the client's acknowledgements (queue-messages, outbox-bytes)", s.queue.size(), s.queue.bytes))
		return
	}
	if q := &s.queue; d.now.Unix() > q.told {
		q.told = d.now.Unix()
		s.b.tellFull(why.Event{ClientID: s.id, Principal: s.principal}, d.now, q.size(), d.m.Topic)
	}
}

// tellFull tells the journal of a queue that takes no more. Record does not wait.
func (b *Broker) tellFull(e why.Event, now time.Time, size int, topic string) {
	e.Time, e.Step, e.Cause = now, why.StepReceive, why.QueueFull
	e.Detail = fmt.Sprintf("%d messages wait; newer ones are dropped, as from %s", size, topic)
	b.Journal.Record(e)
}

// launch sends a message for the first time, if there is room in flight, and says
// whether it did, or dropped it. The caller holds s.mu.
func (s *session) launch(c *conn, e *entry, d *delivery) bool {
	q := &s.queue
	if q.sent >= c.sendMax || !q.nextPacketID() {
		return false
	}
	e.packetID, e.since, e.sent = q.packet, d.now, d.now
	if e.qos == mqtt.QoS2 && e.number > 0 {
		e.state = marking
	} else {
		switch c.transmit(e, d) {
		case tooLarge: // dropped as if it had been delivered [MQTT-3.1.2-25]
			e.packetID = 0
			q.forget(e)
			return true
		case refused:
			e.packetID = 0
			return false
		}
		e.state = inFlight
	}
	q.flight, q.flightRoom = lineUp(q.flight, q.flightRoom, *e)
	q.sent++
	return true
}

// forget notes that the store need not keep a message any longer.
func (q *queue) forget(e *entry) {
	if e.number > 0 {
		q.gone = append(q.gone, e.number)
	}
	if e.shared != nil && e.shared.number > 0 {
		q.shared = append(q.shared, e.shared)
	}
}

type outcome int

const (
	sent outcome = iota
	refused
	tooLarge
)

// transmit appends a QoS 1 or 2 PUBLISH to the outbox. d may have the encoding at
// hand. The caller holds s.mu.
func (c *conn) transmit(e *entry, d *delivery) outcome {
	buf, got := c.beginMessage(d.now)
	if got != room {
		return refused
	}
	before, undo := len(buf), nothingToUndo
	dup := e.tried && c.b.Limits.SendsDUP
	if d.frames != nil && len(e.ids) == 0 && c.outAliases.max == 0 {
		buf = d.frame(c.version, e.qos).Append(buf, e.packetID, dup, e.retain)
	} else {
		p := c.session.packet(e.m, d.now, e.qos)
		p.PacketID, p.Dup, p.Retain, p.SubscriptionIDs = e.packetID, dup, e.retain, e.ids
		undo = c.outAliases.use(p)
		buf = p.Append(buf, c.version)
		*p = mqtt.Publish{Topic: p.Topic} // it holds on to nothing but its memory
	}
	if n := len(buf) - before; !c.takes(n) {
		undo()
		c.out.end(buf[:before])
		c.tooLong(d.now, e.m, n)
		return tooLarge
	}
	c.b.stats.PublishOut.Add(1)
	c.b.stats.PublishOutBytes.Add(int64(len(e.m.Payload)))
	if c.out.end(buf) {
		d.work.add(c)
	}
	e.tried = true
	return sent
}

// packet makes a PUBLISH in memory that is used again and again. The caller holds
// s.mu.
func (s *session) packet(m *Message, now time.Time, qos mqtt.QoS) *mqtt.Publish {
	if s.scratch == nil {
		s.scratch = &mqtt.Publish{}
	}
	fill(s.scratch, m, now, qos)
	return s.scratch
}

// acknowledged takes a PUBACK: the message is delivered, and another may fly.
func (s *session) acknowledged(c *conn, packetID uint16) {
	s.settle(c, packetID, mqtt.QoS1)
}

// onPubcomp is the client's word that it is done with a QoS 2 message.
func (c *conn) onPubcomp(p *mqtt.Pubcomp) *ending {
	if c.b.Limits.MaxQoS < mqtt.QoS2 {
		return clientError(why.StepConnection, mqtt.ProtocolError, why.QoSNotSupported, "PUBCOMP without QoS 2")
	}
	c.session.settle(c, p.PacketID, mqtt.QoS2)
	return nil
}

func (s *session) settle(c *conn, packetID uint16, qos mqtt.QoS) {
	s.mu.Lock()
	q := &s.queue
	if i := q.find(packetID); i >= 0 && q.flight[i].qos == qos {
		if q.flight[i].confirmed != nil {
			close(q.flight[i].confirmed)
		}
		q.forget(&q.flight[i])
		q.remove(i)
	}
	s.pumpAt(c, &c.work, c.now)
	s.ease()
	c.untidy = c.untidy || q.untidy()
	page, groups := s.wantsPage(), s.groups
	s.mu.Unlock()
	for _, g := range groups {
		g.pump(&c.work)
	}
	if page {
		go s.loadPages()
	}
}

// find gives the place in flight of a packet identifier; -1 without one. Clients
// acknowledge in order [MQTT-4.6.0-2]: it is one of the first.
func (q *queue) find(packetID uint16) int {
	for i := range q.flight {
		if q.flight[i].packetID == packetID {
			return i
		}
	}
	return -1
}

// remove takes an entry out of flight. Short lists move up, which keeps their
// memory; long ones would take too long.
func (q *queue) remove(i int) {
	if q.flight[i].state == again {
		q.again--
	} else {
		q.sent--
	}
	const short = 16
	if i > 0 || len(q.flight) <= short {
		q.flight = slices.Delete(q.flight, i, i+1)
		return
	}
	q.flight[0] = entry{}
	q.flight = q.flight[1:]
}

// pump sends what must be sent again and then what waits in memory, as far as
// there is room. The caller holds s.mu.
func (s *session) pump(c *conn, work *batch) { s.pumpAt(c, work, s.b.Now()) }

// pumpAt is pump for callers that know the time.
func (s *session) pumpAt(c *conn, work *batch, now time.Time) {
	if s.conn.Load() != c || c == nil {
		return
	}
	d := delivery{now: now, work: work}
	if !s.sendAgain(c, &d) || !s.sendAnswers(c, &d) {
		return
	}
	q, n := &s.queue, 0
	for n < len(q.waiting) && s.advance(c, &q.waiting[n], &d) {
		n++
	}
	q.pop(n)
}

// sendAgain sends what was in flight on an earlier connection, and says whether
// nothing of it is left. [MQTT-4.4.0-1]
func (s *session) sendAgain(c *conn, d *delivery) bool {
	q := &s.queue
	for i := 0; q.again > 0 && i < len(q.flight); {
		e := &q.flight[i]
		switch {
		case e.state != again:
			i++
			continue
		case q.sent >= c.sendMax:
			return false
		case !s.mayReceive(c, e):
			q.forget(e)
			q.remove(i)
			continue
		}
		if e.tried {
			s.b.stats.Repeats.Add(1)
		}
		switch c.transmit(e, d) {
		case refused:
			return false
		case tooLarge:
			q.forget(e)
			q.remove(i)
			continue
		}
		e.state, e.sent, e.repeats = inFlight, d.now, 0
		q.again--
		q.sent++
		i++
	}
	return q.again == 0
}

// advance sends the message that has waited longest, or drops it; false says that
// it must go on waiting.
func (s *session) advance(c *conn, e *entry, d *delivery) bool {
	q := &s.queue
	if expired(e.m, d.now) {
		s.b.stats.DroppedExpired.Add(1)
		q.forget(e)
		return true
	}
	if !s.mayReceive(c, e) {
		q.forget(e)
		return true
	}
	if q.sent >= c.sendMax {
		return false
	}
	if e.number > 0 && e.number <= q.replay && !q.tokens.take(d.now, s.b.Limits.ReplayRate, 1) {
		return false // the next sweep goes on
	}
	if !s.launch(c, e, d) {
		return false
	}
	if e.state == marking && e.packetID != 0 {
		q.marks = append(q.marks, mark{number: e.number, packetID: e.packetID})
	}
	return true
}

// mayReceive asks the client's rights once more: they may have changed while the
// message waited. The last answer is remembered.
func (s *session) mayReceive(c *conn, e *entry) bool {
	gen := c.rights.Generation()
	if a := &s.answer; a.conn != c || a.gen != gen || a.topic != e.m.Topic {
		*a = answer{c, e.m.Topic, gen, c.rights.Allows("iot:Receive", "topic/"+e.m.Topic)}
	}
	if !s.answer.allowed {
		c.mayNotReceive(s.b.Now(), e.m.Topic)
	}
	return s.answer.allowed
}

// answer is what a connection's rights said about receiving on a topic.
type answer struct {
	conn    *conn
	topic   string
	gen     uint64
	allowed bool
}

// resumeWith opens the session for messages to a new connection. What was in
// flight is sent again, in order, before anything else. [MQTT-4.6.0-1]
func (s *session) resumeWith(c *conn) {
	s.mu.Lock()
	s.conn.Store(c)
	q := &s.queue
	q.sent, q.again = 0, 0
	for i := range q.flight {
		e := &q.flight[i]
		if e.state == received {
			q.sent++
			c.post(&mqtt.Pubrel{PacketID: e.packetID})
			continue
		}
		e.state = again
		q.again++
	}
	s.pump(c, nil)
	page := s.wantsPage()
	s.mu.Unlock()
	s.tidy()
	s.refreshGroups()
	s.pumpGroups(nil)
	if page {
		go s.loadPages()
	}
}

// rest leaves to the store what waits for a client that went away. Messages in
// flight stay: they are sent again under their packet identifiers. Those of groups
// are given back: the standard lets a server wait for the client [MQTT 5.0 4.8.2],
// but others could do the work. The caller holds s.mu.
func (q *queue) rest() (back []*shared) {
	back = q.takeBack(nil)
	q.flight = slices.DeleteFunc(q.flight, func(e entry) bool { return e.fleeting })
	q.answers = nil
	if len(q.waiting) == 0 || q.waiting[0].number == 0 {
		return back
	}
	q.read = q.waiting[0].number - 1
	q.stored += len(q.waiting)
	q.waiting, q.bytes = nil, 0
	return back
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
	known, later := c.session.hasReceived(p.PacketID)
	if later {
		c.untidy = true
		return nil
	}
	answer := &mqtt.Pubrel{PacketID: p.PacketID}
	if !known {
		answer.Reason = mqtt.PacketIdentifierNotFound
	}
	c.reply(answer)
	return nil
}

// hasReceived notes that the client has a QoS 2 message. later says that PUBREL
// follows when the store knows it too: a server that forgot would send the
// message once more, which the client by then takes for a new one.
func (s *session) hasReceived(packetID uint16) (known, later bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.queue.find(packetID)
	if i < 0 || s.queue.flight[i].qos != mqtt.QoS2 {
		return false, false
	}
	e := &s.queue.flight[i]
	if e.state == received {
		return true, false
	}
	if e.state == again { // its PUBREC speaks of the connection before
		s.queue.again--
		s.queue.sent++
	}
	e.state = received
	if e.number == 0 {
		return true, false
	}
	s.queue.marks = append(s.queue.marks, mark{e.number, packetID, true})
	return true, true
}
