package broker

import (
	"slices"
	"sync"
	"time"

	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
	"thingd/internal/why"
)

// onPublish takes a message from the client.
func (c *conn) onPublish(frame []byte, now time.Time) *ending {
	p := &c.publish
	if err := p.Decode(c.version, frame); err != nil {
		return badPacket(why.StepPublish, err)
	}
	if end := c.checkPublish(p); end != nil {
		return end
	}
	if !c.mayPublishNow(p.Topic, now) {
		return c.throttle(p, c.tooFast(p), now)
	}
	c.slowDown(now, len(frame))
	r := c.routeFor(p.Topic)
	if r.refused != nil {
		return c.refusePublish(p, r.refused)
	}
	if p.Retain {
		if end := c.mayRetain(r); end != nil {
			return c.refusePublish(p, end)
		}
		if detail := c.b.mayRetainNow(r.name, now); !detail.IsZero() {
			return c.throttle(p, clientError(why.StepPublish, mqtt.QuotaExceeded, why.TooFast, "%s", detail), now)
		}
	}
	if len(p.RawProperties) > 0 {
		if detail := c.b.Limits.CheckProperties(&p.Properties); detail != "" {
			return c.refusePublish(p, clientError(why.StepPublish, mqtt.QuotaExceeded, why.PropertyTooLarge, "%s", detail))
		}
	}
	if p.QoS == mqtt.QoS2 && c.isRepeat(p.PacketID) {
		return c.acknowledgeAgain(p)
	}
	return c.accept(p, r, now)
}

// checkPublish checks what needs no topic, and expands a topic alias.
func (c *conn) checkPublish(p *mqtt.Publish) *ending {
	limits := &c.b.Limits
	switch {
	case p.QoS > limits.MaxQoS: // [MQTT-3.2.2-11]
		return clientError(why.StepPublish, mqtt.QoSNotSupported, why.QoSNotSupported, "PUBLISH to %s with QoS %d", p.Topic, p.QoS)
	case len(p.Payload) > limits.PayloadBytes:
		return clientError(why.StepPublish, mqtt.PacketTooLarge, why.PayloadTooLarge, "payload of %d bytes to %s; at most %d are allowed", len(p.Payload), p.Topic, limits.PayloadBytes)
	case len(p.SubscriptionIDs) > 0: // [MQTT-3.3.4-6]
		return clientError(why.StepPublish, mqtt.ProtocolError, why.ProtocolError, "a client's PUBLISH carries a subscription identifier")
	}
	if end := c.expandAlias(p); end != nil {
		return end
	}
	// Boards that end their topics with a NUL are understood; see mqtt.Publish.
	if p.TrimNUL(); p.HasNUL() { // [MQTT-1.5.4-2]
		return clientError(why.StepPublish, mqtt.MalformedPacket, why.Malformed, "topic contains U+0000")
	}
	return nil
}

// expandAlias puts the topic in the place of its alias. [MQTT 5.0 3.3.2.3.4]
func (c *conn) expandAlias(p *mqtt.Publish) *ending {
	if p.TopicAlias == 0 {
		return nil
	}
	if int(p.TopicAlias) > c.b.Limits.TopicAliases {
		return clientError(why.StepPublish, mqtt.TopicAliasInvalid, why.TopicAliasInvalid, "topic alias %d; the maximum is %d", p.TopicAlias, c.b.Limits.TopicAliases)
	}
	if len(p.Topic) > 0 {
		if c.aliases == nil {
			c.aliases = map[uint16][]byte{}
		}
		c.aliases[p.TopicAlias] = append(c.aliases[p.TopicAlias][:0], p.Topic...)
		return nil
	}
	name, ok := c.aliases[p.TopicAlias]
	if !ok {
		return clientError(why.StepPublish, mqtt.ProtocolError, why.TopicAliasInvalid, "topic alias %d was not defined", p.TopicAlias)
	}
	p.Topic = name
	return nil
}

// tooFast says that a message exceeds a rate.
func (c *conn) tooFast(p *mqtt.Publish) *ending {
	l := &c.b.Limits
	return clientError(why.StepPublish, mqtt.QuotaExceeded, why.TooFast,
		"more messages a second than allowed, to %s; publish-rate is %d, account-publish-rate %d", p.Topic, l.PublishRate, l.AccountPublishRate)
}

// throttle discards a message that came too fast. The journal hears of it once a
// second at most. MQTT 3.1.1 has no word for it: as at AWS there is no answer.
func (c *conn) throttle(p *mqtt.Publish, end *ending, now time.Time) *ending {
	c.b.stats.PublishThrottled.Add(1)
	c.tell(end, now)
	if c.version == mqtt.V5 {
		c.refuseAck(p, mqtt.QuotaExceeded, end.detail.String())
	}
	return nil
}

