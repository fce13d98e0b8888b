package broker

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// group is a shared subscription: one member gets each message.
//
// Its QoS 1 messages are the group's until somebody acknowledged them. A member
// that is online and has room gets one at once; otherwise it waits (groupqueue.go),
// and goes to the first who has room. A member that leaves gives back what it has
// not acknowledged, for the others. A group that somebody with a persistent session
// belongs to keeps its messages in the store, so they survive a crash and wait while
// nobody is there. (AWS IoT Core: shared subscriptions)
//
// QoS 2 messages pass to the session of one member, and stay there.
// [MQTT 5.0 4.8.2]
type group struct {
	b     *Broker
	key   string // the whole filter, $share/…
	entry *subscription

	mu        sync.Mutex // taken after Broker.mu and before session.mu
	members   []*subscription
	keeps     bool          // a member has a persistent session, and wants more than QoS 0
	retention time.Duration // the longest expiry among those
	ended     bool          // nobody is left
	queue     groupQueue
}

// hook puts a subscription into the tree; a shared one joins its group, which
// stands in the tree once.
func (b *Broker) hook(filter string, sub *subscription) {
	_, inner, shared := topic.Share(filter)
	if !shared {
		b.tree.Add(filter, sub)
		return
	}
	b.mu.Lock()
	g := b.groups[filter]
	if g == nil {
		g = &group{b: b, key: filter}
		g.entry = &subscription{filter: inner, group: g}
		g.queue.startAt(b.lastShared)
		b.groups[filter] = g
	}
	g.join(sub)
	b.mu.Unlock()
	b.tree.Add(inner, g.entry)
}

// unhook undoes hook. A group ends with its last member. Broker.order keeps the
// deletion of what it has before everything that a group of the same name stores
// later.
func (b *Broker) unhook(filter string, sub *subscription) {
	_, inner, shared := topic.Share(filter)
	if !shared {
		b.tree.Remove(filter, sub)
		return
	}
	b.order.Lock()
	g := b.leaveGroup(filter, sub)
	b.order.Unlock()
	if g != nil {
		b.tree.Remove(inner, g.entry)
	}
}

// leaveGroup takes a member out, and gives the group if that was its end. The
// caller holds b.order.
func (b *Broker) leaveGroup(filter string, sub *subscription) (ended *group) {
	b.mu.Lock()
	g := b.groups[filter]
	if g == nil || !g.leave(sub) {
		b.mu.Unlock()
		return nil
	}
	delete(b.groups, filter)
	last := g.end()
	b.lastShared = max(b.lastShared, last)
	b.mu.Unlock()
	if last > 0 {
		b.Store.Submit(func(tx StoreTx) error { return tx.DeleteShared(filter) }, func(err error) {
			b.failed("delete the messages of a shared subscription", err)
		})
	}
	return g
}

func (g *group) join(sub *subscription) {
	s := sub.session
	g.mu.Lock()
	g.members = append(g.members[:len(g.members):len(g.members)], sub)
	g.refresh()
	g.mu.Unlock()
	s.mu.Lock()
	s.groups = append(s.groups[:len(s.groups):len(s.groups)], g)
	s.mu.Unlock()
}

// leave takes a member out and says whether nobody is left. A session that replaces
// its subscription is in the group twice for a moment.
func (g *group) leave(sub *subscription) (empty bool) {
	s := sub.session
	s.mu.Lock()
	if i := slices.Index(s.groups, g); i >= 0 {
		s.groups = slices.Delete(slices.Clone(s.groups), i, i+1)
	}
	s.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = slices.DeleteFunc(slices.Clone(g.members), func(m *subscription) bool { return m == sub })
	g.refresh()
	return len(g.members) == 0
}

// end gives the number of the group's newest message.
func (g *group) end() (last int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended, last = true, g.queue.last
	g.queue = groupQueue{}
	return last
}

// refresh works out what follows from the members. The caller holds g.mu.
func (g *group) refresh() {
	g.keeps, g.retention = false, 0
	for _, m := range g.members {
		if m.qos == mqtt.QoS0 || !m.session.persistent.Load() {
			continue
		}
		m.session.mu.Lock()
		g.keeps, g.retention = true, max(g.retention, m.session.expiry)
		m.session.mu.Unlock()
	}
}

