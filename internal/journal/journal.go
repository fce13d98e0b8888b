// Package journal keeps the last refusals and disconnects, so that an operator
// can ask later why a client was turned away. It is the why.Recorder behind
// `thingd why` and the console.
//
// Recording never slows down whoever refuses: events wait in a bounded channel
// and are dropped, and counted, when it is full. What repeats within a minute is
// one entry with a count, in the log as in the store, and the entries that a
// minute or one source can make are bounded; see repeats.go.
package journal

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/why"
)

const (
	waitingMax = 4096 // events that wait for Run; more are dropped
	batchMax   = 256  // entries in one transaction
	// flushEvery bounds what a crash can take from the journal: the entries of a
	// second, and of older ones the count of a minute.
	flushEvery = time.Second
	// finishMax bounds the last writing, after Run was told to end.
	finishMax = 5 * time.Second
)

// Config is the settings of a Journal. The zero value works.
type Config struct {
	Keep      int              // entries kept in all; 0: 10,000
	PerClient int              // entries kept of one client ID; 0: 200
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // where each entry is told once; nil: nowhere

	// Level gives the least level at which an event is told; nil tells all. The
	// journal itself keeps every event.
	Level func(why.Event) slog.Level
}

func (c Config) withDefaults() Config {
	if c.Keep <= 0 {
		c.Keep = 10_000
	}
	if c.PerClient <= 0 {
		c.PerClient = 200
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Journal takes events and answers questions about them. Its methods may be
// called from any goroutine.
type Journal struct {
	store   Store
	config  Config
	events  chan why.Event
	asks    chan chan struct{} // answered when all events so far are in the store
	dropped atomic.Int64
	viewers viewers

	started  atomic.Bool
	stop     chan struct{}
	stopOnce sync.Once
	stopped  chan struct{}

	// What follows belongs to Run.
	repeats *repeats
	last    int64 // the highest number given out
}

var _ why.Recorder = (*Journal)(nil)

// New makes a journal that goes on where the store's ends. It does nothing
// until Run.
func New(ctx context.Context, store Store, config Config) (*Journal, error) {
	j := &Journal{
		store: store, config: config.withDefaults(),
		events: make(chan why.Event, waitingMax), asks: make(chan chan struct{}),
		stop: make(chan struct{}), stopped: make(chan struct{}),
		repeats: newRepeats(),
	}
	newest, err := store.Recent(ctx, Query{Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	if len(newest) > 0 {
		j.last = newest[0].Number
	}
	return j, nil
}

// Record takes an event, or drops it when too many wait. It does not block.
func (j *Journal) Record(e why.Event) {
	select {
	case j.events <- clip(e):
	default:
		j.dropped.Add(1)
	}
}

// Dropped is the number of events that are missing: too many waited, or the
// store failed.
func (j *Journal) Dropped() int64 { return j.dropped.Load() }

// Run does the journal's work until ctx ends or Close is called, and then
// writes what waits. Events recorded later are lost.
func (j *Journal) Run(ctx context.Context) {
	if !j.started.CompareAndSwap(false, true) {
		return // it runs, or was closed before
	}
	ctx, end := context.WithoutCancel(ctx), ctx.Done() // a batch under way is still written
	defer j.finish(ctx)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case e := <-j.events:
			j.take(ctx, e)
		case <-tick.C:
			j.endRepeats(j.repeats.expired(j.config.Now()))
			j.write(ctx, j.repeats.flush(false))
		case answer := <-j.asks:
			j.drain(ctx)
			j.endRepeats(j.repeats.expired(j.config.Now()))
			j.write(ctx, j.repeats.flush(true))
			close(answer)
		case <-j.stop:
			return
		case <-end:
			return
		}
	}
}

// Close ends Run, when it has written what waits.
func (j *Journal) Close() {
	j.stopOnce.Do(func() { close(j.stop) })
	if j.started.CompareAndSwap(false, true) {
		j.finish(context.Background())
	}
	<-j.stopped
}

func (j *Journal) finish(ctx context.Context) {
	defer close(j.stopped)
	ctx, cancel := context.WithTimeout(ctx, finishMax)
	defer cancel()
	j.drain(ctx)
	j.endRepeats(j.repeats.all())
	j.write(ctx, j.repeats.flush(true))
	j.viewers.close()
}

// drain takes what waits now, and no more: what keeps coming must not keep it.
func (j *Journal) drain(ctx context.Context) {
	for range len(j.events) {
		j.take(ctx, <-j.events)
	}
}

// take makes an entry of an event, or counts it as a repeat.
func (j *Journal) take(ctx context.Context, e why.Event) {
	now := j.config.Now()
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	j.viewers.show(e)
	j.endRepeats(j.repeats.expired(now))
	g, isNew := j.repeats.add(e, now)
	if !isNew {
		return
	}
	g.entry.Number = j.nextNumber(now)
	j.logFirst(g.entry)
	if len(j.repeats.fresh) >= batchMax {
		j.write(ctx, j.repeats.flush(false))
	}
}

// nextNumber gives numbers that grow with time on every node of a cluster: the
// milliseconds, and 20 bits that keep two nodes apart.
func (j *Journal) nextNumber(now time.Time) int64 {
	j.last = max(j.last+1, now.UnixMilli()<<20|rand.Int64N(1<<20))
	return j.last
}

// write stores a batch, in parts. What the store does not take is only in the
// log.
func (j *Journal) write(ctx context.Context, batch Batch) {
	for len(batch.New)+len(batch.Changed) > 0 {
		part := Batch{Keep: j.config.Keep, PerClient: j.config.PerClient}
		part.New, batch.New = split(batch.New)
		part.Changed, batch.Changed = split(batch.Changed)
		if err := j.store.Put(ctx, part); err != nil {
			j.dropped.Add(int64(len(part.New) + len(part.Changed)))
			j.config.Log.Error("the journal's store failed", "entries", len(part.New)+len(part.Changed), "error", err)
		}
	}
}

func split(entries []Entry) (part, rest []Entry) {
	n := min(len(entries), batchMax)
	return entries[:n], entries[n:]
}
