package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/policy"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
	"thingd/internal/why"
)

// patience bounds every wait for something that must happen. Nothing is ever
// waited for in the hope that it does not.
const patience = time.Minute

const testAccount = "111122223333"

// world is a broker on a real store, with a clock that stands still, and all
// that it tells.
type world struct {
	t      testing.TB
	path   string
	limits broker.Limits
	clock  *clock
	guard  *guard
	told   *journal

	db       *store.DB
	store    *testStore
	broker   *broker.Broker
	serving  sync.WaitGroup
	listener net.Listener // nil unless listen was called
	stalled  func() bool  // of the peers
	ids      atomic.Int64
	entered  atomic.Int64 // over TCP; counted by those who care
	dialed   atomic.Int64
}

func newWorld(t testing.TB, limits broker.Limits) *world {
	w := &world{
		t: t, path: filepath.Join(t.TempDir(), "thingd.db"), limits: limits,
		clock: newClock(), guard: newGuard(), told: &journal{},
		stalled: func() bool { return false }, // as most clients are seen
	}
	w.open()
	t.Cleanup(w.close)
	return w
}

// open starts a broker on what the store has.
func (w *world) open() {
	w.t.Helper()
	db, err := store.Open(context.Background(), storetest.Ready(w.t, w.path), quiet())
	if err != nil {
		w.t.Fatal(err)
	}
	w.db, w.store = db, &testStore{Broker: db.Broker(testAccount)}
	w.broker, err = broker.New(context.Background(), broker.Config{
		Limits: w.limits, Store: w.store, Guard: w.guard, Journal: w.told, Now: w.clock.Now, NewID: w.newID, Log: quiet(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func (w *world) newID() string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.ids.Add(1))
}

// close stops the broker as a server does.
func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.broker.Close(ctx); err != nil {
		w.t.Errorf("close the broker: %v", err)
	}
	if w.listener != nil {
		w.listener.Close()
	}
	w.serving.Wait()
	if err := w.db.Close(); err != nil {
		w.t.Errorf("close the store: %v", err)
	}
}

// restart stops and starts.
func (w *world) restart() {
	w.close()
	w.open()
}

// crash abandons the broker: from now on nothing that it does reaches the disk,
// as if the process had been killed.
func (w *world) crash() {
	w.store.dead.Store(true)
	w.restart()
}

// dial gives the client's end of a new connection.
func (w *world) dial() net.Conn {
	ours, theirs := net.Pipe()
	w.serve(theirs)
	return ours
}

func (w *world) serve(conn net.Conn) {
	port := 40000 + uint16(w.dialed.Add(1)%20000)
	peer := &broker.Peer{
		Conn: conn, Door: "test", Stalled: w.stalled,
		Remote: netip.AddrPortFrom(netip.MustParseAddr("198.51.100.23"), port),
		Local:  netip.MustParseAddrPort("127.0.0.1:8883"),
	}
	b := w.broker
	w.serving.Go(func() { b.Serve(context.Background(), peer) })
}

// listen lets clients in over TCP, until the test is over.
func (w *world) listen() {
	var err error
	if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.listener.Close() })
	w.serving.Go(func() {
		for {
			conn, err := w.listener.Accept()
			if err != nil {
				return
			}
			w.serve(conn)
		}
	})
}

