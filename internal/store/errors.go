package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// explain turns a failure to open into one sentence for the operator.
func explain(address string, err error) error {
	if err == nil {
		return nil
	}
	if newer, ok := errors.AsType[*newerError](err); ok {
		return fmt.Errorf("cannot use the database %s: %w", withoutPassword(address), newer)
	}
	return fmt.Errorf("cannot open the database %s: %s: %w", withoutPassword(address), hint(err), err)
}

func hint(err error) string {
	if failure, ok := errors.AsType[*sqlitedriver.Error](err); ok {
		switch failure.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return "the file is damaged or not a database; it was left untouched, restore it from a backup"
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
			return "the file or its folder cannot be written; check owner, mode and mount"
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return "another process holds it"
		case sqlite3.SQLITE_FULL:
			return "the disk is full"
		}
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return "PostgreSQL does not answer there, or refuses the login"
	}
	return "it does not work as a database"
}

// withoutPassword hides the password of a postgres:// URL.
func withoutPassword(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	login, host, ok := strings.Cut(rest, "@")
	if !ok {
		return address
	}
	user, _, _ := strings.Cut(login, ":")
	return scheme + "://" + user + "@" + host
}

// retryable says whether PostgreSQL asks to run the transaction again
// (SQLSTATE 40001 serialization failure, 40P01 deadlock).
func retryable(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (failure.Code == "40001" || failure.Code == "40P01")
}

func retryableOnly(err error) error {
	if retryable(err) {
		return err
	}
	return nil
}
