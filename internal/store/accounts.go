package store

import (
	"context"
	"strings"
	"time"
)

// Account is an account of the server besides its first one.
type Account struct {
	ID      string
	Created time.Time
	Ended   time.Time // when it was deleted; zero while it lives
}

// Accounts lists the further accounts of the server by ID; they are few.
func (db *DB) Accounts(ctx context.Context) (all []Account, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		all, err = list(tx, "SELECT id, created, ended FROM accounts ORDER BY id", nil, func(row scanner) (a Account, err error) {
			return a, row(&a.ID, timeColumn{&a.Created}, timeColumn{&a.Ended})
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

// EndAccount notes that an account is deleted. What it has is still there, for
// DropAccount.
func (db *DB) EndAccount(ctx context.Context, id string, at time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec("UPDATE accounts SET ended = ? WHERE id = ?", toMillis(at), id)
		return err
	})
}

// dropAtOnce bounds the rows of one transaction that deletes an account, so that
// others need not wait for it.
const dropAtOnce = 2000

// DropAccount deletes every row of an account that has ended, and the account
// last: called again after a crash, it goes on.
func (db *DB) DropAccount(ctx context.Context, id string) error {
	tables, err := db.accountTables(ctx)
	for _, t := range tables {
		if err == nil {
			err = db.dropRows(ctx, t, id)
		}
	}
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec("DELETE FROM accounts WHERE id = ?", id)
		return err
	})
}

// accountTable is a table with rows of accounts.
type accountTable struct {
	name string
	key  []string // columns of the primary key
}

// accountTables asks the database itself, so that no table of a later version is
// forgotten.
func (db *DB) accountTables(ctx context.Context) (all []accountTable, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		all = nil
		return tx.each(db.dialect.keysByTable(), nil, func(row func(...any) error) error {
			var table, column string
			if err := row(&table, &column); err != nil {
				return err
			}
			if n := len(all); n == 0 || all[n-1].name != table {
				all = append(all, accountTable{name: table})
			}
			last := &all[len(all)-1]
			last.key = append(last.key, column)
			return nil
		})
	})
	return all, err
}

func (db *DB) dropRows(ctx context.Context, t accountTable, account string) error {
	key := strings.Join(t.key, ", ")
	query := "DELETE FROM " + t.name + " WHERE (" + key + ") IN (SELECT " + key + " FROM " + t.name + " WHERE account = ? LIMIT ?)"
	for {
		var n int64
		err := db.Update(ctx, func(tx *Tx) (err error) {
			n, err = tx.exec(query, account, dropAtOnce)
			return err
		})
		if err != nil || n < dropAtOnce {
			return err
		}
	}
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
