package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

const (
	// groupMax bounds one group's functions, so that a flood cannot make the
	// first in line wait for ever.
	groupMax = 1024
	// queueMax bounds the functions that wait for the writer. When it is full,
	// Update and Submit wait: whoever floods the store is slowed down.
	queueMax = 4096
	// retryMax bounds how often a group starts again after PostgreSQL could
	// not serialize it with another node's.
	retryMax = 8
)

// ErrClosed says that the store was closed before a write could begin.
var ErrClosed = errors.New("the store is closed")

// write is one function that waits for its group.
type write struct {
	fn   func(*Tx) error
	done func(error)
	err  error
}

// writer owns the one connection that writes. Everything in it belongs to the
// goroutine in run, except the queue.
type writer struct {
	queue   chan *write
	stopped chan struct{} // closed when run has ended
	db      *sql.DB
	conn    *sql.Conn // nil after its link broke, until the next group
	dialect dialect
	cache   map[string]*sql.Stmt
	tx      *Tx
	log     *slog.Logger

	mu     sync.RWMutex // held for reading while sending to queue
	closed bool
}

func newWriter(ctx context.Context, db *sql.DB, d dialect, log *slog.Logger) (*writer, error) {
	w := &writer{
		queue:   make(chan *write, queueMax),
		stopped: make(chan struct{}),
		db:      db,
		dialect: d,
		log:     log,
	}
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	w.tx = &Tx{ctx: context.Background(), stmts: w}
	go w.run()
	return w, nil
}

// connect takes the connection that all writes go through.
func (w *writer) connect(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.cache = conn, map[string]*sql.Stmt{}
	return nil
}

// submit hands fn to the writer; done is called once, from a goroutine of the
// store, after fn's effect is on disk or has failed. done must be quick.
func (w *writer) submit(ctx context.Context, fn func(*Tx) error, done func(error)) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- &write{fn: fn, done: done}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close lets everything that waits be written, then ends the writer.
func (w *writer) close() error {
	w.mu.Lock()
	wasClosed := w.closed
	if !wasClosed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.stopped
	if wasClosed || w.conn == nil {
		return nil
	}
	// SQLite folds its journal into the database when the last connection is
	// closed, and an open statement would keep it from closing.
	for _, stmt := range w.cache {
		_ = stmt.Close()
	}
	return w.conn.Close()
}

func (w *writer) run() {
	defer close(w.stopped)
	// Answers are given by a goroutine of their own: waking hundreds of
	// waiters must not delay the next group.
	answers := make(chan []*write, 16)
	var answered sync.WaitGroup
	answered.Go(func() {
		for group := range answers {
			for _, one := range group {
				one.done(one.err)
			}
		}
	})
	for first := range w.queue {
		group := w.gather(first)
		w.commit(group)
		answers <- group
	}
	close(answers)
	answered.Wait()
}

// gather takes what waits, without waiting for more.
func (w *writer) gather(first *write) []*write {
	group := []*write{first}
	for len(group) < groupMax {
		select {
		case next, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// commit writes a group in one transaction and leaves each function's outcome
// in its err.
func (w *writer) commit(group []*write) {
	for try := 1; ; try++ {
		err := w.attempt(group)
		if err == nil {
			return
		}
		if !retryable(err) || try == retryMax {
			for _, one := range group {
				if one.err == nil {
					one.err = fmt.Errorf("commit: %w", err)
				}
			}
			w.log.Error("a group of writes failed", "writes", len(group), "error", err)
			return
		}
	}
}

func (w *writer) attempt(group []*write) error {
	if w.conn == nil {
		if err := w.connect(w.tx.ctx); err != nil {
			return err
		}
	}
	if err := w.plain(w.dialect.begin()); err != nil {
		w.rollback()
		return err
	}
	for _, one := range group {
		if err := w.apply(one, len(group) == 1); err != nil {
			w.rollback()
			return err
		}
	}
	if len(group) == 1 && group[0].err != nil {
		w.rollback()
		return nil
	}
	if err := w.plain("COMMIT"); err != nil {
		w.rollback()
		return err
	}
	return nil
}

// apply runs one function behind a savepoint, so that its failure is its own.
// It returns an error only when the whole group must end. A function that is
// alone in its group needs no savepoint.
func (w *writer) apply(one *write, alone bool) error {
	if alone {
		one.err = w.call(one.fn)
		return retryableOnly(one.err)
	}
	if err := w.plain("SAVEPOINT one"); err != nil {
		return err
	}
	one.err = w.call(one.fn)
	if err := retryableOnly(one.err); err != nil {
		return err
	}
	if one.err != nil {
		if err := w.plain("ROLLBACK TO SAVEPOINT one"); err != nil {
			return err
		}
	}
	return w.plain("RELEASE SAVEPOINT one")
}

// call turns a panic into an error: a bug in one function must not take every
// other waiter's acknowledgement with it.
func (w *writer) call(fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(w.tx)
}

// rollback undoes the group. Where even that fails the link is broken (a
// PostgreSQL server that went away): the next group takes a new one.
func (w *writer) rollback() {
	if err := w.plain("ROLLBACK"); err != nil && w.dialect == postgres {
		_ = w.conn.Close() // it is broken; the pool drops it
		w.conn = nil
	}
}

func (w *writer) plain(query string) error {
	stmt, err := w.stmt(w.tx.ctx, query)
	if err != nil {
		return err
	}
	_, err = stmt.Exec()
	return err
}

// stmt prepares each query once for the life of the writer.
func (w *writer) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := w.cache[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(ctx, w.dialect.rebind(query))
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	w.cache[query] = stmt
	return stmt, nil
}
