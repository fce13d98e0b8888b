package broker

import (
	"bytes"
	"sync/atomic"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// delivery is one message on its way to everybody.
type delivery struct {
	m       *Message // its bytes may be the publisher's buffer
	kept    *Message // a copy of m that may be kept; made when first needed
	now     time.Time
	from    *session // the publisher's; nil for others
	work    *batch   // whose outboxes are flushed later; nil: at once
	frames  *frames
	promise *promise

	patience *press   // of the publisher's; nil for those who do not wait
	slow     *session // with a queue that the publisher should wait for

	// What the store must have before the promise is kept: the entries of
	// queues, and the packet identifier of a publisher's QoS 2 message.
	rows     []row
	shared   []*shared // for groups
	received uint16
	left     *shared // a group has it no more
	retains  bool    // for subscribers to come
	will     *will   // that it is, or nil
}

// row is one entry of a session's queue on its way to the store.
type row struct {
	session *session
	StoredMessage
}

// frames are a message's encodings by version and QoS, made when first needed
// and used again for the next message.
type frames struct {
	publish mqtt.Publish
	by      [2][3]mqtt.Fanout
	made    [2][3]bool
}

// promise is kept when everything that must be durable is.
type promise struct {
	left   atomic.Int32
	failed atomic.Pointer[error]
	done   Done
	ack    *ack // in the place of done: a client's message
}

func newPromise(done Done) *promise {
	p := &promise{done: done}
	p.left.Store(1)
	return p
}

// expect adds something to wait for; settle must be called for it.
func (p *promise) expect() { p.left.Add(1) }

// settle says that one of the things is done, and calls whoever waits when it was
// the last.
func (p *promise) settle(err error) {
	if !p.release(err) {
		return
	}
	if p.ack != nil {
		p.ack.conn.taken(p.ack, p.err(), nil)
		return
	}
	p.done(p.err())
}

// release is settle without the call: it says whether it was the last.
func (p *promise) release(err error) bool {
	if err != nil {
		p.failed.CompareAndSwap(nil, &err)
	}
	return p.left.Add(-1) == 0
}

func (p *promise) err() error {
	if failed := p.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// nothing is the done of those who do not care.
func nothing(error) {}

// Publish routes a message that comes from inside the server or from HTTP. It
// implements message.Publisher.
func (b *Broker) Publish(m Message, done Done) {
	if done == nil {
		done = nothing
	}
	d := delivery{m: &m, kept: &m, now: b.Now(), frames: &frames{}, promise: newPromise(done)}
	b.stats.PublishIn.Add(1)
	b.spread(&d, b.route(m.Topic))
	d.promise.settle(nil)
}

var _ message.Publisher = (*Broker)(nil)

// spread gives a message to everybody on the route. When it returns, live
// subscribers have it in their outboxes; the promise tells when the rest is
// durable.
func (b *Broker) spread(d *delivery, r *route) {
	if d.m.Retain {
		if !b.retain(d) {
			return
		}
		r = b.renewed(r)
	}
	b.handOver(d, r)
	if d.retains || d.will != nil || d.received != 0 || r.stores && d.m.QoS > mqtt.QoS0 {
		b.order.Lock()
		defer b.order.Unlock()
		b.deliverAll(d, r)
		b.write(d)
		return
	}
	b.deliverAll(d, r)
}

// handOver gives a message to the services on the route. AWS counts it once for each
// rule that gets it, among what is sent; rules go on when that is too much.
func (b *Broker) handOver(d *delivery, r *route) {
	for _, c := range r.collected {
		b.quotas.spend(&b.quotas.sends, d.now, b.Limits.AccountSendRate, len(c.tags))
	}
	if d.will != nil {
		d.will.handled = len(r.handlers) > 0
	}
	for _, handle := range r.handlers {
		d.promise.expect()
		handle(*d.keep(), d.promise.settle)
	}
}

// renewed gives the route as it is now. Whoever subscribed since it was found may
// have looked for the retained message too early, and must get it as a live one.
func (b *Broker) renewed(r *route) *route {
	if r.treeGen == b.tree.Generation() {
		return r
	}
	return b.route(r.name)
}

func (b *Broker) deliverAll(d *delivery, r *route) {
	for i := range r.targets {
		b.deliver(d, &r.targets[i])
	}
	for _, g := range r.groups {
		g.deliver(d)
	}
}

// deliver gives a message to one session.
func (b *Broker) deliver(d *delivery, t *target) {
	if t.someNoLocal && t.session == d.from { // [MQTT-3.8.3-3]
		if t.noLocal {
			return
		}
		if t = b.own(d.m.Topic, t.session); t == nil {
			return
		}
	}
	c := t.session.conn.Load()
	if c != nil && !t.mayReceive(c, d.m.Topic) {
		c.mayNotReceive(d.now, d.m.Topic)
		return
	}
	qos := min(t.qos, d.m.QoS)
	retain := t.retainAsPublished && d.m.Retain // otherwise 0 for an established subscription [MQTT-3.3.1-9]
	if qos > 0 {
		t.session.enqueue(d, c, qos, retain, t.ids)
		return
	}
	if c != nil {
		c.send(d, retain, t.ids)
	}
}

// sharedBody is the payload, in bytes, from which a message for several queues is
// stored once. Shorter ones cost less as copies.
const sharedBody = 512

// write hands what a delivery must store to the store, in one transaction. The
// caller holds b.order, and has since the rows were numbered: a queue's rows are
// written in the order of their numbers, and before anything that was heard of
// them later.
func (b *Broker) write(d *delivery) {
	w := writing{
		m: d.kept, at: d.now, rows: d.rows, shared: d.shared, left: d.left,
		retains: d.retains, will: d.will, from: d.from, received: d.received,
	}
	d.rows, d.shared, d.received, d.left, d.retains, d.will = nil, nil, 0, nil, false, nil
	if w.isEmpty() {
		return
	}
	if len(w.rows) > 1 && len(d.m.Payload) >= sharedBody {
		w.body = b.NewID()
	}
	promise := d.promise
	promise.expect()
	b.Store.Submit(w.put, func(err error) {
		b.failed("store a message", err)
		b.written(&w, err)
		promise.settle(err)
	})
}

// writing is what the store gets of a delivery.
type writing struct {
	m    *Message
	at   time.Time
	body string // the ID of a payload that is stored once; "" otherwise

	rows     []row
	shared   []*shared
	left     *shared
	retains  bool
	will     *will
	from     *session
	received uint16
}

func (w *writing) isEmpty() bool {
	return len(w.rows)+len(w.shared) == 0 && w.left == nil && !w.retains && w.will == nil && w.received == 0
}

// put writes all of it, in one transaction.
func (w *writing) put(tx StoreTx) error {
	if w.retains {
		if err := putRetained(tx, w.m, w.at); err != nil {
			return err
		}
	}
	if err := putRows(tx, w.m, w.body, w.rows); err != nil {
		return err
	}
	if err := putShared(tx, w.shared, w.left); err != nil {
		return err
	}
	if w.received != 0 {
		if err := tx.PutReceived(w.from.id, w.received); err != nil {
			return err
		}
	}
	if w.will != nil {
		return w.will.putOut(tx)
	}
	return nil
}

// written tells those who wait that it is in the store, or could not be written.
func (b *Broker) written(w *writing, err error) {
	if w.retains {
		b.retained.settled(w.m)
	}
	for i := range w.rows {
		w.rows[i].session.wrote(&w.rows[i].StoredMessage, err)
	}
	for _, s := range w.shared {
		s.group.wrote(s.number)
	}
}

func putRetained(tx StoreTx, m *Message, at time.Time) error {
	if len(m.Payload) == 0 {
		return tx.DeleteRetained(m.Topic)
	}
	return tx.PutRetained(m, at)
}

func putRows(tx StoreTx, m *Message, body string, rows []row) error {
	if body != "" {
		if err := tx.PutBody(body, m); err != nil {
			return err
		}
	}
	for i := range rows {
		r := rows[i].StoredMessage
		r.BodyID = body
		if err := tx.Enqueue(rows[i].session.id, r); err != nil {
			return err
		}
	}
	return nil
}

// putShared stores a message for groups, and takes one from the group that had it.
func putShared(tx StoreTx, all []*shared, left *shared) error {
	for _, s := range all {
		if err := tx.EnqueueShared(s.group.key, StoredShared{Number: s.number, Until: s.until, Message: s.m}); err != nil {
			return err
		}
	}
	if left == nil || left.number == 0 {
		return nil
	}
	return tx.DequeueShared(left.group.key, left.number)
}

// send puts a QoS 0 message into the outbox, unless the reader is too slow.
func (c *conn) send(d *delivery, retain bool, ids []uint32) {
	buf, got := c.beginMessage(d.now)
	if got != room {
		c.dropped(got, d)
		return
	}
	before, undo := len(buf), nothingToUndo
	if len(ids) == 0 && c.outAliases.max == 0 {
		buf = d.frame(c.version, 0).Append(buf, 0, false, retain)
	} else {
		p := c.packet(d.m, d.now, 0, retain, ids)
		undo = c.outAliases.use(&p)
		buf = p.Append(buf, c.version)
	}
	if n := len(buf) - before; !c.takes(n) {
		undo()
		c.out.end(buf[:before])
		c.tooLong(d.now, d.m, n)
		return
	}
	c.b.stats.PublishOut.Add(1)
	c.b.stats.PublishOutBytes.Add(int64(len(d.m.Payload)))
	if c.out.end(buf) {
		d.work.add(c)
	}
}

// frame gives the message encoded for a version and QoS, without subscription
// identifiers.
func (d *delivery) frame(v mqtt.Version, qos mqtt.QoS) *mqtt.Fanout {
	i := 0
	if v == mqtt.V5 {
		i = 1
	}
	f := d.frames
	if !f.made[i][qos] {
		f.made[i][qos] = true
		fill(&f.publish, d.m, d.now, qos)
		f.by[i][qos].Encode(&f.publish, v)
	}
	return &f.by[i][qos]
}

// reset makes the frames ready for another message.
func (f *frames) reset() { f.made = [2][3]bool{} }

// fill makes the packet that carries m.
func fill(p *mqtt.Publish, m *Message, now time.Time, qos mqtt.QoS) {
	topic := append(p.Topic[:0], m.Topic...)
	*p = mqtt.Publish{QoS: qos, Topic: topic, Payload: m.Payload}
	if m.Properties != nil {
		p.Properties = *m.Properties
	}
	p.Properties.MessageExpiry = mqtt.Optional[time.Duration]{}
	if !m.Expires.IsZero() { // what is left of it [MQTT-3.3.2-6]
		p.Properties.MessageExpiry = mqtt.Some(max(0, m.Expires.Sub(now)))
	}
}

// packet makes a PUBLISH for one client.
func (c *conn) packet(m *Message, now time.Time, qos mqtt.QoS, retain bool, ids []uint32) mqtt.Publish {
	var p mqtt.Publish
	fill(&p, m, now, qos)
	p.Retain, p.SubscriptionIDs = retain, ids
	return p
}

// keep gives the message in memory of its own.
func (d *delivery) keep() *Message {
	if d.kept == nil {
		m := *d.m
		m.Payload = bytes.Clone(m.Payload)
		if m.Properties != nil {
			p := m.Properties.Clone()
			m.Properties = &p
		}
		d.kept = &m
	}
	return d.kept
}