// tell is record for what may happen with every message.
func (c *conn) tell(end *ending, now time.Time) {
	if now.Sub(c.told) >= time.Second {
		c.told = now
		c.record(*end, true)
	}
}

// slowDown delays a client that sends more bytes a second than it may.
func (c *conn) slowDown(now time.Time, n int) {
	wait := c.bytes.borrow(now, c.b.Limits.ByteRate, n)
	if wait <= 0 {
		return
	}
	c.b.stats.PublishDelayed.Add(1)
	c.tell(clientError(why.StepPublish, mqtt.QuotaExceeded, why.TooFast, "more than %d bytes a second; the client is read from later", c.b.Limits.ByteRate), now)
	c.catchUp()
	pause := time.NewTimer(min(wait, time.Second))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-c.ended:
	}
}

// refusePublish answers a PUBLISH that may not be: MQTT 5
// clients are told in the acknowledgement if there is one, others are cut.
func (c *conn) refusePublish(p *mqtt.Publish, end *ending) *ending {
	if end.action != "" {
		c.b.stats.PublishDenied.Add(1)
	} else {
		c.b.stats.PublishInvalid.Add(1)
	}
	if c.version == mqtt.V5 && p.QoS > mqtt.QoS0 {
		c.record(*end, true)
		c.refuseAck(p, end.reason, end.detail.String())
		return nil
	}
	if c.version != mqtt.V5 && !c.b.Limits.CloseDeniedClients && end.action != "" {
		c.record(*end, true) // [MQTT 3.1.1 MQTT-3.3.5-2]: acknowledge, or close
		c.refuseAck(p, mqtt.Success, "")
		return nil
	}
	return end
}

// refuseAck acknowledges a message that goes no further, in its turn.
func (c *conn) refuseAck(p *mqtt.Publish, reason mqtt.ReasonCode, detail string) {
	if p.QoS == mqtt.QoS0 {
		return
	}
	a := c.acks.push(c, p)
	a.reason = reason
	if c.problems {
		a.detail = detail
	}
	c.acknowledge(a, &c.work)
}

// isRepeat says whether a QoS 2 message was routed before.
func (c *conn) isRepeat(packetID uint16) bool {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	_, seen := s.received[packetID]
	return seen
}

// acknowledgeAgain answers a repeat, which is not routed again. [MQTT-4.3.3-10]
// What was to be written for the first may still be on its way: the answer
// queues behind it.
func (c *conn) acknowledgeAgain(p *mqtt.Publish) *ending {
	if end := c.awaitWindow(p.QoS); end != nil {
		return end
	}
	a := c.acks.push(c, p)
	c.b.submit("wait for a QoS 2 message", func(StoreTx) error { return nil }, a.settle)
	return nil
}

// accept routes a message and sees to its acknowledgement.
func (c *conn) accept(p *mqtt.Publish, r *route, now time.Time) *ending {
	c.incoming = c.message(p, r, now)
	m := &c.incoming
	c.b.stats.PublishIn.Add(1)
	c.b.stats.PublishInBytes.Add(int64(len(m.Payload)))
	c.frames.reset()
	d := &c.delivery
	*d = delivery{m: m, now: now, from: c.session, work: &c.work, frames: &c.frames, promise: &c.nobody, patience: &c.patience}
	if p.QoS == mqtt.QoS0 {
		c.b.spread(d, r)
		return nil
	}
	if p.QoS == mqtt.QoS1 && !r.waits(m) && c.acks.empty() {
		c.b.spread(d, r)
		c.replyPuback(p.PacketID)
		c.waitForSlow(d)
		return nil
	}
	if end := c.awaitWindow(p.QoS); end != nil {
		return end
	}
	if c.version == mqtt.V5 && c.acks.holds(p.PacketID) {
		return c.refusePublish(p, clientError(why.StepPublish, mqtt.PacketIdentifierInUse, why.ProtocolError, "packet identifier %d waits for its acknowledgement", p.PacketID))
	}
	a := c.acks.push(c, p)
	a.since = now
	d.promise = &a.promise
	if p.QoS == mqtt.QoS2 {
		c.noteReceived(d, p.PacketID)
	}
	c.b.spread(d, r)
	// What is settled already is acknowledged by this goroutine, so that
	// acknowledgements gather like everything else.
	if a.release(nil) {
		c.taken(a, a.err(), &c.work)
	}
	c.waitForSlow(d)
	return nil
}

// replyPuback is reply without an allocation.
func (c *conn) replyPuback(packetID uint16) {
	if buf, ok := c.beginAnswer(); ok {
		if c.out.end((&mqtt.Puback{PacketID: packetID}).Append(buf, c.version)) {
			c.work.add(c)
		}
	}
}

