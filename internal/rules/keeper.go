package rules

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/fault"
	"thingd/internal/message"
)

// keeper brings firings to disk and takes them off it again. All that has come
// together since it wrote last it writes in one function of the store's group
// commit, together with what the broker writes for sessions; what is done with
// it deletes along the way. A firing that ended before its turn came is never
// written.
type keeper struct {
	store Store
	log   *slog.Logger
	// spilled hears that a ticket which waits on disk alone is there, or is not.
	spilled func(t *ticket, err error)

	work chan struct{} // signals run; nobody sends after closed
	over sync.WaitGroup

	mu     sync.Mutex
	asked  []*ticket // to be written, in the order of their numbers within a rule
	gone   []FiringKey
	purges []purge
	timer  *time.Timer // will see to gone
	closed bool
}

// ticket is the standing of a firing that must not be lost: a message of QoS 1
// or 2 on its way through one rule.
type ticket struct {
	StoredFiring
	line    *line
	spilled bool // it does not wait in memory
	asked   bool // the queue has asked for it to be kept, or let go of it
	receipt *receipt

	stage stage // guarded by keeper.mu
}

type stage uint8

const (
	fresh    stage = iota // in memory alone; its sender is not acknowledged
	wanted                // to be written
	writing               // being written
	kept                  // on disk
	finished              // done with
)

// purge is an order to delete the firings of a rule up to a number.
type purge struct {
	rule string
	upTo int64
}

// receipt is what the sender of a message waits for: that each of its rules is
// done with it, or has it on disk.
type receipt struct {
	left   atomic.Int32
	failed atomic.Pointer[error]
	done   message.Done
}

func (r *receipt) release(err error) {
	if err != nil {
		r.failed.CompareAndSwap(nil, &err)
	}
	if r.left.Add(-1) > 0 {
		return
	}
	if failed := r.failed.Load(); failed != nil {
		err = *failed
	}
	r.done(err)
}

// When finished firings are deleted although nothing else is to be written. A
// firing that is still there after a crash runs once more, nothing worse.
const (
	goneMax   = 256
	goneAfter = 100 * time.Millisecond
	purgeMax  = 500 // firings that are purged in one transaction
)

func newKeeper(store Store, log *slog.Logger, spilled func(*ticket, error)) *keeper {
	return &keeper{store: store, log: log, spilled: spilled, work: make(chan struct{}, 1)}
}

// keep sees to it that a firing is on disk soon, unless it ends before; then its
// sender is acknowledged. It never waits.
func (k *keeper) keep(t *ticket) {
	if t == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.stage != fresh {
		return
	}
	if k.closed {
		if r := t.takeReceipt(); r != nil {
			go r.release(errClosed) // the caller may hold a lock
		}
		return
	}
	t.stage = wanted
	k.asked = append(k.asked, t)
	k.wake()
}

// finish forgets a firing: it ran, or nobody wants it to. Its sender is
// acknowledged if that has not been done.
func (k *keeper) finish(t *ticket) {
	if t == nil {
		return
	}
	k.mu.Lock()
	before := t.stage
	t.stage = finished
	if before == kept {
		k.forget(t)
	}
	receipt := t.takeReceipt()
	k.mu.Unlock()
	if receipt != nil {
		receipt.release(nil)
	}
}

// takeReceipt gives the receipt to whoever releases it. The caller holds the
// keeper's lock.
func (t *ticket) takeReceipt() *receipt {
	r := t.receipt
	t.receipt = nil
	return r
}

// forget has a row deleted before long. The caller holds the lock.
func (k *keeper) forget(t *ticket) {
	k.gone = append(k.gone, t.FiringKey)
	switch {
	case len(k.gone) >= goneMax:
		k.wake()
	case k.timer == nil && !k.closed:
		k.timer = time.AfterFunc(goneAfter, func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.timer = nil
			k.wake()
		})
	}
}

