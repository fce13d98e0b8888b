package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"thingd/internal/journal"
	"thingd/internal/store"
	"thingd/internal/why"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.UnixMilli(1_700_000_000_000).UTC()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func openStore(t *testing.T, path string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// emptyStore gives a store that closes with the test.
func emptyStore(t *testing.T) journal.Store {
	db := openStore(t, filepath.Join(t.TempDir(), "thingd.db"))
	t.Cleanup(func() { db.Close() })
	return db.Journal("111122223333")
}

// start runs a journal until the test ends.
func start(t *testing.T, s journal.Store, config journal.Config) *journal.Journal {
	t.Helper()
	j, err := journal.New(context.Background(), s, config)
	if err != nil {
		t.Fatal(err)
	}
	go j.Run(context.Background())
	t.Cleanup(j.Close)
	return j
}

func recent(t *testing.T, j *journal.Journal, q journal.Query) []journal.Entry {
	t.Helper()
	page, _, err := j.Recent(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func clients(entries []journal.Entry) string {
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Event.ClientID)
	}
	return strings.Join(ids, " ")
}

func refusal(client string) why.Event {
	return why.Event{ClientID: client, Source: "10.0.0.7:5000", Step: why.StepConnect, Cause: why.PolicyImplicitDeny,
		Action: "iot:Connect", Resource: "arn:aws:iot:us-east-1:111122223333:client/" + client}
}

var ignoreNumbers = cmpopts.IgnoreFields(journal.Entry{}, "Number")

func TestRecentTellsWhatWasRecorded(t *testing.T) {
	at := time.UnixMilli(1_600_000_000_500)
	full := why.Event{Time: at, ClientID: "c", Principal: "p", Source: "[2001:db8::1]:5", Door: "mqtts", Server: "host",
		Step: why.StepPublish, Cause: why.PolicyExplicitDeny, Disconnect: why.AuthError, Action: "iot:Publish", Resource: "arn",
		Detail: "d", Statement: "s", Variables: []why.Variable{{Name: "a", Value: "b"}, {Name: "c", Missing: true}}}
	now := newClock()
	j := start(t, emptyStore(t), journal.Config{Now: now.Now})
	j.Record(full)
	j.Record(why.Event{Step: why.StepTLS, Cause: why.TLSFailed})
	want := []journal.Entry{
		{Event: why.Event{Time: now.Now(), Step: why.StepTLS, Cause: why.TLSFailed}, Count: 1, Since: now.Now()},
		{Event: full, Count: 1, Since: at.UTC()},
	}
	want[1].Event.Time = at.UTC()
	if diff := cmp.Diff(want, recent(t, j, journal.Query{}), ignoreNumbers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecentSelectsAndPages(t *testing.T) {
	j := start(t, emptyStore(t), journal.Config{})
	for i, id := range strings.Fields("a b a c a") {
		e := refusal(id)
		e.Principal = "p" + id
		e.Resource = fmt.Sprint(i) // no repeats
		if i == 4 {
			e.Cause = why.TooFast
		}
		j.Record(e)
	}
	tests := []struct {
		name  string
		query journal.Query
		want  string
	}{
		{"all", journal.Query{}, "a c a b a"},
		{"a client", journal.Query{ClientID: "a"}, "a a a"},
		{"a principal", journal.Query{Principal: "pb"}, "b"},
		{"a cause", journal.Query{Cause: why.PolicyImplicitDeny}, "c a b a"},
		{"client and cause", journal.Query{ClientID: "a", Cause: why.PolicyImplicitDeny}, "a a"},
		{"nobody", journal.Query{ClientID: "nobody"}, ""},
		{"a client ID that no database takes", journal.Query{ClientID: "\x00\xff"}, ""},
	}
	for _, test := range tests {
		if got := clients(recent(t, j, test.query)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	var pages []string
	for q := (journal.Query{Limit: 2}); ; {
		page, next, err := j.Recent(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, clients(page))
		if q.Before = next; next == 0 {
			break
		}
	}
	if diff := cmp.Diff([]string{"a c", "a b", "a"}, pages); diff != "" {
		t.Error("pages:", diff)
	}
}

func TestRepeatsAreOneEntryForAMinute(t *testing.T) {
	now := newClock()
	began := now.Now()
	var log bytes.Buffer
	j := start(t, emptyStore(t), journal.Config{Now: now.Now, Log: logTo(&log)})
	for i := range 100 {
		e := refusal("c")
		e.Source = fmt.Sprint("10.0.0.7:", 5000+i)
		e.Detail = fmt.Sprint("try ", i)
		j.Record(e)
		if i%10 == 9 {
			recent(t, j, journal.Query{}) // it is taken before time goes on
			now.advance(5 * time.Second)
		}
	}
	now.advance(time.Minute)
	j.Record(refusal("c"))
	got := recent(t, j, journal.Query{})
	last := refusal("c")
	last.Time, last.Source, last.Detail = began.Add(45*time.Second), "10.0.0.7:5099", "try 99"
	again := refusal("c")
	again.Time = now.Now()
	want := []journal.Entry{{Event: again, Count: 1, Since: now.Now()}, {Event: last, Count: 100, Since: began}}
	if diff := cmp.Diff(want, got, ignoreNumbers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	j.Close()
	if diff := cmp.Diff([]string{"client refused", "it was repeated 100 times", "client refused"}, told(&log)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// logTo is a logger whose lines told understands.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.MessageKey || a.Key == "times" {
			return a
		}
		return slog.Attr{}
	}}))
}

func told(log *bytes.Buffer) (lines []string) {
	for line := range strings.Lines(log.String()) {
		line = strings.NewReplacer("msg=", "", `"`, "", "\n", "").Replace(line)
		if before, times, ok := strings.Cut(line, " times="); ok {
			line = before + " " + times + " times"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestTheLogIsAsTalkativeAsItIsAsked(t *testing.T) {
	var log bytes.Buffer
	j := start(t, emptyStore(t), journal.Config{Log: logTo(&log), Level: func(e why.Event) slog.Level {
		if e.ClientID == "quiet" {
			return slog.LevelError
		}
		return slog.LevelWarn
	}})
	for _, client := range []string{"quiet", "loud"} {
		j.Record(refusal(client))
	}
	if got := clients(recent(t, j, journal.Query{})); got != "loud quiet" {
		t.Errorf("the journal has %q, want every event", got)
	}
	j.Close()
	if diff := cmp.Diff([]string{"client refused"}, told(&log)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestTheServersOwnEndIsOneEntry(t *testing.T) {
	j := start(t, emptyStore(t), journal.Config{})
	for i := range 50 {
		j.Record(why.Event{ClientID: fmt.Sprint(i), Step: why.StepConnection, Cause: why.ServerStopping, Disconnect: why.ServerInitiated})
	}
	got := recent(t, j, journal.Query{})
	if len(got) != 1 || got[0].Count != 50 || got[0].Event.ClientID != "" {
		t.Errorf("got %+v", got)
	}
}

func TestTheOldestAreForgotten(t *testing.T) {
	j := start(t, emptyStore(t), journal.Config{Keep: 10, PerClient: 4})
	for i := range 20 {
		e := refusal("busy")
		e.Resource = fmt.Sprint(i)
		j.Record(e)
	}
	j.Record(refusal("quiet"))
	if got := clients(recent(t, j, journal.Query{})); got != "quiet busy busy busy busy" {
		t.Error("of one client:", got)
	}
	for i := range 20 {
		j.Record(refusal(fmt.Sprint("n", i)))
	}
	if got := clients(recent(t, j, journal.Query{})); got != "n19 n18 n17 n16 n15 n14 n13 n12 n11 n10" {
		t.Error("of all:", got)
	}
}

func TestTheJournalSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thingd.db")
	now := newClock()
	for i, id := range []string{"first", "second", "third"} {
		db := openStore(t, path)
		j, err := journal.New(context.Background(), db.Journal("a"), journal.Config{Now: now.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if i != 1 { // the second was closed before it ran
			go j.Run(ctx)
		}
		j.Record(refusal(id))
		j.Record(refusal(id))
		if i == 2 {
			if diff := cmp.Diff("third second first", clients(recent(t, j, journal.Query{}))); diff != "" {
				t.Error(diff)
			}
		}
		j.Close()
		j.Close()
		cancel()
		j.Record(refusal("too late"))
		if got := recent(t, j, journal.Query{}); got[0].Count != 2 || got[0].Event.ClientID != id {
			t.Errorf("%s: got %+v", id, got[0])
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		now.advance(-time.Hour) // a clock that runs backward does not change the order
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s := emptyStore(t)
	j, err := journal.New(context.Background(), s, journal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	j.Record(refusal("c"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	j.Run(ctx)
	j.Close()
	if got := clients(recent(t, j, journal.Query{})); got != "c" {
		t.Errorf("got %q", got)
	}
}

// stuck is a store that waits before it fails.
type stuck struct{ until chan struct{} }

func (s stuck) Put(context.Context, journal.Batch) error {
	<-s.until
	return errors.New("no")
}

func (s stuck) Recent(context.Context, journal.Query) ([]journal.Entry, error) { return nil, nil }

func TestRecordNeverBlocks(t *testing.T) {
	s := stuck{make(chan struct{})}
	j, err := journal.New(context.Background(), s, journal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const recorded = 20_000
	for range recorded { // nobody takes them
		j.Record(refusal("c"))
	}
	const waiting = 4096
	if got := j.Dropped(); got != recorded-waiting {
		t.Errorf("%d are dropped, want %d", got, recorded-waiting)
	}
	go j.Run(context.Background())
	close(s.until)
	j.Close()
	if got := j.Dropped(); got != recorded-waiting+1 {
		t.Errorf("%d are missing, want one entry more", got)
	}
}

func TestAFloodIsBounded(t *testing.T) {
	now := newClock()
	var log bytes.Buffer
	j := start(t, emptyStore(t), journal.Config{Now: now.Now, Log: logTo(&log), Keep: 100_000})
	const sources, each = 40, 300
	total := 0
	for source := range sources {
		for i := range each { // every client ID is new
			e := refusal(fmt.Sprintf("%d-%d", source, i))
			e.Source = fmt.Sprintf("10.0.0.%d:5000", source)
			j.Record(e)
			total++
			if total%2000 == 0 {
				recent(t, j, journal.Query{Limit: 1}) // the channel is not what is tested
			}
		}
	}
	j.Record(refusal("late")) // from a crowded address
	entries, counted := 0, 0
	for q := (journal.Query{Limit: 1000}); ; {
		page, next, err := j.Recent(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			entries++
			counted += e.Count
		}
		if q.Before = next; next == 0 {
			break
		}
	}
	if counted != total+1 || j.Dropped() != 0 {
		t.Errorf("%d of %d events are counted, %d dropped", counted, total+1, j.Dropped())
	}
	if entries > 4096+1 {
		t.Errorf("the flood made %d entries", entries)
	}
	j.Close()
	if lines := len(told(&log)); lines > 2*(4096+1) {
		t.Errorf("the flood made %d lines in the log", lines)
	}
}

func TestSubscribe(t *testing.T) {
	now := newClock()
	j := start(t, emptyStore(t), journal.Config{Now: now.Now})
	events, cancel := j.Subscribe()
	slow, cancelSlow := j.Subscribe()
	defer cancelSlow()
	want := refusal("c")
	j.Record(want)
	j.Record(want)
	want.Time = now.Now()
	for range 2 { // repeats are shown
		if diff := cmp.Diff(want, <-events); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	cancel()
	cancel()
	if _, open := <-events; open {
		t.Error("an event after cancel")
	}
	for range 1000 {
		j.Record(want)
	}
	j.Close()
	got := 0
	for range slow { // it ends
		got++
	}
	if got != 64 {
		t.Errorf("a viewer that does not read finds %d events", got)
	}
	late, cancelLate := j.Subscribe()
	cancelLate()
	if _, open := <-late; open {
		t.Error("an event after Close")
	}
}
