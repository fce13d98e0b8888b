package access

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"thingd/internal/policy"
	"thingd/internal/registry"
)

// grants is what a Subject may do, shared by all Subjects that the same policies
// and groups grant it to and whose things have the same type.
type grants struct {
	key       string
	set       *policy.Set
	policies  []string // names, for changes
	groups    []string // names of the thing's groups and all above them, for changes
	thingType string   // of an MQTT connection's thing, for changes; "" for none
	things    bool     // some policy, or the type, asks for more of the thing than its name

	propagating []registry.PropagatingAttribute // of the thing type

	// moved is 0 until something that these grants follow from changes. From then
	// on they are stale for good.
	moved atomic.Uint64

	refs int // Subjects; guarded by live.mu
}

// idleMax bounds the grants kept without a Subject: they spare the next request
// of the same device the compiling.
const idleMax = 512

// live is the index of the Subjects there are.
type live struct {
	mu          sync.Mutex
	byPrincipal map[string]*Subject // the head of a list through Subject.ofPrincipal
	byThing     map[string]*Subject // the head of a list through Subject.ofThing
	grants      map[string]*grants  // fresh ones
	idle        map[string]*grants  // those of grants without a Subject
	dormant     map[*Subject]struct{}

	// grantsClock counts the changes that made grants stale, so that grants read
	// before a change and entered after it are noticed.
	grantsClock uint64
}

func (l *live) init() {
	l.byPrincipal = map[string]*Subject{}
	l.byThing = map[string]*Subject{}
	l.grants = map[string]*grants{}
	l.idle = map[string]*grants{}
	l.dormant = map[*Subject]struct{}{}
}

func (l *live) clock() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grantsClock
}

// acquire shares the grants if there are such, and enters them if there aren't.
// fresh is false if some grants became stale since the clock was read: these may
// be among them, and serve for no second question.
func (l *live) acquire(g *grants, clock uint64) (shared *grants, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grantsClock != clock {
		return g, false
	}
	if have, ok := l.grants[g.key]; ok {
		g = have
	}
	g.refs++
	l.grants[g.key] = g
	delete(l.idle, g.key)
	return g, true
}

// release ends one Subject's share.
func (l *live) release(g *grants) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g.refs == 0 {
		return // was never entered
	}
	if g.refs--; g.refs > 0 || l.grants[g.key] != g {
		return
	}
	l.idle[g.key] = g
	if len(l.idle) <= idleMax {
		return
	}
	for key := range l.idle { // any of them
		delete(l.idle, key)
		delete(l.grants, key)
		return
	}
}

// markGrants makes the grants that depend on something stale. It looks at all
// there are, which changes of policies and groups are rare enough for.
func (s *Service) markGrants(depends func(*grants) bool) {
	l := &s.live
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grantsClock++
	now := s.clock.Add(1)
	for key, g := range l.grants {
		if depends(g) {
			g.moved.Store(now)
			delete(l.grants, key)
			delete(l.idle, key)
		}
	}
}

func contains(names []string, name string) bool { return slices.Contains(names, name) }

// versionKey names a document for ever: versions never change, and a policy that
// is deleted and made again has another generation.
type versionKey struct {
	generation string
	id         VersionID
}

func (k versionKey) String() string { return k.generation + "." + k.id.String() }

// compiledMax bounds the compiled policies, in policies. One takes a few kilobytes.
const compiledMax = 1024

// compiledPolicies keeps what has been compiled. Nothing in it can become wrong.
type compiledPolicies struct {
	mu   sync.Mutex
	kept map[versionKey]compiledPolicy
}

type compiledPolicy struct {
	policy *policy.Policy
	things bool // it may ask for more of the thing than its name
}

func (c *compiledPolicies) get(key versionKey) (compiledPolicy, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.kept[key]
	return p, ok
}

func (c *compiledPolicies) put(key versionKey, p compiledPolicy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= compiledMax {
		c.kept = map[versionKey]compiledPolicy{} // what is in use is held by its grants
	}
	c.kept[key] = p
}

// compile gives the default version of a policy, ready to decide.
func (s *Service) compile(tx Tx, p Policy) (compiledPolicy, error) {
	key := versionKey{p.Generation, p.Default}
	if have, ok := s.compiled.get(key); ok {
		return have, nil
	}
	v, err := findVersion(tx, p.Name, p.Default)
	if err != nil {
		return compiledPolicy{}, err
	}
	doc, err := policy.Parse(v.Document, policy.IoT)
	if err != nil {
		return compiledPolicy{}, err
	}
	made := compiledPolicy{doc.Compile(p.Name, s.ARN(p.Name), v.ID.String()), asksForThings(v.Document)}
	s.compiled.put(key, made)
	return made, nil
}

// newGrants compiles the policies that are attached to the principal and to the
// groups.
func (s *Service) newGrants(tx Tx, attached []Policy, groups []string) (*grants, error) {
	g := &grants{groups: groups}
	var key strings.Builder
	var compiled []*policy.Policy
	for _, p := range attached {
		one, err := s.compile(tx, p)
		if err != nil {
			return nil, err
		}
		compiled = append(compiled, one.policy)
		g.things = g.things || one.things
		g.policies = append(g.policies, p.Name)
		key.WriteString(versionKey{p.Generation, p.Default}.String() + ",")
	}
	g.key = key.String() + "/" + strings.Join(groups, ",")
	g.set = policy.NewSet(compiled...)
	return g, nil
}
