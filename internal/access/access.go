// Package access keeps IoT policies and decides with them what devices may do.
//
// Its still side is AWS IoT's management of policies: versions, attachments to
// certificates, thing groups and Cognito identities, and the questions
// GetEffectivePolicies and TestAuthorization.
//
// Its live side is the Subject. Whoever has a connection opens one and asks it
// about every message; the answer takes no lock and no memory when the same
// question was asked before:
//
//	subject, err := policies.Open(ctx, access.Connection{Principal: p, MQTT: true, ClientID: "pump7"})
//	defer subject.Close()
//	if !subject.Allows("iot:Publish", "topic/t/pump7") { ... }
//
// What a Subject knows follows from the store: the default versions of the
// policies attached to the principal and to the groups of the thing that the
// connection is, and that thing's type and attributes. From the latter two also
// follows what the broker adds to the messages of an MQTT connection, see
// [Subject.UserProperties]. A change of any of it
// reaches every Subject that depends on it before the verb that made it returns;
// the Subject then loads anew when it is next asked. Policies are compiled once,
// and Subjects with the same policies share them.
package access

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync/atomic"
	"time"

	"thingd/internal/arn"
	"thingd/internal/registry"
)

// Config is what a Service is made of. Only Store and Scope must be given.
type Config struct {
	Store Store
	Scope arn.Scope
	Now   func() time.Time // nil: time.Now
	NewID func() string    // nil: random UUIDs. Generation IDs of policies
	Log   *slog.Logger     // nil: slog.Default. Hears of reads that failed
}

// Service is the IoT policies of one account.
type Service struct {
	// PrincipalExists says whether there is a certificate of this ARN. nil: there
	// is. Set before first use.
	PrincipalExists func(ctx context.Context, principal string) (bool, error)

	// Certificate gives the certificate of this ARN, for the certificate
	// variables of TestAuthorization; nil if it is not to be had. Set before
	// first use.
	Certificate func(ctx context.Context, principal string) (*x509.Certificate, error)

	// OnChange is told what changed, after it is on disk and after this node's
	// Subjects know, so that other nodes can be told to Invalidate. nil: nobody
	// asks. Set before first use.
	OnChange func(Change)

	store Store
	scope arn.Scope
	now   func() time.Time
	newID func() string
	log   *slog.Logger

	prefix   string // of the ARNs of the account's IoT resources
	clock    atomic.Uint64
	live     live
	compiled compiledPolicies
}

// New makes the Service.
func New(c Config) *Service {
	s := &Service{store: c.Store, scope: c.Scope, now: c.Now, newID: c.NewID, log: c.Log}
	if s.now == nil {
		s.now = time.Now
	}
	if s.newID == nil {
		s.newID = registry.NewUUID
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.prefix = s.scope.Of("iot", "")
	s.live.init()
	return s
}

// ARN gives the name of a policy.
func (s *Service) ARN(policy string) string { return s.scope.IoT("policy", policy) }

// Kind says what sort of thing a Change is about.
type Kind string

// The kinds of changes.
const (
	PolicyChanged     Kind = "policy"     // another default version, or deleted; Name is the policy
	AttachmentChanged Kind = "attachment" // policies attached or detached; Name is the target
)

// Change says that decisions derived from a resource are out of date. Other
// nodes hear of it over the bus, so it carries names and no content.
type Change struct {
	Kind Kind
	Name string
}

// update runs fn in a transaction and, when its effect is on disk, tells of the
// changes that fn gives.
func (s *Service) update(ctx context.Context, fn func(Tx) ([]Change, error)) error {
	var changes []Change
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		changes, err = fn(tx) // fn may run again: only its last run counts
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range changes {
		s.Invalidate(c)
		if s.OnChange != nil {
			s.OnChange(c)
		}
	}
	return nil
}

// Invalidate makes Subjects forget what a change made wrong. The Service does it
// for its own changes; call it for those of other nodes.
func (s *Service) Invalidate(c Change) {
	switch c.Kind {
	case PolicyChanged:
		s.markGrants(func(g *grants) bool { return contains(g.policies, c.Name) })
	case AttachmentChanged:
		if group, ok := s.groupOf(c.Name); ok {
			s.markGrants(func(g *grants) bool { return contains(g.groups, group) })
			return
		}
		s.markPrincipal(c.Name)
	}
}

// RegistryChanged does the same for changes of the registry, of this node (it is
// made for registry.Service.OnChange) and of others.
func (s *Service) RegistryChanged(c registry.Change) {
	switch c.Kind {
	case registry.ThingChanged, registry.MembershipChanged:
		s.markThing(c.Name)
	case registry.LinkChanged:
		s.markPrincipal(c.Name)
	case registry.GroupChanged:
		if c.Deleted { // its description and attributes decide nothing
			s.markGrants(func(g *grants) bool { return contains(g.groups, c.Name) })
		}
	case registry.TypeChanged:
		s.markGrants(func(g *grants) bool { return g.thingType == c.Name })
	}
}
