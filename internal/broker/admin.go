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

	CleanSession   bool
	KeepAlive      time.Duration // as the client asked
	SessionExpiry  time.Duration
	ConnectedSince time.Time // zero when not connected
	Left           time.Time // zero when connected

	SourceIP   string
	SourcePort int
	TargetIP   string
	TargetPort int

	Subscriptions int
	InFlight      int
	Queued        int
}

// Connection gives what is known of a client ID, as GetConnection does. ok is
// false when it is neither connected nor has a session.
func (b *Broker) Connection(clientID string) (Connection, bool) {
	s := b.session(clientID)
	if s == nil {
		return Connection{}, false
	}
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
		Queued: len(s.queue.waiting) + s.queue.stored,
	}
	s.mu.Unlock()
	c := s.conn.Load()
	if c == nil {
		return d
	}
	d.Connected, d.Left, d.ConnectedSince = true, time.Time{}, c.since
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
		release := b.claim(clientID)
		if b.session(clientID) == s && s.conn.Load() == nil {
			b.forget(s)
		}
		release()
	}
	return b.flushed(ctx)
}

// DropPrincipal cuts every connection of a principal, because it may not be
// connected any more.
func (b *Broker) DropPrincipal(id string, detail string) {
	b.mu.Lock()
	var conns []*conn
	for _, s := range b.sessions {
		if c := s.conn.Load(); c != nil && c.principal.ID == id {
			conns = append(conns, c)
		}
	}
	b.mu.Unlock()
	for _, c := range conns {
		go c.kick(ending{
			reason: mqtt.NotAuthorized, disconnect: why.AuthError, cause: why.CertificateWithdrawn,
			step: why.StepConnection, detail: detail,
		})
	}
}
