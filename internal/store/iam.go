package store

import (
	"context"
	"time"

	"thingd/internal/iam"
)

// IAM keeps what package iam asks for, of one account.
type IAM struct {
	db      *DB
	account string
}

var _ iam.Store = (*IAM)(nil)

// IAM gives the identities of an account.
func (db *DB) IAM(account string) *IAM { return &IAM{db, account} }

// View runs fn on a snapshot.
func (i *IAM) View(ctx context.Context, fn func(iam.Tx) error) error {
	return i.db.View(ctx, func(tx *Tx) error { return fn(iamTx{tx, i.account}) })
}

// Update runs fn in a write transaction.
func (i *IAM) Update(ctx context.Context, fn func(iam.Tx) error) error {
	return i.db.Update(ctx, func(tx *Tx) error { return fn(iamTx{tx, i.account}) })
}

// iamTx is one transaction of an account; iam_policies.go and
// iam_credentials.go have the rest of it.
type iamTx struct {
	tx      *Tx
	account string
}

var _ iam.Tx = iamTx{}

const iamUserColumns = "name, path, id, created_at, tags"

func iamUserFields(u *iam.User) []any {
	return []any{&u.Name, &u.Path, &u.ID, timeColumn{&u.Created}, jsonColumn{&u.Tags}}
}

func (i iamTx) User(name string) (u iam.User, found bool, err error) {
	found, err = i.tx.get("SELECT "+iamUserColumns+" FROM iam_users WHERE account = ? AND name = ?", []any{i.account, name}, iamUserFields(&u)...)
	return u, found, err
}

func (i iamTx) PutUser(u iam.User) error {
	_, err := i.tx.exec("INSERT INTO iam_users (account, "+iamUserColumns+") VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET path = excluded.path, id = excluded.id, "+
		"created_at = excluded.created_at, tags = excluded.tags",
		i.account, u.Name, u.Path, u.ID, toMillis(u.Created), toJSON(u.Tags))
	return err
}

func (i iamTx) DeleteUser(name string) error {
	_, err := i.tx.exec("DELETE FROM iam_users WHERE account = ? AND name = ?", i.account, name)
	return err
}

func (i iamTx) Users(pathPrefix, after string, limit int) ([]iam.User, error) {
	from, below := prefixRange(pathPrefix)
	return list(i.tx, "SELECT "+iamUserColumns+" FROM iam_users WHERE account = ? AND name > ? AND path >= ? AND path < ? "+
		"ORDER BY name LIMIT ?", []any{i.account, after, from, below, limit},
		func(row scanner) (u iam.User, err error) { return u, row(iamUserFields(&u)...) })
}

const iamRoleColumns = "name, path, id, trust, description, session_max, created_at, tags"

func iamRoleFields(r *iam.Role) []any {
	return []any{&r.Name, &r.Path, &r.ID, &r.Trust, &r.Description, secondsColumn{&r.SessionMax}, timeColumn{&r.Created}, jsonColumn{&r.Tags}}
}

func (i iamTx) Role(name string) (r iam.Role, found bool, err error) {
	found, err = i.tx.get("SELECT "+iamRoleColumns+" FROM iam_roles WHERE account = ? AND name = ?", []any{i.account, name}, iamRoleFields(&r)...)
	return r, found, err
}

func (i iamTx) PutRole(r iam.Role) error {
	_, err := i.tx.exec("INSERT INTO iam_roles (account, "+iamRoleColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET path = excluded.path, id = excluded.id, trust = excluded.trust, "+
		"description = excluded.description, session_max = excluded.session_max, created_at = excluded.created_at, tags = excluded.tags",
		i.account, r.Name, r.Path, r.ID, r.Trust, r.Description, int64(r.SessionMax/time.Second), toMillis(r.Created), toJSON(r.Tags))
	return err
}

func (i iamTx) DeleteRole(name string) error {
	_, err := i.tx.exec("DELETE FROM iam_roles WHERE account = ? AND name = ?", i.account, name)
	return err
}

func (i iamTx) Roles(pathPrefix, after string, limit int) ([]iam.Role, error) {
	from, below := prefixRange(pathPrefix)
	return list(i.tx, "SELECT "+iamRoleColumns+" FROM iam_roles WHERE account = ? AND name > ? AND path >= ? AND path < ? "+
		"ORDER BY name LIMIT ?", []any{i.account, after, from, below, limit},
		func(row scanner) (r iam.Role, err error) { return r, row(iamRoleFields(&r)...) })
}

// secondsColumn reads a column of seconds into to.
type secondsColumn struct{ to *time.Duration }

// Scan makes a secondsColumn a destination of a row.
func (c secondsColumn) Scan(value any) error {
	seconds, _ := value.(int64)
	*c.to = time.Duration(seconds) * time.Second
	return nil
}
