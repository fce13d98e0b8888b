package credentials

import (
	"context"
	"time"

	"thingd/internal/registry"
)

// Store is what credentials asks of a database.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in a write transaction; the effect is durable when Update
	// returns nil. fn may run more than once.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction: rows in, rows out, no rules. Packages that make role
// aliases of their own together with other rows have it in their own Tx.
type Tx interface {
	registry.TagTx

	RoleAlias(name string) (RoleAlias, bool, error)
	PutRoleAlias(RoleAlias) error
	DeleteRoleAlias(name string) error
	// RoleAliases lists names in their order, after the given one; "" begins at
	// the start.
	RoleAliases(after string, descending bool, limit int) ([]string, error)
}

// RoleAlias points at a role that devices may take on.
type RoleAlias struct {
	Name     string
	RoleARN  string
	Duration time.Duration // of the sessions
	Created  time.Time
	Modified time.Time
}
