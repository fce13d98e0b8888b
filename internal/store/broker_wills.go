package store

import (
	"context"
	"fmt"
	"time"

	"thingd/internal/broker"
)

// Wills reads all last wills.
func (b *Broker) Wills(ctx context.Context) (all []broker.StoredWill, err error) {
	err = b.db.View(ctx, func(tx *Tx) error {
		all, err = list(tx, "SELECT client_id, id, delay, due, delivered, head, payload FROM wills WHERE account = ? ORDER BY client_id",
			[]any{b.account}, scanWill)
		return err
	})
	return all, err
}

func scanWill(row scanner) (broker.StoredWill, error) {
	var w broker.StoredWill
	var delay, delivered int64
	var head, payload []byte
	err := row(&w.ClientID, &w.ID, &delay, timeColumn{&w.Due}, &delivered, &head, &payload)
	if err != nil {
		return w, err
	}
	w.Delay, w.Delivered = time.Duration(delay)*time.Millisecond, delivered != 0
	if w.Message, err = readMessage(&reader{bytes: head}, payload); err != nil {
		err = fmt.Errorf("the will of %q: %w", w.ClientID, err)
	}
	return w, err
}

// PutWill stores a will, in place of one of an earlier connection.
func (b brokerTx) PutWill(w broker.StoredWill) error {
	_, err := b.tx.exec("INSERT INTO wills (account, client_id, id, delay, due, head, payload) VALUES (?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, client_id) DO UPDATE SET id = excluded.id, delay = excluded.delay, due = excluded.due, delivered = 0, "+
		"head = excluded.head, payload = excluded.payload",
		b.account, w.ClientID, w.ID, w.Delay.Milliseconds(), toMillis(w.Due), appendMessage(nil, w.Message), notNull(w.Message.Payload))
	return err
}

// DelayWill notes when a will is due.
func (b brokerTx) DelayWill(clientID, id string, due time.Time) error {
	_, err := b.tx.exec("UPDATE wills SET due = ? WHERE account = ? AND client_id = ? AND id = ?", toMillis(due), b.account, clientID, id)
	return err
}

// DeliveredWill notes that a will's subscribers have it.
func (b brokerTx) DeliveredWill(clientID, id string) error {
	_, err := b.tx.exec("UPDATE wills SET delivered = 1 WHERE account = ? AND client_id = ? AND id = ?", b.account, clientID, id)
	return err
}

// DeleteWill forgets it.
func (b brokerTx) DeleteWill(clientID, id string) error {
	_, err := b.tx.exec("DELETE FROM wills WHERE account = ? AND client_id = ? AND id = ?", b.account, clientID, id)
	return err
}
