package store

import (
	"context"
	"database/sql"
	"time"

	"thingd/internal/shadow"
)

// Shadows is shadow.Store for one account.
type Shadows struct {
	db      *DB
	account string
}

var _ shadow.Store = (*Shadows)(nil)

// Shadows gives the device shadows of an account.
func (db *DB) Shadows(account string) *Shadows { return &Shadows{db, account} }

// Load reads one row; the zero Record where there is none.
func (s *Shadows) Load(ctx context.Context, id shadow.ID) (shadow.Record, error) {
	var r shadow.Record
	err := s.db.View(ctx, func(tx *Tx) error {
		var desired, reported sql.NullString
		_, err := tx.get("SELECT created, version, deleted, desired, reported, stamps FROM shadows "+
			"WHERE account = ? AND thing = ? AND name = ?", []any{s.account, id.Thing, id.Name},
			&r.Created, &r.Version, &r.Deleted, &desired, &reported, &r.Stamps)
		r.Desired, r.Reported = desired.String, reported.String
		return err
	})
	return r, err
}

// Save writes next in the next group of writes, if the row is still at was.
func (s *Shadows) Save(ctx context.Context, id shadow.ID, was shadow.Revision, next shadow.Record, done func(error)) error {
	return s.db.Submit(ctx, func(tx *Tx) error {
		rows, err := s.put(tx, id, was, next)
		if err == nil && rows == 0 {
			return shadow.ErrStale
		}
		if err == nil && was.Version > 0 && (next.Deleted > 0 || next.Created != was.Created) {
			err = s.dropChanges(tx, id) // the history goes with what it is about
		}
		return err
	}, done)
}

// put inserts or replaces; it touches no row where was is not what is there.
func (s *Shadows) put(tx *Tx, id shadow.ID, was shadow.Revision, next shadow.Record) (int64, error) {
	if was == (shadow.Revision{}) {
		return tx.exec("INSERT INTO shadows (created, version, deleted, desired, reported, stamps, account, thing, name) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, thing, name) DO NOTHING",
			next.Created, next.Version, next.Deleted, nullable(next.Desired), nullable(next.Reported), next.Stamps,
			s.account, id.Thing, id.Name)
	}
	return tx.exec("UPDATE shadows SET created = ?, version = ?, deleted = ?, desired = ?, reported = ?, stamps = ? "+
		"WHERE account = ? AND thing = ? AND name = ? AND created = ? AND version = ?",
		next.Created, next.Version, next.Deleted, nullable(next.Desired), nullable(next.Reported), next.Stamps,
		s.account, id.Thing, id.Name, was.Created, was.Version)
}

// nullable is a section: no text is no section.
func nullable(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }

// Named lists the live named shadows of a thing after a name.
func (s *Shadows) Named(ctx context.Context, thing, after string, limit int) (names []string, err error) {
	err = s.db.View(ctx, func(tx *Tx) error {
		// The classic shadow's name, '', is after nothing.
		names, err = list(tx, "SELECT name FROM shadows WHERE account = ? AND thing = ? AND name > ? AND deleted = 0 "+
			"ORDER BY name LIMIT ?", []any{s.account, thing, after, limit},
			func(row func(...any) error) (name string, err error) { return name, row(&name) })
		return err
	})
	return names, err
}

// purged selects the rows that Purge removes, the oldest first.
const purged = "(SELECT account, thing, name FROM shadows WHERE account = ? AND deleted > 0 AND deleted <= ? ORDER BY deleted LIMIT ?)"

// Purge removes rows of shadows that were deleted at or before then, and what is
// left of their histories.
func (s *Shadows) Purge(ctx context.Context, then time.Time, limit int) (int, error) {
	var rows int64
	err := s.db.Update(ctx, func(tx *Tx) (err error) {
		for _, table := range []string{"shadow_changes", "shadows"} { // in this order: the second is what the selection reads
			rows, err = tx.exec("DELETE FROM "+table+" WHERE (account, thing, name) IN "+purged, s.account, then.UnixMilli(), limit)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return int(rows), err
}
