package shadow_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/shadow"
)

var pump7 = shadow.ID{Thing: "pump7"}

const speed40 = `{"state":{"desired":{"speed":40}},"clientToken":"t-1"}`

// What HTTPS gets is what MQTT would have said, and a change is told on MQTT
// too; a get and a failure are not.
func TestVerbs(t *testing.T) {
	h := open(t, nil)
	ctx := context.Background()
	said := func(body []byte, err error) []string {
		if err != nil {
			t.Fatal(err)
		}
		return append([]string{string(body)}, h.lines()...)
	}
	accepted := `{"state":{"desired":{"speed":40}},"metadata":{"desired":{"speed":{"timestamp":1700000000}}},"version":1,"timestamp":1700000000,"clientToken":"t-1"}`
	want := []string{accepted,
		`pump7/shadow/update/delta {"version":1,"timestamp":1700000000,"state":{"speed":40},"metadata":{"speed":{"timestamp":1700000000}},"clientToken":"t-1"}`,
		`pump7/shadow/update/documents {"previous":null,"current":{"state":{"desired":{"speed":40}},"metadata":{"desired":{"speed":{"timestamp":1700000000}}},"version":1},"timestamp":1700000000,"clientToken":"t-1"}`,
		`pump7/shadow/update/accepted ` + accepted}
	if diff := cmp.Diff(want, said(h.Update(ctx, pump7, []byte(speed40)))); diff != "" {
		t.Error(diff)
	}
	want = []string{`{"state":{"desired":{"speed":40},"delta":{"speed":40}},"metadata":{"desired":{"speed":{"timestamp":1700000000}}},"version":1,"timestamp":1700000000}`}
	if diff := cmp.Diff(want, said(h.Get(ctx, pump7))); diff != "" {
		t.Error(diff)
	}
	body := `{"version":1,"timestamp":1700000000}`
	if diff := cmp.Diff([]string{body, "pump7/shadow/delete/accepted " + body}, said(h.Delete(ctx, pump7))); diff != "" {
		t.Error(diff)
	}
}

func TestVerbsRefuse(t *testing.T) {
	h := open(t, nil)
	ctx := context.Background()
	net := shadow.ID{Thing: "pump7", Name: "net"}
	bad := func(id shadow.ID) func() error {
		return func() error { _, err := h.Get(ctx, id); return err }
	}
	update := func(payload string) func() error {
		return func() error { _, err := h.Update(ctx, pump7, []byte(payload)); return err }
	}
	for name, c := range map[string]struct {
		call    func() error
		code    fault.Code
		message string
	}{
		"absent/classic names the thing": {bad(pump7), fault.CodeNotFound, "No shadow exists with name: 'pump7'"},
		"absent/named names the shadow":  {bad(net), fault.CodeNotFound, "No shadow exists with name: 'net'"},
		"absent/delete":                  {func() error { _, err := h.Delete(ctx, net); return err }, fault.CodeNotFound, "No shadow exists with name: 'net'"},
		"invalid/no payload":             {update(""), fault.CodeInvalidRequest, "Missing update payload"},
		"invalid/no state":               {update("{}"), fault.CodeInvalidRequest, "Missing required node: state"},
		"invalid/not UTF-8":              {update("\xff"), fault.CodeUnsupportedEncoding, "Unsupported documented encoding; supported encoding is UTF-8"},
		"invalid/version":                {update(`{"state":{},"version":7}`), fault.CodeConflict, "Version conflict"},
		"invalid/too large":              {update(`{"state":{"desired":{"a":"` + strings.Repeat("x", 8192) + `"}}}`), fault.CodeEntityTooLarge, "The payload exceeds the maximum size allowed"},
		"invalid/thing name":             {bad(shadow.ID{Thing: "a/b"}), fault.CodeInvalidRequest, "Invalid thing name: a thing name has 1 to 128 of the characters a-z, A-Z, 0-9, colon, underscore and hyphen"},
		"invalid/long thing name":        {bad(shadow.ID{Thing: strings.Repeat("x", 129)}), fault.CodeInvalidRequest, "Invalid thing name: a thing name has 1 to 128 of the characters a-z, A-Z, 0-9, colon, underscore and hyphen"},
		"invalid/reserved shadow name":   {bad(shadow.ID{Thing: "a", Name: "$x"}), fault.CodeInvalidRequest, "Invalid shadow name: a shadow name has 1 to 64 of the characters a-z, A-Z, 0-9, colon, underscore and hyphen"},
		"invalid/long shadow name":       {bad(shadow.ID{Thing: "a", Name: strings.Repeat("x", 65)}), fault.CodeInvalidRequest, "Invalid shadow name: a shadow name has 1 to 64 of the characters a-z, A-Z, 0-9, colon, underscore and hyphen"},
	} {
		t.Run(name, func(t *testing.T) {
			var refusal *fault.Error
			if err := c.call(); !errors.As(err, &refusal) || refusal.Code != c.code || refusal.Message != c.message {
				t.Errorf("%v", err)
			}
			if said := h.lines(); said != nil {
				t.Errorf("a failed request by HTTPS was told on MQTT: %v", said)
			}
		})
	}
}

