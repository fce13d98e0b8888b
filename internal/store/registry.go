package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"thingd/internal/registry"
)

// Registry keeps what package registry asks for, of one account.
type Registry struct {
	db      *DB
	account string
}

var _ registry.Store = (*Registry)(nil)

// Registry gives the registry of an account.
func (db *DB) Registry(account string) *Registry { return &Registry{db, account} }

// View runs fn on a snapshot.
func (r *Registry) View(ctx context.Context, fn func(registry.Tx) error) error {
	return r.db.View(ctx, func(tx *Tx) error { return fn(registryTx{tx, r.account}) })
}

// Update runs fn in a write transaction.
func (r *Registry) Update(ctx context.Context, fn func(registry.Tx) error) error {
	return r.db.Update(ctx, func(tx *Tx) error { return fn(registryTx{tx, r.account}) })
}

// registryTx is one transaction of an account. Its methods are spread over the
// files named registry_*.go.
type registryTx struct {
	tx      *Tx
	account string
}

var _ registry.Tx = registryTx{}

// scanner reads the columns of one row.
type scanner = func(dest ...any) error

// prefixRange gives the bounds, from and below, of the texts that begin with
// prefix; no text is below "" and so everything is where the prefix is "". The
// prefixes here are names, which are ASCII.
func prefixRange(prefix string) (from, below string) {
	if prefix == "" {
		return "", "\U0010ffff"
	}
	last := len(prefix) - 1
	return prefix, prefix[:last] + string(rune(prefix[last]+1))
}

// nameRange gives a condition on a column and its two arguments: the names that
// begin with prefix and come after the name after. The condition has one lower bound,
// because an engine enters an index at one of them only.
func nameRange(column, prefix, after string) (where, from, below string) {
	from, below = prefixRange(prefix)
	if after >= from && after != "" {
		return column + " > ? AND " + column + " < ?", after, below
	}
	return column + " >= ? AND " + column + " < ?", from, below
}

// toMillis gives 0 for the zero time.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMillis gives the zero time for 0.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// toJSON writes a value of strings and maps, which always marshals.
func toJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("store: %T does not marshal: %v", value, err))
	}
	return string(text)
}

// jsonColumn reads a column of JSON into to.
type jsonColumn struct{ to any }

// Scan makes a jsonColumn a destination of a row.
func (c jsonColumn) Scan(value any) error {
	switch text := value.(type) {
	case string:
		return json.Unmarshal([]byte(text), c.to)
	case []byte:
		return json.Unmarshal(text, c.to)
	default:
		return fmt.Errorf("a column of JSON holds %T", value)
	}
}

// timeColumn reads a column of milliseconds into to.
type timeColumn struct{ to *time.Time }

// Scan makes a timeColumn a destination of a row.
func (c timeColumn) Scan(value any) error {
	ms, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a column of milliseconds holds %T", value)
	}
	*c.to = fromMillis(ms)
	return nil
}
