// Package broker is the message broker: it owns MQTT connections from their
// first packet to their last, keeps sessions and retained messages, and moves
// every message of the server. Devices, HTTP, shadows, jobs, rules, bridges and
// the console all publish through it.
//
// # Who does what
//
// One goroutine reads a connection. It decodes packets, asks Guard and Rights
// what is allowed, and delivers messages straight into the outboxes of the
// subscribers (conn.go, deliver.go). An outbox is bytes under a mutex; a
// goroutine that writes them to the network exists only while there are any,
// and writes all that waits at once (outbox.go). A reader lets what it produced
// gather until it has used up what it read: many packets leave in one write.
//
// What a topic means to a connection (whether it may publish there, and who
// gets it) is worked out once and remembered as a route, until the topic tree
// or the connection's rights change (route.go).
//
// # What is kept
//
// A session that outlives its connection is stored, with its subscriptions and
// its QoS 1 and 2 messages, which are written before the publisher's
// acknowledgement and forgotten when the subscriber acknowledges (queue.go). A
// session that ends with its connection lives in memory.
//
// # Locks
//
// Broker.order is held while messages for persistent sessions are numbered,
// delivered and handed to the store, so that the store hears of each queue in the
// order of its numbers; Broker.mu guards the table of sessions; group.mu the
// members and the queue of a shared subscription; session.mu a
// session's queue and subscriptions; acks.mu and outbox.mu what a connection is
// owed and sent. They are taken in this order and never the other way. Of what is
// outside the package only Store.Submit is called under Broker.order, only Rights
// and Now under group.mu and session.mu, and nothing under the others; Journal.Record,
// which never waits, is called under all of these. The store's
// callbacks take these two: nobody waits for the store while holding them.
package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"thingd/internal/message"
	"thingd/internal/topic"
	"thingd/internal/why"
)

// Config is what a broker needs of others.
type Config struct {
	Limits  Limits
	Store   Store
	Guard   Guard
	Journal why.Recorder
	Now     func() time.Time
	NewID   func() string // a UUID, for session identifiers, traces and made-up client IDs
	Log     *slog.Logger
}

// Broker is the message broker. Make one with New.
type Broker struct {
	Config
	tree topic.Tree[*subscription]

	order sync.Mutex // of writes to queues

	mu       sync.Mutex
	sessions map[string]*session // by client ID: connected, or persistent
	conns    map[*conn]struct{}  // every connection, also before its CONNECT
	claims   map[string]chan struct{}
	groups   map[string]*group // shared subscriptions by their whole filter

	lastShared int64 // the highest number of a message of a group that has ended

	versions  versions
	wills     map[string]*will // that wait for their delay, by client ID
	published []*will          // that the store may forget
	stopping  bool

	sharedSwept time.Time // by Sweep

	retained retained
	stats    Stats
	quotas   quotas
	running  sync.WaitGroup // connections, and what reads queues for them
}

// New makes a broker and brings back the sessions of the store.
func New(ctx context.Context, config Config) (*Broker, error) {
	b := &Broker{
		Config:   config,
		sessions: map[string]*session{},
		conns:    map[*conn]struct{}{},
		claims:   map[string]chan struct{}{},
		groups:   map[string]*group{},
		wills:    map[string]*will{},
	}
	b.tree.Rules = config.Limits.Topics
	b.retained.pending = map[string]*message.Message{}
	if err := b.restore(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// Run does what is due with time (keep-alive, expiry, repeats, delayed wills)
// until ctx ends.
func (b *Broker) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.Sweep()
		case <-ctx.Done():
			return
		}
	}
}

// Close disconnects every client, MQTT 5 ones with "server shutting down", and
// waits for them to be gone. Persistent sessions stay in the store.
func (b *Broker) Close(ctx context.Context) error {
	b.mu.Lock()
	b.stopping = true
	for c := range b.conns {
		c.drop(serverStopping)
	}
	b.mu.Unlock()
	gone := make(chan struct{})
	go func() { b.running.Wait(); close(gone) }()
	select {
	case <-gone:
		_ = b.flushed(ctx) // what cannot be written is published again
		b.settleWills()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Handle gives every message that filter selects to h, beside the subscribers.
// There is no policy between. It is for the wiring at start.
func (b *Broker) Handle(filter string, h message.Handler) (remove func()) {
	s := &subscription{filter: filter, handler: h}
	b.tree.Add(filter, s)
	return func() { b.tree.Remove(filter, s) }
}
