package store

import (
	"context"
	"maps"
	"slices"
	"strings"

	"thingd/internal/audit"
)

// Audit is audit.Store for one account.
type Audit struct {
	db      *DB
	account string
}

var _ audit.Store = (*Audit)(nil)

// Audit gives the audit log of an account.
func (db *DB) Audit(account string) *Audit { return &Audit{db, account} }

// Append implements audit.Store.
func (a *Audit) Append(ctx context.Context, entries []audit.Entry, keep int) error {
	return a.db.Update(ctx, func(tx *Tx) error {
		for _, e := range entries {
			if _, err := tx.exec("INSERT INTO audit (account, number, who, entry, about) VALUES (?, ?, ?, ?, ?)", a.account, e.Number, e.Who, toJSON(e), aboutLines(e)); err != nil {
				return err
			}
		}
		_, err := tx.exec("DELETE FROM audit WHERE account = ? AND number <= "+
			"(SELECT number FROM audit WHERE account = ? ORDER BY number DESC LIMIT 1 OFFSET ?)", a.account, a.account, keep)
		return err
	})
}

// aboutLines is what is searched for the names in an entry.
func aboutLines(e audit.Entry) string {
	return strings.ToLower(strings.Join(slices.Sorted(maps.Values(e.About)), "\n"))
}

// Recent implements audit.Store.
func (a *Audit) Recent(ctx context.Context, q audit.Query) (page []audit.Entry, err error) {
	where, args := " WHERE account = ?", []any{a.account}
	if q.Who != "" {
		where, args = where+" AND who = ?", append(args, q.Who)
	}
	if q.About != "" {
		where, args = where+" AND about LIKE ? ESCAPE '!'", append(args, containing(strings.ToLower(q.About)))
	}
	if q.Before > 0 {
		where, args = where+" AND number < ?", append(args, q.Before)
	}
	err = a.db.View(ctx, func(tx *Tx) error {
		page, err = list(tx, "SELECT entry FROM audit"+where+" ORDER BY number DESC LIMIT ?", append(args, q.Limit), scanAudit)
		return err
	})
	return page, err
}

func scanAudit(row scanner) (audit.Entry, error) {
	var e audit.Entry
	err := row(jsonColumn{&e})
	return e, err
}
