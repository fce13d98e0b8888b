package rules

import "context"

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
}

// RuleFilter says which rules are wanted.
type RuleFilter struct {
	Topic    string // FROM filter; "": any
	Disabled *bool  // nil: both
	After    string // name
	Limit    int
}
