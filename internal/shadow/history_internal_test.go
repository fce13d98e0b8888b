package shadow

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The oldest changes go first, and those of a shadow that somebody looks at
// stay.
func TestWatchedShadowsKeepTheirHistory(t *testing.T) {
	var h history
	now := time.Unix(1e9, 0)
	big := make([]byte, 64<<10)
	seen, unseen := ID{Thing: "seen"}, ID{Thing: "unseen"}
	h.add(seen, Change{Version: 1, At: now, Request: big})
	h.add(unseen, Change{Version: 1, At: now, Request: big})
	if got := h.read(seen, now); len(got) != 1 {
		t.Fatalf("%d changes", len(got))
	}
	for i := range 1000 {
		h.add(ID{Thing: fmt.Sprint(i)}, Change{At: now, Request: big})
	}
	if got := h.length(seen); got != 1 {
		t.Errorf("the watched shadow has %d changes", got)
	}
	if got := h.length(unseen); got != 0 {
		t.Errorf("the other one has %d", got)
	}
	later := now.Add(watchTime)
	for i := range 1000 {
		h.add(ID{Thing: fmt.Sprint(i)}, Change{At: later, Request: big})
	}
	if got := h.length(seen); got != 0 {
		t.Errorf("an hour later it has %d", got)
	}
}

// Whatever comes, the bounds hold and the books are right.
func TestTheHistoryKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h history
		now := time.Unix(1e9, 0)
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			id := ID{Thing: fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "thing"))}
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			if rapid.IntRange(0, 4).Draw(t, "what") == 0 {
				h.read(id, now)
				continue
			}
			h.add(id, Change{At: now, Request: make([]byte, rapid.SampledFrom([]int{0, 1000, 300 << 10, 600 << 10}).Draw(t, "size"))})
		}
		weight, count := 0, 0
		for id, own := range h.past {
			weight += own.weight
			count += own.changes.Len()
			if n := own.changes.Len(); n != h.length(id) || n == 0 || n > historyLength || n > 1 && own.weight > historyShare {
				t.Fatalf("%v has %d changes of %d bytes", id, n, own.weight)
			}
		}
		if weight != h.weight || count != h.order.Len() || weight > historyMax || len(h.watched) > watchedMax {
			t.Fatalf("%d bytes in %d changes; noted are %d in %d; %d are watched", weight, count, h.weight, h.order.Len(), len(h.watched))
		}
	})
}

func (h *history) length(id ID) int {
	if own := h.past[id]; own != nil {
		return own.changes.Len()
	}
	return 0
}
