package store

import (
	"context"
	"time"

	"thingd/internal/lease"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
)

// Provisioning keeps what package provisioning asks for, of one account.
type Provisioning struct {
	db      *DB
	account string
}

var _ provisioning.Store = (*Provisioning)(nil)

// Provisioning gives the provisioning templates of an account and what hangs on
// them.
func (db *DB) Provisioning(account string) *Provisioning { return &Provisioning{db, account} }

// View runs fn on a snapshot.
func (p *Provisioning) View(ctx context.Context, fn func(provisioning.Tx) error) error {
	return p.db.View(ctx, func(tx *Tx) error { return fn(provisioningTx{registryTx{tx, p.account}, leaseTx{tx, p.account}}) })
}

// Update runs fn in a write transaction.
func (p *Provisioning) Update(ctx context.Context, fn func(provisioning.Tx) error) error {
	return p.db.Update(ctx, func(tx *Tx) error { return fn(provisioningTx{registryTx{tx, p.account}, leaseTx{tx, p.account}}) })
}

// provisioningTx is one transaction of an account. Tags are the registry's, and
// leases those of package lease.
type provisioningTx struct {
	registryTx
	leases leaseTx
}

var _ provisioning.Tx = provisioningTx{}

const templateColumns = "SELECT name, kind, description, enabled, role_arn, hook_version, hook_target, default_version, " +
	"last_version, created, modified FROM provisioning_templates "

func scanTemplate(row scanner) (provisioning.Template, error) {
	var t provisioning.Template
	err := row(&t.Name, &t.Kind, &t.Description, &t.Enabled, &t.RoleARN, &t.Hook.PayloadVersion, &t.Hook.TargetARN,
		&t.Default, &t.Last, timeColumn{&t.Created}, timeColumn{&t.Modified})
	return t, err
}

func (p provisioningTx) Template(name string) (provisioning.Template, bool, error) {
	return atMostOne(list(p.tx, templateColumns+"WHERE account = ? AND name = ?", []any{p.account, name}, scanTemplate))
}

func (p provisioningTx) PutTemplate(t provisioning.Template) error {
	_, err := p.tx.exec("INSERT INTO provisioning_templates (account, name, kind, description, enabled, role_arn, hook_version, "+
		"hook_target, default_version, last_version, created, modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET kind = excluded.kind, description = excluded.description, enabled = excluded.enabled, "+
		"role_arn = excluded.role_arn, hook_version = excluded.hook_version, hook_target = excluded.hook_target, "+
		"default_version = excluded.default_version, last_version = excluded.last_version, modified = excluded.modified",
		p.account, t.Name, string(t.Kind), t.Description, t.Enabled, t.RoleARN, t.Hook.PayloadVersion, t.Hook.TargetARN,
		t.Default, t.Last, toMillis(t.Created), toMillis(t.Modified))
	return err
}

func (p provisioningTx) DeleteTemplate(name string) error {
	if _, err := p.tx.exec("DELETE FROM provisioning_template_versions WHERE account = ? AND template = ?", p.account, name); err != nil {
		return err
	}
	_, err := p.tx.exec("DELETE FROM provisioning_templates WHERE account = ? AND name = ?", p.account, name)
	return err
}

func (p provisioningTx) Templates(after string, limit int) ([]provisioning.Template, error) {
	return list(p.tx, templateColumns+"WHERE account = ? AND name > ? ORDER BY name LIMIT ?", []any{p.account, after, limit}, scanTemplate)
}

const templateVersionColumns = "SELECT template, version, body, created FROM provisioning_template_versions "

func scanTemplateVersion(row scanner) (provisioning.Version, error) {
	var v provisioning.Version
	err := row(&v.Template, &v.ID, &v.Body, timeColumn{&v.Created})
	return v, err
}

func (p provisioningTx) Version(template string, id int) (provisioning.Version, bool, error) {
	return atMostOne(list(p.tx, templateVersionColumns+"WHERE account = ? AND template = ? AND version = ?",
		[]any{p.account, template, id}, scanTemplateVersion))
}

func (p provisioningTx) Versions(template string) ([]provisioning.Version, error) {
	return list(p.tx, templateVersionColumns+"WHERE account = ? AND template = ? ORDER BY version",
		[]any{p.account, template}, scanTemplateVersion)
}

func (p provisioningTx) PutVersion(v provisioning.Version) error {
	_, err := p.tx.exec("INSERT INTO provisioning_template_versions (account, template, version, body, created) VALUES (?, ?, ?, ?, ?)",
		p.account, v.Template, v.ID, v.Body, toMillis(v.Created))
	return err
}

func (p provisioningTx) DeleteVersion(template string, id int) error {
	_, err := p.tx.exec("DELETE FROM provisioning_template_versions WHERE account = ? AND template = ? AND version = ?", p.account, template, id)
	return err
}

const tokenColumns = "SELECT hash, certificate, expires, busy_until FROM ownership_tokens "

func scanToken(row scanner) (provisioning.Token, error) {
	var t provisioning.Token
	err := row(&t.Hash, &t.Certificate, timeColumn{&t.Expires}, timeColumn{&t.BusyUntil})
	return t, err
}

func (p provisioningTx) Token(hash string) (provisioning.Token, bool, error) {
	return atMostOne(list(p.tx, tokenColumns+"WHERE account = ? AND hash = ?", []any{p.account, hash}, scanToken))
}

func (p provisioningTx) PutToken(t provisioning.Token) error {
	_, err := p.tx.exec("INSERT INTO ownership_tokens (account, hash, certificate, expires, busy_until) VALUES (?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, hash) DO UPDATE SET expires = excluded.expires, busy_until = excluded.busy_until",
		p.account, t.Hash, string(t.Certificate), toMillis(t.Expires), toMillis(t.BusyUntil))
	return err
}

func (p provisioningTx) DeleteToken(hash string) error {
	_, err := p.tx.exec("DELETE FROM ownership_tokens WHERE account = ? AND hash = ?", p.account, hash)
	return err
}

func (p provisioningTx) ExpiredTokens(before time.Time, limit int) ([]provisioning.Token, error) {
	return list(p.tx, tokenColumns+"WHERE account = ? AND expires < ? ORDER BY expires, hash LIMIT ?",
		[]any{p.account, toMillis(before), limit}, scanToken)
}

func (p provisioningTx) Claim(id pki.CertificateID) (template string, found bool, err error) {
	found, err = p.tx.get("SELECT template FROM provisioning_claims WHERE account = ? AND certificate = ?",
		[]any{p.account, string(id)}, &template)
	return template, found, err
}

func (p provisioningTx) PutClaim(id pki.CertificateID, template string, expires time.Time) error {
	_, err := p.tx.exec("INSERT INTO provisioning_claims (account, certificate, template, expires) VALUES (?, ?, ?, ?)",
		p.account, string(id), template, toMillis(expires))
	return err
}

func (p provisioningTx) DeleteClaims(before time.Time) error {
	_, err := p.tx.exec("DELETE FROM provisioning_claims WHERE account = ? AND expires < ?", p.account, toMillis(before))
	return err
}

func (p provisioningTx) Lease(name string) (lease.Row, bool, error) { return p.leases.Lease(name) }
func (p provisioningTx) PutLease(row lease.Row) error               { return p.leases.PutLease(row) }
func (p provisioningTx) DeleteLease(name string) error              { return p.leases.DeleteLease(name) }
