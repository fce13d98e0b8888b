package shadow

import (
	"container/list"
	"sync"
	"time"
)

// waiting holds the changes that are not written yet.
type waiting struct {
	mu      sync.Mutex
	weight  int
	order   list.List // of *Entry, the oldest of all shadows in front
	past    map[ID]*past
	watched map[ID]time.Time // until when
	awaited bool             // somebody is to come for what waits
	ended   bool
}

// past are the changes of one shadow.
type past struct {
	weight  int
	changes list.List // of elements of waiting.order, the oldest in front
}

// add notes a change and makes room for it. It says whether somebody has to be
// sent for what waits.
func (w *waiting) add(id ID, c Change) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.past == nil {
		w.past = map[ID]*past{}
	}
	own := w.past[id]
	if own == nil {
		own = &past{}
		w.past[id] = own
	}
	own.changes.PushBack(w.order.PushBack(&Entry{id, c}))
	own.weight += c.Weight()
	w.weight += c.Weight()
	for own.changes.Len() > historyLength || own.changes.Len() > 1 && own.weight > historyShare {
		w.pop(own)
	}
	w.makeRoom(c.At)
	first = !w.awaited && !w.ended
	w.awaited = true
	return first
}

// makeRoom drops the oldest changes, those of watched shadows last. These
// together weigh at most half of the maximum, so it ends.
func (w *waiting) makeRoom(now time.Time) {
	for w.weight > waitingMax {
		oldest := w.order.Front()
		id := oldest.Value.(*Entry).ID
		if until, is := w.watched[id]; is && now.Before(until) {
			w.order.MoveToBack(oldest)
			continue
		}
		w.pop(w.past[id])
	}
}

// pop takes the oldest change of a shadow out.
func (w *waiting) pop(own *past) Entry {
	e := w.order.Remove(own.changes.Remove(own.changes.Front()).(*list.Element)).(*Entry)
	own.weight -= e.Change.Weight()
	w.weight -= e.Change.Weight()
	if own.changes.Len() == 0 {
		delete(w.past, e.ID)
	}
	return *e
}

// take takes a batch out: first what is watched, then the oldest.
func (w *waiting) take(now time.Time) (batch []Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	bytes := 0
	fill := func(own *past) {
		for own != nil && own.changes.Len() > 0 && len(batch) < writeChanges && bytes < writeBytes {
			batch = append(batch, w.pop(own))
			bytes += batch[len(batch)-1].Change.Weight()
		}
	}
	for id, until := range w.watched {
		if now.Before(until) {
			fill(w.past[id])
		}
	}
	for w.order.Len() > 0 && len(batch) < writeChanges && bytes < writeBytes {
		fill(w.past[w.order.Front().Value.(*Entry).ID])
	}
	return batch
}

// takeOf takes out all changes of a shadow, which is watched from now on.
func (w *waiting) takeOf(id ID, now time.Time) (all []Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch(id, now)
	for own := w.past[id]; own != nil && own.changes.Len() > 0; {
		all = append(all, w.pop(own))
	}
	return all
}

// watch has the changes of a shadow written first.
func (w *waiting) watch(id ID, now time.Time) {
	if w.watched == nil {
		w.watched = map[ID]time.Time{}
	}
	first := id
	for one, until := range w.watched {
		if !now.Before(until) {
			delete(w.watched, one)
		} else if first == id || until.Before(w.watched[first]) {
			first = one
		}
	}
	if _, is := w.watched[id]; !is && len(w.watched) >= watchedMax {
		delete(w.watched, first)
	}
	w.watched[id] = now.Add(watchTime)
}

// drop forgets the changes of a shadow that is deleted.
func (w *waiting) drop(id ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for own := w.past[id]; own != nil && own.changes.Len() > 0; {
		w.pop(own)
	}
}

// more says whether somebody has to be sent again.
func (w *waiting) more() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaited = w.order.Len() > 0 && !w.ended
	return w.awaited
}

// end has nobody sent any more.
func (w *waiting) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}
