package store

import (
	"time"

	"thingd/internal/pki"
)

// expiringQuery has the very condition of the index certificates_by_end.
const expiringQuery = "SELECT id, not_after FROM certificates WHERE account = ? AND warned_days = ? " +
	"AND status = 'ACTIVE' AND NOT claim AND not_after < 2524607999000 AND not_after < ? ORDER BY not_after, id LIMIT ?"

const expiringCAQuery = "SELECT id, not_after FROM ca_certificates WHERE account = ? AND warned_days = ? " +
	"AND active AND not_after < ? ORDER BY not_after, id LIMIT ?"

func (p pkiTx) Expiring(ca bool, warnedDays int, before time.Time, limit int) ([]pki.Expiring, error) {
	query := expiringQuery
	if ca {
		query = expiringCAQuery
	}
	return list(p.tx, query, []any{p.account, warnedDays, toMillis(before), limit}, func(row scanner) (pki.Expiring, error) {
		e := pki.Expiring{CA: ca}
		err := row(&e.ID, timeColumn{&e.NotAfter})
		return e, err
	})
}

func (p pkiTx) SetWarned(ca bool, id pki.CertificateID, days int) error {
	query := "UPDATE certificates SET warned_days = ? WHERE account = ? AND id = ?"
	if ca {
		query = "UPDATE ca_certificates SET warned_days = ? WHERE account = ? AND id = ?"
	}
	_, err := p.tx.exec(query, days, p.account, string(id))
	return err
}