// waits says whether the acknowledgement of a message must wait for the store
// or a service.
func (r *route) waits(m *Message) bool {
	return m.Retain || r.stores || len(r.handlers) > 0
}

// message makes the message that a PUBLISH carries. It points into the packet.
func (c *conn) message(p *mqtt.Publish, r *route, now time.Time) Message {
	m := Message{
		Topic: r.name, Payload: p.Payload, QoS: p.QoS, Retain: p.Retain,
		Origin: message.Origin{Kind: message.FromDevice, ClientID: c.clientID, Principal: c.principal},
	}
	if c.version == mqtt.V5 && len(p.RawProperties) > 0 {
		m.Properties = &p.Properties
		m.Expires = c.b.Limits.Expires(p.Properties, now)
	}
	if len(r.adds) > 0 {
		m.Properties = add(&p.Properties, r.adds)
	}
	if len(r.handlers) > 0 {
		m.Origin.SourceIP = c.peer.Remote.Addr().String()
		m.Origin.TraceID = c.b.NewID()
		if topic.IsReserved(r.name) {
			m.Origin.Reply = c.direct
		}
	}
	return m
}

// add appends the user properties that the server adds to a message, whatever version
// of MQTT it came by. One that the client gave the same name stays, and stands before
// them. They do not count against Limits.UserPropertiesBytes: a device can do nothing
// about what its thing type says, and must not be cut off for it.
func add(p *mqtt.MessageProperties, all []message.UserProperty) *mqtt.MessageProperties {
	p.UserProperties = append(p.UserProperties, all...)
	return p
}

// Expires gives when a message is too old. AWS makes an interval of 0 one
// second and cuts long ones.
func (l *Limits) Expires(p mqtt.MessageProperties, now time.Time) time.Time {
	if !p.MessageExpiry.Present {
		return time.Time{}
	}
	life := p.MessageExpiry.Value
	if l.MessageExpiryMax > 0 {
		life = min(max(life, time.Second), l.MessageExpiryMax)
	}
	return now.Add(life)
}

// acks are the acknowledgements that a client waits for, in the order of its
// messages. [MQTT-4.6.0-2]
type acks struct {
	mu      sync.Mutex
	queue   []*ack
	highest uint16        // of their packet identifiers since the queue was empty
	room    chan struct{} // signaled when the queue has become shorter
}

// ack is one of them, and the promise that it waits for.
type ack struct {
	promise
	conn     *conn
	since    time.Time // when the message came; zero where nobody asks
	packetID uint16
	qos      mqtt.QoS
	ready    bool
	silent   bool // nothing is sent in its turn
	reason   mqtt.ReasonCode
	detail   string
}

func (q *acks) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue) == 0
}

func (q *acks) push(c *conn, p *mqtt.Publish) *ack {
	a := &ack{conn: c, packetID: p.PacketID, qos: p.QoS}
	a.promise.ack = a
	a.left.Store(1)
	q.mu.Lock()
	if len(q.queue) == 0 {
		q.highest = 0
	}
	q.highest = max(q.highest, p.PacketID)
	q.queue = append(q.queue, a)
	q.mu.Unlock()
	return a
}

// holds says whether a packet identifier is that of a message which waits. Most
// clients count upwards, and need no search.
func (q *acks) holds(packetID uint16) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue) > 0 && packetID <= q.highest &&
		slices.ContainsFunc(q.queue, func(a *ack) bool { return a.packetID == packetID })
}

// shift drops the first n. The caller holds q.mu.
func (q *acks) shift(n int) {
	if n == len(q.queue) {
		clear(q.queue)
		q.queue = q.queue[:0]
	} else {
		clear(q.queue[:n])
		q.queue = q.queue[n:]
	}
	if n > 0 && q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// awaitWindow bounds the messages that wait for their acknowledgement: MQTT 5
// clients were told the number, others are not read from until there is room.
func (c *conn) awaitWindow(qos mqtt.QoS) *ending {
	for {
		room := c.acks.full(c.b.Limits.ReceiveMaximum - c.unreleased())
		if room == nil {
			return nil
		}
		if c.version == mqtt.V5 { // [MQTT-3.3.4-7]
			return clientError(why.StepPublish, mqtt.ReceiveMaximumExceeded, why.TooManyInFlight, "more than %d unacknowledged messages", c.b.Limits.ReceiveMaximum)
		}
		c.catchUp()
		select {
		case <-room:
		case <-c.ended:
			return c.end.Load()
		}
	}
}

// unreleased gives the QoS 2 messages of an MQTT 5 client that have their PUBREC
// and no PUBREL: they are in flight still. [MQTT 5.0 4.9] Older clients were told
// no number, and are read from, or the PUBREL would not be heard.
func (c *conn) unreleased() int {
	if c.version != mqtt.V5 || c.b.Limits.MaxQoS < mqtt.QoS2 {
		return 0
	}
	s := c.session
	s.mu.Lock()
	n := len(s.received)
	s.mu.Unlock()
	if n == 0 {
		return 0
	}
	return n - c.acks.count(mqtt.QoS2)
}

func (q *acks) count(qos mqtt.QoS) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.queue {
		if a.qos == qos {
			n++
		}
	}
	return n
}

