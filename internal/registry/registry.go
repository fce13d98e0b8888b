// Package registry knows the fleet: things, their types and groups, billing
// groups, the principals that speak for things, and the tags on all of it.
//
// Service has a verb for each deed; a verb is one transaction. What follows from
// a deed (a registry event, a cache elsewhere that is out of date) is told after
// the transaction is on disk: events go to the Publisher, while their kind is
// switched on, and a Change goes to OnChange. Events are written in the same
// transaction and forgotten when they are published, so that a crash loses none:
// Run publishes what an earlier process has left.
//
//	things := registry.New(registry.Config{Store: db.Registry(account), Scope: scope})
//	thing, err := things.CreateThing(ctx, registry.NewThing{Name: "pump7"})
//
// Names, limits and error texts are AWS IoT's. Errors are faults.
package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"thingd/internal/arn"
	"thingd/internal/message"
)

// Config is what a Service is made of. Only Store and Scope must be given.
type Config struct {
	Store Store
	Scope arn.Scope

	Now       func() time.Time  // nil: time.Now
	NewID     func() string     // nil: random UUIDs. IDs of resources and events
	Publisher message.Publisher // nil: events go nowhere

	// DeprecationWait is how long a thing type must have been deprecated before
	// it may be deleted, so that whoever is about to create a thing of that type
	// fails before it is gone. 0: five minutes, as in AWS; negative: no wait.
	DeprecationWait time.Duration
}

// Service is the registry of one account.
type Service struct {
	// PrincipalExists says whether a principal (a certificate's ARN) may be
	// attached to a thing. nil: every principal may. Set before first use.
	PrincipalExists func(ctx context.Context, principal string) (bool, error)

	// TagExists says, by kind of ARN (policy, rule, job, rolealias ...), whether
	// a resource that another package owns exists and so may carry tags. Set
	// before first use.
	TagExists map[string]func(ctx context.Context, resource arn.ARN) (bool, error)

	// OnChange is told what changed, after it is on disk and before the verb
	// returns, from the goroutine of the caller. It must be quick. nil: nobody
	// asks. Set before first use.
	OnChange func(Change)

	store           Store
	scope           arn.Scope
	now             func() time.Time
	newID           func() string
	publisher       message.Publisher
	deprecationWait time.Duration
	outbox          outbox
}

// deprecationWait is AWS's waiting time of DeleteThingType.
const deprecationWait = 5 * time.Minute

// New makes the Service.
func New(c Config) *Service {
	s := &Service{store: c.Store, scope: c.Scope, now: c.Now, newID: c.NewID,
		publisher: c.Publisher, deprecationWait: c.DeprecationWait}
	if s.now == nil {
		s.now = time.Now
	}
	if s.newID == nil {
		s.newID = NewUUID
	}
	if s.deprecationWait == 0 {
		s.deprecationWait = deprecationWait
	}
	return s
}

// NewUUID makes a random UUID, version 4 (RFC 9562).
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ARN gives the name of a resource of the registry's account: ARN("thing", "pump7").
func (s *Service) ARN(kind, name string) string { return s.scope.IoT(kind, name) }

// work is one run of a verb's transaction with what must follow it.
type work struct {
	Tx
	now     time.Time
	events  []event
	kept    []Event // of events, those that are to be published
	changes []Change
}

// update runs fn in a transaction and, when its effect is on disk, tells of it.
func (s *Service) update(ctx context.Context, fn func(*work) error) error {
	var last *work
	err := s.store.Update(ctx, func(tx Tx) error {
		last = &work{Tx: tx, now: s.now()} // fn may run again: only its last run counts
		if err := fn(last); err != nil {
			return err
		}
		return s.keepEvents(last)
	})
	if err != nil {
		return err
	}
	s.tell(last.changes)
	s.publish(last.kept)
	return nil
}

func (s *Service) tell(changes []Change) {
	if s.OnChange == nil {
		return
	}
	for _, c := range changes {
		s.OnChange(c)
	}
}