// purge has all firings of a rule deleted up to a number.
func (k *keeper) purge(rule string, upTo int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.purges = append(k.purges, purge{rule, upTo})
	k.wake()
}

// wake lets run look again. The caller holds the lock.
func (k *keeper) wake() {
	if k.closed {
		return
	}
	select {
	case k.work <- struct{}{}:
	default: // it will see this, too
	}
}

// start lets the keeper write.
func (k *keeper) start() {
	k.over.Go(func() {
		for range k.work {
			k.write()
		}
	})
}

// close writes what is left. What is to be kept afterwards fails.
func (k *keeper) close() {
	k.mu.Lock()
	if !k.closed {
		k.closed = true
		close(k.work)
	}
	if k.timer != nil {
		k.timer.Stop()
	}
	k.mu.Unlock()
	k.over.Wait()
	k.write()
}

// errClosed makes the sender of a message come again.
var errClosed = fault.New(fault.CodeServiceUnavailable, "the rules engine has stopped")

// order is what one transaction does.
type order struct {
	puts   []*ticket
	gone   []FiringKey
	purges []purge
	purged int // rows that the last of the purges found
}

// write does what there is to do in one transaction of the group commit.
func (k *keeper) write() {
	var o *order
	err := k.store.Update(context.Background(), func(tx Tx) error {
		if o == nil { // the function may run again
			o = k.take()
		}
		return o.apply(tx)
	})
	if o == nil { // it never ran
		o = k.take()
	}
	if err != nil {
		k.log.Error("the queue of the rules could not be written", "firings", len(o.puts), "error", err)
	}
	k.settle(o, err)
}

// take takes what there is to do, as late as possible: what ended meanwhile is
// left out.
func (k *keeper) take() *order {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := &order{gone: k.gone, purges: k.purges}
	for _, t := range k.asked {
		if t.stage == wanted {
			t.stage = writing
			o.puts = append(o.puts, t)
		}
	}
	k.asked, k.gone, k.purges = nil, nil, nil
	return o
}

func (o *order) apply(tx Tx) error {
	for _, t := range o.puts {
		if err := tx.PutFiring(t.StoredFiring); err != nil {
			return err
		}
	}
	for _, key := range o.gone {
		if err := tx.DeleteFiring(key); err != nil {
			return err
		}
	}
	if len(o.purges) == 0 {
		return nil
	}
	return o.purge(tx)
}

// purge deletes some of what the first purge wants deleted: everybody's writes
// wait for the end of the transaction.
func (o *order) purge(tx Tx) error {
	first := o.purges[0]
	found, err := tx.OldestFirings(first.rule, first.upTo, purgeMax)
	if err != nil {
		return err
	}
	o.purged = len(found)
	for _, key := range found {
		if err := tx.DeleteFiring(key); err != nil {
			return err
		}
	}
	return nil
}

// settle goes on with what was written, or could not be.
func (k *keeper) settle(o *order, err error) {
	var receipts []*receipt
	k.mu.Lock()
	for _, t := range o.puts {
		switch {
		case err != nil && t.stage == writing:
			t.stage = fresh
		case err == nil && t.stage == writing:
			t.stage = kept
		case err == nil: // it ended meanwhile
			k.forget(t)
		}
		if r := t.takeReceipt(); r != nil {
			receipts = append(receipts, r)
		}
	}
	k.again(o, err)
	k.mu.Unlock()
	for _, t := range o.puts {
		if t.spilled {
			k.spilled(t, err)
		}
	}
	for _, r := range receipts {
		r.release(err)
	}
}

// again puts back what is left to be deleted. The caller holds the lock.
func (k *keeper) again(o *order, err error) {
	if err != nil {
		k.gone = append(o.gone, k.gone...)
		k.purges = append(o.purges, k.purges...)
		return // the next who wants something written tries again
	}
	if len(o.purges) > 0 && o.purged < purgeMax {
		o.purges = o.purges[1:]
	}
	if k.purges = append(o.purges, k.purges...); len(k.purges) > 0 {
		k.wake()
	}
}
