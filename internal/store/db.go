package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// DB is an open database.
type DB struct {
	dialect dialect
	reads   *sql.DB
	writes  *sql.DB
	writer  *writer

	mu    sync.RWMutex
	cache map[string]*sql.Stmt // of reads
}

// Open opens the database at address, a path for SQLite or a postgres:// URL,
// brings its schema up to date and starts the writer. A failure is one sentence
// that says what is wrong, and leaves the data as it was.
func Open(ctx context.Context, address string, log *slog.Logger) (*DB, error) {
	db, err := connect(address)
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx); err != nil {
		db.closePools()
		return nil, explain(address, err)
	}
	db.writer, err = newWriter(ctx, db.writes, db.dialect, log)
	if err != nil {
		db.closePools()
		return nil, explain(address, err)
	}
	return db, nil
}

func connect(address string) (*DB, error) {
	db := &DB{cache: map[string]*sql.Stmt{}}
	var err error
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		db.dialect = postgres
		db.writes, err = sql.Open("pgx", address)
		db.reads = db.writes
		if err == nil {
			db.reads.SetMaxOpenConns(8)
			db.reads.SetMaxIdleConns(8)
		}
		return db, explain(address, err)
	}
	if err := os.MkdirAll(filepath.Dir(address), 0o700); err != nil {
		return nil, explain(address, err)
	}
	// Secrets are in it: for the owner alone. SQLite's other files follow suit.
	file, err := os.OpenFile(address, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, explain(address, err)
	}
	file.Close()
	if db.writes, err = sql.Open("sqlite", sqliteName(address, "")); err != nil {
		return nil, explain(address, err)
	}
	if db.reads, err = sql.Open("sqlite", sqliteName(address, "&_pragma=query_only(1)")); err != nil {
		return nil, explain(address, err)
	}
	readers := max(2, runtime.GOMAXPROCS(0))
	db.reads.SetMaxOpenConns(readers)
	db.reads.SetMaxIdleConns(readers)
	return db, nil
}

// sqliteName is the data source name of modernc.org/sqlite. FULL makes each
// commit wait for the disk: nothing acknowledged may be lost to a power cut.
func sqliteName(path, more string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)" + more
}

// View runs fn on a snapshot. fn may run only queries, and must not keep tx.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: db.snapshot()})
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	read := &snapshot{db: db, tx: tx}
	defer func() {
		_ = tx.Rollback() // a read has nothing to keep
		for _, query := range read.missing {
			db.prepare(ctx, query)
		}
	}()
	return fn(&Tx{ctx: ctx, stmts: read})
}

func (db *DB) snapshot() sql.IsolationLevel {
	if db.dialect == postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault // a WAL reader sees one snapshot anyway
}

// Update runs fn in a write transaction and returns when its effect is on disk.
// An error from fn undoes fn and is returned as it is. fn may run more than
// once, must touch nothing but tx and its own results, and must not block: all
// writers share one transaction. ctx ends the wait for a place in the queue; a
// write that has begun is waited for.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	done := make(chan error, 1)
	if err := db.writer.submit(ctx, fn, func(err error) { done <- err }); err != nil {
		return err
	}
	return <-done
}

// Submit is Update for callers that do not wait: done is called once with the
// outcome, from a goroutine of the store, in the order of submission, and must
// be quick. Submit blocks only while the queue is full. When it returns an
// error, done is not called.
func (db *DB) Submit(ctx context.Context, fn func(*Tx) error, done func(error)) error {
	return db.writer.submit(ctx, fn, done)
}

// Close writes what waits and closes the database.
func (db *DB) Close() error {
	err := db.writer.close()
	if poolErr := db.closePools(); err == nil {
		err = poolErr
	}
	return err
}

func (db *DB) closePools() error {
	for _, stmt := range db.cache {
		_ = stmt.Close()
	}
	err := db.reads.Close()
	if db.writes != db.reads {
		if e := db.writes.Close(); err == nil {
			err = e
		}
	}
	return err
}

// prepared gives a query's statement for use inside a reader's transaction.
//
// A transaction holds one connection of the pool. Preparing for the whole pool
// takes another, and when every reader waits for another there is none: so the
// first reader of a query prepares it on its own connection, and for the others
// only after it has let go of that.
func (s *snapshot) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	s.db.mu.RLock()
	stmt, ok := s.db.cache[query]
	s.db.mu.RUnlock()
	if ok {
		return s.tx.StmtContext(ctx, stmt), nil
	}
	s.missing = append(s.missing, query)
	stmt, err := s.tx.PrepareContext(ctx, s.db.dialect.rebind(query))
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	return stmt, nil
}

// snapshot runs a reader's statements inside its transaction.
type snapshot struct {
	db      *DB
	tx      *sql.Tx
	missing []string // queries that the pool has no statement for yet
}

// prepare adds a statement for all readers. One that fails fails again where it
// is used, and is reported there.
func (db *DB) prepare(ctx context.Context, query string) {
	stmt, err := db.reads.PrepareContext(ctx, db.dialect.rebind(query))
	if err != nil {
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if _, ok := db.cache[query]; ok {
		_ = stmt.Close() // another reader was faster
		return
	}
	db.cache[query] = stmt
}