// full gives nil while less than limit wait, else a channel that is closed when
// some have left.
func (q *acks) full(limit int) <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) < limit {
		return nil
	}
	if q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room
}

// taken is called when a message is where it must be, or cannot be.
func (c *conn) taken(a *ack, err error, work *batch) {
	switch {
	case err == nil && !a.since.IsZero():
		c.b.stats.Acknowledge.add(c.b.Now().Sub(a.since))
	case err == nil:
	case fault.Is(err, fault.CodeThrottling): // the retained messages are full
		a.reason, a.silent = mqtt.QuotaExceeded, c.version != mqtt.V5
		c.session.release(a)
	default:
		// Without an acknowledgement the client sends it again later.
		c.session.release(a)
		c.drop(storeFailed.because(err))
		return
	}
	c.acknowledge(a, work)
}

// acknowledge sends what may be sent once a is ready.
func (c *conn) acknowledge(a *ack, work *batch) {
	q := &c.acks
	q.mu.Lock()
	a.ready = true
	n := 0
	for n < len(q.queue) && q.queue[n].ready {
		n++
	}
	needsFlush := c.sendAcks(q.queue[:n])
	q.shift(n)
	q.mu.Unlock()
	if needsFlush {
		work.add(c)
	}
}

// sendAcks appends acknowledgements to the outbox. The lock on the queue is held
// over it: their order there is their order on the wire.
func (c *conn) sendAcks(all []*ack) (needsFlush bool) {
	if len(all) == 0 || c.end.Load() != nil {
		return false
	}
	buf, ok := c.beginAnswer()
	if !ok {
		return false
	}
	for _, a := range all {
		if a.silent {
			continue
		}
		before := len(buf)
		if buf = a.append(buf, c.version); !c.takes(len(buf) - before) { // [MQTT-3.4.2-2]
			a.detail = ""
			buf = a.append(buf[:before], c.version)
		}
	}
	return c.out.end(buf)
}

func (a *ack) append(buf []byte, v mqtt.Version) []byte {
	info := mqtt.ProblemInfo{ReasonString: a.detail}
	switch a.qos {
	case mqtt.QoS1:
		return (&mqtt.Puback{PacketID: a.packetID, Reason: a.reason, ProblemInfo: info}).Append(buf, v)
	case mqtt.QoS2:
		return (&mqtt.Pubrec{PacketID: a.packetID, Reason: a.reason, ProblemInfo: info}).Append(buf, v)
	}
	return buf
}

// noteReceived remembers the packet identifier of a QoS 2 message for as long as
// the client may repeat it; in the store together with the message.
func (c *conn) noteReceived(d *delivery, packetID uint16) {
	s := c.session
	s.mu.Lock()
	s.noteReceived(packetID)
	s.mu.Unlock()
	if s.persistent.Load() {
		d.received = packetID
	}
}

// release forgets the packet identifier of a QoS 2 message that was not taken:
// the client's repeat of it is the first.
func (s *session) release(a *ack) {
	if a.qos != mqtt.QoS2 {
		return
	}
	s.mu.Lock()
	delete(s.received, a.packetID)
	s.mu.Unlock()
}

// onPubrel ends a QoS 2 exchange. [MQTT-4.3.3-11]
func (c *conn) onPubrel(p *mqtt.Pubrel) *ending {
	if c.b.Limits.MaxQoS < mqtt.QoS2 {
		return clientError(why.StepConnection, mqtt.ProtocolError, why.QoSNotSupported, "PUBREL without QoS 2")
	}
	s := c.session
	s.mu.Lock()
	_, known := s.received[p.PacketID]
	delete(s.received, p.PacketID)
	s.mu.Unlock()
	answer := &mqtt.Pubcomp{PacketID: p.PacketID}
	if !known {
		answer.Reason = mqtt.PacketIdentifierNotFound
	}
	if !known || !s.persistent.Load() {
		c.reply(answer)
		return nil
	}
	// The client may use the identifier again once it has PUBCOMP, and what it
	// sends then must not look like a repeat after a crash.
	c.b.submit("forget a QoS 2 message", func(tx StoreTx) error {
		return tx.DeleteReceived(s.id, p.PacketID)
	}, func(err error) {
		if err != nil {
			c.drop(storeFailed.because(err))
			return
		}
		c.post(answer)
	})
	return nil
}
