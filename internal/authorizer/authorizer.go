// Package authorizer keeps custom authorizers and domain configurations, and
// asks the authorizers.
//
// A custom authorizer is a function of the account's owner that says who a
// client is and what it may do. A client brings an Offer: a token, a user name
// and password, headers, from whatever door it came through. Vouch finds the
// authorizer that is meant, verifies the token's signature, calls the function
// and checks its answer:
//
//	verdict, err := authorizers.Vouch(ctx, offer)
//	rights, err := access.Open(ctx, access.Connection{Decider: verdict.Policies, ...})
//
// A domain configuration says how clients that ask for one server name prove who
// they are, and which authorizer is theirs unless they name another.
package authorizer

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"time"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

// Store is what authorizers ask of a database.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error   // a snapshot
	Update(ctx context.Context, fn func(Tx) error) error // durable when it returns nil; fn may run again
}

// Tx is one transaction: rows in, rows out, no rules.
type Tx interface {
	registry.TagTx

	Authorizer(name string) (Authorizer, bool, error)
	PutAuthorizer(Authorizer) error
	DeleteAuthorizer(name string) error
	// Authorizers lists the names of those with a status, "" for all, after the
	// given one; "" begins at the start.
	Authorizers(status Status, after string, descending bool, limit int) ([]string, error)

	// DefaultAuthorizer is the name of the account's default; "" is none.
	DefaultAuthorizer() (string, error)
	SetDefaultAuthorizer(name string) error // "" clears it

	Domain(name string) (Domain, bool, error)
	PutDomain(Domain) error
	DeleteDomain(name string) error
	// Domains lists all by name; they are few.
	Domains() ([]Domain, error)
}

// Functions call the functions of authorizers.
type Functions interface {
	Call(ctx context.Context, function string, event []byte, limit time.Duration) ([]byte, error)
}

// Certificates know the server certificates that ARNs name.
type Certificates interface {
	// Check says what keeps the certificate from serving a name, "" for any.
	Check(arn, serverName string) error
}

// Config is what a Service is made of. Only Store, Scope and Functions must be
// given.
type Config struct {
	Store     Store
	Scope     arn.Scope
	Functions Functions
	Host      string           // domain name of AWS's own domain configurations here
	Now       func() time.Time // nil: time.Now
	// Elsewhere says whether another account of the server has a domain
	// configuration for a server name. nil: none has.
	Elsewhere func(serverName string) bool
	// Certificates are the server certificates that ARNs name. nil: any ARN may
	// be given, and nothing is served for it.
	Certificates Certificates
	NewID        func() string // nil: random. Ends the ARNs of domain configurations, and names connections
}

// Service is the authorizers and domain configurations of one account.
type Service struct {
	store     Store
	scope     arn.Scope
	functions Functions
	host      string
	now       func() time.Time
	newID     func() string
	elsewhere func(string) bool
	certs     Certificates
	calls     chan struct{} // one entry for each call under way

	domains atomic.Pointer[served] // by the name that clients ask for
}

// New makes a Service that knows what the store has.
func New(ctx context.Context, c Config) (*Service, error) {
	s := &Service{store: c.Store, scope: c.Scope, functions: c.Functions, host: c.Host, now: c.Now, newID: c.NewID, elsewhere: c.Elsewhere, certs: c.Certificates, calls: make(chan struct{}, callsMax)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.elsewhere == nil {
		s.elsewhere = func(string) bool { return false }
	}
	if s.newID == nil {
		s.newID = rand.Text
	}
	return s, s.Reload(ctx)
}

// ARN names an authorizer.
func (s *Service) ARN(name string) string { return s.scope.IoT("authorizer", name) }

func (s *Service) timestamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// Status says whether an authorizer is asked.
type Status string

// The statuses.
const (
	Active   Status = "ACTIVE"
	Inactive Status = "INACTIVE"
)

// Authorizer is a custom authorizer.
type Authorizer struct {
	Name            string
	FunctionARN     string
	TokenKeyName    string            // of the header or parameter that holds the token
	PublicKeys      map[string]string // PEM, by a name of the owner's choice
	Status          Status
	SigningDisabled bool // tokens carry no signature
	CachingForHTTP  bool // one answer serves all requests of a connection
	Created         time.Time
	Modified        time.Time
}

// Create makes an authorizer, AWS operation CreateAuthorizer. No status is
// INACTIVE (unconfirmed).
func (s *Service) Create(ctx context.Context, a Authorizer, tags []registry.Tag) error {
	if a.Status == "" {
		a.Status = Inactive
	}
	if err := a.check(); err != nil {
		return err
	}
	a.Created = s.timestamp()
	a.Modified = a.Created
	return s.store.Update(ctx, func(tx Tx) error {
		if _, found, err := tx.Authorizer(a.Name); err != nil || found {
			return taken(err, "Authorizer", a.Name, s.ARN(a.Name))
		}
		if err := tx.PutAuthorizer(a); err != nil {
			return err
		}
		return registry.PutTags(tx, s.ARN(a.Name), tags)
	})
}

func taken(err error, what, name, arn string) error {
	if err != nil {
		return err
	}
	return fault.AlreadyExists("%s %s already exists", what, name).About(name, arn)
}

// Describe gives an authorizer, AWS operation DescribeAuthorizer.
func (s *Service) Describe(ctx context.Context, name string) (a Authorizer, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		a, err = find(tx, name)
		return err
	})
	return a, err
}

