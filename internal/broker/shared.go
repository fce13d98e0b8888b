package broker

import (
	"math/rand/v2"

	"thingd/internal/topic"
)

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
		g = &group{key: filter}
		g.entry = &subscription{filter: inner, group: g}
		b.groups[filter] = g
	}
	g.members = append(g.members[:len(g.members):len(g.members)], sub)
	b.mu.Unlock()
	b.tree.Add(inner, g.entry)
}

// unhook undoes hook.
func (b *Broker) unhook(filter string, sub *subscription) {
	_, inner, shared := topic.Share(filter)
	if !shared {
		b.tree.Remove(filter, sub)
		return
	}
	b.mu.Lock()
	g := b.groups[filter]
	if g == nil {
		b.mu.Unlock()
		return
	}
	rest := make([]*subscription, 0, len(g.members))
	for _, m := range g.members {
		if m != sub {
			rest = append(rest, m)
		}
	}
	g.members = rest
	empty := len(rest) == 0
	if empty {
		delete(b.groups, filter)
	}
	b.mu.Unlock()
	if empty {
		b.tree.Remove(inner, g.entry)
	}
}

// pick chooses the member that gets the next message: a random one of those
// online, else a random persistent one, in whose queue a QoS 1 message waits
// . nil when nobody can take it.
func (b *Broker) pick(g *group) *subscription {
	b.mu.Lock()
	members := g.members
	b.mu.Unlock()
	if len(members) == 0 {
		return nil
	}
	start := rand.IntN(len(members))
	for i := range members {
		if m := members[(start+i)%len(members)]; m.session.conn.Load() != nil {
			return m
		}
	}
	for i := range members {
		if m := members[(start+i)%len(members)]; m.session.persistent.Load() {
			return m
		}
	}
	return nil
}
