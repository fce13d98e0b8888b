package store

import (
	"context"

	"thingd/internal/authorizer"
)

// Authorizers keeps what package authorizer asks for, of one account.
type Authorizers struct {
	db      *DB
	account string
}

var _ authorizer.Store = (*Authorizers)(nil)

// Authorizers gives the custom authorizers and domain configurations of an
// account.
func (db *DB) Authorizers(account string) *Authorizers { return &Authorizers{db, account} }

// View runs fn on a snapshot.
func (a *Authorizers) View(ctx context.Context, fn func(authorizer.Tx) error) error {
	return a.db.View(ctx, func(tx *Tx) error { return fn(authorizerTx{registryTx{tx, a.account}}) })
}

// Update runs fn in a write transaction.
func (a *Authorizers) Update(ctx context.Context, fn func(authorizer.Tx) error) error {
	return a.db.Update(ctx, func(tx *Tx) error { return fn(authorizerTx{registryTx{tx, a.account}}) })
}

// authorizerTx is one transaction of an account. Tags are the registry's own.
type authorizerTx struct{ registryTx }

var _ authorizer.Tx = authorizerTx{}

const authorizerColumns = "name, function_arn, token_key, public_keys, status, signing_disabled, http_caching, created, modified"

func (t authorizerTx) Authorizer(name string) (a authorizer.Authorizer, found bool, err error) {
	found, err = t.tx.get("SELECT "+authorizerColumns+" FROM authorizers WHERE account = ? AND name = ?", []any{t.account, name},
		&a.Name, &a.FunctionARN, &a.TokenKeyName, jsonColumn{&a.PublicKeys}, &a.Status, &a.SigningDisabled, &a.CachingForHTTP,
		timeColumn{&a.Created}, timeColumn{&a.Modified})
	return a, found, err
}

func (t authorizerTx) PutAuthorizer(a authorizer.Authorizer) error {
	_, err := t.tx.exec("INSERT INTO authorizers (account, "+authorizerColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET function_arn = excluded.function_arn, token_key = excluded.token_key, "+
		"public_keys = excluded.public_keys, status = excluded.status, signing_disabled = excluded.signing_disabled, "+
		"http_caching = excluded.http_caching, created = excluded.created, modified = excluded.modified",
		t.account, a.Name, a.FunctionARN, a.TokenKeyName, toJSON(a.PublicKeys), string(a.Status), a.SigningDisabled, a.CachingForHTTP,
		toMillis(a.Created), toMillis(a.Modified))
	return err
}

func (t authorizerTx) DeleteAuthorizer(name string) error {
	_, err := t.tx.exec("DELETE FROM authorizers WHERE account = ? AND name = ?", t.account, name)
	return err
}

const (
	authorizersUp         = "SELECT name FROM authorizers WHERE account = ? AND name > ? ORDER BY name LIMIT ?"
	authorizersDown       = "SELECT name FROM authorizers WHERE account = ? AND name < ? ORDER BY name DESC LIMIT ?"
	authorizersOfState    = "SELECT name FROM authorizers WHERE account = ? AND status = ? AND name > ? ORDER BY name LIMIT ?"
	authorizersOfStateDsc = "SELECT name FROM authorizers WHERE account = ? AND status = ? AND name < ? ORDER BY name DESC LIMIT ?"
)

func (t authorizerTx) Authorizers(status authorizer.Status, after string, descending bool, limit int) ([]string, error) {
	if descending && after == "" {
		after = "\U0010ffff"
	}
	switch {
	case status == "" && descending:
		return list(t.tx, authorizersDown, []any{t.account, after, limit}, scanString)
	case status == "":
		return list(t.tx, authorizersUp, []any{t.account, after, limit}, scanString)
	case descending:
		return list(t.tx, authorizersOfStateDsc, []any{t.account, string(status), after, limit}, scanString)
	}
	return list(t.tx, authorizersOfState, []any{t.account, string(status), after, limit}, scanString)
}

func (t authorizerTx) DefaultAuthorizer() (name string, err error) {
	_, err = t.tx.get("SELECT name FROM default_authorizers WHERE account = ?", []any{t.account}, &name)
	return name, err
}

func (t authorizerTx) SetDefaultAuthorizer(name string) error {
	if name == "" {
		_, err := t.tx.exec("DELETE FROM default_authorizers WHERE account = ?", t.account)
		return err
	}
	_, err := t.tx.exec("INSERT INTO default_authorizers (account, name) VALUES (?, ?) "+
		"ON CONFLICT (account) DO UPDATE SET name = excluded.name", t.account, name)
	return err
}

func (t authorizerTx) Domain(name string) (d authorizer.Domain, found bool, err error) {
	found, err = t.tx.get("SELECT document FROM domain_configurations WHERE account = ? AND name = ?", []any{t.account, name}, jsonColumn{&d})
	return d, found, err
}

func (t authorizerTx) PutDomain(d authorizer.Domain) error {
	_, err := t.tx.exec("INSERT INTO domain_configurations (account, name, document) VALUES (?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET document = excluded.document", t.account, d.Name, toJSON(d))
	return err
}

func (t authorizerTx) DeleteDomain(name string) error {
	_, err := t.tx.exec("DELETE FROM domain_configurations WHERE account = ? AND name = ?", t.account, name)
	return err
}

func (t authorizerTx) Domains() ([]authorizer.Domain, error) {
	return list(t.tx, "SELECT document FROM domain_configurations WHERE account = ? ORDER BY name", []any{t.account},
		func(row scanner) (d authorizer.Domain, err error) { return d, row(jsonColumn{&d}) })
}
