package access

import (
	"context"
	"strconv"
	"time"

	"thingd/internal/registry"
)

// Store is what access asks of a database.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in a write transaction; the effect is durable when Update
	// returns nil. fn may run more than once.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction: rows in, rows out, no rules.
type Tx interface {
	registry.TagTx

	Policy(name string) (Policy, bool, error)
	PutPolicy(Policy) error
	// DeletePolicy also deletes its versions.
	DeletePolicy(name string) error
	// Policies lists by time of creation and name, after the given place.
	Policies(after PolicyKey, descending bool, limit int) ([]Policy, error)

	Version(policy string, id VersionID) (Version, bool, error)
	// Versions lists the newest first.
	Versions(policy string) ([]Version, error)
	PutVersion(Version) error
	DeleteVersion(policy string, id VersionID) error

	PutAttachment(target, policy string) error
	DeleteAttachment(target, policy string) error
	// Attached lists the policies of a target by name.
	Attached(target string) ([]Policy, error)
	// Targets lists the targets of a policy, after the given one.
	Targets(policy, after string, descending bool, limit int) ([]string, error)

	// What the registry knows of the connection, of the same snapshot.
	Thing(name string) (registry.Thing, bool, error)
	Link(thing, principal string) (registry.Link, bool, error)
	LinksOfPrincipal(principal string, exclusive *bool, after string, limit int) ([]registry.Link, error)
	Memberships(thing string) ([]registry.Membership, error)
	ThingGroup(name string) (registry.ThingGroup, bool, error)
	ThingType(name string) (registry.ThingType, bool, error)
}

// VersionID counts the versions of a policy, from 1. AWS shows it as a decimal
// string.
type VersionID int64

// String gives the ID as AWS shows it.
func (id VersionID) String() string { return strconv.FormatInt(int64(id), 10) }

// Policy is a named policy without its documents.
type Policy struct {
	Name       string
	Generation string    // a UUID; another one after deletion and creation
	Default    VersionID // the version that decides
	Last       VersionID // the newest there ever was: IDs are never used again
	Created    time.Time
	Modified   time.Time
}

// Version is one document of a policy. It never changes.
type Version struct {
	Policy   string
	ID       VersionID
	Document string // as it was sent, byte for byte
	Created  time.Time
}

// PolicyKey is a place in the list of policies; the zero value is its start.
type PolicyKey struct {
	Created time.Time
	Name    string
}
