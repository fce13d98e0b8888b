package journal

import (
	"net/netip"
	"time"

	"thingd/internal/why"
)

// A flood of refusals must fill neither the log nor the disk. Events that have
// everything but the moment and the details in common are one group for a minute:
// one row, and at most two lines in the log. There may be openMax groups, and
// openPerSource of one address; whatever comes beyond falls into a group of its
// address and cause, or of its cause alone. So a minute adds openMax rows and a
// few at most, however many clients misbehave, and one address cannot crowd out
// the others.
const (
	window        = time.Minute
	openMax       = 4096
	openPerSource = 256
)

// crowded is the detail of the entries that stand for many.
var crowded = why.Say("this stands for many, too many to keep one by one")

// key is what the events of a group have in common.
type key struct {
	source    string // an address, or an IPv6 network
	clientID  string
	principal string
	step      why.Step
	cause     why.Cause
	action    string
	resource  string
}

// group is an event and its repeats.
type group struct {
	key     key
	entry   Entry
	ends    time.Time
	written bool // as a new entry
	changed bool // since it was written
}

// repeats holds the groups whose minute is not over. It belongs to Run.
type repeats struct {
	groups   map[key]*group
	order    []*group       // as they began, which is as they end
	ofSource map[string]int // number of groups
	fresh    []*group       // not written yet
	closed   []Entry        // over, and changed since they were written
}

func newRepeats() *repeats {
	return &repeats{groups: map[key]*group{}, ofSource: map[string]int{}}
}

// add counts an event in its group, or begins one.
func (r *repeats) add(e why.Event, now time.Time) (g *group, isNew bool) {
	k := r.keyOf(&e)
	if g := r.groups[k]; g != nil {
		g.entry.Event = e
		g.entry.Count++
		g.changed = true
		return g, false
	}
	g = &group{key: k, entry: Entry{Event: e, Count: 1, Since: e.Time}, ends: now.Add(window)}
	r.groups[k] = g
	r.ofSource[k.source]++
	r.order = append(r.order, g)
	r.fresh = append(r.fresh, g)
	return g, true
}

// keyOf gives the group that an event goes to. An event of a crowd loses what the
// crowd does not share.
func (r *repeats) keyOf(e *why.Event) key {
	k := key{sourceOf(e.Source), e.ClientID, e.Principal, e.Step, e.Cause, e.Action, e.Resource}
	// Every client goes when the server does; told one by one they would push
	// out everything else.
	if e.Cause == why.ServerStopping {
		return r.crowd(e, key{step: e.Step, cause: e.Cause})
	}
	if r.groups[k] != nil || len(r.groups) < openMax && r.ofSource[k.source] < openPerSource {
		return k
	}
	k = key{source: k.source, step: k.step, cause: k.cause}
	if r.groups[k] != nil || len(r.groups) < openMax {
		return r.crowd(e, k)
	}
	return r.crowd(e, key{step: k.step, cause: k.cause})
}

func (r *repeats) crowd(e *why.Event, k key) key {
	*e = why.Event{Time: e.Time, Source: k.source, Door: e.Door, Step: e.Step, Cause: e.Cause, Disconnect: e.Disconnect}
	e.Because(crowded)
	return k
}

// sourceOf gives the address without its port. Who has one IPv6 address has the
// network's other 2^64 too.
func sourceOf(source string) string {
	at, err := netip.ParseAddrPort(source)
	if err != nil {
		return source
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}

// expired ends the groups whose minute is over, and gives them.
func (r *repeats) expired(now time.Time) []*group {
	n := 0
	for n < len(r.order) && !now.Before(r.order[n].ends) {
		n++
	}
	return r.end(n)
}

// all ends all groups.
func (r *repeats) all() []*group { return r.end(len(r.order)) }

func (r *repeats) end(n int) []*group {
	over := r.order[:n:n]
	r.order = r.order[n:]
	for _, g := range over {
		delete(r.groups, g.key)
		if r.ofSource[g.key.source]--; r.ofSource[g.key.source] == 0 {
			delete(r.ofSource, g.key.source)
		}
		if g.written && g.changed {
			r.closed = append(r.closed, g.entry)
		}
	}
	return over
}

// flush gives what must be written: new entries and those that are over, and, if
// everything is wanted, the counts of those that go on.
func (r *repeats) flush(everything bool) Batch {
	batch := Batch{Changed: r.closed}
	for _, g := range r.fresh {
		batch.New = append(batch.New, g.entry)
		g.written, g.changed = true, false
	}
	r.fresh, r.closed = nil, nil
	if !everything {
		return batch
	}
	for _, g := range r.order {
		if g.changed {
			batch.Changed = append(batch.Changed, g.entry)
			g.changed = false
		}
	}
	return batch
}
