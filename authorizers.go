package thingd

import (
	"context"
	"strings"

	"thingd/internal/arn"
	"thingd/internal/authorizer"
	"thingd/internal/function"
	"thingd/internal/registry"
)

// openAuthorizers makes what asks custom authorizers, and knows the domain
// configurations.
func (s *Server) openAuthorizers(ctx context.Context) (err error) {
	s.authorizers, err = authorizer.New(ctx, authorizer.Config{
		Store: s.db.Authorizers(s.config.Account), Scope: s.scope, Functions: &function.Caller{URLs: s.config.Functions},
		Host: s.config.Host[0], Elsewhere: s.namedElsewhere, Now: s.now, NewID: registry.NewUUID,
	})
	return err
}

// domainExists says whether an ARN, which ends in an ID of its own, names a
// domain configuration.
func (s *Server) domainExists(ctx context.Context, name arn.ARN) (bool, error) {
	_, id := name.Kind()
	domain, suffix, _ := strings.Cut(id, "/")
	d, err := s.authorizers.Domain(ctx, domain)
	found, err := existing(err)
	return found && d.ID == suffix, err
}
