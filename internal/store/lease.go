package store

import (
	"context"

	"thingd/internal/lease"
)

// Leases keeps what package lease asks for, of one account.
type Leases struct {
	db      *DB
	account string
}

var _ lease.Store = (*Leases)(nil)

// Leases gives the leases of an account.
func (db *DB) Leases(account string) *Leases { return &Leases{db, account} }

// View runs fn on a snapshot.
func (l *Leases) View(ctx context.Context, fn func(lease.Tx) error) error {
	return l.db.View(ctx, func(tx *Tx) error { return fn(leaseTx{tx, l.account}) })
}

// Update runs fn in a write transaction.
func (l *Leases) Update(ctx context.Context, fn func(lease.Tx) error) error {
	return l.db.Update(ctx, func(tx *Tx) error { return fn(leaseTx{tx, l.account}) })
}

// leaseTx has the leases in a transaction of an account; those of other packages
// have it in them.
type leaseTx struct {
	tx      *Tx
	account string
}

var _ lease.Tx = leaseTx{}

func (l leaseTx) Lease(name string) (row lease.Row, found bool, err error) {
	row.Name = name
	found, err = l.tx.get("SELECT holder, fence, expires FROM leases WHERE account = ? AND name = ?", []any{l.account, name},
		&row.Holder, &row.Fence, timeColumn{&row.Expires})
	if !found {
		row = lease.Row{}
	}
	return row, found, err
}

func (l leaseTx) PutLease(row lease.Row) error {
	_, err := l.tx.exec("INSERT INTO leases (account, name, holder, fence, expires) VALUES (?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET holder = excluded.holder, fence = excluded.fence, expires = excluded.expires",
		l.account, row.Name, row.Holder, row.Fence, toMillis(row.Expires))
	return err
}

func (l leaseTx) DeleteLease(name string) error {
	_, err := l.tx.exec("DELETE FROM leases WHERE account = ? AND name = ?", l.account, name)
	return err
}
