package store

import (
	"context"
	"time"

	"thingd/internal/credentials"
)

// Credentials keeps what package credentials asks for, of one account.
type Credentials struct {
	db      *DB
	account string
}

var _ credentials.Store = (*Credentials)(nil)

// Credentials gives the role aliases of an account.
func (db *DB) Credentials(account string) *Credentials { return &Credentials{db, account} }

// View runs fn on a snapshot.
func (c *Credentials) View(ctx context.Context, fn func(credentials.Tx) error) error {
	return c.db.View(ctx, func(tx *Tx) error { return fn(credentialsTx{registryTx{tx, c.account}}) })
}

// Update runs fn in a write transaction.
func (c *Credentials) Update(ctx context.Context, fn func(credentials.Tx) error) error {
	return c.db.Update(ctx, func(tx *Tx) error { return fn(credentialsTx{registryTx{tx, c.account}}) })
}

// credentialsTx is one transaction of an account. Tags are the registry's own.
type credentialsTx struct{ registryTx }

var _ credentials.Tx = credentialsTx{}

func (c credentialsTx) RoleAlias(name string) (a credentials.RoleAlias, found bool, err error) {
	found, err = c.tx.get("SELECT name, role_arn, duration, created, modified FROM role_aliases WHERE account = ? AND name = ?",
		[]any{c.account, name}, &a.Name, &a.RoleARN, secondsColumn{&a.Duration}, timeColumn{&a.Created}, timeColumn{&a.Modified})
	return a, found, err
}

func (c credentialsTx) PutRoleAlias(a credentials.RoleAlias) error {
	_, err := c.tx.exec("INSERT INTO role_aliases (account, name, role_arn, duration, created, modified) VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET role_arn = excluded.role_arn, duration = excluded.duration, modified = excluded.modified",
		c.account, a.Name, a.RoleARN, int64(a.Duration/time.Second), toMillis(a.Created), toMillis(a.Modified))
	return err
}

func (c credentialsTx) DeleteRoleAlias(name string) error {
	_, err := c.tx.exec("DELETE FROM role_aliases WHERE account = ? AND name = ?", c.account, name)
	return err
}

const (
	roleAliasesUp   = "SELECT name FROM role_aliases WHERE account = ? AND name > ? ORDER BY name LIMIT ?"
	roleAliasesDown = "SELECT name FROM role_aliases WHERE account = ? AND name < ? ORDER BY name DESC LIMIT ?"
)

func (c credentialsTx) RoleAliases(after string, descending bool, limit int) ([]string, error) {
	if !descending {
		return list(c.tx, roleAliasesUp, []any{c.account, after, limit}, scanString)
	}
	if after == "" {
		after = "\U0010ffff"
	}
	return list(c.tx, roleAliasesDown, []any{c.account, after, limit}, scanString)
}
