package access

import (
	"context"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/policy"
	"thingd/internal/registry"
)

// Subject is one connection before the policies. Its methods may be called from
// any goroutine.
type Subject struct {
	service     *Service
	conn        Connection
	certificate certificate

	// moved is the clock's time of the last change that concerns this Subject and
	// is not noted in its grants.
	moved atomic.Uint64
	state atomic.Pointer[state]

	mu     sync.Mutex // held while loading
	closed bool
	failed bool // the last loading failed, and was reported

	dormant     bool   // it has no connection, see borrow
	left        bool   // it is in no list any more; guarded by live.mu
	indexed     string // the thing in whose list it is; guarded by live.mu
	ofPrincipal links
	ofThing     links
}

// state is all that decisions follow from. It never changes; its cache fills.
type state struct {
	world
	seen     uint64 // Subject.moved when loading began
	grants   *grants
	anyClaim bool // the connection is the same thing, or none, whatever MQTT client ID it has
	cache    atomic.Pointer[cache]
}

// loadTimeout bounds the wait for the store when a Subject must load anew.
const loadTimeout = 10 * time.Second

// Open makes the Subject of a connection. Close it with the connection. An error
// is one of the store: a principal that nobody knows is denied everything.
func (s *Service) Open(ctx context.Context, c Connection) (*Subject, error) {
	subject := &Subject{service: s, conn: c}
	s.live.enter(subject)
	if _, err := subject.load(ctx); err != nil {
		subject.Close()
		return nil, err
	}
	return subject, nil
}

// Close forgets the Subject. It denies everything afterwards.
func (s *Subject) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.stayBehind()
	s.service.live.leave(s)
	if old := s.state.Load(); old != nil {
		s.service.live.release(old.grants)
	}
	s.state.Store(s.denied(s.moved.Load()))
}

// Allows says whether the policies allow the action on the resource. The resource
// is an ARN, or its part after the account where it is one of this account:
// client/ID, topic/name, topicfilter/filter, thing/name, rolealias/name.
func (s *Subject) Allows(action, resource string) bool {
	cut := strings.IndexByte(resource, '/') + 1
	return s.AllowsNamed(action, resource[:cut], resource[cut:])
}

// AllowsNamed is Allows for a resource in two pieces: the kind with its slash, such
// as "topic/", and the name. It spares the caller the joining.
func (s *Subject) AllowsNamed(action, kind, name string) bool {
	st := s.current()
	if allowed, known := st.recall(action, kind, name); known {
		return allowed
	}
	resource := kind + name
	q := question{world: &st.world}
	allowed := s.decider(st).Decide(s.request(action, resource, &q)).Allowed()
	if !q.timed && action != asksOnce && s.remembers() {
		st.remember(action, kind, name, allowed)
	}
	return allowed
}

// Explain says what Allows would and why. It is for operators, not for messages.
func (s *Subject) Explain(action, resource string) policy.Explanation {
	st := s.current()
	return s.decider(st).Explain(s.request(action, resource, &question{world: &st.world}))
}

// asksOnce is what a connection asks at its begin, and never again.
const asksOnce = "iot:Connect"

func (s *Subject) request(action, resource string, ctx policy.Context) policy.Request {
	if !strings.HasPrefix(resource, "arn:") && resource != "*" {
		resource = s.service.prefix + resource
	}
	return policy.Request{Action: action, Resource: resource, Context: ctx}
}

func (s *Subject) decider(st *state) Decider {
	if s.conn.Decider == nil || st.grants == nothing {
		return st.grants.set
	}
	return s.conn.Decider
}

// remembers says whether decisions may be kept.
func (s *Subject) remembers() bool {
	_, ours := s.conn.Decider.(*policy.Set)
	return s.conn.Decider == nil || ours
}

// ThingName gives the thing that the connection is: the thing that its certificate
// is attached to exclusively, or else the thing of its client ID (or, for
// credentials, of its header) if the certificate is attached to it. "" is none.
func (s *Subject) ThingName() string { return s.current().thing.Name }

// Generation moves when anything changed that a decision could follow from. Who
// keeps answers of Allows notes the generation before it asks, and forgets them
// when it has moved.
func (s *Subject) Generation() uint64 {
	return max(s.moved.Load(), s.state.Load().grants.moved.Load())
}

