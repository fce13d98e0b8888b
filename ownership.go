package thingd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"thingd/internal/lease"
)

// A server keeps sessions, compiled policies, rules and the queues of integrations
// in memory as well, so a second one that works on the same rows would contradict
// it. SQLite's file is the data folder's, and that is locked; an account in
// PostgreSQL is held by a lease.

const (
	accountLease = "server"
	// holdAgain is the pause between attempts to get back what was lost.
	holdAgain = time.Second
)

// hold takes the account for this server until Close.
func (s *Server) hold(ctx context.Context) (err error) {
	if s.config.Store == "" {
		return nil
	}
	s.held, err = s.leases.Take(ctx, accountLease)
	if errors.Is(err, lease.ErrTaken) {
		return fmt.Errorf("another thingd works for account %s on this database, and one at a time can; "+
			"stop that one or, if it has just ended without a goodbye, wait half a minute", s.config.Account)
	}
	if err == nil {
		s.onClose(func(ctx context.Context) error { s.held.Release(ctx); return nil })
	}
	return err
}

// holdOn gets the account back where the lease ended because the database was out
// of reach or the machine slept. Where another server has it by then, this one
// stops.
func (s *Server) holdOn(ctx context.Context) {
	if s.held == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.held.Context().Done():
		}
		s.held.Release(ctx)
		if err := s.holdAgain(ctx); err != nil {
			s.house().oust(err)
			return
		}
	}
}

// holdAgain tries until it is held, or another server has it, or ctx ends.
func (s *Server) holdAgain(ctx context.Context) error {
	for {
		held, err := s.leases.Take(ctx, accountLease)
		switch {
		case err == nil:
			s.held = held
			return nil
		case errors.Is(err, lease.ErrTaken):
			return fmt.Errorf("another thingd has taken over account %s on this database", s.config.Account)
		}
		select {
		case <-time.After(holdAgain):
		case <-ctx.Done():
			return nil
		}
	}
}

// oust lets Run end with an error; the first one counts.
func (s *Server) oust(err error) {
	select {
	case s.ousted <- err:
	default:
	}
}
