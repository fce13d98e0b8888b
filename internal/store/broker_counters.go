package store

import "context"

// versions is the counter of the version numbers of lifecycle events.
const versions = "versions"

// Versions reads what PutVersions stored last; 0 before.
func (b *Broker) Versions(ctx context.Context) (reserved int64, err error) {
	err = b.db.View(ctx, func(tx *Tx) error {
		_, err := tx.get("SELECT value FROM broker_counters WHERE account = ? AND name = ?", []any{b.account, versions}, &reserved)
		return err
	})
	return reserved, err
}

// PutVersions notes that version numbers below reserved may have been given out.
func (b brokerTx) PutVersions(reserved int64) error {
	_, err := b.tx.exec("INSERT INTO broker_counters (account, name, value) VALUES (?, ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET value = excluded.value", b.account, versions, reserved)
	return err
}
