package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"thingd/internal/broker"
)

// sessionPage is how many sessions are read at once, each page with four queries.
const sessionPage = 1000

// Sessions reads all sessions in the order of their client IDs, from one snapshot.
// LastNumber is the highest number that waits, or 0 with an empty queue: what
// went out needs no number any more. each must not use the store.
func (b *Broker) Sessions(ctx context.Context, each func(broker.StoredSession)) error {
	return b.db.View(ctx, func(tx *Tx) error {
		for after := ""; ; {
			page, err := b.sessionPage(tx, after)
			if err != nil {
				return err
			}
			for _, s := range page {
				each(s)
			}
			if len(page) < sessionPage {
				return nil
			}
			after = page[len(page)-1].ClientID
		}
	})
}

// sessionPage reads the next sessions and what hangs on them.
func (b *Broker) sessionPage(tx *Tx, after string) ([]broker.StoredSession, error) {
	page, err := list(tx, "SELECT client_id, version, expiry, left_at, principal FROM sessions "+
		"WHERE account = ? AND client_id > ? ORDER BY client_id LIMIT ?", []any{b.account, after, sessionPage}, scanSession)
	if err != nil || len(page) == 0 {
		return nil, err
	}
	p := sessionsOf{page, []any{b.account, page[0].ClientID, page[len(page)-1].ClientID}}
	for _, fill := range []func(*Tx) error{p.subscriptions, p.queues, p.received} {
		if err := fill(tx); err != nil {
			return nil, err
		}
	}
	return page, nil
}

func scanSession(row scanner) (broker.StoredSession, error) {
	var s broker.StoredSession
	var expiry int64
	err := row(&s.ClientID, &s.Version, &expiry, timeColumn{&s.Left}, &s.Principal)
	s.Expiry = time.Duration(expiry) * time.Millisecond
	return s, err
}

// sessionsOf is a page of sessions in order, and the arguments that select what
// belongs to them: account, first and last client ID.
type sessionsOf struct {
	page []broker.StoredSession
	args []any
}

const ofPage = " WHERE account = ? AND client_id BETWEEN ? AND ? "

func (p sessionsOf) subscriptions(tx *Tx) error {
	return tx.each("SELECT client_id, filter, qos, no_local, retain_as_published, id FROM subscriptions"+ofPage+
		"ORDER BY client_id, filter", p.args, func(row func(...any) error) error {
		var id string
		var sub broker.StoredSubscription
		if err := row(&id, &sub.Filter, &sub.QoS, &sub.NoLocal, &sub.RetainAsPublished, &sub.ID); err != nil {
			return err
		}
		p.of(id, func(s *broker.StoredSession) { s.Subscriptions = append(s.Subscriptions, sub) })
		return nil
	})
}

func (p sessionsOf) queues(tx *Tx) error {
	return tx.each("SELECT client_id, COUNT(*), MAX(number) FROM queued_messages"+ofPage+"GROUP BY client_id",
		p.args, func(row func(...any) error) error {
			var id string
			var count int
			var last int64
			if err := row(&id, &count, &last); err != nil {
				return err
			}
			p.of(id, func(s *broker.StoredSession) { s.Queued, s.LastNumber = count, last })
			return nil
		})
}

func (p sessionsOf) received(tx *Tx) error {
	return tx.each("SELECT client_id, packet_id FROM received_packets"+ofPage+"ORDER BY client_id, packet_id",
		p.args, func(row func(...any) error) error {
			var id string
			var packetID uint16
			if err := row(&id, &packetID); err != nil {
				return err
			}
			p.of(id, func(s *broker.StoredSession) { s.Received = append(s.Received, packetID) })
			return nil
		})
}

// of calls fn with the session of a client ID, if it is in the page.
func (p sessionsOf) of(clientID string, fn func(*broker.StoredSession)) {
	i, found := slices.BinarySearchFunc(p.page, clientID, func(s broker.StoredSession, id string) int {
		return strings.Compare(s.ClientID, id)
	})
	if found {
		fn(&p.page[i])
	}
}

// PutSession stores a session without what hangs on it.
func (b brokerTx) PutSession(s broker.StoredSession) error {
	_, err := b.tx.exec("INSERT INTO sessions (account, client_id, version, expiry, left_at, principal) VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (account, client_id) DO UPDATE SET version = excluded.version, expiry = excluded.expiry, "+
		"left_at = excluded.left_at, principal = excluded.principal",
		b.account, s.ClientID, int64(s.Version), s.Expiry.Milliseconds(), toMillis(s.Left), s.Principal)
	return err
}

// DeleteSession removes a session and all that hangs on it. The bodies go first,
// while it is known which they are. LENGTH keeps SQLite from walking the index of
// all bodies of the account in place of the session's queue.
func (b brokerTx) DeleteSession(clientID string) error {
	_, err := b.tx.exec("DELETE FROM message_bodies WHERE account = ? AND id IN "+
		"(SELECT body FROM queued_messages WHERE account = ? AND client_id = ? AND LENGTH(body) > 0) AND NOT EXISTS "+
		"(SELECT 1 FROM queued_messages q WHERE q.account = message_bodies.account AND q.body = message_bodies.id "+
		"AND q.body <> '' AND q.client_id <> ?)", b.account, b.account, clientID, clientID)
	if err != nil {
		return err
	}
	for _, from := range []string{
		"DELETE FROM queued_messages", "DELETE FROM subscriptions", "DELETE FROM received_packets", "DELETE FROM sessions",
	} {
		if _, err := b.tx.exec(from+" WHERE account = ? AND client_id = ?", b.account, clientID); err != nil {
			return err
		}
	}
	return nil
}

// PutSubscription stores a subscription, in place of one to the same filter.
func (b brokerTx) PutSubscription(clientID string, s broker.StoredSubscription) error {
	_, err := b.tx.exec("INSERT INTO subscriptions (account, client_id, filter, qos, no_local, retain_as_published, id) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, client_id, filter) DO UPDATE SET qos = excluded.qos, "+
		"no_local = excluded.no_local, retain_as_published = excluded.retain_as_published, id = excluded.id",
		b.account, clientID, s.Filter, int64(s.QoS), s.NoLocal, s.RetainAsPublished, int64(s.ID))
	return err
}

// DeleteSubscription removes one.
func (b brokerTx) DeleteSubscription(clientID, filter string) error {
	_, err := b.tx.exec("DELETE FROM subscriptions WHERE account = ? AND client_id = ? AND filter = ?", b.account, clientID, filter)
	return err
}
