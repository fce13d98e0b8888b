package store

import (
	"context"
	"time"
)

// Account is an account of the server besides its first one.
type Account struct {
	ID      string
	Created time.Time
}

// Accounts lists the further accounts of the server by ID; they are few.
func (db *DB) Accounts(ctx context.Context) (all []Account, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		all, err = list(tx, "SELECT id, created FROM accounts ORDER BY id", nil, func(row scanner) (a Account, err error) {
			return a, row(&a.ID, timeColumn{&a.Created})
		})
		return err
	})
	return all, err
}

// AddAccount notes a further account; one that is there stays as it is.
func (db *DB) AddAccount(ctx context.Context, a Account) error {
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO accounts (id, created) VALUES (?, ?) ON CONFLICT DO NOTHING", a.ID, toMillis(a.Created))
		return err
	})
}

// AccountOfKey finds the account that an access key or a session belongs to.
func (db *DB) AccountOfKey(ctx context.Context, accessKeyID string) (account string, found bool, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		found, err = tx.get("SELECT account FROM iam_access_keys WHERE id = ? UNION ALL "+
			"SELECT account FROM iam_sessions WHERE id = ? LIMIT 1", []any{accessKeyID, accessKeyID}, &account)
		return err
	})
	return account, found, err
}
