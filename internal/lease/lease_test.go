package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"thingd/internal/lease"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is some servers on one database, with one clock.
type cluster struct {
	t     *testing.T
	db    *store.DB
	ahead atomic.Int64 // of a time that stands still
	down  atomic.Bool  // the database of the servers that know it
}

func newCluster(t *testing.T) *cluster {
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &cluster{t: t, db: db}
}

func (c *cluster) now() time.Time {
	return time.Unix(1_900_000_000, 0).Add(time.Duration(c.ahead.Load()))
}

func (c *cluster) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// server makes one that renews so often.
func (c *cluster) server(holder string, every time.Duration) *lease.Service {
	return lease.New(lease.Config{Store: flaky{c.db.Leases("1"), c}, Holder: holder, Now: c.now, Every: every, Log: slog.New(slog.DiscardHandler)})
}

// flaky is a database that can be out of reach.
type flaky struct {
	lease.Store
	c *cluster
}

func (f flaky) Update(ctx context.Context, fn func(lease.Tx) error) error {
	if f.c.down.Load() {
		return errors.New("the database is out of reach")
	}
	return f.Store.Update(ctx, fn)
}

func (c *cluster) take(s *lease.Service) *lease.Held {
	c.t.Helper()
	held, err := s.Take(c.t.Context(), "work")
	if err != nil {
		c.t.Fatal(err)
	}
	return held
}

func (c *cluster) refused(s *lease.Service) {
	c.t.Helper()
	if _, err := s.Take(c.t.Context(), "work"); !errors.Is(err, lease.ErrTaken) {
		c.t.Errorf("error %v, want %v", err, lease.ErrTaken)
	}
}

// check asks as a writer does.
func (c *cluster) check(held *lease.Held) error {
	return c.db.Leases("1").Update(c.t.Context(), held.Check)
}

func (c *cluster) row() (row lease.Row, found bool) {
	c.t.Helper()
	err := c.db.Leases("1").View(c.t.Context(), func(tx lease.Tx) (err error) {
		row, found, err = tx.Lease("work")
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return row, found
}

// never is too long for a renewal to come within a test.
const never = time.Hour

func TestALeaseHasOneHolder(t *testing.T) {
	c := newCluster(t)
	a, b := c.server("a", never), c.server("b", never)
	held := c.take(a)
	c.refused(b)
	c.refused(a)
	if err := c.check(held); err != nil {
		t.Error(err)
	}
	held.Release(t.Context())
	if _, found := c.row(); found {
		t.Error("a lease that was given back is there")
	}
	if err := c.check(held); !errors.Is(err, lease.ErrLost) {
		t.Errorf("after it was given back: %v", err)
	}
	c.take(b).Release(t.Context())
}

func TestALeaseIsTakenOverAtItsEnd(t *testing.T) {
	c := newCluster(t)
	a, b := c.server("a", never), c.server("b", never)
	asleep := c.take(a)
	c.pass(lease.Life - time.Millisecond)
	c.refused(b)
	c.pass(time.Millisecond)
	held := c.take(b)
	if row, _ := c.row(); row.Holder != "b" || row.Fence != 2 {
		t.Errorf("the row is %+v, want the second holder, b", row)
	}
	if err := c.check(asleep); !errors.Is(err, lease.ErrLost) {
		t.Errorf("who slept over it may write: %v", err)
	}
	asleep.Release(t.Context()) // which takes nothing from b
	if err := c.check(held); err != nil {
		t.Error(err)
	}
	held.Release(t.Context())
}

func TestALeaseThatIsRenewedStays(t *testing.T) {
	c := newCluster(t)
	held := c.take(c.server("a", time.Millisecond))
	for range 8 { // twice its life; the holder learns of one renewal before it begins the next
		c.pass(lease.Life / 4)
		for row, _ := c.row(); row.Expires.Before(c.now().Add(lease.Life)) && held.Context().Err() == nil; row, _ = c.row() {
			time.Sleep(time.Millisecond) // nobody tells of renewals
		}
	}
	if err := held.Context().Err(); err != nil {
		t.Error(context.Cause(held.Context()))
	}
	held.Release(t.Context())
}

// Who cannot renew stops a moment before another may begin.
func TestALeaseThatCannotBeRenewedIsLostInTime(t *testing.T) {
	c := newCluster(t)
	a := c.server("a", time.Millisecond)
	held := c.take(a)
	c.down.Store(true)
	c.pass(lease.Life - lease.Life/6)
	<-held.Context().Done()
	if !errors.Is(context.Cause(held.Context()), lease.ErrLost) {
		t.Error(context.Cause(held.Context()))
	}
	c.down.Store(false)
	c.refused(c.server("b", never))
	held.Release(t.Context())
}

func TestALeaseThatAnotherHasTakenEndsItsWork(t *testing.T) {
	c := newCluster(t)
	held := c.take(c.server("a", time.Millisecond))
	err := c.db.Leases("1").Update(t.Context(), func(tx lease.Tx) error {
		return tx.PutLease(lease.Row{Name: "work", Holder: "b", Fence: 2, Expires: c.now().Add(lease.Life)})
	})
	if err != nil {
		t.Fatal(err)
	}
	<-held.Context().Done()
	if !errors.Is(context.Cause(held.Context()), lease.ErrLost) {
		t.Error(context.Cause(held.Context()))
	}
	held.Release(t.Context())
	if row, _ := c.row(); row.Holder != "b" {
		t.Errorf("the row is %+v, want b's", row)
	}
}

// A server that was killed does not wait for its own old lease.
func TestAServerThatComesBackHasItsLeases(t *testing.T) {
	c := newCluster(t)
	killed := c.take(c.server("a", never))
	held := c.take(c.server("a", never))
	if row, _ := c.row(); row.Fence != 2 {
		t.Errorf("the row is %+v, want the second holder", row)
	}
	if err := c.check(killed); !errors.Is(err, lease.ErrLost) {
		t.Errorf("its old self may write: %v", err)
	}
	killed.Release(t.Context())
	held.Release(t.Context())
}

func TestAFailureOfTheDatabaseIsNoLease(t *testing.T) {
	c := newCluster(t)
	a := c.server("a", never)
	c.down.Store(true)
	if _, err := a.Take(t.Context(), "work"); err == nil || errors.Is(err, lease.ErrTaken) {
		t.Errorf("error %v", err)
	}
	c.down.Store(false)
	held := c.take(a) // the failure is not remembered
	c.down.Store(true)
	held.Release(t.Context()) // is only logged: the lease ends by itself
	c.down.Store(false)
	c.take(a).Release(t.Context())
}
