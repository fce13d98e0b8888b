package rules

import (
	"context"
	"time"

	"thingd/internal/message"
)

// Store keeps the rules and destinations of one account.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error   // a snapshot
	Update(ctx context.Context, fn func(Tx) error) error // durable when it returns nil; fn may run again
}

// Tx is one transaction. Lists go on after the name or ID of the last entry and
// have limit entries at most.
type Tx interface {
	Rule(name string) (Rule, bool, error)
	PutRule(Rule) error
	DeleteRule(name string) error
	// Rules lists rules by name: all, those with this FROM filter, those that are
	// or are not disabled.
	Rules(RuleFilter) ([]Rule, error)
	CountRules() (int, error)

	Destination(id string) (Destination, bool, error)
	// DestinationOfURL finds the HTTP destination of a confirmation URL.
	DestinationOfURL(url string) (Destination, bool, error)
	// DestinationOfToken finds the one that waits for a token, by its hash.
	DestinationOfToken(hash string) (Destination, bool, error)
	PutDestination(Destination) error
	DeleteDestination(id string) error
	Destinations(after string, limit int) ([]Destination, error)

	// PutFiring keeps a firing until DeleteFiring.
	PutFiring(StoredFiring) error
	DeleteFiring(FiringKey) error
	// Firings reads the firings of a rule in the order of their numbers, from
	// those above after.
	Firings(rule string, after int64, limit int) ([]StoredFiring, error)
	// OldestFirings names the first of them, up to a number.
	OldestFirings(rule string, upTo int64, limit int) ([]FiringKey, error)
	// CountFirings counts the firings of each rule that has any.
	CountFirings() ([]FiringCount, error)
}

// StoredFiring is a message that waits for a rule. Numbers grow in the order of
// arrival; a message has one, whatever the number of rules that it waits for.
type StoredFiring struct {
	FiringKey
	Arrived time.Time
	Bytes   int              // of payload
	Message *message.Message // nil: it cannot be read any more
}

// FiringKey names a firing.
type FiringKey struct {
	Rule   string
	Number int64
	Shared bool // other rules waited for the message, too: it is stored once
}

// FiringCount says how much waits for a rule.
type FiringCount struct {
	Rule    string
	Firings int
	Bytes   int   // of payload
	Last    int64 // the highest number
}

// RuleFilter says which rules are wanted.
type RuleFilter struct {
	Topic    string // FROM filter; "": any
	Disabled *bool  // nil: both
	Prefix   string // of the name
	After    string // name
	Limit    int
}