// current gives the state, loaded anew if it is stale.
func (s *Subject) current() *state {
	if st := s.state.Load(); s.fresh(st) {
		return st
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	st, err := s.load(ctx)
	if err != nil {
		return s.denied(0)
	}
	return st
}

func (s *Subject) fresh(st *state) bool {
	return st != nil && st.seen == s.moved.Load() && st.grants.moved.Load() == 0
}

// load reads the state from the store. An error is logged, once until it works
// again; whoever asks meanwhile is denied.
func (s *Subject) load(ctx context.Context) (*state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.state.Load()
	if s.fresh(old) || s.closed {
		return old, nil
	}
	if old == nil {
		if st, ok := s.borrow(); ok {
			s.state.Store(st)
			return st, nil
		}
	} else { // so that Generation never goes back
		raise(&s.moved, old.grants.moved.Load())
	}
	st, err := s.read(ctx)
	if err != nil {
		if !s.failed {
			s.service.log.Error("policies cannot be read; the connection is denied everything until they can",
				"principal", s.conn.Principal.ID, "client", s.conn.ClientID, "error", err)
		}
		s.failed = true
		return nil, err
	}
	s.failed = false
	s.state.Store(st)
	if old != nil {
		s.service.live.release(old.grants)
	}
	return st, nil
}

// readMax bounds how often a state is read again because of what changed
// meanwhile.
const readMax = 4

// read gives a state in which every change is that was there when read began.
func (s *Subject) read(ctx context.Context) (*state, error) {
	for try := 1; ; try++ {
		clock, seen := s.service.live.clock(), s.moved.Load()
		st, err := s.readOnce(ctx)
		if err != nil {
			return nil, err
		}
		st.seen = seen
		indexed := s.service.live.index(s, st.thing.Name)
		var fresh bool
		st.grants, fresh = s.service.live.acquire(st.grants, clock)
		if indexed && fresh {
			return st, nil
		}
		if try == readMax { // right for this question, stale for the next
			raise(&s.moved, s.service.clock.Add(1))
			return st, nil
		}
		s.service.live.release(st.grants)
	}
}

// readOnce reads one snapshot. A principal without attachments needs none.
func (s *Subject) readOnce(ctx context.Context) (*state, error) {
	st := s.denied(0)
	if s.conn.principal() == "" {
		st.grants = &grants{set: policy.NewSet()}
		return st, nil
	}
	err := s.service.store.View(ctx, func(tx Tx) (err error) {
		if st.thing, st.isThing, st.anyClaim, err = s.conn.thing(tx); err != nil {
			return err
		}
		st.grants, err = s.service.grantsOf(tx, &s.conn, st.thing)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !st.grants.things && s.conn.Decider == nil {
		st.thing = registry.Thing{Name: st.thing.Name} // a fleet's attributes take room
	}
	return st, nil
}

// grantsOf collects the grants of a connection that is this thing; the zero Thing is
// none.
func (s *Service) grantsOf(tx Tx, c *Connection, thing registry.Thing) (*grants, error) {
	if c.Decider != nil {
		return s.newGrants(tx, nil, nil)
	}
	var groups []string
	if thing.Name != "" {
		var err error
		if groups, err = groupsOf(tx, thing.Name); err != nil {
			return nil, err
		}
	}
	attached, err := s.effective(tx, c.principal(), groups)
	if err != nil {
		return nil, err
	}
	g, err := s.newGrants(tx, attached, groups)
	if err != nil || !c.MQTT || thing.Type == "" {
		return g, err
	}
	return g, g.propagate(tx, thing.Type)
}

// nothing grants nothing.
var nothing = &grants{set: policy.NewSet()}

// denied gives a state without grants.
func (s *Subject) denied(seen uint64) *state {
	return &state{world: world{conn: &s.conn, certificate: &s.certificate, service: s.service}, grants: nothing, seen: seen}
}

// raise makes the number at least n.
func raise(number *atomic.Uint64, n uint64) {
	for {
		have := number.Load()
		if have >= n || number.CompareAndSwap(have, n) {
			return
		}
	}
}

// cacheSlots is the number of decisions that a Subject remembers: most devices
// speak of a handful of topics. A decision has one place, where it replaces
// another.
const cacheSlots = 32

type cache [cacheSlots]atomic.Pointer[decision]

type decision struct {
	action   string
	resource string
	allowed  bool
}

func (d *decision) is(action, kind, name string) bool {
	return d.action == action && len(d.resource) == len(kind)+len(name) &&
		d.resource[:len(kind)] == kind && d.resource[len(kind):] == name
}

// hashSeed makes places in caches unpredictable to clients, who choose topics.
var hashSeed = maphash.MakeSeed()

// slot gives the place of a decision. The kind follows from the action.
func slot(action, name string) int {
	return int((maphash.String(hashSeed, name) + uint64(len(action))) % cacheSlots)
}

func (st *state) recall(action, kind, name string) (allowed, known bool) {
	c := st.cache.Load()
	if c == nil {
		return false, false
	}
	d := c[slot(action, name)].Load()
	if d == nil || !d.is(action, kind, name) {
		return false, false
	}
	return d.allowed, true
}

func (st *state) remember(action, kind, name string, allowed bool) {
	c := st.cache.Load()
	if c == nil {
		st.cache.CompareAndSwap(nil, new(cache))
		c = st.cache.Load()
	}
	// kind+name is a text of its own: the caller's may be a piece of a whole packet.
	c[slot(action, name)].Store(&decision{action, kind + name, allowed})
}
