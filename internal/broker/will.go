package broker

import (
	"context"
	"errors"
	"slices"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// will is a last will. It is in the store before CONNACK, and until it is published
// or not wanted any more: whose connection ends with the server has not said
// good-bye. [MQTT-3.1.2-8]
//
// The store forgets it in the transaction that puts its message into the queues of
// sessions and groups and among the retained, so that a crash either leaves it to be
// published or does not. Two things the store cannot decide. Services, rules above
// all, take messages at least once: until they have said that they are done, the will
// stays with a note that its subscribers have it. And what connected clients are sent
// cannot be taken back: if the server crashes before the transaction, a few
// milliseconds later, the will is published again, and a client that had it already
// and still has its session gets it twice, as QoS 1 allows.
type will struct {
	clientID string
	id       string // of the connection's
	message  Message
	own      *mqtt.MessageProperties // as the client gave them; nil for none
	delay    time.Duration
	due      time.Time // zero while the client is connected

	handled   bool // services on its route have it
	delivered bool // before the server started, to all but those
}

// willOf makes the will that a CONNECT carries; nil without one.
func (c *conn) willOf(p *mqtt.Connect) *will {
	w := p.Will
	if w == nil {
		return nil
	}
	id := c.b.NewID()
	m := Message{
		Topic: w.Topic, Payload: w.Payload, QoS: w.QoS, Retain: w.Retain,
		Origin: message.Origin{Kind: message.FromWill, ClientID: c.clientID, Principal: c.principal, TraceID: id},
	}
	made := &will{clientID: c.clientID, id: id, message: m, delay: w.Delay}
	if c.version == mqtt.V5 {
		made.own = &w.Properties
	}
	made.dress(c.rights.UserProperties())
	return made
}

// dress adds user properties of the server's to the client's. A will has those of
// CONNECT in the store, for the case that the server does not see the connection end,
// and gets those of the end otherwise.
func (w *will) dress(adds []message.UserProperty) {
	w.message.Properties = w.own
	if len(adds) == 0 {
		return
	}
	var p mqtt.MessageProperties
	if w.own != nil {
		p = *w.own
	}
	p.UserProperties = slices.Clip(p.UserProperties) // the client's stay as they are
	w.message.Properties = add(&p, adds)
}

func (w *will) stored() StoredWill {
	return StoredWill{ClientID: w.clientID, ID: w.id, Delay: w.delay, Due: w.due, Message: &w.message}
}

// restoreWills brings back the wills of clients that were connected, or had left
// without a good-bye, when the server stopped. Their delays begin now: they count
// from when the server notices. Run publishes what is due.
func (b *Broker) restoreWills(ctx context.Context) error {
	rows, err := b.Store.Wills(ctx)
	for _, row := range rows {
		w := &will{clientID: row.ClientID, id: row.ID, message: *row.Message, delay: row.Delay, due: row.Due, delivered: row.Delivered}
		if w.due.IsZero() {
			w.delayUntilEnd(b.Now(), b.sessionExpiry(w.clientID))
		}
		b.wills[w.clientID] = w
	}
	return err
}

// sessionExpiry gives the expiry of a client's session; 0 without one.
func (b *Broker) sessionExpiry(clientID string) time.Duration {
	s := b.session(clientID)
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expiry
}

// delayUntilEnd settles when a will is due: after its delay, or with the session's
// end if that comes first. [MQTT 5.0 3.1.3.2.2]
func (w *will) delayUntilEnd(now time.Time, expiry time.Duration) {
	w.due = now.Add(min(w.delay, expiry))
}

// publishWill publishes the last will of a connection that ended, or keeps it for
// its delay, or forgets it.
func (b *Broker) publishWill(c *conn, e ending, expiry time.Duration) {
	w := c.will
	if w == nil {
		return
	}
	w.dress(c.rights.UserProperties())
	switch {
	case !e.withWill():
		b.dropWill(w)
	case w.delay > 0 && expiry > 0:
		w.delayUntilEnd(b.Now(), expiry)
		b.mu.Lock()
		b.wills[w.clientID] = w
		b.mu.Unlock()
		b.submit("delay a will", func(tx StoreTx) error { return tx.DelayWill(w.clientID, w.id, w.due) }, nil)
	default:
		b.release(w)
	}
}

// cancelWill ends the wait of a client's will because the client is back. One that
// is due, but was not published yet, still is.
func (b *Broker) cancelWill(clientID string) {
	w := b.takeWill(clientID)
	switch {
	case w == nil:
	case b.Now().Before(w.due): // [MQTT-3.1.3-9]
		b.dropWill(w)
	default:
		b.release(w)
	}
}

// endWill publishes a client's will that waits, because its session ends.
func (b *Broker) endWill(clientID string) {
	if w := b.takeWill(clientID); w != nil {
		b.release(w)
	}
}

// takeWill gives the will that waits for its delay, which is over; nil without one.
func (b *Broker) takeWill(clientID string) *will {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.wills[clientID]
	delete(b.wills, clientID)
	return w
}

// release publishes a will; its expiry counts from now.
func (b *Broker) release(w *will) {
	m := w.message
	if m.Properties != nil {
		m.Expires = b.Limits.Expires(*m.Properties, b.Now())
	}
	d := delivery{m: &m, kept: &m, now: b.Now(), frames: &frames{}}
	d.promise = newPromise(func(err error) { b.handled(w, err) })
	r := b.route(m.Topic)
	if w.delivered {
		b.handOver(&d, r)
	} else {
		d.will = w
		b.stats.WillsPublished.Add(1)
		b.stats.PublishIn.Add(1)
		b.spread(&d, r)
	}
	d.promise.settle(nil)
}

// putOut notes in the store that the will is published.
func (w *will) putOut(tx StoreTx) error {
	if w.handled {
		return tx.DeliveredWill(w.clientID, w.id)
	}
	return tx.DeleteWill(w.clientID, w.id)
}

// handled hears that the services have the will too. Who failed gets it again after
// the next start; a will that may not be retained is refused for good. The caller may
// be the store, which must not wait for itself.
func (b *Broker) handled(w *will, err error) {
	refused := errors.Is(err, errRetainedFull)
	if err != nil && !refused || !refused && !w.handled && !w.delivered {
		return
	}
	b.mu.Lock()
	b.published = append(b.published, w)
	b.mu.Unlock()
}

// dropWill forgets a will that nobody wants any more.
func (b *Broker) dropWill(w *will) {
	b.submit("forget a will", func(tx StoreTx) error { return tx.DeleteWill(w.clientID, w.id) }, nil)
}

// settleWills forgets the wills that services have taken, too, and those refused.
func (b *Broker) settleWills() {
	b.mu.Lock()
	all := b.published
	b.published = nil
	b.mu.Unlock()
	if len(all) == 0 {
		return
	}
	b.submit("forget wills", func(tx StoreTx) error {
		for _, w := range all {
			if err := tx.DeleteWill(w.clientID, w.id); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}
