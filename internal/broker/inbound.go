package broker

import (
	"sync"
	"time"

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
	if !c.rate.take(now, c.b.Limits.PublishRate, 1) {
		return c.throttle(p)
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
	}
	if p.QoS == mqtt.QoS2 && !c.firstTime(p) {
		return nil
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
			c.aliases = map[uint16]string{}
		}
		c.aliases[p.TopicAlias] = string(p.Topic)
		return nil
	}
	name, ok := c.aliases[p.TopicAlias]
	if !ok {
		return clientError(why.StepPublish, mqtt.ProtocolError, why.TopicAliasInvalid, "topic alias %d was not defined", p.TopicAlias)
	}
	p.Topic = []byte(name)
	return nil
}

// throttle discards a message that came too fast.
func (c *conn) throttle(p *mqtt.Publish) *ending {
	c.b.stats.PublishThrottled.Add(1)
	if c.version == mqtt.V5 {
		c.refuseAck(p, mqtt.QuotaExceeded, "more messages a second than allowed")
	}
	return nil
}

// slowDown delays a client that sends more bytes a second than it may.
func (c *conn) slowDown(now time.Time, n int) {
	if wait := c.bytes.borrow(now, c.b.Limits.ByteRate, n); wait > 0 {
		c.work.write(c)
		pause := time.NewTimer(min(wait, time.Second))
		<-pause.C
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
		c.refuseAck(p, end.reason, end.detail)
		return nil
	}
	if c.version != mqtt.V5 && !c.b.Limits.CloseDeniedClients && end.action != "" {
		c.record(*end, true) // [MQTT 3.1.1 MQTT-3.3.5-2]: acknowledge, or close
		c.acknowledge(c.acks.push(p.PacketID, p.QoS))
		return nil
	}
	return end
}

func (c *conn) refuseAck(p *mqtt.Publish, reason mqtt.ReasonCode, detail string) {
	var info mqtt.ProblemInfo
	if c.problems {
		info.ReasonString = detail
	}
	switch p.QoS {
	case mqtt.QoS1:
		c.reply(&mqtt.Puback{PacketID: p.PacketID, Reason: reason, ProblemInfo: info})
	case mqtt.QoS2:
		c.reply(&mqtt.Pubrec{PacketID: p.PacketID, Reason: reason, ProblemInfo: info})
	}
}

// firstTime says whether a QoS 2 message is new; a repeat is acknowledged and
// not routed again. [MQTT-4.3.3-10]
func (c *conn) firstTime(p *mqtt.Publish) bool {
	s := c.session
	s.mu.Lock()
	_, seen := s.received[p.PacketID]
	if !seen {
		s.noteReceived(p.PacketID)
	}
	s.mu.Unlock()
	if seen {
		c.reply(&mqtt.Pubrec{PacketID: p.PacketID})
	}
	return !seen
}

// accept routes a message and sees to its acknowledgement.
func (c *conn) accept(p *mqtt.Publish, r *route, now time.Time) *ending {
	m := c.message(p, r, now)
	c.b.stats.PublishIn.Add(1)
	c.b.stats.PublishInBytes.Add(int64(len(m.Payload)))
	c.frames.reset()
	d := delivery{m: &m, now: now, from: c.session, work: &c.work, frames: &c.frames}
	if p.QoS == mqtt.QoS0 {
		d.promise = &c.nobody
		c.b.spread(&d, r)
		return nil
	}
	if p.QoS == mqtt.QoS1 && !r.waits(&m) && c.acks.empty() {
		d.promise = &c.nobody
		c.b.spread(&d, r)
		c.reply(&mqtt.Puback{PacketID: p.PacketID})
		return nil
	}
	if end := c.awaitWindow(); end != nil {
		return end
	}
	a := c.acks.push(p.PacketID, p.QoS)
	d.promise = newPromise(func(err error) { c.taken(a, err) })
	if p.QoS == mqtt.QoS2 {
		c.keepReceived(p.PacketID, d.promise)
	}
	c.b.spread(&d, r)
	// What is settled already is acknowledged by this goroutine, so that
	// acknowledgements gather like everything else.
	d.promise.settle(nil)
	return nil
}

// waits says whether the acknowledgement of a message must wait for the store
// or a service.
func (r *route) waits(m *Message) bool {
	if m.Retain || len(r.handlers) > 0 || len(r.groups) > 0 {
		return true
	}
	for i := range r.targets {
		if r.targets[i].session.persistent.Load() {
			return true
		}
	}
	return false
}

