package store

import (
	"context"

	"thingd/internal/shadow"
)

// changeNotes is what a change has beside its texts. It is JSON, because names
// that strangers chose may hold what a column of text must not.
type changeNotes struct {
	Deleted     bool   `json:",omitzero"`
	ClientToken string `json:",omitzero"`
	ClientID    string `json:",omitzero"`
	Principal   string `json:",omitzero"`
}

// AddChanges implements shadow.Store.
func (s *Shadows) AddChanges(ctx context.Context, entries []shadow.Entry, keep shadow.Keep) error {
	byShadow := map[shadow.ID][]shadow.Change{}
	for _, e := range entries {
		byShadow[e.ID] = append(byShadow[e.ID], e.Change)
	}
	return s.db.Update(ctx, func(tx *Tx) error {
		for id, changes := range byShadow {
			if err := s.addChanges(tx, id, changes, keep); err != nil {
				return err
			}
		}
		return nil
	})
}

// addChanges leaves out what a deletion that came meanwhile took with it.
func (s *Shadows) addChanges(tx *Tx, id shadow.ID, changes []shadow.Change, keep shadow.Keep) error {
	var version, deleted int64
	found, err := tx.get("SELECT version, deleted FROM shadows WHERE account = ? AND thing = ? AND name = ?",
		[]any{s.account, id.Thing, id.Name}, &version, &deleted)
	if err != nil || !found {
		return err
	}
	for _, c := range changes {
		if deleted > 0 && c.Version < version {
			continue
		}
		if err := s.addChange(tx, id, c); err != nil {
			return err
		}
	}
	return s.trimRing(tx, id, keep)
}

func (s *Shadows) addChange(tx *Tx, id shadow.ID, c shadow.Change) error {
	_, err := tx.exec("INSERT INTO shadow_changes (account, thing, name, version, at, bytes, notes, request, documents) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, thing, name, version) DO NOTHING",
		s.account, id.Thing, id.Name, c.Version, toMillis(c.At), c.Weight(),
		toJSON(changeNotes{c.Deleted, c.ClientToken, c.ClientID, c.Principal}), string(c.Request), string(c.Documents))
	return err
}

// trimRing drops a shadow's oldest changes beyond what is kept of one; never the
// newest.
func (s *Shadows) trimRing(tx *Tx, id shadow.ID, keep shadow.Keep) error {
	rows, bytes, cut := 0, 0, int64(-1)
	err := tx.each("SELECT version, bytes FROM shadow_changes WHERE account = ? AND thing = ? AND name = ? ORDER BY version DESC",
		[]any{s.account, id.Thing, id.Name}, func(row func(...any) error) error {
			var version int64
			var weight int
			if err := row(&version, &weight); err != nil {
				return err
			}
			rows, bytes = rows+1, bytes+weight
			if cut < 0 && rows > 1 && (rows > keep.Changes || bytes > keep.Bytes) {
				cut = version
			}
			return nil
		})
	if err != nil || cut < 0 {
		return err
	}
	_, err = tx.exec("DELETE FROM shadow_changes WHERE account = ? AND thing = ? AND name = ? AND version <= ?", s.account, id.Thing, id.Name, cut)
	return err
}

// dropChanges forgets a shadow's history.
func (s *Shadows) dropChanges(tx *Tx, id shadow.ID) error {
	_, err := tx.exec("DELETE FROM shadow_changes WHERE account = ? AND thing = ? AND name = ?", s.account, id.Thing, id.Name)
	return err
}

// Changes implements shadow.Store.
func (s *Shadows) Changes(ctx context.Context, id shadow.ID) (changes []shadow.Change, err error) {
	err = s.db.View(ctx, func(tx *Tx) error {
		changes, err = list(tx, "SELECT version, at, notes, request, documents FROM shadow_changes "+
			"WHERE account = ? AND thing = ? AND name = ? ORDER BY version DESC", []any{s.account, id.Thing, id.Name}, scanChange)
		return err
	})
	return changes, err
}

func scanChange(row scanner) (shadow.Change, error) {
	var c shadow.Change
	var notes changeNotes
	var request, documents string
	err := row(&c.Version, timeColumn{&c.At}, jsonColumn{&notes}, &request, &documents)
	c.Deleted, c.ClientToken, c.ClientID, c.Principal = notes.Deleted, notes.ClientToken, notes.ClientID, notes.Principal
	if request != "" {
		c.Request = []byte(request)
	}
	if documents != "" {
		c.Documents = []byte(documents)
	}
	return c, err
}

// trimAtOnce bounds the changes that one write drops, so that no other waits long.
const trimAtOnce = 1000

// TrimChanges implements shadow.Store. What is too much is found on a snapshot, so
// that no write waits for the counting.
func (s *Shadows) TrimChanges(ctx context.Context, keep shadow.Keep) error {
	var cut int64
	var over bool
	err := s.db.View(ctx, func(tx *Tx) (err error) {
		over, err = tx.get("SELECT at FROM (SELECT at, ROW_NUMBER() OVER newest AS number, SUM(bytes) OVER newest AS total "+
			"FROM shadow_changes WHERE account = ? WINDOW newest AS (ORDER BY at DESC)) AS changes "+
			"WHERE number > ? OR total > ? ORDER BY at DESC LIMIT 1", []any{s.account, keep.Changes, keep.Bytes}, &cut)
		return err
	})
	for rows := int64(trimAtOnce); err == nil && over && rows == trimAtOnce; {
		err = s.db.Update(ctx, func(tx *Tx) (err error) {
			rows, err = tx.exec("DELETE FROM shadow_changes WHERE (account, thing, name, version) IN "+
				"(SELECT account, thing, name, version FROM shadow_changes WHERE account = ? AND at <= ? ORDER BY at LIMIT ?)",
				s.account, cut, trimAtOnce)
			return err
		})
	}
	return err
}
