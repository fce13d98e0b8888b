package store

import (
	"context"
	"math"
	"time"

	"thingd/internal/pki"
)

// PKI keeps what package pki asks for, of one account.
type PKI struct {
	db      *DB
	account string
}

var _ pki.Store = (*PKI)(nil)

// PKI gives the certificates of an account.
func (db *DB) PKI(account string) *PKI { return &PKI{db, account} }

// View runs fn on a snapshot.
func (p *PKI) View(ctx context.Context, fn func(pki.Tx) error) error {
	return p.db.View(ctx, func(tx *Tx) error { return fn(pkiTx{leaseTx{tx, p.account}}) })
}

// Update runs fn in a write transaction.
func (p *PKI) Update(ctx context.Context, fn func(pki.Tx) error) error {
	return p.db.Update(ctx, func(tx *Tx) error { return fn(pkiTx{leaseTx{tx, p.account}}) })
}

// pkiTx is one transaction of an account; pki_cas.go has the rest of it.
// Its account is that of its leases.
type pkiTx struct{ leaseTx }

var _ pki.Tx = pkiTx{}

func (p pkiTx) In(account string) pki.Tx { return pkiTx{leaseTx{p.tx, account}} }

const certificateColumns = "id, status, pem, ca, mode, previous_owner, created_at, modified_at, version, " +
	"generation, not_before, not_after, claim, transfer"

func scanCertificate(row scanner) (pki.Certificate, error) {
	var c pki.Certificate
	err := row(certificateFields(&c)...)
	return c, err
}

func certificateFields(c *pki.Certificate) []any {
	return []any{&c.ID, &c.Status, &c.PEM, &c.CA, &c.Mode, &c.PreviousOwner, timeColumn{&c.Created}, timeColumn{&c.Modified},
		&c.Version, &c.Generation, timeColumn{&c.NotBefore}, timeColumn{&c.NotAfter}, &c.Claim, jsonColumn{&c.Transfer}}
}

func (p pkiTx) Certificate(id pki.CertificateID) (c pki.Certificate, found bool, err error) {
	found, err = p.tx.get("SELECT "+certificateColumns+" FROM certificates WHERE account = ? AND id = ?",
		[]any{p.account, string(id)}, certificateFields(&c)...)
	return c, found, err
}

func (p pkiTx) PutCertificate(c pki.Certificate) error {
	_, err := p.tx.exec("INSERT INTO certificates (account, transfer_to, "+certificateColumns+") "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, id) DO UPDATE SET "+
		"transfer_to = excluded.transfer_to, status = excluded.status, pem = excluded.pem, ca = excluded.ca, "+
		"mode = excluded.mode, previous_owner = excluded.previous_owner, created_at = excluded.created_at, "+
		"modified_at = excluded.modified_at, version = excluded.version, generation = excluded.generation, "+
		"not_before = excluded.not_before, not_after = excluded.not_after, claim = excluded.claim, transfer = excluded.transfer",
		p.account, c.Transfer.To, string(c.ID), string(c.Status), c.PEM, string(c.CA), string(c.Mode), c.PreviousOwner,
		toMillis(c.Created), toMillis(c.Modified), c.Version, c.Generation, toMillis(c.NotBefore), toMillis(c.NotAfter),
		c.Claim, toJSON(c.Transfer))
	return err
}

func (p pkiTx) DeleteCertificate(id pki.CertificateID) error {
	_, err := p.tx.exec("DELETE FROM certificates WHERE account = ? AND id = ?", p.account, string(id))
	return err
}

func (p pkiTx) Certificates(l pki.Listing) ([]pki.Certificate, error) {
	where, args := "account = ? AND NOT claim", []any{p.account}
	if l.CA != "" {
		where, args = where+" AND ca = ? AND ca <> ''", append(args, string(l.CA))
	}
	if l.Outgoing {
		where += " AND transfer_to <> '' AND status = 'PENDING_TRANSFER'"
	}
	if l.Incoming {
		where += " AND transfer_to = '' AND status = 'PENDING_TRANSFER'"
	}
	return list(p.tx, "SELECT "+certificateColumns+" FROM certificates WHERE "+where+byAge(l), append(args, ageArgs(l)...), scanCertificate)
}

// byAge is the end of a query for one page in order of creation.
func byAge(l pki.Listing) string {
	if l.Ascending {
		return " AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?"
	}
	return " AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?"
}

// ageArgs are the values for byAge. Without a mark a page begins at the end
// that its direction begins at.
func ageArgs(l pki.Listing) []any {
	at := l.After.At
	if l.After == (pki.Mark{}) && l.Ascending {
		at = math.MinInt64
	}
	if l.After == (pki.Mark{}) && !l.Ascending {
		at = math.MaxInt64
	}
	return []any{at, string(l.After.ID), l.Limit}
}

func (p pkiTx) DeleteClaims(before time.Time, limit int) (int, error) {
	n, err := p.tx.exec("DELETE FROM certificates WHERE account = ? AND id IN "+
		"(SELECT id FROM certificates WHERE account = ? AND claim AND not_after < ? LIMIT ?)",
		p.account, p.account, toMillis(before), limit)
	return int(n), err
}