// message makes the message that a PUBLISH carries. It points into the packet.
func (c *conn) message(p *mqtt.Publish, r *route, now time.Time) Message {
	m := Message{
		Topic: r.name, Payload: p.Payload, QoS: p.QoS, Retain: p.Retain,
		Origin: message.Origin{Kind: message.FromDevice, ClientID: c.clientID, Principal: c.principal.ID},
	}
	if c.version == mqtt.V5 && len(p.RawProperties) > 0 {
		m.Properties = &p.Properties
		m.Expires = c.b.Limits.Expires(p.Properties, now)
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

// direct sends a message to this client alone, subscribed or not.
func (c *conn) direct(m Message) {
	d := delivery{m: &m, kept: &m, now: c.b.Now(), frames: &frames{}, promise: newPromise(nothing)}
	if m.QoS == mqtt.QoS0 {
		c.send(&d, false, nil)
		return
	}
	c.session.enqueue(&d, mqtt.QoS1, false, nil)
}

// acks are the acknowledgements that a client waits for, in the order of its
// messages. [MQTT-4.6.0-2]
type acks struct {
	mu    sync.Mutex
	queue []*ack
	room  chan struct{} // signaled when the queue has become shorter
}

type ack struct {
	packetID uint16
	qos      mqtt.QoS
	ready    bool
}

func (q *acks) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue) == 0
}

func (q *acks) push(packetID uint16, qos mqtt.QoS) *ack {
	a := &ack{packetID: packetID, qos: qos}
	q.mu.Lock()
	q.queue = append(q.queue, a)
	q.mu.Unlock()
	return a
}

// ready marks a and gives the acknowledgements that may go out now.
func (q *acks) ready(a *ack) []*ack {
	q.mu.Lock()
	defer q.mu.Unlock()
	a.ready = true
	n := 0
	for n < len(q.queue) && q.queue[n].ready {
		n++
	}
	out := q.queue[:n:n]
	q.queue = q.queue[n:]
	if n > 0 && q.room != nil {
		close(q.room)
		q.room = nil
	}
	return out
}

// awaitWindow bounds the messages that wait for their acknowledgement: MQTT 5
// clients were told the number, others are not read from until there is room.
func (c *conn) awaitWindow() *ending {
	q := &c.acks
	q.mu.Lock()
	for len(q.queue) >= c.b.Limits.ReceiveMaximum {
		if c.version == mqtt.V5 { // [MQTT-3.3.4-7]
			q.mu.Unlock()
			return clientError(why.StepPublish, mqtt.ReceiveMaximumExceeded, why.TooManyInFlight, "more than %d unacknowledged messages", c.b.Limits.ReceiveMaximum)
		}
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		c.work.write(c)
		<-room
		q.mu.Lock()
	}
	q.mu.Unlock()
	return nil
}

// taken is called when a message is where it must be, or cannot be.
func (c *conn) taken(a *ack, err error) {
	if err != nil {
		// Without an acknowledgement the client sends it again later.
		go c.kick(storeFailed.because(err))
	}
	c.acknowledge(a)
}

// acknowledge sends what may be sent once a is ready.
func (c *conn) acknowledge(a *ack) {
	out := c.acks.ready(a)
	if len(out) == 0 || c.end.Load() != nil {
		return
	}
	buf, ok := c.out.begin(c.b.Limits.OutboxBytes)
	if !ok {
		return
	}
	for _, a := range out {
		buf = a.append(buf, c.version)
	}
	if c.out.end(buf) {
		(*batch)(nil).add(c)
	}
}

func (a *ack) append(buf []byte, v mqtt.Version) []byte {
	switch a.qos {
	case mqtt.QoS1:
		return (&mqtt.Puback{PacketID: a.packetID}).Append(buf, v)
	case mqtt.QoS2:
		return (&mqtt.Pubrec{PacketID: a.packetID}).Append(buf, v)
	}
	return buf
}

// keepReceived remembers the packet identifier of a QoS 2 message for as long as
// the client may repeat it.
func (c *conn) keepReceived(packetID uint16, p *promise) {
	if !c.session.persistent.Load() {
		return
	}
	p.expect()
	id := c.clientID
	c.b.submit("note a QoS 2 message", func(tx StoreTx) error { return tx.PutReceived(id, packetID) }, p.settle)
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
	if known && s.persistent.Load() {
		id := c.clientID
		c.b.submit("forget a QoS 2 message", func(tx StoreTx) error { return tx.DeleteReceived(id, p.PacketID) }, nil)
	}
	answer := &mqtt.Pubcomp{PacketID: p.PacketID}
	if !known {
		answer.Reason = mqtt.PacketIdentifierNotFound
	}
	c.reply(answer)
	return nil
}
