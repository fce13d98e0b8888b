package thingd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"thingd/internal/fault"
	"thingd/internal/pki"
)

// Deleting an account takes its connections, its rows, however many, and its
// folder. It is noted as ended before anything goes, so that a crash in between
// leaves no half of an account: the next start deletes the rest.

// Delete deletes a further account with everything that is its own: connections
// are closed, and certificates on their way to or from others stay with those.
func (a accounts) Delete(ctx context.Context, id string) error {
	s := a.s
	switch {
	case s.first != nil:
		return fault.New(fault.CodeAccessDenied, "accounts are deleted by the server's first account, %s", s.first.config.Account)
	case id == s.config.Account:
		return fault.InvalidRequest("account %s is the server's first account and cannot be deleted", id)
	}
	s.neighbors.making.Lock()
	defer s.neighbors.making.Unlock()
	ctx = context.WithoutCancel(ctx) // whoever hangs up has asked for it all the same
	n := s.neighbors.get(id)
	if n == nil {
		if ended, err := s.hasEnded(ctx, id); err != nil || ended {
			return errors.Join(err, s.clearAccount(ctx, id))
		}
		return fault.NotFound("account %s does not exist", id)
	}
	if err := n.settleTransfers(ctx); err != nil {
		return err
	}
	if err := s.db.EndAccount(ctx, id, s.now()); err != nil {
		return err
	}
	s.neighbors.remove(id)
	if err := n.vacate(ctx); err != nil {
		return fmt.Errorf("account %s is out of use, and is deleted at the next start: %w", id, err)
	}
	s.log.Info("deleted an account", "account", id)
	return s.clearAccount(ctx, id)
}

// settleTransfers gives back the certificates that others offer, and takes back
// those that are offered to others.
func (s *Server) settleTransfers(ctx context.Context) error {
	for page := (pki.Page{}); ; {
		certs, next, err := s.pki.List(ctx, page)
		for _, cert := range certs {
			switch {
			case err != nil || cert.Status != pki.PendingTransfer:
			case cert.Transfer.To != "":
				err = s.pki.Cancel(ctx, cert.ID)
			default:
				err = s.pki.Reject(ctx, cert.ID, "account "+s.config.Account+" was deleted")
			}
		}
		if page.Marker = next; err != nil || next == "" {
			return err
		}
	}
}

// vacate ends the work, the connections and the requests of an account that
// nobody finds any more.
func (s *Server) vacate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.config.DrainTimeout)
	defer cancel()
	if s.quit != nil {
		s.quit()
	}
	s.labor.Wait()
	return errors.Join(s.Close(ctx), s.visits.end(ctx))
}

// hasEnded says whether an account was deleted and something of it is left.
func (s *Server) hasEnded(ctx context.Context, id string) (bool, error) {
	known, err := s.db.Accounts(ctx)
	for _, account := range known {
		if account.ID == id {
			return !account.Ended.IsZero(), err
		}
	}
	return false, err
}

// clearEnded makes room for a new account of the same ID.
func (s *Server) clearEnded(ctx context.Context, id string) error {
	ended, err := s.hasEnded(ctx, id)
	if err != nil || !ended {
		return err
	}
	return s.clearAccount(ctx, id)
}

// clearAccount deletes what is left of an account that has ended.
func (s *Server) clearAccount(ctx context.Context, id string) error {
	if err := os.RemoveAll(filepath.Join(s.config.Data, "accounts", id)); err != nil {
		return fmt.Errorf("the folder of account %s cannot be deleted: %w", id, err)
	}
	return s.db.DropAccount(ctx, id)
}

// enter counts a request in, at the account that it means; at the first one where
// that has ended since, which turns it away as it would any stranger.
func (s *Server) enter(h *Server) *Server {
	if h.visits.enter() {
		return h
	}
	s.visits.enter() // the first account does not end
	return s
}

// visits counts the requests of an account that are under way.
type visits struct {
	inside atomic.Int64
	over   atomic.Bool
}

func (v *visits) enter() bool {
	v.inside.Add(1)
	if v.over.Load() {
		v.leave()
		return false
	}
	return true
}

func (v *visits) leave() { v.inside.Add(-1) }

// end lets nobody in any more, and waits until everybody has left.
func (v *visits) end(ctx context.Context) error {
	v.over.Store(true)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for v.inside.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d requests do not end", v.inside.Load())
		}
	}
	return nil
}
