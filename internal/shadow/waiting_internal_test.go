package shadow

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Where more comes than can be written the oldest changes are lost, and those of a
// shadow that somebody looks at are written.
func TestWatchedShadowsAreWrittenFirst(t *testing.T) {
	var w waiting
	now := time.Unix(1e9, 0)
	big := make([]byte, 64<<10)
	seen, unseen := ID{Thing: "seen"}, ID{Thing: "unseen"}
	w.add(unseen, Change{Version: 1, At: now, Request: big})
	w.add(seen, Change{Version: 1, At: now, Request: big})
	if got := w.takeOf(seen, now); len(got) != 1 {
		t.Fatalf("%d changes", len(got))
	}
	w.add(seen, Change{Version: 2, At: now, Request: big})
	for i := range 1000 {
		w.add(ID{Thing: fmt.Sprint(i)}, Change{At: now, Request: big})
	}
	if got := w.length(seen); got != 1 {
		t.Errorf("%d changes of the watched shadow wait", got)
	}
	if got := w.length(unseen); got != 0 {
		t.Errorf("%d of the other one do", got)
	}
	batch := w.take(now)
	if batch[0].ID != seen || batch[0].Change.Version != 2 {
		t.Errorf("%v is written first", batch[0].ID)
	}
	if len(batch) > writeBytes/len(big)+1 {
		t.Errorf("%d changes are written at once", len(batch))
	}
}

// Somebody is sent for what waits once, and again while there is more.
func TestSomebodyComesForWhatWaits(t *testing.T) {
	var w waiting
	sent := 0
	for n := range int64(writeChanges + 10) {
		if w.add(ID{Thing: fmt.Sprint(n)}, Change{Version: 1}) {
			sent++
		}
	}
	if got := w.take(time.Time{}); sent != 1 || len(got) != writeChanges || got[0].ID.Thing != "0" || !w.more() {
		t.Errorf("sent %d times, %d changes", sent, len(got))
	}
	if got := w.take(time.Time{}); len(got) != 10 || w.more() {
		t.Errorf("%d changes are left", len(got))
	}
	if !w.add(ID{Thing: "a"}, Change{}) {
		t.Error("nobody is sent")
	}
	w.end()
	if w.more() || w.add(ID{Thing: "b"}, Change{}) {
		t.Error("somebody is sent after the end")
	}
}

// Whatever comes, the bounds hold and the books are right.
func TestWhatWaitsKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w waiting
		now := time.Unix(1e9, 0)
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			id := ID{Thing: fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "thing"))}
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				w.takeOf(id, now)
			case 1:
				w.take(now)
			case 2:
				w.drop(id)
			default:
				w.add(id, Change{At: now, Request: make([]byte, rapid.SampledFrom([]int{0, 1000, 300 << 10, 600 << 10}).Draw(t, "size"))})
			}
		}
		weight, count := 0, 0
		for id, own := range w.past {
			weight += own.weight
			count += own.changes.Len()
			if n := own.changes.Len(); n != w.length(id) || n == 0 || n > historyLength || n > 1 && own.weight > historyShare {
				t.Fatalf("%v has %d changes of %d bytes", id, n, own.weight)
			}
		}
		if weight != w.weight || count != w.order.Len() || weight > waitingMax || len(w.watched) > watchedMax {
			t.Fatalf("%d bytes in %d changes; noted are %d in %d; %d are watched", weight, count, w.weight, w.order.Len(), len(w.watched))
		}
	})
}

func (w *waiting) length(id ID) int {
	if own := w.past[id]; own != nil {
		return own.changes.Len()
	}
	return 0
}