func find(tx Tx, name string) (Authorizer, error) {
	a, found, err := tx.Authorizer(name)
	if err == nil && !found {
		err = fault.NotFound("Authorizer %s does not exist", name)
	}
	return a, err
}

// Update says what to change of an authorizer; what is empty stays.
type Update struct {
	FunctionARN    string
	TokenKeyName   string
	PublicKeys     map[string]string // instead of those there are
	Status         Status
	CachingForHTTP *bool
}

// Update changes an authorizer, AWS operation UpdateAuthorizer. Whether tokens
// are signed cannot be changed.
func (s *Service) Update(ctx context.Context, name string, u Update) error {
	return s.store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, name)
		if err != nil {
			return err
		}
		u.apply(&a)
		if err := a.check(); err != nil {
			return err
		}
		a.Modified = s.timestamp()
		return tx.PutAuthorizer(a)
	})
}

func (u Update) apply(a *Authorizer) {
	if u.FunctionARN != "" {
		a.FunctionARN = u.FunctionARN
	}
	if u.TokenKeyName != "" {
		a.TokenKeyName = u.TokenKeyName
	}
	if u.PublicKeys != nil {
		a.PublicKeys = u.PublicKeys
	}
	if u.Status != "" {
		a.Status = u.Status
	}
	if u.CachingForHTTP != nil {
		a.CachingForHTTP = *u.CachingForHTTP
	}
}

// Delete removes an authorizer, AWS operation DeleteAuthorizer. One that is
// active, the default, or of a domain configuration is in the way.
func (s *Service) Delete(ctx context.Context, name string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		a, err := find(tx, name)
		if err != nil {
			return err
		}
		if err := unused(tx, a); err != nil {
			return err
		}
		if err := tx.DeleteAuthorizer(name); err != nil {
			return err
		}
		return tx.DeleteTags(s.ARN(name))
	})
}

func unused(tx Tx, a Authorizer) error {
	if a.Status == Active {
		return fault.DeleteConflict("Authorizer %s is ACTIVE; make it INACTIVE first", a.Name)
	}
	name, err := tx.DefaultAuthorizer()
	if err != nil {
		return err
	}
	if name == a.Name {
		return fault.DeleteConflict("Authorizer %s is the default authorizer; clear that first", a.Name)
	}
	domains, err := tx.Domains()
	for _, d := range domains {
		if d.Authorizer != nil && d.Authorizer.Name == a.Name {
			return fault.DeleteConflict("Authorizer %s is the default of domain configuration %s", a.Name, d.Name)
		}
	}
	return err
}

// List lists the names of authorizers of a status, "" for all, in alphabetical
// order, AWS operation ListAuthorizers.
func (s *Service) List(ctx context.Context, status Status, ascending bool, p registry.Page) (names []string, next string, err error) {
	list := registry.List{"authorizers", string(status), order(ascending)}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	limit := pageLimit(p)
	err = s.store.View(ctx, func(tx Tx) error {
		names, err = tx.Authorizers(status, keys[0], !ascending, limit+1)
		return err
	})
	if err != nil || len(names) <= limit {
		return names, "", err
	}
	return names[:limit], list.Token(names[limit-1]), nil
}

func order(ascending bool) string {
	if ascending {
		return "up"
	}
	return "down"
}

// pageLimit gives the size of a page: 25 where nobody says.
func pageLimit(p registry.Page) int {
	if p.Size <= 0 {
		return 25
	}
	return p.Limit()
}

// SetDefault makes an authorizer the one of clients that name none, AWS operation
// SetDefaultAuthorizer. There may be none before.
func (s *Service) SetDefault(ctx context.Context, name string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := find(tx, name); err != nil {
			return err
		}
		have, err := tx.DefaultAuthorizer()
		if err != nil {
			return err
		}
		if have != "" {
			return fault.AlreadyExists("%s is the default authorizer already; clear that first", have).About(have, s.ARN(have))
		}
		return tx.SetDefaultAuthorizer(name)
	})
}

// ClearDefault leaves the account without a default, AWS operation
// ClearDefaultAuthorizer.
func (s *Service) ClearDefault(ctx context.Context) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := defaultOf(tx); err != nil {
			return err
		}
		return tx.SetDefaultAuthorizer("")
	})
}

// Default gives the account's default, AWS operation DescribeDefaultAuthorizer.
func (s *Service) Default(ctx context.Context) (a Authorizer, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		a, err = defaultOf(tx)
		return err
	})
	return a, err
}

func defaultOf(tx Tx) (Authorizer, error) {
	name, err := tx.DefaultAuthorizer()
	if err != nil {
		return Authorizer{}, err
	}
	if name == "" {
		return Authorizer{}, fault.NotFound("There is no default authorizer")
	}
	return find(tx, name)
}