// flushed waits until the store has everything that was given to it.
func (w *world) flushed() {
	w.t.Helper()
	if err := w.store.Broker.Update(context.Background(), func(broker.StoreTx) error { return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// clock stands still unless it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// Now gives the time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testStore is a real store that can fail, hold its answers back, or be cut off.
type testStore struct {
	*store.Broker
	dead       atomic.Bool // nothing arrives, nobody hears of it
	fails      atomic.Bool // nothing arrives, everybody hears of it
	unreadable atomic.Bool // queues cannot be read

	mu    sync.Mutex
	hangs bool // writes wait in held
	held  []func()
}

var errDisk = errors.New("the disk is on fire")

// Update implements broker.Store.
func (s *testStore) Update(ctx context.Context, fn func(broker.StoreTx) error) error {
	if s.dead.Load() || s.fails.Load() {
		return errDisk
	}
	return s.Broker.Update(ctx, fn)
}

// Submit implements broker.Store.
func (s *testStore) Submit(fn func(broker.StoreTx) error, done func(error)) {
	switch {
	case s.dead.Load():
	case s.fails.Load():
		s.Broker.Submit(func(broker.StoreTx) error { return errDisk }, done)
	case s.hold(fn, done):
	default:
		s.Broker.Submit(fn, done)
	}
}

// hold keeps a write back while the store hangs.
func (s *testStore) hold(fn func(broker.StoreTx) error, done func(error)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangs {
		s.held = append(s.held, func() { s.Broker.Submit(fn, done) })
	}
	return s.hangs
}

// hang makes writes wait, or lets go of those that do.
func (s *testStore) hang(hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = hangs
	if !hangs {
		for _, submit := range s.held {
			submit()
		}
		s.held = nil
	}
}

// Queue implements broker.Store.
func (s *testStore) Queue(ctx context.Context, clientID string, after int64, limit int) ([]broker.StoredMessage, error) {
	if s.dead.Load() || s.unreadable.Load() {
		return nil, errDisk
	}
	return s.Broker.Queue(ctx, clientID, after, limit)
}

// guard lets everybody in and allows everything, but for what it is told.
type guard struct {
	mu      sync.Mutex
	denied  map[string]bool // "client action resource"
	barred  map[string]bool // client IDs that Admit refuses
	lapsed  map[string]bool // client IDs that are withdrawn while they connect
	until   map[string]time.Time
	adds    map[string][]message.UserProperty // to what a client ID publishes
	changes atomic.Uint64
}

func newGuard() *guard {
	return &guard{
		denied: map[string]bool{}, barred: map[string]bool{}, lapsed: map[string]bool{},
		until: map[string]time.Time{}, adds: map[string][]message.UserProperty{},
	}
}

// Admit implements broker.Guard.
func (g *guard) Admit(_ context.Context, a broker.Attempt) (broker.Admission, *why.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.barred[a.ClientID] {
		return broker.Admission{}, &why.Event{Step: why.StepConnect, Cause: why.CertificateInactive, Principal: "cert-" + a.ClientID}
	}
	lapsed := g.lapsed[a.ClientID]
	return broker.Admission{
		Holds:     func() bool { return !lapsed },
		Principal: policy.Principal{Kind: policy.ByCertificate, ID: "cert-" + a.ClientID},
		Rights:    &rights{guard: g, clientID: a.ClientID},
		Until:     g.until[a.ClientID], UntilWhy: why.CustomAuthTTL,
	}, nil
}

func (g *guard) change(fn func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fn()
	g.changes.Add(1)
}

type rights struct {
	guard    *guard
	clientID string
}

// Allows implements broker.Rights.
func (r *rights) Allows(action, resource string) bool {
	r.guard.mu.Lock()
	defer r.guard.mu.Unlock()
	return !r.guard.denied[r.clientID+" "+action+" "+resource]
}

// Explain implements broker.Rights.
func (r *rights) Explain(string, string) policy.Explanation { return policy.Explanation{} }

// Generation implements broker.Rights.
func (r *rights) Generation() uint64 { return r.guard.changes.Load() }

// ThingName implements broker.Rights.
func (r *rights) ThingName() string { return "" }

// UserProperties implements broker.Rights.
func (r *rights) UserProperties() []message.UserProperty {
	r.guard.mu.Lock()
	defer r.guard.mu.Unlock()
	return r.guard.adds[r.clientID]
}

// Close implements broker.Rights.
func (r *rights) Close() {}

// journal keeps what it is told.
type journal struct {
	mu     sync.Mutex
	events []why.Event
	more   chan struct{}
}

// Record implements why.Recorder.
func (j *journal) Record(e why.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
}

// await takes the first entry of a client out of the journal.
func (j *journal) await(clientID string) (why.Event, error) {
	late := time.After(patience)
	for {
		e, more := j.take(clientID)
		if more == nil {
			return e, nil
		}
		select {
		case <-more:
		case <-late:
			return e, fmt.Errorf("the journal has nothing about %s", clientID)
		}
	}
}

func (j *journal) take(clientID string) (why.Event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, e := range j.events {
		if e.ClientID == clientID {
			j.events = append(j.events[:i:i], j.events[i+1:]...)
			return e, nil
		}
	}
	if j.more == nil {
		j.more = make(chan struct{})
	}
	return why.Event{}, j.more
}

// inbox gathers messages that a handler inside the server gets.
type inbox struct {
	mu   sync.Mutex
	all  []message.Message
	more chan struct{}
}

func (b *inbox) handle(m message.Message, done message.Done) {
	b.mu.Lock()
	b.all = append(b.all, m)
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
	b.mu.Unlock()
	done(nil)
}

// await takes the first message to a topic out.
func (b *inbox) await(topic string) (message.Message, error) {
	late := time.After(patience)
	for {
		m, more := b.take(topic)
		if more == nil {
			return m, nil
		}
		select {
		case <-more:
		case <-late:
			return m, fmt.Errorf("no message to %s arrived", topic)
		}
	}
}

func (b *inbox) take(topic string) (message.Message, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, m := range b.all {
		if m.Topic == topic {
			b.all = append(b.all[:i:i], b.all[i+1:]...)
			return m, nil
		}
	}
	if b.more == nil {
		b.more = make(chan struct{})
	}
	return message.Message{}, b.more
}
