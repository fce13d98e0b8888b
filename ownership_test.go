package thingd

import (
	"context"
	"strings"
	"testing"
	"time"

	"thingd/internal/lease"
	"thingd/internal/store/pgtest"
)

// TestOneServerAtATimeHasADatabase: a second one is refused until the first has
// stopped. One that loses its lease gets it back, or stops where another has it.
func TestOneServerAtATimeHasADatabase(t *testing.T) {
	address, stop, err := pgtest.Start()
	t.Cleanup(stop)
	if err != nil {
		t.Skip("no PostgreSQL here: " + err.Error())
	}
	there := func(c *Config) { c.Store = address }
	first := start(t, there)
	second := testSettings(t)
	there(&second)
	refused := func() {
		t.Helper()
		err := tryStart(t, second)
		if err == nil || !strings.Contains(err.Error(), "another thingd works for account 123456789012 on this database") {
			t.Fatalf("the second start gives %v", err)
		}
	}
	refused()
	leases := first.db.Leases(first.config.Account)
	must(t, leases.Update(t.Context(), func(tx lease.Tx) error { return tx.DeleteLease(accountLease) }))
	first.holdsAgain(t)
	refused()
	first.stillServes(t)
	first.stopped(t)

	heir := start(t, there)
	must(t, heir.db.Leases(heir.config.Account).Update(t.Context(), func(tx lease.Tx) error { // as if it had slept meanwhile
		return tx.PutLease(lease.Row{Name: accountLease, Holder: "another", Fence: 99, Expires: time.Now().Add(time.Hour)})
	}))
	select {
	case err := <-heir.ended:
		if err == nil || !strings.Contains(err.Error(), "another thingd has taken over account 123456789012") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(2 * patience):
		t.Fatal("it does not stop")
	}
	heir.end()
	heir.end = nil
}

// holdsAgain waits until the server has noticed that its lease is gone, and has
// taken it again.
func (h *house) holdsAgain(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for found := false; !found; time.Sleep(10 * time.Millisecond) {
		must(t, h.db.Leases(h.config.Account).View(ctx, func(tx lease.Tx) (err error) {
			_, found, err = tx.Lease(accountLease)
			return err
		}))
	}
}
