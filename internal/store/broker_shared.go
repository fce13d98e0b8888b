package store

import (
	"context"
	"fmt"
	"time"

	"thingd/internal/broker"
)

// SharedQueue reads a page of a group's messages.
func (b *Broker) SharedQueue(ctx context.Context, filter string, after int64, limit int) (page []broker.StoredShared, err error) {
	err = b.db.View(ctx, func(tx *Tx) error {
		page, err = list(tx, "SELECT number, until, head, payload FROM shared_messages "+
			"WHERE account = ? AND filter = ? AND number > ? ORDER BY number LIMIT ?",
			[]any{b.account, filter, after, limit}, scanShared)
		return err
	})
	return page, err
}

func scanShared(row scanner) (broker.StoredShared, error) {
	var m broker.StoredShared
	var head, payload []byte
	err := row(&m.Number, timeColumn{&m.Until}, &head, &payload)
	if err != nil {
		return m, err
	}
	if m.Message, err = readMessage(&reader{bytes: head}, payload); err != nil {
		err = fmt.Errorf("message %d of a shared subscription: %w", m.Number, err)
	}
	return m, err
}

// SharedQueues tells how many messages each group has, and the highest number.
func (b *Broker) SharedQueues(ctx context.Context, each func(filter string, count int, last int64)) error {
	return b.db.View(ctx, func(tx *Tx) error {
		return tx.each("SELECT filter, COUNT(*), MAX(number) FROM shared_messages WHERE account = ? GROUP BY filter",
			[]any{b.account}, func(row func(...any) error) error {
				var filter string
				var count int
				var last int64
				if err := row(&filter, &count, &last); err != nil {
					return err
				}
				each(filter, count, last)
				return nil
			})
	})
}

// CountShared counts a group's messages with numbers above after, up to last.
func (b *Broker) CountShared(ctx context.Context, filter string, after, last int64) (count int, err error) {
	err = b.db.View(ctx, func(tx *Tx) error {
		_, err := tx.get("SELECT COUNT(*) FROM shared_messages WHERE account = ? AND filter = ? AND number > ? AND number <= ?",
			[]any{b.account, filter, after, last}, &count)
		return err
	})
	return count, err
}

// EnqueueShared adds a message to a group.
func (b brokerTx) EnqueueShared(filter string, m broker.StoredShared) error {
	_, err := b.tx.exec("INSERT INTO shared_messages (account, filter, number, until, head, payload) VALUES (?, ?, ?, ?, ?, ?)",
		b.account, filter, m.Number, toMillis(m.Until), appendMessage(nil, m.Message), notNull(m.Message.Payload))
	return err
}

// DequeueShared takes it out again.
func (b brokerTx) DequeueShared(filter string, number int64) error {
	_, err := b.tx.exec("DELETE FROM shared_messages WHERE account = ? AND filter = ? AND number = ?", b.account, filter, number)
	return err
}

// DeleteShared removes all that a group has.
func (b brokerTx) DeleteShared(filter string) error {
	_, err := b.tx.exec("DELETE FROM shared_messages WHERE account = ? AND filter = ?", b.account, filter)
	return err
}

// ExpireShared removes what groups have kept long enough.
func (b brokerTx) ExpireShared(now time.Time) error {
	_, err := b.tx.exec("DELETE FROM shared_messages WHERE account = ? AND until <> 0 AND until <= ?", b.account, toMillis(now))
	return err
}
