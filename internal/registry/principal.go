package registry

import (
	"context"

	"thingd/internal/fault"
)

// Link is a principal attached to a thing: whoever connects as the principal may
// speak for the thing.
type Link struct {
	Thing     string
	Principal string // the ARN of a certificate, or a Cognito identity
	Exclusive bool   // the principal is attached to this thing only
}

// principalMax is the longest principal, in bytes.
const principalMax = 2048

// AttachThingPrincipal attaches a principal to a thing, AWS operation
// AttachThingPrincipal. Repeating is a success; with the other exclusiveness it
// changes the link (unconfirmed). An exclusive principal has one thing:
// InvalidRequest for another one (exact error unconfirmed).
func (s *Service) AttachThingPrincipal(ctx context.Context, thing, principal string, exclusive bool) error {
	if err := s.checkPrincipal(ctx, principal); err != nil {
		return err
	}
	return s.update(ctx, func(w *work) error {
		if _, err := findThing(w, thing); err != nil {
			return err
		}
		want := Link{Thing: thing, Principal: principal, Exclusive: exclusive}
		have, found, err := w.Link(thing, principal)
		if err != nil || found && have == want {
			return err
		}
		if err := checkExclusive(w, want); err != nil {
			return err
		}
		w.changed(LinkChanged, principal)
		return w.PutLink(want)
	})
}

func (s *Service) checkPrincipal(ctx context.Context, principal string) error {
	if principal == "" || len(principal) > principalMax {
		return fault.InvalidRequest("the principal must be the ARN of a certificate or a Cognito identity")
	}
	if s.PrincipalExists == nil {
		return nil
	}
	exists, err := s.PrincipalExists(ctx, principal)
	if err == nil && !exists {
		err = fault.NotFound("Principal %s not found", principal)
	}
	return err
}

// checkExclusive refuses a link beside another one when either is exclusive.
func checkExclusive(tx Tx, want Link) error {
	links, err := tx.LinksOfPrincipal(want.Principal, nil, "", 2)
	if err != nil {
		return err
	}
	for _, other := range links {
		if other.Thing == want.Thing {
			continue
		}
		if other.Exclusive {
			return fault.InvalidRequest("the principal is exclusive to thing %s; detach it there first", other.Thing)
		}
		if want.Exclusive {
			return fault.InvalidRequest("the principal is attached to thing %s and so cannot be exclusive to %s", other.Thing, want.Thing)
		}
	}
	return nil
}

// DetachThingPrincipal ends the link, AWS operation DetachThingPrincipal. A pair
// that is not attached is NotFound (unconfirmed; the model has the exception).
func (s *Service) DetachThingPrincipal(ctx context.Context, thing, principal string) error {
	return s.update(ctx, func(w *work) error {
		if _, err := findThing(w, thing); err != nil {
			return err
		}
		_, found, err := w.Link(thing, principal)
		if err != nil {
			return err
		}
		if !found {
			return fault.NotFound("Principal %s is not attached to thing %s", principal, thing)
		}
		w.deleted(LinkChanged, principal)
		return w.DeleteLink(thing, principal)
	})
}

// ThingPrincipals lists the principals of a thing, AWS operations
// ListThingPrincipals and ListThingPrincipalsV2. A nil exclusive takes both
// sorts of links.
func (s *Service) ThingPrincipals(ctx context.Context, thing string, exclusive *bool, p Page) ([]Link, string, error) {
	list := List{"principals of thing", thing, exclusiveFilter(exclusive)}
	return s.links(ctx, list, p, func(l Link) []string { return []string{l.Principal} }, func(tx Tx, after string, limit int) ([]Link, error) {
		_, found, err := tx.Thing(thing)
		if err == nil && !found {
			err = fault.NotFound("Failed to list principals for thing %s because the thing does not exist in your account", thing)
		}
		if err != nil {
			return nil, err
		}
		return tx.LinksOfThing(thing, exclusive, after, limit)
	})
}

// PrincipalThings lists the things of a principal, AWS operations
// ListPrincipalThings and ListPrincipalThingsV2. A principal that nobody knows
// has none.
func (s *Service) PrincipalThings(ctx context.Context, principal string, exclusive *bool, p Page) ([]Link, string, error) {
	list := List{"things of principal", principal, exclusiveFilter(exclusive)}
	return s.links(ctx, list, p, func(l Link) []string { return []string{l.Thing} }, func(tx Tx, after string, limit int) ([]Link, error) {
		return tx.LinksOfPrincipal(principal, exclusive, after, limit)
	})
}

func exclusiveFilter(exclusive *bool) string {
	switch {
	case exclusive == nil:
		return ""
	case *exclusive:
		return "exclusive"
	default:
		return "non-exclusive"
	}
}

func (s *Service) links(ctx context.Context, list List, p Page, key func(Link) []string,
	read func(tx Tx, after string, limit int) ([]Link, error)) (links []Link, next string, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		after, err := list.after(p)
		if err != nil {
			return err
		}
		rows, err := read(tx, after, p.Limit()+1)
		links, next = cut(list, rows, p.Limit(), key)
		return err
	})
	return links, next, err
}
