package registry

import (
	"context"
	"time"
)

// Store is what the registry asks of a database.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in a write transaction; the effect is durable when Update
	// returns nil. fn may run more than once.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction: rows in, rows out, no rules. Lists are in order of
// their key and begin after the given one; "" begins at the start.
type Tx interface {
	Thing(name string) (Thing, bool, error)
	// PutThing writes the thing and the index of its attributes.
	PutThing(Thing) error
	DeleteThing(name string) error
	// Things lists by name.
	Things(after string, limit int) ([]Thing, error)
	ThingsOfType(thingType, after string, limit int) ([]Thing, error)
	// ThingsWithAttribute lists by value and name.
	ThingsWithAttribute(r AttributeRange, limit int) ([]AttributeMatch, error)

	ThingType(name string) (ThingType, bool, error)
	PutThingType(ThingType) error
	DeleteThingType(name string) error
	ThingTypes(prefix, after string, limit int) ([]ThingType, error)

	ThingGroup(name string) (ThingGroup, bool, error)
	PutThingGroup(ThingGroup) error
	// DeleteThingGroup also ends the memberships of its things, and detaches
	// its policies: a later group of the same name has another purpose.
	DeleteThingGroup(g ThingGroup, groupARN string) error
	// ThingGroups lists all groups, of any depth, by name.
	ThingGroups(prefix, after string, limit int) ([]ThingGroup, error)
	// ChildGroups lists the direct children of parent, or with "" the roots, by
	// name.
	ChildGroups(parent, prefix, after string, limit int) ([]ThingGroup, error)
	// DescendantGroups lists what lies below the path, by path; after is a path.
	DescendantGroups(path, prefix, after string, limit int) ([]ThingGroup, error)

	// Memberships lists the groups that the thing is directly in, by path.
	Memberships(thing string) ([]Membership, error)
	PutMembership(Membership) error
	DeleteMembership(Membership) error
	// Members lists the things of the group at path and, if deep, of those below
	// it, by path and thing.
	Members(path string, deep bool, after MemberKey, limit int) ([]Membership, error)

	BillingGroup(name string) (BillingGroup, bool, error)
	PutBillingGroup(BillingGroup) error
	// DeleteBillingGroup also clears the field of its things.
	DeleteBillingGroup(name string) error
	BillingGroups(prefix, after string, limit int) ([]BillingGroup, error)
	// ThingsOfBillingGroup lists names.
	ThingsOfBillingGroup(name, after string, limit int) ([]string, error)

	Link(thing, principal string) (Link, bool, error)
	PutLink(Link) error
	DeleteLink(thing, principal string) error
	// LinksOfThing lists by principal; a nil exclusive takes both sorts.
	LinksOfThing(thing string, exclusive *bool, after string, limit int) ([]Link, error)
	// LinksOfPrincipal lists by thing.
	LinksOfPrincipal(principal string, exclusive *bool, after string, limit int) ([]Link, error)

	Tags(resource string) ([]Tag, error)
	PutTag(resource string, tag Tag) error
	DeleteTag(resource, key string) error
	DeleteTags(resource string) error

	EventConfigurations() (EventConfigurations, bool, error)
	PutEventConfigurations(EventConfigurations) error

	PutEvent(Event) error
	// Events lists those that were kept before a time, the oldest first.
	Events(before time.Time, limit int) ([]Event, error)
	DeleteEvent(id string) error
}

// AttributeRange selects things by one attribute.
type AttributeRange struct {
	Name   string
	Value  string
	Prefix bool // Value is the beginning of the value; "" is the beginning of all

	AfterValue, AfterThing string // where to go on
}

// AttributeMatch is a thing with the value that selected it.
type AttributeMatch struct {
	Value string
	Thing Thing
}

// MemberKey is a place in a list of members.
type MemberKey struct{ Path, Thing string }

// millis cuts what a database does not keep, so that a time is the same before
// and after.
func millis(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }
