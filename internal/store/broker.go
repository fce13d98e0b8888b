package store

import (
	"context"
	"fmt"
	"time"

	"thingd/internal/broker"
	"thingd/internal/message"
)

// Broker is broker.Store for one account: sessions, their queues and retained
// messages. Times keep their milliseconds; of a message's Origin all but Reply
// is kept.
type Broker struct {
	db      *DB
	account string
}

var _ broker.Store = (*Broker)(nil)

// Broker gives what the broker of an account must keep.
func (db *DB) Broker(account string) *Broker { return &Broker{db, account} }

// Update runs fn in a write transaction.
func (b *Broker) Update(ctx context.Context, fn func(broker.StoreTx) error) error {
	return b.db.Update(ctx, func(tx *Tx) error { return fn(brokerTx{tx, b.account}) })
}

// Submit runs fn in the next group of writes. Where the store takes no more, done
// hears so from Submit itself.
func (b *Broker) Submit(fn func(broker.StoreTx) error, done func(error)) {
	err := b.db.Submit(context.Background(), func(tx *Tx) error { return fn(brokerTx{tx, b.account}) }, done)
	if err != nil {
		done(err)
	}
}

// Queue reads a page of a session's queue.
func (b *Broker) Queue(ctx context.Context, clientID string, after int64, limit int) (page []broker.StoredMessage, err error) {
	err = b.db.View(ctx, func(tx *Tx) error {
		page, err = list(tx, "SELECT q.number, q.packet_id, q.received, q.body, q.head, q.payload, b.head, b.payload "+
			"FROM queued_messages q LEFT JOIN message_bodies b ON q.body <> '' AND b.account = q.account AND b.id = q.body "+
			"WHERE q.account = ? AND q.client_id = ? AND q.number > ? ORDER BY q.number LIMIT ?",
			[]any{b.account, clientID, after, limit}, scanQueued)
		return err
	})
	return page, err
}

func scanQueued(row scanner) (broker.StoredMessage, error) {
	var m broker.StoredMessage
	var head, payload, bodyHead, bodyPayload []byte
	err := row(&m.Number, &m.PacketID, &m.Received, &m.BodyID, &head, &payload, &bodyHead, &bodyPayload)
	if err != nil {
		return m, err
	}
	rest := readQueued(head, &m)
	if m.BodyID != "" {
		rest, payload = reader{bytes: bodyHead}, bodyPayload
	}
	if m.Message, err = readMessage(&rest, payload); err != nil {
		err = fmt.Errorf("queued message %d: %w", m.Number, err)
	}
	return m, err
}

// brokerTx is one write transaction of an account.
type brokerTx struct {
	tx      *Tx
	account string
}

var _ broker.StoreTx = brokerTx{}

// Enqueue fails where BodyID names no stored body: better a message that is not
// acknowledged than one that is lost later.
func (b brokerTx) Enqueue(clientID string, m broker.StoredMessage) error {
	if m.BodyID != "" {
		return b.enqueueShared(clientID, m)
	}
	head := appendMessage(appendQueued(nil, m), m.Message)
	_, err := b.tx.exec("INSERT INTO queued_messages (account, client_id, number, packet_id, received, body, head, payload) "+
		"VALUES (?, ?, ?, ?, ?, '', ?, ?)",
		b.account, clientID, m.Number, m.PacketID, m.Received, head, notNull(m.Message.Payload))
	return err
}

func (b brokerTx) enqueueShared(clientID string, m broker.StoredMessage) error {
	rows, err := b.tx.exec("INSERT INTO queued_messages (account, client_id, number, packet_id, received, body, head, payload) "+
		"SELECT account, ?, ?, ?, ?, id, ?, ? FROM message_bodies WHERE account = ? AND id = ?",
		clientID, m.Number, m.PacketID, m.Received, appendQueued(nil, m), []byte{}, b.account, m.BodyID)
	if err == nil && rows == 0 {
		return fmt.Errorf("enqueue: no body %q is stored", m.BodyID)
	}
	return err
}

// Dequeue looks after a body only where the message has one.
func (b brokerTx) Dequeue(clientID string, number int64) error {
	var body string
	_, err := b.tx.get("DELETE FROM queued_messages WHERE account = ? AND client_id = ? AND number = ? RETURNING body",
		[]any{b.account, clientID, number}, &body)
	if err != nil || body == "" {
		return err
	}
	_, err = b.tx.exec("DELETE FROM message_bodies WHERE account = ? AND id = ? AND NOT EXISTS "+
		"(SELECT 1 FROM queued_messages WHERE account = ? AND body = ? AND body <> '')",
		b.account, body, b.account, body)
	return err
}

// PutBody stores a body. It belongs in one transaction with everything that refers
// to it: otherwise the first reader's Dequeue takes it from the others.
func (b brokerTx) PutBody(id string, m *message.Message) error {
	_, err := b.tx.exec("INSERT INTO message_bodies (account, id, head, payload) VALUES (?, ?, ?, ?)",
		b.account, id, appendMessage(nil, m), notNull(m.Payload))
	return err
}

// MarkSent notes where a QoS 2 message stands.
func (b brokerTx) MarkSent(clientID string, number int64, packetID uint16, received bool) error {
	_, err := b.tx.exec("UPDATE queued_messages SET packet_id = ?, received = ? WHERE account = ? AND client_id = ? AND number = ?",
		packetID, received, b.account, clientID, number)
	return err
}

// PutReceived notes a QoS 2 message from the client.
func (b brokerTx) PutReceived(clientID string, packetID uint16) error {
	_, err := b.tx.exec("INSERT INTO received_packets (account, client_id, packet_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
		b.account, clientID, packetID)
	return err
}

// DeleteReceived forgets it.
func (b brokerTx) DeleteReceived(clientID string, packetID uint16) error {
	_, err := b.tx.exec("DELETE FROM received_packets WHERE account = ? AND client_id = ? AND packet_id = ?",
		b.account, clientID, packetID)
	return err
}

// Left notes when a client went away, and for how long its session waits.
func (b brokerTx) Left(clientID string, at time.Time, expiry time.Duration) error {
	_, err := b.tx.exec("UPDATE sessions SET left_at = ?, expiry = ? WHERE account = ? AND client_id = ?",
		toMillis(at), expiry.Milliseconds(), b.account, clientID)
	return err
}

// notNull gives an empty text for none: the drivers take nil for NULL.
func notNull(payload []byte) []byte {
	if payload == nil {
		return []byte{}
	}
	return payload
}
