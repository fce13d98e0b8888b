package rules_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/aws/iot"
	"thingd/internal/message"
	"thingd/internal/rules"
)

// send publishes at QoS 1; the channel gives what its sender is told.
func (h *house) send(name, payload string) <-chan error {
	m := device(name, payload)
	m.QoS = message.QoS1
	told := make(chan error, 1)
	h.spine.Publish(m, func(err error) { told <- err })
	return told
}

// acknowledged publishes at QoS 1 and waits for the acknowledgement.
func (h *house) acknowledged(name, payload string) {
	h.t.Helper()
	if err := <-h.send(name, payload); err != nil {
		h.t.Fatal(err)
	}
}

// stored lists the firings on disk.
func (h *house) stored(rule string) (payloads []string) {
	h.t.Helper()
	err := h.db.Rules(scope.Account).View(h.ctx, func(tx rules.Tx) error {
		found, err := tx.Firings(rule, 0, 10000)
		for _, f := range found {
			payloads = append(payloads, string(f.Message.Payload))
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return payloads
}

// awaitNothingStored waits until all firings of a rule are deleted.
func (h *house) awaitNothingStored(rule string) {
	h.t.Helper()
	for len(h.stored(rule)) > 0 {
		time.Sleep(time.Millisecond) // deleting wakes nobody
	}
}

// crash opens a house on what was on disk at this instant.
func (h *house) crash(change func(*rules.Config)) *house {
	h.t.Helper()
	dir := h.t.TempDir()
	for _, name := range []string{"thingd.db", "thingd.db-wal"} {
		text, err := os.ReadFile(filepath.Join(h.dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return openIn(h.t, dir, h.web, change)
}

// hold lets every request wait until the function that it gives is called.
func (rec *recorder) hold() (release func()) {
	wait := make(chan struct{})
	rec.answers(func(int, *http.Request) int { <-wait; return 200 })
	return func() { close(wait) }
}

func bodies(all []received) (texts []string) {
	for _, one := range all {
		texts = append(texts, one.Body)
	}
	return texts
}

func TestWhatWasAcknowledgedRunsAfterACrash(t *testing.T) {
	h := open(t, func(c *rules.Config) { c.Firings = 2 })
	release := h.web.hold()
	defer release()
	h.rule("slow", "SELECT n, timestamp() AS at FROM 'in'", nil, lambda())
	h.rule("other", "SELECT n FROM 'in'", nil, lambda())
	h.rule("none", "SELECT n FROM 'in' WHERE n > 100", nil, lambda())
	var want []string
	for i := range 6 {
		h.acknowledged("in", fmt.Sprintf(`{"n":%d}`, i))
		want = append(want, fmt.Sprintf(`{"n":%d}`, i), fmt.Sprintf(`{"n":%d,"at":%d}`, i, at.UnixMilli()))
	}
	h.web.wait(4) // both rules have in work what they may
	h.web.answers(nil)
	after := h.crash(func(c *rules.Config) { c.Now = func() time.Time { return at.Add(time.Hour) } })
	got := bodies(after.web.wait(4 + 12))[4:]
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	after.awaitNothingStored("slow")
	after.awaitNothingStored("other")
}

func TestOnlyWhatWaitsForOthersIsWritten(t *testing.T) {
	var puts atomic.Int64
	h := open(t, func(c *rules.Config) { c.Store = &watched{Store: c.Store, puts: &puts} })
	one := 1
	h.rule("quiet", "SELECT * FROM 'in' WHERE n > 100", nil, lambda())
	h.rule("quick", "SELECT * FROM 'in'", nil, republish("out"))
	h.rule("durable", "SELECT * FROM 'in'", nil, iot.Action{Republish: &iot.RepublishAction{Topic: "out", RoleArn: role, Qos: &one}})
	for i := range 20 {
		h.acknowledged("in", fmt.Sprintf(`{"n":%d}`, i))
	}
	if n := puts.Load(); n != 0 {
		t.Error(n, "firings were written")
	}
	release := h.web.hold()
	defer release()
	h.rule("slow", "SELECT * FROM 'in'", nil, lambda())
	h.acknowledged("in", `{"n":20}`)
	if diff := cmp.Diff([]string{`{"n":20}`}, h.stored("slow")); diff != "" || puts.Load() != 1 {
		t.Error(puts.Load(), diff)
	}
}

// watched is a store that counts the firings that are written, and fails if told.
type watched struct {
	rules.Store
	puts *atomic.Int64
	fail atomic.Bool
}

type watchedTx struct {
	rules.Tx
	puts *atomic.Int64
}

func (w *watched) Update(ctx context.Context, fn func(rules.Tx) error) error {
	if w.fail.Load() {
		return errors.New("the disk is full")
	}
	return w.Store.Update(ctx, func(tx rules.Tx) error { return fn(watchedTx{tx, w.puts}) })
}

func (w watchedTx) PutFiring(f rules.StoredFiring) error {
	w.puts.Add(1)
	return w.Tx.PutFiring(f)
}

func TestWithoutTheStoreNobodyIsAcknowledged(t *testing.T) {
	w := &watched{puts: new(atomic.Int64)}
	h := open(t, func(c *rules.Config) { w.Store = c.Store; c.Store = w; c.Firings, c.QueueMessages = 1, 4 })
	release := h.web.hold()
	h.rule("slow", "SELECT * FROM 'in'", nil, lambda())
	w.fail.Store(true)
	for i := range 10 { // in work, in memory, and beyond
		if err := <-h.send("in", fmt.Sprintf(`{"n":%d}`, i)); err == nil {
			t.Error(i, "was acknowledged")
		}
	}
	w.fail.Store(false)
	release()
	h.acknowledged("in", `{"n":10}`)
	h.awaitNothingStored("slow")
}

func TestWhatMemoryCannotHoldWaitsOnDisk(t *testing.T) {
	h := open(t, func(c *rules.Config) { c.Firings, c.QueueMessages = 1, 4 })
	release := h.web.hold()
	h.rule("slow", "SELECT VALUE n FROM 'in'", nil, lambda())
	const n = 500
	var want []string
	for i := range n {
		h.acknowledged("in", fmt.Sprintf(`{"n":%d}`, i))
		want = append(want, fmt.Sprint(i))
	}
	lossy := device("in", `{"n":-1}`)
	h.spine.Publish(lossy, nil) // no room for it
	if s := h.Stats(); s.Owed != n || s.Waiting > 4 || s.Rules["slow"].Throttled != 1 {
		t.Errorf("%+v", s)
	}
	release()
	if diff := cmp.Diff(want, bodies(h.web.wait(n))); diff != "" {
		t.Error(diff)
	}
	h.awaitNothingStored("slow")
	if s := h.Stats(); s.Owed != 0 || s.OwedBytes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAMessageOfSeveralRulesIsStoredOnce(t *testing.T) {
	h := open(t, nil)
	release := h.web.hold()
	for i := range 3 {
		h.rule(fmt.Sprint("r", i), "SELECT * FROM 'in'", nil, lambda())
	}
	h.acknowledged("in", "{}")
	h.web.wait(3)
	for i := range 3 {
		if diff := cmp.Diff([]string{"{}"}, h.stored(fmt.Sprint("r", i))); diff != "" {
			t.Error(diff)
		}
	}
	release()
	for i := range 3 {
		h.awaitNothingStored(fmt.Sprint("r", i))
	}
}

func TestAFullDiskQueueDropsTheOldestOfWhoeverHasMost(t *testing.T) {
	h := open(t, func(c *rules.Config) { c.Firings, c.KeptFirings, c.QueueMessages = 1, 10, 6 })
	release := h.web.hold()
	h.rule("many", "SELECT VALUE n FROM 'many'", nil, lambda())
	h.rule("few", "SELECT VALUE n FROM 'few'", nil, lambda())
	for i := range 3 {
		h.acknowledged("few", fmt.Sprintf(`{"n":%d}`, 100+i))
	}
	for i := range 20 {
		h.acknowledged("many", fmt.Sprintf(`{"n":%d}`, i))
	}
	h.web.wait(2)
	// One of each is in work; of the 8 that wait, 2 are few's. Reading what waits
	// on disk alone happens beside.
	for s := h.Stats(); s.Owed != 10 || s.Rules["many"].Dropped != 13; s = h.Stats() {
		time.Sleep(time.Millisecond)
	}
	firings := h.firings("many", 1)
	want := []rules.Firing{{
		Topic: "many", ClientID: "dev-7", Outcome: rules.Dropped, Payload: `{"n":1}`,
		Why: "the queue of the rules was full (10 messages or 1073741824 bytes), and this rule had most of it",
	}}
	if diff := cmp.Diff(want, firings, cmpopts.IgnoreFields(rules.Firing{}, "At", "TraceID")); diff != "" {
		t.Error(diff)
	}
	release()
	got := bodies(h.web.wait(10))
	slices.Sort(got)
	if diff := cmp.Diff([]string{"0", "100", "101", "102", "14", "15", "16", "17", "18", "19"}, got); diff != "" {
		t.Error(diff)
	}
	h.awaitNothingStored("many")
}

func TestAFullDiskQueueCountsBytes(t *testing.T) {
	h := open(t, func(c *rules.Config) { c.Firings, c.KeptBytes = 1, 100 })
	release := h.web.hold()
	defer release()
	h.rule("r", "SELECT * FROM 'in'", nil, lambda())
	for range 10 {
		h.acknowledged("in", `{"twenty":"bytes"  }`)
	}
	if s := h.Stats(); s.Owed != 5 || s.OwedBytes != 100 || s.Rules["r"].Dropped != 5 {
		t.Errorf("%+v", s)
	}
}

func TestARuleThatGoesTakesItsFiringsAlong(t *testing.T) {
	ways := map[string]func(h *house) error{
		"deleted":  func(h *house) error { return h.Delete(h.ctx, "r") },
		"disabled": func(h *house) error { return h.SetDisabled(h.ctx, "r", true) },
	}
	for name, goes := range ways {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(c *rules.Config) { c.Firings, c.QueueMessages = 1, 4 })
			release := h.web.hold()
			h.rule("r", "SELECT * FROM 'in'", nil, lambda())
			for i := range 10 {
				h.acknowledged("in", fmt.Sprintf(`{"n":%d}`, i))
			}
			h.web.wait(1)
			if err := goes(h); err != nil {
				t.Fatal(err)
			}
			if s := h.Stats(); s.Orphaned != 9 || s.Owed != 1 {
				t.Errorf("%+v", s)
			}
			release()
			h.awaitNothingStored("r")
			if s := h.Stats(); s.Owed != 0 || len(h.web.wait(1)) != 1 {
				t.Errorf("%+v", s)
			}
		})
		t.Run(name+" before the next start", func(t *testing.T) {
			h := open(t, func(c *rules.Config) { c.Firings = 1 })
			release := h.web.hold()
			defer release()
			h.rule("r", "SELECT * FROM 'in'", nil, lambda())
			for i := range 10 {
				h.acknowledged("in", fmt.Sprintf(`{"n":%d}`, i))
			}
			after := h.crash(func(c *rules.Config) { c.Store = changedStore(t, c.Store, name) })
			if s := after.Stats(); s.Orphaned != 10 || s.Owed != 0 {
				t.Errorf("%+v", s)
			}
			after.awaitNothingStored("r")
		})
	}
}

// changedStore deletes or disables a rule behind the engine's back.
func changedStore(t *testing.T, s rules.Store, how string) rules.Store {
	err := s.Update(context.Background(), func(tx rules.Tx) error {
		if how == "deleted" {
			return tx.DeleteRule("r")
		}
		r, _, err := tx.Rule("r")
		if err != nil {
			return err
		}
		r.Disabled = true
		return tx.PutRule(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestARuleMadeAnewDoesNotGetTheOldMessages(t *testing.T) {
	h := open(t, func(c *rules.Config) { c.Firings, c.QueueMessages = 1, 4 })
	release := h.web.hold()
	h.rule("r", "SELECT VALUE n FROM 'in'", nil, lambda())
	for i := range 10 {
		h.acknowledged("in", fmt.Sprintf(`{"n":%d}`, i))
	}
	h.web.wait(1)
	if err := h.Delete(h.ctx, "r"); err != nil {
		t.Fatal(err)
	}
	h.rule("r", "SELECT VALUE n FROM 'in'", nil, lambda())
	for i := range 10 {
		h.acknowledged("in", fmt.Sprintf(`{"n":%d}`, 100+i))
	}
	release()
	got := bodies(h.web.wait(11))
	slices.Sort(got)
	if diff := cmp.Diff([]string{"0", "100", "101", "102", "103", "104", "105", "106", "107", "108", "109"}, got); diff != "" {
		t.Error(diff)
	}
	h.awaitNothingStored("r")
}

func TestCloseLeavesOnDiskWhatItHasNoTimeFor(t *testing.T) {
	dir, web := t.TempDir(), listen(t)
	release := web.hold()
	t.Run("first", func(t *testing.T) {
		h := openIn(t, dir, web, func(c *rules.Config) { c.Firings = 2 })
		failed := republish("failed")
		h.rule("r", "SELECT VALUE n FROM 'in'", &failed, lambda())
		for i := range 10 {
			h.acknowledged("in", fmt.Sprintf(`{"n":%d}`, i))
		}
		web.wait(2)
		ctx, cancel := context.WithTimeout(h.ctx, time.Millisecond)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if n := len(h.stored("r")); n != 10 || len(h.spine.republished(0)) != 0 {
			t.Error("left on disk", n, "error actions", h.spine.republished(0))
		}
		if err := <-h.send("in", "late"); err == nil {
			t.Error("a closed engine acknowledged a message")
		}
	})
	release()
	web.answers(nil)
	h := openIn(t, dir, web, nil)
	got := bodies(web.wait(12))[2:]
	slices.Sort(got)
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, got); diff != "" {
		t.Error(diff)
	}
	h.awaitNothingStored("r")
}
