package store

import (
	"context"
	"fmt"

	"thingd/internal/bridge"
	"thingd/internal/message"
)

// Bridge keeps what package bridge asks for, of one account. Messages are kept
// as the broker's are (broker_message.go).
type Bridge struct {
	db      *DB
	account string
}

var _ bridge.Store = (*Bridge)(nil)

// Bridge gives the outbound integrations of an account.
func (db *DB) Bridge(account string) *Bridge { return &Bridge{db, account} }

// View runs fn on a snapshot.
func (b *Bridge) View(ctx context.Context, fn func(bridge.Tx) error) error {
	return b.db.View(ctx, func(tx *Tx) error { return fn(bridgeTx{tx, b.account}) })
}

// Update runs fn in a write transaction.
func (b *Bridge) Update(ctx context.Context, fn func(bridge.Tx) error) error {
	return b.db.Update(ctx, func(tx *Tx) error { return fn(bridgeTx{tx, b.account}) })
}

// Submit runs fn in the next group of writes. Where the store takes no more, done
// hears so from Submit itself.
func (b *Bridge) Submit(fn func(bridge.Tx) error, done func(error)) {
	err := b.db.Submit(context.Background(), func(tx *Tx) error { return fn(bridgeTx{tx, b.account}) }, done)
	if err != nil {
		done(err)
	}
}

// bridgeTx is one transaction of an account.
type bridgeTx struct {
	tx      *Tx
	account string
}

var _ bridge.Tx = bridgeTx{}

const integrationColumns = "id, name, settings, secrets, sealed, created_at, updated_at"

func scanIntegration(row scanner) (bridge.Record, error) {
	var r bridge.Record
	var id, name string
	err := row(&id, &name, jsonColumn{&r.Integration}, &r.Secrets, &r.Sealed, timeColumn{&r.Created}, timeColumn{&r.Updated})
	r.ID, r.Name = id, name
	return r, err
}

func (b bridgeTx) PutIntegration(r bridge.Record) error {
	_, err := b.tx.exec("INSERT INTO integrations (account, "+integrationColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, id) DO UPDATE SET name = excluded.name, settings = excluded.settings, secrets = excluded.secrets, "+
		"sealed = excluded.sealed, created_at = excluded.created_at, updated_at = excluded.updated_at",
		b.account, r.ID, r.Name, toJSON(r.Integration), notNull(r.Secrets), r.Sealed, toMillis(r.Created), toMillis(r.Updated))
	return err
}

func (b bridgeTx) DeleteIntegration(id string) error {
	_, err := b.tx.exec("DELETE FROM integrations WHERE account = ? AND id = ?", b.account, id)
	if err != nil {
		return err
	}
	_, err = b.tx.exec("DELETE FROM integration_messages WHERE account = ? AND integration = ?", b.account, id)
	return err
}

func (b bridgeTx) Integrations(after string, limit int) ([]bridge.Record, error) {
	return list(b.tx, "SELECT "+integrationColumns+" FROM integrations WHERE account = ? AND id > ? ORDER BY id LIMIT ?",
		[]any{b.account, after, limit}, scanIntegration)
}

func (b bridgeTx) CountIntegrations() (n int, err error) {
	_, err = b.tx.get("SELECT COUNT(*) FROM integrations WHERE account = ?", []any{b.account}, &n)
	return n, err
}

func (b bridgeTx) Enqueue(id string, w bridge.Waiting, m *message.Message) error {
	_, err := b.tx.exec("INSERT INTO integration_messages (account, integration, number, size, head, payload) VALUES (?, ?, ?, ?, ?, ?)",
		b.account, id, w.Number, w.Size, appendMessage(nil, m), notNull(m.Payload))
	return err
}

func (b bridgeTx) Dequeue(id string, number int64) error {
	_, err := b.tx.exec("DELETE FROM integration_messages WHERE account = ? AND integration = ? AND number = ?", b.account, id, number)
	return err
}

func (b bridgeTx) Queue(id string, after int64, limit int) ([]bridge.Waiting, error) {
	return list(b.tx, "SELECT number, size FROM integration_messages WHERE account = ? AND integration = ? AND number > ? ORDER BY number LIMIT ?",
		[]any{b.account, id, after, limit}, func(row scanner) (w bridge.Waiting, err error) {
			err = row(&w.Number, &w.Size)
			return w, err
		})
}

func (b bridgeTx) Messages(id string, after int64, limit int) ([]bridge.Stored, error) {
	return list(b.tx, "SELECT number, head, payload FROM integration_messages WHERE account = ? AND integration = ? AND number > ? ORDER BY number LIMIT ?",
		[]any{b.account, id, after, limit}, scanUplink)
}

func scanUplink(row scanner) (s bridge.Stored, err error) {
	var head, payload []byte
	if err := row(&s.Number, &head, &payload); err != nil {
		return s, err
	}
	rest := reader{bytes: head}
	if s.Message, err = readMessage(&rest, payload); err != nil {
		err = fmt.Errorf("queued uplink %d: %w", s.Number, err)
	}
	return s, err
}
