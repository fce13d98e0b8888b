package journal

import (
	"context"
	"time"

	"thingd/internal/why"
)

// Entry is an event and how often it came.
type Entry struct {
	Number int64     `json:"number,string"` // newer ones are higher
	Event  why.Event `json:"event"`         // the last of them
	Count  int       `json:"count"`
	Since  time.Time `json:"since"` // of the first of them
}

// Query selects entries. What is empty selects all.
type Query struct {
	ClientID  string
	Principal string
	Cause     why.Cause
	Before    int64 // entries older than this number; 0 for the newest
	Limit     int   // 1 to 1000; 0: 50
}

const (
	limitDefault = 50
	limitMax     = 1000
)

// Store keeps entries.
type Store interface {
	// Put does what a Batch says in one transaction.
	Put(ctx context.Context, batch Batch) error
	// Recent reads entries from the highest number down.
	Recent(ctx context.Context, q Query) ([]Entry, error)
}

// Batch is one change of a Store.
type Batch struct {
	New     []Entry // to add
	Changed []Entry // to replace by number, where they still are

	// With new entries, the oldest beyond these numbers are forgotten: of all,
	// and of each client ID among the new.
	Keep, PerClient int
}

// Recent gives entries, the newest first, and the Before of the next page; 0 at
// the end. It waits until Run has stored what was recorded before the call.
func (j *Journal) Recent(ctx context.Context, q Query) (page []Entry, next int64, err error) {
	if err := j.catchUp(ctx); err != nil {
		return nil, 0, err
	}
	q = clipQuery(q)
	limit := q.Limit
	q.Limit++ // one more tells whether there is another page
	page, err = j.store.Recent(ctx, q)
	if err != nil || len(page) <= limit {
		return page, 0, err
	}
	return page[:limit], page[limit-1].Number, nil
}

// catchUp asks Run to store what waits.
func (j *Journal) catchUp(ctx context.Context) error {
	answer := make(chan struct{})
	select {
	case j.asks <- answer:
	case <-j.stopped:
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
