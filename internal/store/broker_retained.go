package store

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"thingd/internal/broker"
	"thingd/internal/message"
)

const retainedColumns = "SELECT topic, modified, head, payload FROM retained_messages WHERE account = ? AND "

func scanRetained(row scanner) (broker.RetainedMessage, error) {
	var r broker.RetainedMessage
	var topic string
	var head, payload []byte
	if err := row(&topic, timeColumn{&r.Modified}, &head, &payload); err != nil {
		return r, err
	}
	m, err := readMessage(&reader{bytes: head}, payload)
	if err != nil {
		return r, fmt.Errorf("the retained message of %q: %w", topic, err)
	}
	r.Message = *m
	return r, nil
}

// Retained reads one retained message.
func (b *Broker) Retained(ctx context.Context, topic string) (found *broker.RetainedMessage, err error) {
	err = b.db.View(ctx, func(tx *Tx) error {
		rows, err := list(tx, retainedColumns+"topic = ?", []any{b.account, topic}, scanRetained)
		if len(rows) > 0 {
			found = &rows[0]
		}
		return err
	})
	return found, err
}

// RetainedFrom reads a page of the retained messages whose topics begin with
// prefix.
func (b *Broker) RetainedFrom(ctx context.Context, prefix, after string, limit int) (page []broker.RetainedMessage, err error) {
	where, args := textRange("topic", prefix, after)
	err = b.db.View(ctx, func(tx *Tx) error {
		page, err = list(tx, retainedColumns+where+" ORDER BY topic LIMIT ?",
			append(append([]any{b.account}, args...), limit), scanRetained)
		return err
	})
	return page, err
}

// textRange gives a condition on a column, and its arguments: the texts that begin
// with prefix and come after the text after. It has one lower bound, because an
// engine enters an index at one of them only.
func textRange(column, prefix, after string) (where string, args []any) {
	where, args = column+" >= ?", []any{prefix}
	if after >= prefix && after != "" {
		where, args = column+" > ?", []any{after}
	}
	if below := followerOf(prefix); below != "" {
		return where + " AND " + column + " < ?", append(args, below)
	}
	return where, args
}

// followerOf gives the least text above all that begin with prefix; "" where
// there is none. It works on characters, not bytes: a bound must be UTF-8 for
// PostgreSQL, and both have the same order.
func followerOf(prefix string) string {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch last {
		case utf8.MaxRune: // nothing follows: the character before decides
			continue
		case 0xD7FF: // surrogates follow, which are no text
			return prefix + "\uE000"
		}
		return prefix + string(last+1)
	}
	return ""
}

// CountRetained counts the retained messages.
func (b *Broker) CountRetained(ctx context.Context) (count int, err error) {
	err = b.db.View(ctx, func(tx *Tx) error {
		_, err := tx.get("SELECT COUNT(*) FROM retained_messages WHERE account = ?", []any{b.account}, &count)
		return err
	})
	return count, err
}

// PutRetained keeps a topic's last retained message.
func (b brokerTx) PutRetained(m *message.Message, at time.Time) error {
	_, err := b.tx.exec("INSERT INTO retained_messages (account, topic, modified, expires, head, payload) VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, topic) DO UPDATE SET modified = excluded.modified, expires = excluded.expires, "+
		"head = excluded.head, payload = excluded.payload",
		b.account, m.Topic, toMillis(at), toMillis(m.Expires), appendMessage(nil, m), notNull(m.Payload))
	return err
}

// DeleteRetained forgets it.
func (b brokerTx) DeleteRetained(topic string) error {
	_, err := b.tx.exec("DELETE FROM retained_messages WHERE account = ? AND topic = ?", b.account, topic)
	return err
}

// ExpireRetained removes those that have expired.
func (b brokerTx) ExpireRetained(now time.Time) (count int, err error) {
	rows, err := b.tx.exec("DELETE FROM retained_messages WHERE account = ? AND expires <> 0 AND expires <= ?", b.account, toMillis(now))
	return int(rows), err
}
