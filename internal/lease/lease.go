// Package lease lets exactly one of several servers on one database do what is
// to be done once, such as going through a registration task.
//
//	held, err := leases.Take(ctx, "manifest-import/42") // ErrTaken: another server is at it
//	defer held.Release(ctx)
//	work(held.Context())                    // ends when the lease is lost
//	store.Update(ctx, func(tx Tx) error {
//		if err := held.Check(tx); err != nil { // ErrLost: another server has gone on
//			return err
//		}
//		...
//	})
//
// A lease is a row: who holds it, until when, and a fencing number that grows
// whenever it changes hands. The holder renews it; one that is gone or cut off
// from the database does not, and when its time is over another server takes the
// lease. The old holder's context has ended a moment before, and should it have
// slept through all of it, Check stops its writes: it compares the fencing number
// in the transaction of the write itself.
//
// The holder is a server, by the ID that its data folder keeps. What it held when
// it ended it takes again at once when it is back, and needs not wait for its own
// old lease: nobody else can run on its folder.
//
// Servers compare the row's end with their own clocks, which may differ by a
// sixth of Life.
//
// Who uses it: provisioning, for registration tasks and manifest imports, and the
// server itself, which holds its accounts. Timers whose work can be done twice
// without harm, such as purges, need none.
package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Errors of leases.
var (
	ErrTaken = errors.New("another has the lease")
	ErrLost  = errors.New("the lease was lost")
)

// Row is a lease as a database keeps it.
type Row struct {
	Name    string
	Holder  string
	Fence   int64 // from 1; grows whenever the lease changes hands
	Expires time.Time
}

// Store is what leases ask of a database, for one account.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in a write transaction that is serializable with those of
	// other servers; fn may run more than once.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is the part of a transaction that has the leases. Packages whose writes are
// fenced have it in their own Tx.
type Tx interface {
	Lease(name string) (Row, bool, error)
	PutLease(Row) error
	DeleteLease(name string) error
}

// Life is how long a lease lasts that nobody renews.
const Life = 30 * time.Second

// Config is what a Service is made of. Store and Holder must be given.
type Config struct {
	Store  Store
	Holder string           // the server's ID; no two servers have the same
	Now    func() time.Time // nil: time.Now
	Every  time.Duration    // between renewals; 0: a third of Life
	Log    *slog.Logger     // nil: slog.Default
}

// Service takes leases for one server. The same lease is taken once in a process.
type Service struct {
	Config

	mu   sync.Mutex
	here map[string]bool // held in this process
}

// New makes a Service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Every == 0 {
		c.Every = Life / 3
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Service{Config: c, here: map[string]bool{}}
}

// Take takes a lease that nobody has, or whose time is over, and keeps it until
// Release. Where another has it, the error is ErrTaken. ctx bounds the taking
// alone.
func (s *Service) Take(ctx context.Context, name string) (*Held, error) {
	if !s.enter(name) {
		return nil, ErrTaken
	}
	row, err := s.take(ctx, name)
	if err != nil {
		s.leave(name)
		return nil, err
	}
	h := &Held{s: s, row: row, ended: make(chan struct{})}
	h.ctx, h.end = context.WithCancelCause(context.Background())
	go h.keep()
	return h, nil
}

func (s *Service) enter(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.here[name] {
		return false
	}
	s.here[name] = true
	return true
}

func (s *Service) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.here, name)
}

// take looks first: most who come find it taken, and need no write for that.
func (s *Service) take(ctx context.Context, name string) (row Row, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		_, err := s.free(tx, name)
		return err
	})
	if err != nil {
		return Row{}, err
	}
	err = s.Store.Update(ctx, func(tx Tx) error {
		if row, err = s.free(tx, name); err != nil {
			return err
		}
		row = Row{Name: name, Holder: s.Holder, Fence: row.Fence + 1, Expires: s.expires()}
		return tx.PutLease(row)
	})
	return row, err
}

// free gives the row of a lease that may be taken; the zero value for none.
func (s *Service) free(tx Tx, name string) (Row, error) {
	row, found, err := tx.Lease(name)
	if err == nil && found && row.Holder != s.Holder && s.Now().Before(row.Expires) {
		err = ErrTaken
	}
	return row, err
}

// expires is a lease's end as of now, as a database keeps it.
func (s *Service) expires() time.Time { return time.UnixMilli(s.Now().Add(Life).UnixMilli()).UTC() }

// Held is a lease that is held here.
type Held struct {
	s     *Service
	row   Row // Expires changes with each renewal; keep alone touches it
	ctx   context.Context
	end   context.CancelCauseFunc
	ended chan struct{} // closed when keep has ended
}

// Context ends when the lease is lost, which is then its cause, or released.
func (h *Held) Context() context.Context { return h.ctx }

// Check says in a write transaction whether the lease is still this one; ErrLost
// where another has taken it since.
func (h *Held) Check(tx Tx) error {
	row, found, err := tx.Lease(h.row.Name)
	if err == nil && (!found || row.Holder != h.row.Holder || row.Fence != h.row.Fence) {
		err = ErrLost
	}
	return err
}

// Release gives the lease back, so that others need not wait for its end. Nothing
// may be done under it any more.
func (h *Held) Release(ctx context.Context) {
	h.end(nil)
	<-h.ended
	err := h.s.Store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		if err := h.Check(tx); err != nil {
			return err
		}
		return tx.DeleteLease(h.row.Name)
	})
	h.s.leave(h.row.Name)
	if err != nil && !errors.Is(err, ErrLost) {
		h.s.Log.Warn("a lease could not be given back; it ends by itself", "lease", h.row.Name, "error", err)
	}
}

// margin is how long before the end in the row the holder gives up, for the sake
// of clocks that differ.
const margin = Life / 6

// keep renews the lease until it is released or lost. A renewal that hangs in the
// database must not keep the holder from noticing that its time is over, so it
// runs beside.
func (h *Held) keep() {
	defer close(h.ended)
	tick := time.NewTicker(h.s.Every)
	defer tick.Stop()
	var renewed chan error // of the renewal under way
	var until time.Time    // what that renewal is for
	defer func() {
		if renewed != nil {
			<-renewed
		}
	}()
	for {
		select {
		case <-h.ctx.Done():
			return
		case err := <-renewed:
			renewed = nil
			if err == nil {
				h.row.Expires = until
			} else if errors.Is(err, ErrLost) {
				h.lose(err)
			}
		case <-tick.C:
			if renewed == nil {
				until = h.s.expires()
				renewed = h.renew(until)
			}
		}
		if !h.s.Now().Before(h.row.Expires.Add(-margin)) && h.ctx.Err() == nil {
			h.lose(fmt.Errorf("%w: it could not be renewed in time", ErrLost))
		}
	}
}

func (h *Held) lose(cause error) {
	h.s.Log.Warn("a lease was lost", "lease", h.row.Name, "fence", h.row.Fence)
	h.end(cause)
}

// renew begins to renew and gives where the outcome comes.
func (h *Held) renew(until time.Time) chan error {
	row, done := h.row, make(chan error, 1)
	row.Expires = until
	go func() {
		done <- h.s.Store.Update(h.ctx, func(tx Tx) error {
			if err := h.Check(tx); err != nil {
				return err
			}
			return tx.PutLease(row)
		})
	}()
	return done
}
