package broker

import (
	"context"
	"sort"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// Connection describes a client, connected or not.
type Connection struct {
	ClientID  string
	Connected bool
	Principal string
	ThingName string
	Version   mqtt.Version
	Door      string

	CleanSession     bool
	KeepAlive        time.Duration // as the client asked
	SessionExpiry    time.Duration
	ConnectedSince   time.Time // zero when not connected
	Left             time.Time // zero when connected
	DisconnectReason string    // of the last connection; "" when connected or not known

	SourceIP   string
	SourcePort int
	TargetIP   string
	TargetPort int

	Subscriptions int
	InFlight      int
	Queued        int
}

// Connection gives what is known of a client ID, as GetConnection does. ok is
// false when it is neither connected nor has a session, nor went away not long ago.
func (b *Broker) Connection(clientID string) (Connection, bool) {
	b.mu.Lock()
	s := b.sessions[clientID]
	if s == nil {
		defer b.mu.Unlock()
		return b.versions.left(clientID, b.Now())
	}
	b.mu.Unlock()
	return s.describe(), true
}

// Connections lists the clients that are connected or have a session, in the
// order of their IDs, from the one above after.
func (b *Broker) Connections(after string, limit int) []Connection {
	b.mu.Lock()
	ids := make([]string, 0, len(b.sessions))
	for id := range b.sessions {
		if id > after {
			ids = append(ids, id)
		}
	}
	b.mu.Unlock()
	sort.Strings(ids)
	var all []Connection
	for _, id := range ids[:min(limit, len(ids))] {
		if c, ok := b.Connection(id); ok {
			all = append(all, c)
		}
	}
	return all
}

func (s *session) describe() Connection {
	s.mu.Lock()
	d := Connection{
		ClientID: s.id, Principal: s.principal, Version: s.version, SessionExpiry: s.expiry, Left: s.left,
		CleanSession: !s.persistent.Load(), Subscriptions: len(s.subs), InFlight: len(s.queue.flight),
		Queued: len(s.queue.waiting) + s.queue.stored, DisconnectReason: string(s.leftWhy),
	}
	s.mu.Unlock()
	c := s.conn.Load()
	if c == nil {
		return d
	}
	d.Connected, d.Left, d.ConnectedSince, d.DisconnectReason = true, time.Time{}, c.since, ""
	d.Door, d.KeepAlive, d.ThingName = c.peer.Door, c.asked, c.rights.ThingName()
	d.SourceIP, d.SourcePort = c.peer.Remote.Addr().String(), int(c.peer.Remote.Port())
	d.TargetIP, d.TargetPort = c.peer.Local.Addr().String(), int(c.peer.Local.Port())
	return d
}

// Subscription is one filter of a client.
type Subscription struct {
	Filter string
	QoS    mqtt.QoS
}

// Subscriptions lists a client's filters in their order, from the one above
// after.
func (b *Broker) Subscriptions(clientID, after string, limit int) ([]Subscription, error) {
	s := b.session(clientID)
	if s == nil {
		return nil, noClient(clientID)
	}
	s.mu.Lock()
	all := []Subscription{}
	for filter, sub := range s.subs {
		if filter > after {
			all = append(all, Subscription{filter, sub.qos})
		}
	}
	s.mu.Unlock()
	sort.Slice(all, func(i, j int) bool { return strings.Compare(all[i].Filter, all[j].Filter) < 0 })
	return all[:min(limit, len(all))], nil
}

func noClient(id string) error {
	return fault.NotFound("client %q is not connected and has no session", id)
}

// Disconnect ends a client's connection, as DeleteConnection does. With
// cleanSession its stored session goes too; with preventWill its will is not
// published. It returns when that has happened.
func (b *Broker) Disconnect(ctx context.Context, clientID string, cleanSession, preventWill bool) error {
	s := b.session(clientID)
	if s == nil {
		return noClient(clientID)
	}
	if c := s.conn.Load(); c != nil {
		c.kick(ending{
			reason: mqtt.AdministrativeAction, disconnect: why.APIInitiated, cause: why.ClosedByAPI,
			step: why.StepConnection, noWill: preventWill,
		})
		select {
		case <-c.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if cleanSession {
		b.disconnectSession(s, preventWill)
	}
	return b.flushed(ctx)
}

// disconnectSession ends the session of a client that is away.
func (b *Broker) disconnectSession(s *session, preventWill bool) {
	defer b.claim(s.id)()
	if b.session(s.id) != s || s.conn.Load() != nil {
		return // the client came back meanwhile
	}
	b.forget(s)
	switch w := b.takeWill(s.id); {
	case w == nil:
	case preventWill:
		b.dropWill(w)
	default:
		b.release(w)
	}
}

// DropPrincipal cuts every connection of a principal, because it may not be
// connected any more.
func (b *Broker) DropPrincipal(id string, detail why.Phrase) {
	b.mu.Lock()
	var conns []*conn
	for _, s := range b.sessions {
		if c := s.conn.Load(); c != nil && c.principal == id {
			conns = append(conns, c)
		}
	}
	b.mu.Unlock()
	for _, c := range conns {
		c.drop(ending{
			reason: mqtt.NotAuthorized, disconnect: why.AuthError, cause: why.CertificateWithdrawn,
			step: why.StepConnection, detail: detail,
		})
	}
}

// NoConfirmation as SendDirect's wait sends at QoS 0.
const NoConfirmation time.Duration = 0

// SendDirect sends a message to one connected client, subscribed or not, if its
// policy allows iot:Receive on the topic. With a wait it goes at QoS 1, and
// SendDirect returns when the client has acknowledged it, or with GatewayTimeout.
func (b *Broker) SendDirect(ctx context.Context, clientID string, m Message, wait time.Duration) error {
	s := b.session(clientID)
	if s == nil {
		return noClient(clientID)
	}
	c := s.conn.Load()
	if c == nil {
		return noClient(clientID)
	}
	if !c.rights.Allows("iot:Receive", "topic/"+m.Topic) {
		c.mayNotReceive(b.Now(), m.Topic)
		return fault.Forbidden("Client %s may not receive on %s", clientID, m.Topic)
	}
	d := delivery{m: &m, kept: &m, now: b.Now(), frames: &frames{}, promise: newPromise(nothing)}
	if wait == NoConfirmation {
		c.send(&d, false, nil)
		return nil
	}
	m.QoS = mqtt.QoS1
	return c.confirm(ctx, &d, wait)
}

// confirm sends at QoS 1 outside the queue and waits for the acknowledgement.
func (c *conn) confirm(ctx context.Context, d *delivery, wait time.Duration) error {
	s := c.session
	got := make(chan struct{})
	s.mu.Lock()
	e := entry{m: d.m, qos: mqtt.QoS1, fleeting: true, confirmed: got}
	flies := s.conn.Load() == c && s.launch(c, &e, d)
	s.mu.Unlock()
	switch {
	case !flies:
		return fault.New(fault.CodeThrottling, "client %s has too many unacknowledged messages", c.clientID)
	case e.packetID == 0:
		return fault.New(fault.CodeEntityTooLarge, "client %s does not take packets of this size", c.clientID)
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	select {
	case <-got:
		return nil
	case <-c.gone:
		return noClient(c.clientID)
	case <-timeout.C:
		return fault.New(fault.CodeGatewayTimeout, "client %s did not acknowledge the message within %v", c.clientID, wait)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// RetainedMessage gives a topic's retained message; nil without one.
func (b *Broker) RetainedMessage(ctx context.Context, name string) (*RetainedMessage, error) {
	if err := b.flushed(ctx); err != nil { // what was acknowledged is seen
		return nil, err
	}
	r, err := b.Store.Retained(ctx, name)
	if r != nil && expired(&r.Message, b.Now()) {
		return nil, err
	}
	return r, err
}

// RetainedMessages lists retained messages in the order of their topics, from
// the one above after.
func (b *Broker) RetainedMessages(ctx context.Context, after string, limit int) ([]RetainedMessage, error) {
	if err := b.flushed(ctx); err != nil {
		return nil, err
	}
	now, all := b.Now(), []RetainedMessage{}
	for len(all) < limit {
		page, err := b.Store.RetainedFrom(ctx, "", after, limit)
		if err != nil || len(page) == 0 {
			return all, err
		}
		after = page[len(page)-1].Message.Topic
		for i := range page {
			if len(all) < limit && !expired(&page[i].Message, now) {
				all = append(all, page[i])
			}
		}
	}
	return all, nil
}
