// Package settings keeps what an account sets for all of it and no resource
// has: what is logged of whom (AWS IoT's two generations of logging options),
// and whose keys encrypt the data.
//
// The logging options are obeyed, not only kept: whoever logs what happens to a
// device asks first,
//
//	if level >= settings.Level(settings.Facts{ClientID: "pump7", SourceIP: "192.0.2.7"}) { ... }
//
// and the answer comes from memory.
package settings

import (
	"context"
	"sync/atomic"
	"time"
)

// Store is what settings ask of a database.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error   // a snapshot
	Update(ctx context.Context, fn func(Tx) error) error // durable when it returns nil; fn may run again
}

// Tx is one transaction: rows in, rows out, no rules.
type Tx interface {
	// Document reads one settings document into dest and says whether there is
	// one.
	Document(name string, dest any) (bool, error)
	PutDocument(name string, document any) error

	TargetLevel(Target) (TargetLevel, bool, error)
	PutTargetLevel(TargetLevel) error
	DeleteTargetLevel(Target) error
	// TargetLevels lists by type and name, after the given one; the zero Target
	// begins at the start. kind "" is all.
	TargetLevels(kind TargetType, after Target, limit int) ([]TargetLevel, error)
	CountTargetLevels() (int, error)
}

// The names of the documents.
const (
	documentLogging    = "logging"    // Logging
	documentLoggingV2  = "loggingV2"  // LoggingV2
	documentEncryption = "encryption" // Encryption
)

// Config is what a Service is made of.
type Config struct {
	Store Store
	Now   func() time.Time // nil: time.Now
}

// Service is the settings of one account.
type Service struct {
	store Store
	now   func() time.Time
	rules atomic.Pointer[rules] // what is logged, as the store has it
}

// New makes a Service that knows what the store has.
func New(ctx context.Context, c Config) (*Service, error) {
	s := &Service{store: c.Store, now: c.Now}
	if s.now == nil {
		s.now = time.Now
	}
	return s, s.Reload(ctx)
}

// view runs fn on a snapshot.
func (s *Service) view(ctx context.Context, fn func(Tx) error) error { return s.store.View(ctx, fn) }

// update runs fn in a transaction and obeys its effect from then on.
func (s *Service) update(ctx context.Context, fn func(Tx) error) error {
	if err := s.store.Update(ctx, fn); err != nil {
		return err
	}
	return s.Reload(ctx)
}
