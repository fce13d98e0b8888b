package store

import (
	"context"

	"thingd/internal/journal"
)

// Journal is journal.Store for one account.
type Journal struct {
	db      *DB
	account string
}

var _ journal.Store = (*Journal)(nil)

// Journal gives the refusals and disconnects of an account.
func (db *DB) Journal(account string) *Journal { return &Journal{db, account} }

// Put writes a batch and forgets what is beyond its bounds, in one transaction.
func (j *Journal) Put(ctx context.Context, batch journal.Batch) error {
	return j.db.Update(ctx, func(tx *Tx) error {
		clients := map[string]bool{}
		for _, e := range batch.New {
			if err := j.insert(tx, e); err != nil {
				return err
			}
			clients[e.Event.ClientID] = true
		}
		for _, e := range batch.Changed {
			if err := j.update(tx, e); err != nil {
				return err
			}
		}
		if len(batch.New) == 0 {
			return nil
		}
		delete(clients, "")
		return j.prune(tx, clients, batch.Keep, batch.PerClient)
	})
}

func (j *Journal) insert(tx *Tx, e journal.Entry) error {
	_, err := tx.exec("INSERT INTO journal (account, number, client_id, principal, cause, since, times, event) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?)", j.account, e.Number, e.Event.ClientID, e.Event.Principal, string(e.Event.Cause),
		toMillis(e.Since), e.Count, toJSON(e.Event))
	return err
}

// update leaves alone what was forgotten meanwhile. What an entry is found by
// stays as it is: repeats have it in common.
func (j *Journal) update(tx *Tx, e journal.Entry) error {
	_, err := tx.exec("UPDATE journal SET times = ?, event = ? WHERE account = ? AND number = ?",
		e.Count, toJSON(e.Event), j.account, e.Number)
	return err
}

// prune walks an index as far as the bounds reach, and deletes what lies behind.
func (j *Journal) prune(tx *Tx, clients map[string]bool, keep, perClient int) error {
	for id := range clients {
		_, err := tx.exec("DELETE FROM journal WHERE account = ? AND client_id = ? AND number <= "+
			"(SELECT number FROM journal WHERE account = ? AND client_id = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
			j.account, id, j.account, id, perClient)
		if err != nil {
			return err
		}
	}
	_, err := tx.exec("DELETE FROM journal WHERE account = ? AND number <= "+
		"(SELECT number FROM journal WHERE account = ? ORDER BY number DESC LIMIT 1 OFFSET ?)", j.account, j.account, keep)
	return err
}

// Recent reads a page of entries, the newest first.
func (j *Journal) Recent(ctx context.Context, q journal.Query) (page []journal.Entry, err error) {
	where, args := " WHERE account = ?", []any{j.account}
	add := func(condition string, arg any) {
		where, args = where+" AND "+condition, append(args, arg)
	}
	if q.ClientID != "" {
		add("client_id = ?", q.ClientID)
	}
	if q.Principal != "" {
		add("principal = ?", q.Principal)
	}
	if q.Cause != "" {
		add("cause = ?", string(q.Cause))
	}
	if q.Before > 0 {
		add("number < ?", q.Before)
	}
	err = j.db.View(ctx, func(tx *Tx) error {
		page, err = list(tx, "SELECT number, since, times, event FROM journal"+where+" ORDER BY number DESC LIMIT ?",
			append(args, q.Limit), scanEntry)
		return err
	})
	return page, err
}

func scanEntry(row scanner) (journal.Entry, error) {
	var e journal.Entry
	err := row(&e.Number, timeColumn{&e.Since}, &e.Count, jsonColumn{&e.Event})
	return e, err
}
