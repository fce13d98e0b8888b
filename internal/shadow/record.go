package shadow

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store keeps the rows. A save is one small conditional write, so it can share
// its commit with others.
type Store interface {
	// Load reads a shadow's row, deleted shadows included; the zero Record
	// where there is none.
	Load(ctx context.Context, id ID) (Record, error)

	// Save makes next the row of id if the row is still at revision was, the
	// zero Revision for no row. It does not wait: done is called once, with nil
	// after next is on disk, with ErrStale where the row was another one. done
	// must not block. When Save returns an error, done is not called.
	Save(ctx context.Context, id ID, was Revision, next Record, done func(error)) error

	// Named lists the live named shadows of a thing by name, at most limit of
	// them, from the first after the given name on.
	Named(ctx context.Context, thing, after string, limit int) ([]string, error)

	// Purge removes at most limit rows of shadows deleted at or before then,
	// with what is left of their histories, and says how many shadows.
	Purge(ctx context.Context, then time.Time, limit int) (int, error)

	// AddChanges adds to the histories of shadows, and keeps so much of each. A
	// shadow that is deleted or counted anew loses its history with the save
	// that does so; changes that come behind a deletion are left out.
	AddChanges(ctx context.Context, entries []Entry, keep Keep) error

	// Changes reads a shadow's history, the newest change first.
	Changes(ctx context.Context, id ID) ([]Change, error)

	// TrimChanges drops the oldest changes of all shadows beyond what is kept
	// altogether.
	TrimChanges(ctx context.Context, keep Keep) error
}

// ErrStale says that a row is not the one that a save was to replace.
var ErrStale = errors.New("shadow: the row has changed")

// Revision tells any two states of a row apart, for ever: versions begin anew
// after a deleted shadow is forgotten, but not in the same millisecond.
type Revision struct {
	Created int64 // when counting began, in milliseconds since 1970; 0 for no row
	Version int64 // grows by one with each update and deletion, from 1
}

// Record is a shadow at rest.
type Record struct {
	Revision
	Deleted  int64  // when, in milliseconds since 1970; 0 for a live shadow
	Desired  string // compact JSON object; "" where there is no such section
	Reported string
	Stamps   string // the time of each leaf of both sections, see stamps.go
}

// record writes s down.
func (s shadow) record() Record {
	return Record{
		Revision: s.Revision,
		Deleted:  s.deleted,
		Desired:  s.desired.text,
		Reported: s.reported.text,
		Stamps:   writeStamps(s.desired.value, s.reported.value),
	}
}

// shadow reads what record wrote.
func (r Record) shadow() (shadow, error) {
	s := shadow{Revision: r.Revision, deleted: r.Deleted}
	stamps := stampReader{rest: r.Stamps}
	for _, half := range []struct {
		text string
		into *section
	}{{r.Desired, &s.desired}, {r.Reported, &s.reported}} {
		if half.text == "" {
			continue
		}
		v, err := parse([]byte(half.text), 0)
		if err == nil {
			err = stamps.apply(&v)
		}
		if err != nil {
			return shadow{}, fmt.Errorf("stored shadow at version %d is damaged: %w", r.Version, err)
		}
		*half.into = section{v, half.text}
	}
	return s, nil
}
