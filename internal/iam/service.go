package iam

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"thingd/internal/arn"
	"thingd/internal/fault"
)

// Config is what a Service needs.
type Config struct {
	Store  Store
	Scope  arn.Scope
	Sealer Sealer           // default: secrets are kept in the clear
	Now    func() time.Time // default: time.Now

	// ResourceTags reads the tags of a resource of another package, for
	// aws:ResourceTag in conditions. Default: nothing has any.
	ResourceTags func(ctx context.Context, arn string) ([]Tag, error)

	// Elsewhere gives the Service of another account on this server, whose roles
	// may trust identities of this one; nil if there is none. Default: there is
	// none.
	Elsewhere func(account string) *Service

	// OnChange hears of every change after it is on disk, so that other nodes can
	// Refresh. Default: nobody does.
	OnChange func()
}

// Service keeps the identities of one account.
type Service struct {
	store    Store
	scope    arn.Scope
	sealer   Sealer
	now      func() time.Time
	onChange func()

	resourceTags func(context.Context, string) ([]Tag, error)
	elsewhere    func(string) *Service

	generation atomic.Uint64 // moves with every change; caches of older ones are void
	known      memory[credential]
	granted    memory[grant]
	roles      memory[assumable]
}

// New gives the Service of the scope's account.
func New(c Config) *Service {
	s := &Service{store: c.Store, scope: c.Scope, sealer: c.Sealer, now: c.Now, onChange: c.OnChange, resourceTags: c.ResourceTags, elsewhere: c.Elsewhere}
	if s.now == nil {
		s.now = time.Now
	}
	if s.resourceTags == nil {
		s.resourceTags = func(context.Context, string) ([]Tag, error) { return nil, nil }
	}
	if s.elsewhere == nil {
		s.elsewhere = func(string) *Service { return nil }
	}
	if s.onChange == nil {
		s.onChange = func() {}
	}
	return s
}

// Refresh forgets everything that is remembered of the store, because another
// node has changed it.
func (s *Service) Refresh() { s.generation.Add(1) }

// Generation moves when an earlier decision may be wrong.
func (s *Service) Generation() uint64 { return s.generation.Load() }

// update runs a change and lets everybody know of it.
func (s *Service) update(ctx context.Context, fn func(Tx) error) error {
	err := s.store.Update(ctx, fn)
	if err == nil {
		s.Refresh()
		s.onChange()
	}
	return err
}

func (s *Service) timestamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// UserARN names a user.
func (s *Service) UserARN(u User) string { return s.scope.IAM("user" + u.Path + u.Name) }

// RoleARN names a role.
func (s *Service) RoleARN(r Role) string { return s.scope.IAM("role" + r.Path + r.Name) }

// RootARN names the root of the account.
func (s *Service) RootARN() string { return s.scope.IAM("root") }

func (s *Service) policyARN(path, name string) string { return s.scope.IAM("policy" + path + name) }

// Page asks for a part of a list.
type Page struct {
	Marker     string // where the page before ended, as its answer said; "" begins
	Size       int    // at most 1000; 0 means 100
	PathPrefix string // "" or "/" takes all
}

const (
	pageDefault = 100 // AWS's
	pageMax     = 1000
)

func (p Page) size() int {
	if p.Size <= 0 {
		return pageDefault
	}
	return min(p.Size, pageMax)
}

// after reads the marker: the last name of the page before.
func (p Page) after() (string, error) {
	name, err := base64.StdEncoding.DecodeString(p.Marker)
	if err != nil {
		return "", fault.InvalidRequest("the marker is not one of ours; begin the list again without it")
	}
	return string(name), nil
}

// page reads one row more than the page has, to know whether another follows.
func page[T any](ctx context.Context, s *Service, p Page, rows func(tx Tx, after string, limit int) ([]T, error), name func(T) string) (all []T, next string, err error) {
	after, err := p.after()
	if err != nil {
		return nil, "", err
	}
	size := p.size()
	err = s.store.View(ctx, func(tx Tx) (err error) {
		all, err = rows(tx, after, size+1)
		return err
	})
	if err != nil || len(all) <= size {
		return all, "", err
	}
	return all[:size], base64.StdEncoding.EncodeToString([]byte(name(all[size-1]))), nil
}

// Cut gives a page of a list that is read whole because it is short: by name.
func Cut[T any](all []T, p Page, name func(T) string) ([]T, string, error) {
	after, err := p.after()
	if err != nil {
		return nil, "", err
	}
	all = slices.DeleteFunc(slices.Clone(all), func(one T) bool { return name(one) <= after && after != "" })
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(name(a), name(b)) })
	size := p.size()
	if len(all) <= size {
		return all, "", nil
	}
	return all[:size], base64.StdEncoding.EncodeToString([]byte(name(all[size-1]))), nil
}

// path gives the default path.
func path(text string) string {
	if text == "" {
		return "/"
	}
	return text
}
