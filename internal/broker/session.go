package broker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// session is what a client ID stands for: subscriptions and messages on their
// way. It lives as long as its connection, and longer if it is persistent.
type session struct {
	b    *Broker
	id   string
	conn atomic.Pointer[conn] // nil while the client is away

	// owner is the connection that has or had the session last; it may be about
	// to end. Guarded by the claim to the client ID.
	owner *conn

	// persistent sessions are stored and outlive their connection. It changes
	// only while the client connects.
	persistent atomic.Bool
	restored   bool // it is from before the server started

	mu        sync.Mutex
	version   mqtt.Version
	expiry    time.Duration // after the client went away
	left      time.Time     // when it did; zero while it is here
	leftWhy   why.Disconnect
	principal string
	subs      map[string]*subscription
	queue     queue
	press     press
	groups    []*group            // of its shared subscriptions; copied on change
	answer    answer              // see mayReceive
	scratch   *mqtt.Publish       // see packet; nil until it is needed
	received  map[uint16]struct{} // QoS 2 from the client, not yet released
	removed   bool                // it ended: whoever still holds it must leave it alone
}

// subscription is one entry of the topic tree: a session's filter, a shared
// group, or a handler or collector inside the server.
type subscription struct {
	filter  string // without $share/group/
	session *session
	group   *group
	handler func(m Message, done Done)

	collector message.Collector
	tag       any // what it gets its messages with

	qos               mqtt.QoS
	noLocal           bool
	retainAsPublished bool
	id                uint32
	replay            bucket // of a member: what waited for the group; guarded by group.mu
}

// stored gives a session's row.
func (s *session) stored() StoredSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return StoredSession{
		ClientID: s.id, Version: s.version, Expiry: s.expiry, Left: s.left, Principal: s.principal,
	}
}

// restore brings the stored sessions back. A client that was connected when the
// server stopped is away from now on.
func (b *Broker) restore(ctx context.Context) error {
	now := b.Now()
	err := b.Store.Sessions(ctx, func(row StoredSession) {
		s := &session{
			b: b, id: row.ClientID, version: row.Version, expiry: row.Expiry,
			left: row.Left, principal: row.Principal, subs: map[string]*subscription{},
		}
		s.persistent.Store(true)
		s.restored = true
		if s.left.IsZero() {
			s.left = now
		}
		q := &s.queue
		q.stored, q.last, q.written = row.Queued, row.LastNumber, row.LastNumber
		q.recall = row.Queued > 0 && b.Limits.MaxQoS == mqtt.QoS2
		for _, id := range row.Received {
			s.noteReceived(id)
		}
		b.sessions[s.id] = s
		for _, sub := range row.Subscriptions {
			b.subscribe(s, sub)
		}
	})
	if err != nil {
		return err
	}
	b.stats.Sessions.Store(int64(len(b.sessions)))
	if err := b.restoreShared(ctx); err != nil {
		return err
	}
	if err := b.restoreWills(ctx); err != nil {
		return err
	}
	if err := b.restoreVersions(ctx); err != nil {
		return err
	}
	return b.countRetained(ctx)
}

// subscribe puts a subscription into the tree, in place of one to the same
// filter. It says whether the filter is new to the session. Callers hold no
// locks, or no other goroutine knows the session yet.
func (b *Broker) subscribe(s *session, row StoredSubscription) (isNew bool) {
	sub := &subscription{
		filter: row.Filter, session: s, qos: row.QoS,
		noLocal: row.NoLocal, retainAsPublished: row.RetainAsPublished, id: row.ID,
	}
	s.mu.Lock()
	old := s.subs[row.Filter]
	s.subs[row.Filter] = sub
	s.mu.Unlock()
	b.hook(row.Filter, sub) // first: no message may fall between the two [MQTT-3.8.4-4]
	if old != nil {
		b.unhook(row.Filter, old)
		return false
	}
	b.stats.Subscriptions.Add(1)
	return true
}

// unsubscribe takes a subscription out and says whether there was one.
func (b *Broker) unsubscribe(s *session, filter string) bool {
	s.mu.Lock()
	old := s.subs[filter]
	delete(s.subs, filter)
	s.mu.Unlock()
	if old == nil {
		return false
	}
	b.stats.Subscriptions.Add(-1)
	b.unhook(filter, old)
	b.takeBack(s, filter)
	return true
}

// takeBack gives others what a client that leaves a shared subscription has not
// acknowledged.
func (b *Broker) takeBack(s *session, filter string) {
	b.mu.Lock()
	g := b.groups[filter]
	b.mu.Unlock()
	if g == nil {
		return
	}
	s.mu.Lock()
	back := s.queue.takeBack(g)
	s.mu.Unlock()
	giveBack(back)
}

// claim makes the caller the only one that may attach or end a session of this
// client ID, and waits for whoever is at it.
func (b *Broker) claim(id string) (release func()) {
	for {
		b.mu.Lock()
		busy, ok := b.claims[id]
		if !ok {
			mine := make(chan struct{})
			b.claims[id] = mine
			b.mu.Unlock()
			return func() {
				b.mu.Lock()
				delete(b.claims, id)
				b.mu.Unlock()
				close(mine)
			}
		}
		b.mu.Unlock()
		<-busy
	}
}

// session gives the session of a client ID; nil without one.
func (b *Broker) session(id string) *session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[id]
}

// forget ends a session: its subscriptions, its queue and its row. The caller
// holds the claim, or is the session's own connection at its end.
func (b *Broker) forget(s *session) {
	s.mu.Lock()
	subs := s.subs
	s.subs, s.removed, s.queue = nil, true, queue{}
	s.mu.Unlock()
	b.stats.Subscriptions.Add(-int64(len(subs)))
	for filter, sub := range subs {
		b.unhook(filter, sub)
	}
	if s.persistent.Load() {
		b.submit("delete a session", func(tx StoreTx) error { return tx.DeleteSession(s.id) }, nil)
	}
	// Last: who finds no session here may begin a new one.
	b.mu.Lock()
	if b.sessions[s.id] == s {
		delete(b.sessions, s.id)
		b.stats.Sessions.Add(-1)
	}
	b.mu.Unlock()
}

// submit writes without waiting. A failure is logged and counted, and told to
// done if there is one.
func (b *Broker) submit(what string, fn func(StoreTx) error, done func(error)) {
	b.order.Lock()
	defer b.order.Unlock()
	b.Store.Submit(fn, func(err error) {
		b.failed(what, err)
		if done != nil {
			done(err)
		}
	})
}

// failed logs and counts a failure of the store.
func (b *Broker) failed(what string, err error) {
	if err != nil {
		b.stats.StoreFailures.Add(1)
		b.Log.Error("the broker's store failed", "while", what, "error", err)
	}
}

func (s *session) noteReceived(packetID uint16) {
	if s.received == nil {
		s.received = map[uint16]struct{}{}
	}
	s.received[packetID] = struct{}{}
}
