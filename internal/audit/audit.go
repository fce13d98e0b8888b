// Package audit keeps who changed what: in the console and through the AWS API,
// done or refused. It says which deed, by whom, from where and about what; the
// content of a change is not in it, so that no secret is.
//
// Recording never holds up the deed: entries wait in a bounded channel and are
// written in batches, a second later at most. What does not fit is counted and
// told in the log, where each deed of the console stands anyway.
package audit

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one deed.
type Entry struct {
	Number  int64 // newer ones are higher
	At      time.Time
	Who     string            // ARN of the IAM identity, or the certificate's ID
	Key     string            `json:",omitzero"` // access key ID; "" where none was used
	Source  string            `json:",omitzero"` // address
	Door    Door              // through which it came
	Deed    string            // "iot:CreateThing", "POST /console/things"
	About   map[string]string `json:",omitzero"` // kinds of resources and their names: thing: pump
	Problem string            `json:",omitzero"` // why it was refused; "": it was done
}

// Door is where somebody came in.
type Door string

// The doors.
const (
	Console Door = "console"
	API     Door = "api"
)

// Query selects entries. What is empty selects all.
type Query struct {
	Who    string // exactly
	About  string // some of what the entry is about has this in it, in any case
	Before int64  // entries older than this number; 0 for the newest
	Limit  int    // 1 to 1000; 0: 50
}

// Store keeps entries.
type Store interface {
	// Append adds entries and forgets the oldest beyond keep, in one transaction.
	Append(ctx context.Context, entries []Entry, keep int) error
	// Recent reads entries from the highest number down.
	Recent(ctx context.Context, q Query) ([]Entry, error)
}

const (
	waitingMax = 4096
	batchMax   = 256
	flushEvery = time.Second
	keepMax    = 50_000
	limitMax   = 1000
	aboutMax   = 16  // members of About
	textMax    = 512 // bytes of each text
	finishMax  = 5 * time.Second
)

// Config is the settings of a Log. Store is needed.
type Config struct {
	Store Store
	Keep  int              // entries kept; 0: 50,000
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: slog.Default()
}

// Log takes entries and answers questions about them.
type Log struct {
	config  Config
	entries chan Entry
	asks    chan chan struct{} // answered when all entries so far are in the store
	dropped atomic.Int64
	stop    chan struct{}
	once    sync.Once
	stopped chan struct{}
	started atomic.Bool
	last    int64 // the highest number given out; Run's
}

// New makes a Log that goes on where the store's ends. It does nothing until Run.
func New(ctx context.Context, c Config) (*Log, error) {
	if c.Keep <= 0 {
		c.Keep = keepMax
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	l := &Log{
		config: c, entries: make(chan Entry, waitingMax), asks: make(chan chan struct{}),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	newest, err := c.Store.Recent(ctx, Query{Limit: 1})
	if len(newest) > 0 {
		l.last = newest[0].Number
	}
	return l, err
}

// Record takes an entry, or drops it when too many wait. It does not block.
func (l *Log) Record(e Entry) {
	if e.At.IsZero() {
		e.At = l.config.Now()
	}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	select {
	case l.entries <- clip(e):
	default:
		l.dropped.Add(1)
	}
}

// clip bounds what strangers may have made long.
func clip(e Entry) Entry {
	for _, text := range []*string{&e.Who, &e.Key, &e.Source, &e.Deed, &e.Problem} {
		*text = cut(*text)
	}
	about := map[string]string{}
	for name, value := range e.About {
		if len(about) < aboutMax {
			about[cut(name)] = cut(value)
		}
	}
	e.About = about
	return e
}

// plain leaves out of a question what no entry has and not every database takes.
func plain(text string) string { return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "") }

func cut(text string) string {
	if len(text) > textMax {
		return text[:textMax] + "…"
	}
	return text
}

// Run writes what is recorded until ctx ends or Close is called, and then what
// still waits.
func (l *Log) Run(ctx context.Context) {
	if !l.started.CompareAndSwap(false, true) {
		return
	}
	work, end := context.WithoutCancel(ctx), ctx.Done()
	defer l.finish(work)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.write(work)
		case answer := <-l.asks:
			l.write(work)
			close(answer)
		case <-l.stop:
			return
		case <-end:
			return
		}
	}
}

func (l *Log) finish(ctx context.Context) {
	defer close(l.stopped)
	ctx, cancel := context.WithTimeout(ctx, finishMax)
	defer cancel()
	l.write(ctx)
}

// Close ends Run, when it has written what waits.
func (l *Log) Close() {
	l.once.Do(func() { close(l.stop) })
	if l.started.CompareAndSwap(false, true) {
		l.finish(context.Background())
	}
	<-l.stopped
}

// write stores what waits now, in batches.
func (l *Log) write(ctx context.Context) {
	if n := l.dropped.Swap(0); n > 0 {
		l.config.Log.Error("the audit log could not keep up", "deeds missing", n)
	}
	for waiting := len(l.entries); waiting > 0; {
		batch := make([]Entry, 0, min(waiting, batchMax))
		for len(batch) < cap(batch) {
			e := <-l.entries
			e.Number = l.nextNumber(e.At)
			batch = append(batch, e)
		}
		waiting -= len(batch)
		if err := l.config.Store.Append(ctx, batch, l.config.Keep); err != nil {
			l.config.Log.Error("the audit log could not be written", "deeds", len(batch), "error", err)
		}
	}
}

// nextNumber gives numbers that grow with time.
func (l *Log) nextNumber(at time.Time) int64 {
	l.last = max(l.last+1, at.UnixMilli()<<20)
	return l.last
}

// Recent gives entries, the newest first, and the Before of the next page; 0 at
// the end. It waits until what was recorded before the call is stored.
func (l *Log) Recent(ctx context.Context, q Query) (page []Entry, next int64, err error) {
	if err := l.catchUp(ctx); err != nil {
		return nil, 0, err
	}
	limit := 50
	if q.Limit > 0 {
		limit = min(q.Limit, limitMax)
	}
	q.Limit = limit + 1
	q.Who, q.About = plain(q.Who), plain(q.About)
	page, err = l.config.Store.Recent(ctx, q)
	if err != nil || len(page) <= limit {
		return page, 0, err
	}
	return page[:limit], page[limit-1].Number, nil
}

func (l *Log) catchUp(ctx context.Context) error {
	if !l.started.Load() {
		return nil
	}
	answer := make(chan struct{})
	select {
	case l.asks <- answer:
	case <-l.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-answer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
