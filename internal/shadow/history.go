package shadow

import (
	"container/list"
	"sync"
	"time"

	"thingd/internal/message"
)

// What the history may hold. It lies in memory alone: on disk it would double
// the writes of a fleet to serve a question that is asked while somebody looks
// at one device. It costs an update a lock and two pointers, because the bytes
// that it keeps were made for the wire anyway.
//
// Where a fleet changes faster than the memory lasts, the oldest changes of all
// shadows go first, but not those of a shadow that somebody looks at: what is
// asked for once is kept for an hour, so that its last changes are there the
// next time. A node knows the changes that it served itself, since its start.
const (
	historyLength = 50        // changes of one shadow
	historyShare  = 512 << 10 // bytes of one shadow's changes
	historyMax    = 16 << 20  // bytes of all changes
	watchTime     = time.Hour // that a shadow stays watched
	watchedMax    = 16        // shadows at once; the one that ends first goes
	perChange     = 256       // bytes of a change apart from its documents
)

// Change is one accepted update of a shadow, or its deletion.
type Change struct {
	Version     int64
	At          time.Time
	Deleted     bool
	ClientToken string // "" for none
	ClientID    string // of the MQTT connection that asked; "" without one
	Principal   string // certificate ID, or who signed the call, as in lifecycle events; "" where nobody knows

	Request   []byte // what was sent, as it was sent
	Documents []byte // the shadow before and after, as on update/documents; nil of a deletion
}

// History gives the last changes of a shadow that this node served, the newest
// first, and keeps them and those that follow for some time.
func (s *Service) History(id ID) []Change {
	return s.history.read(id, s.now())
}

// history holds the last changes.
type history struct {
	mu      sync.Mutex
	weight  int
	order   list.List // of *kept, the oldest of all shadows in front
	past    map[ID]*past
	watched map[ID]time.Time // until when
}

// past are the changes of one shadow.
type past struct {
	weight  int
	changes list.List // of elements of history.order, the oldest in front
}

type kept struct {
	id     ID
	change Change
}

func (k *kept) weight() int { return perChange + len(k.change.Request) + len(k.change.Documents) }

func (h *history) read(id ID, now time.Time) []Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watch(id, now)
	own := h.past[id]
	if own == nil {
		return nil
	}
	var changes []Change
	for e := own.changes.Back(); e != nil; e = e.Prev() {
		changes = append(changes, e.Value.(*list.Element).Value.(*kept).change)
	}
	return changes
}

// watch keeps the changes of a shadow from going with the oldest of all.
func (h *history) watch(id ID, now time.Time) {
	if h.watched == nil {
		h.watched = map[ID]time.Time{}
	}
	first := id
	for one, until := range h.watched {
		if !now.Before(until) {
			delete(h.watched, one)
		} else if first == id || until.Before(h.watched[first]) {
			first = one
		}
	}
	if _, is := h.watched[id]; !is && len(h.watched) >= watchedMax {
		delete(h.watched, first)
	}
	h.watched[id] = now.Add(watchTime)
}

// add notes a change and makes room for it.
func (h *history) add(id ID, c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.past == nil {
		h.past = map[ID]*past{}
	}
	own := h.past[id]
	if own == nil {
		own = &past{}
		h.past[id] = own
	}
	k := &kept{id, c}
	own.changes.PushBack(h.order.PushBack(k))
	own.weight += k.weight()
	h.weight += k.weight()
	for own.changes.Len() > historyLength || own.changes.Len() > 1 && own.weight > historyShare {
		h.forget(own)
	}
	for h.weight > historyMax {
		oldest := h.order.Front()
		id := oldest.Value.(*kept).id
		// Watched shadows together weigh at most half of the maximum, so this ends.
		if until, is := h.watched[id]; is && c.At.Before(until) {
			h.order.MoveToBack(oldest)
			continue
		}
		h.forget(h.past[id])
	}
}

// forget drops the oldest change of a shadow.
func (h *history) forget(own *past) {
	k := h.order.Remove(own.changes.Remove(own.changes.Front()).(*list.Element)).(*kept)
	own.weight -= k.weight()
	h.weight -= k.weight()
	if own.changes.Len() == 0 {
		delete(h.past, k.id)
	}
}

// remember notes what an accepted request changed.
func (s *Service) remember(id ID, p *pending, o outcome) {
	if o.err != nil || p.request.verb == getting {
		return
	}
	c := Change{
		Version: o.version, At: p.request.now, Deleted: p.request.verb == deleting, Request: p.payload, Documents: o.documents,
		ClientID: p.client(), Principal: p.origin.Principal,
	}
	if p.request.token != nil {
		c.ClientToken = *p.request.token
	}
	if p.origin.Kind == message.FromRule {
		c.Principal = "rule"
	}
	s.history.add(id, c)
}