func TestListNamed(t *testing.T) {
	h := open(t, nil)
	ctx := context.Background()
	var names []string
	for i := range 30 {
		name := fmt.Sprintf("s-%02d", i)
		names = append(names, name)
		if _, err := h.Update(ctx, shadow.ID{Thing: "pump7", Name: name}, []byte(speed40)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []shadow.ID{pump7, {Thing: "pump70", Name: "other"}} {
		if _, err := h.Update(ctx, id, []byte(speed40)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Delete(ctx, shadow.ID{Thing: "pump7", Name: "s-29"}); err != nil {
		t.Fatal(err)
	}
	for size, pages := range map[int]int{0: 2, 1: 29, 28: 2, 29: 1, 100: 1} {
		var got []string
		var page shadow.Page
		for n := 1; n == 1 || page.Next != ""; n++ {
			var err error
			if page, err = h.ListNamed(ctx, "pump7", page.Next, size); err != nil || n > pages {
				t.Fatalf("page %d of size %d: %v", n, size, err)
			}
			got = append(got, page.Names...)
		}
		if diff := cmp.Diff(names[:29], got); diff != "" || !page.Now.Equal(h.clock.read()) {
			t.Errorf("size %d: %s", size, diff)
		}
	}
	if page, err := h.ListNamed(ctx, "nobody", "", 0); err != nil || len(page.Names) != 0 || page.Next != "" {
		t.Errorf("unknown thing: %v, %v", page, err)
	}
	for _, bad := range []struct {
		thing, next string
		size        int
	}{{"", "", 0}, {"pump7", "?", 0}, {"pump7", "", 101}, {"pump7", "", -1}} {
		if _, err := h.ListNamed(ctx, bad.thing, bad.next, bad.size); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// Many writers of one shadow: each accepted update has a version of its own,
// none is left out, and of two that expect the same version one wins.
func TestEachVersionOnce(t *testing.T) {
	h := open(t, nil)
	ctx := context.Background()
	if _, err := h.Update(ctx, pump7, []byte(`{"state":{}}`)); err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 25
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range each {
				payload := fmt.Sprintf(`{"state":{"reported":{"w%d":%d}},"clientToken":"%d.%d"}`, w, n, w, n)
				if _, err := h.Update(ctx, pump7, []byte(payload)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	version := 1
	for _, m := range h.heard() {
		if strings.HasSuffix(m.Topic, "/accepted") {
			if !strings.Contains(string(m.Payload), `"version":`+strconv.Itoa(version)+`,`) {
				t.Fatalf("after version %d: %s", version-1, m.Payload)
			}
			version++
		}
	}
	if version != writers*each+2 {
		t.Errorf("%d versions", version-1)
	}
	var won, lost int
	var mu sync.Mutex
	for range writers {
		all.Go(func() {
			_, err := h.Update(ctx, pump7, fmt.Appendf(nil, `{"state":{"reported":{"x":1}},"version":%d}`, version-1))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if fault.Is(err, fault.CodeConflict) {
				lost++
			}
		})
	}
	all.Wait()
	if won != 1 || lost != writers-1 {
		t.Errorf("%d won, %d lost", won, lost)
	}
}

// Two nodes write one shadow in the same database. Neither may build on what
// it remembers of the other's past.
func TestNodesShareADatabase(t *testing.T) {
	db := database(t)
	share := func(c *shadow.Config) { c.Store = db.Shadows("111122223333") }
	nodes := []*house{open(t, share), open(t, share)}
	ctx := context.Background()
	if _, err := nodes[0].Update(ctx, pump7, []byte(`{"state":{}}`)); err != nil {
		t.Fatal(err)
	}
	const each = 40
	var all sync.WaitGroup
	for n, node := range nodes {
		all.Go(func() {
			for i := range each {
				if _, err := node.Update(ctx, pump7, fmt.Appendf(nil, `{"state":{"reported":{"n%d-%d":1}}}`, n, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for n, node := range nodes {
		body, err := node.Get(ctx, pump7)
		if err != nil || strings.Count(string(body), `-`) != 2*2*each || !strings.Contains(string(body), `"version":`+strconv.Itoa(2*each+1)+`,`) {
			t.Errorf("node %d: %v %s", n, err, body)
		}
	}
	// One node deletes; the other neither shows the shadow nor conflicts with
	// a version that is no more.
	if _, err := nodes[0].Delete(ctx, pump7); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[1].Get(ctx, pump7); !fault.Is(err, fault.CodeNotFound) {
		t.Errorf("the other node still has it: %v", err)
	}
	current := fmt.Appendf(nil, `{"state":{"reported":{"a":1}},"version":%d}`, 2*each+2)
	if _, err := nodes[1].Update(ctx, pump7, current); err != nil {
		t.Error(err)
	}
	if _, err := nodes[0].Update(ctx, pump7, current); !fault.Is(err, fault.CodeConflict) {
		t.Errorf("a stale version was taken: %v", err)
	}
}

func TestPurge(t *testing.T) {
	db := database(t)
	h := open(t, func(c *shadow.Config) { c.Store = db.Shadows("111122223333") })
	ctx := context.Background()
	steps := []error{}
	step := func(_ []byte, err error) { steps = append(steps, err) }
	other := shadow.ID{Thing: "pump8"}
	step(h.Update(ctx, pump7, []byte(speed40)))
	step(h.Update(ctx, other, []byte(speed40)))
	step(h.Delete(ctx, pump7))
	h.clock.pass(48*time.Hour - time.Millisecond)
	step(h.Delete(ctx, other))
	if err := errors.Join(append(steps, h.Purge(ctx))...); err != nil {
		t.Fatal(err)
	}
	rows := func() []int64 {
		var deleted []int64
		for _, id := range []shadow.ID{pump7, other} {
			r, err := db.Shadows("111122223333").Load(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			deleted = append(deleted, r.Version)
		}
		return deleted
	}
	if diff := cmp.Diff([]int64{2, 2}, rows()); diff != "" {
		t.Error(diff)
	}
	h.clock.pass(time.Millisecond)
	if err := h.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{0, 2}, rows()); diff != "" {
		t.Error(diff)
	}
	// What the service remembers of the purged shadow does no harm.
	body, err := h.Update(ctx, pump7, []byte(speed40))
	if err != nil || !strings.Contains(string(body), `"version":1,`) {
		t.Errorf("%v %s", err, body)
	}
}

func TestCloseAnswersWhatIsUnderWay(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	slow := newSlow()
	service := shadow.New(shadow.Config{Store: slow, Publisher: &recorder{}, Log: quiet()})
	answer := make(chan error, 1)
	go func() { _, err := service.Update(context.Background(), pump7, []byte(speed40)); answer <- err }()
	write := <-slow.saves
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := service.Close(ended); err == nil {
		t.Error("closed while a request is under way")
	}
	if _, err := service.Get(context.Background(), pump7); !fault.Is(err, fault.CodeServiceUnavailable) {
		t.Errorf("a request after Close: %v", err)
	}
	write(nil)
	if err := <-answer; err != nil {
		t.Error(err)
	}
	if err := service.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// A failed write leaves nothing behind that a later one could build on.
func TestFailedWrite(t *testing.T) {
	slow := newSlow()
	r := &recorder{}
	service := shadow.New(shadow.Config{Store: slow, Publisher: r, Log: quiet(), Now: (&clock{now: time.Unix(1700000000, 0)}).read})
	defer service.Close(context.Background())
	full := errors.New("the disk is full")
	outcome := make(chan error, 1)
	send := func() {
		service.Handler()(message.Message{Topic: "$aws/things/pump7/shadow/update", Payload: []byte(speed40)}, func(err error) { outcome <- err })
	}
	send()
	(<-slow.saves)(full)
	if err := <-outcome; !errors.Is(err, full) {
		t.Errorf("the sender was told %v", err)
	}
	want := []string{`pump7/shadow/update/rejected {"code":500,"message":"Internal service failure","timestamp":1700000000,"clientToken":"t-1"}`}
	if diff := cmp.Diff(want, r.lines()); diff != "" {
		t.Error(diff)
	}
	send()
	(<-slow.saves)(nil)
	if err := <-outcome; err != nil {
		t.Error(err)
	}
	if last := r.lines(); !strings.Contains(last[len(last)-1], `"version":1,`) {
		t.Errorf("%v", last)
	}
}

func (s *slow) AddChanges(context.Context, []shadow.Entry, shadow.Keep) error { return nil }
func (s *slow) TrimChanges(context.Context, shadow.Keep) error                { return nil }

// slow is a store whose saves end when the test says so. It keeps nothing.
type slow struct {
	shadow.Store
	saves chan func(error)
}

func newSlow() *slow { return &slow{saves: make(chan func(error), 100)} }

func (s *slow) Load(context.Context, shadow.ID) (shadow.Record, error) { return shadow.Record{}, nil }

func (s *slow) Save(_ context.Context, _ shadow.ID, _ shadow.Revision, _ shadow.Record, done func(error)) error {
	s.saves <- done
	return nil
}