// isFull says whether a session that is not a member yet finds no room in the group
// of a filter, or for one more group when so many others are about to begin.
func (b *Broker) isFull(filter string, others int) bool {
	members, groups := b.Limits.ShareMembers, b.Limits.ShareGroups
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[filter]
	if g == nil {
		return groups > 0 && len(b.groups)+others >= groups
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return members > 0 && len(g.members) >= members
}

func (b *Broker) hasGroup(filter string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.groups[filter] != nil
}

// chance is what became of the offer of a message to a group.
type chance uint8

const (
	absent chance = iota // nobody is there
	barred               // nobody who is there may receive it
	busy                 // nobody who might has room
	held                 // a member has it, the group until it is acknowledged
	passed               // it is not the group's any more
)

// offer finds a member for a message: a random one of those who are online and have
// room. The caller holds g.mu. moves, where it is not nil, gathers QoS 2 messages
// that the caller must pass on; otherwise the caller holds Broker.order.
func (g *group) offer(d *delivery, m *shared, limited bool, moves *[]move) chance {
	best := absent
	if len(g.members) == 0 {
		return best
	}
	start := rand.IntN(len(g.members))
	for i := range g.members {
		sub := g.members[(start+i)%len(g.members)]
		c := sub.session.conn.Load()
		if c == nil {
			continue
		}
		if limited && !sub.replay.take(d.now, g.b.Limits.ShareReplayRate, 1) {
			best = max(best, busy)
			continue
		}
		got := sub.take(c, d, m, moves)
		if got == held || got == passed {
			return got
		}
		if limited {
			sub.replay.give(1)
		}
		best = max(best, got)
	}
	return best
}

// take gives a message to one member.
func (sub *subscription) take(c *conn, d *delivery, m *shared, moves *[]move) chance {
	s := sub.session
	e := entry{m: m.m, retain: sub.retainAsPublished && m.m.Retain, ids: appendID(nil, sub.id)}
	switch e.qos = min(sub.qos, m.m.QoS); {
	case e.qos == mqtt.QoS1:
		e.shared = m
		return s.takeShared(c, &e, d)
	case !s.allows(c, &e):
		return barred
	case e.qos == mqtt.QoS0:
		if d.frames == nil {
			d.frames = &frames{}
		}
		c.send(d, e.retain, e.ids)
	case moves != nil:
		*moves = append(*moves, move{sub, m})
	default:
		s.enqueue(d, c, e.qos, e.retain, e.ids)
	}
	return passed
}

// takeShared sends a group's message to the session's client, if there is room.
func (s *session) takeShared(c *conn, e *entry, d *delivery) chance {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn.Load() != c || s.removed:
		return absent
	case !s.mayReceive(c, e):
		return barred
	case s.queue.again > 0 || !s.launch(c, e, d):
		return busy
	}
	return held
}

func (s *session) allows(c *conn, e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mayReceive(c, e)
}

// isHere says whether a member is online. The caller holds g.mu.
func (g *group) isHere() bool {
	return slices.ContainsFunc(g.members, func(m *subscription) bool { return m.session.conn.Load() != nil })
}

// pumpGroups lets the groups that the session belongs to go on, because it has room
// or is new.
func (s *session) pumpGroups(work *batch) {
	s.mu.Lock()
	groups := s.groups
	s.mu.Unlock()
	for _, g := range groups {
		g.pump(work)
	}
}

// refreshGroups tells the session's groups that its expiry may have changed.
func (s *session) refreshGroups() {
	s.mu.Lock()
	groups := s.groups
	s.mu.Unlock()
	for _, g := range groups {
		g.mu.Lock()
		g.refresh()
		g.mu.Unlock()
	}
}

// takeBack takes a group's messages, or those of all groups, out of flight. The
// caller holds s.mu.
func (q *queue) takeBack(of *group) (back []*shared) {
	for i := 0; i < len(q.flight); {
		e := &q.flight[i]
		if e.shared == nil || of != nil && e.shared.group != of {
			i++
			continue
		}
		back = append(back, e.shared)
		q.remove(i)
	}
	return back
}

// giveBack returns messages to their groups, for others.
func giveBack(all []*shared) {
	groups := map[*group]bool{}
	for _, m := range all {
		groups[m.group] = true
		m.group.mu.Lock()
		if !m.group.ended {
			m.group.queue.giveBack(m)
		}
		m.group.mu.Unlock()
	}
	for g := range groups {
		g.pump(nil)
	}
}
