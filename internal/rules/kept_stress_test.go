package rules_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"thingd/internal/rules"
)

// TestNothingAcknowledgedIsLostWhateverHappens lets several senders publish to
// rules whose memory is small, whose target fails now and then, and that are
// replaced meanwhile.
func TestNothingAcknowledgedIsLostWhateverHappens(t *testing.T) {
	small := func(c *rules.Config) { c.Firings, c.FiringsAll, c.QueueMessages = 3, 5, 10 }
	h := open(t, small)
	var tried sync.Map
	h.web.answers(func(n int, _ *http.Request) int {
		if _, again := tried.LoadOrStore(h.web.body(n), true); n%7 == 0 && !again {
			return 503
		}
		return 200
	})
	for i := range 3 {
		h.rule(fmt.Sprint("r", i), fmt.Sprintf("SELECT n, %d AS r FROM 'in/#'", i), nil, lambda())
	}
	h.rule("relay", "SELECT * FROM 'in/#'", nil, republish("out"))
	var acknowledged sync.Map
	var senders sync.WaitGroup
	const each = 60
	for sender := range 4 {
		senders.Go(func() {
			for i := range each {
				n := sender*each + i
				if err := <-h.send("in/x", fmt.Sprintf(`{"n":%d}`, n)); err == nil {
					acknowledged.Store(n, true)
				}
			}
		})
	}
	for i := range 10 {
		time.Sleep(rand.N(5 * time.Millisecond))
		r := rules.Rule{Name: "r0", SQL: fmt.Sprintf("SELECT n, 0 AS r, %d AS again FROM 'in/#'", i), Version: "2016-03-23"}
		r.Actions = append(r.Actions, lambda())
		if err := h.Replace(h.ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	senders.Wait()
	for s := h.Stats(); s.Owed > 0; s = h.Stats() {
		time.Sleep(time.Millisecond)
	}
	var all strings.Builder
	for _, body := range bodies(h.web.wait(0)) {
		all.WriteString(body)
	}
	for n := range 4 * each {
		if _, ok := acknowledged.Load(n); !ok {
			t.Error(n, "was not acknowledged")
		}
		for r := range 3 {
			if !strings.Contains(all.String(), fmt.Sprintf(`{"n":%d,"r":%d`, n, r)) {
				t.Errorf("%d never came through r%d", n, r)
			}
		}
	}
	for r := range 3 {
		h.awaitNothingStored(fmt.Sprint("r", r))
	}
}
