// Package storetest gives tests a database that has its tables already. Making
// them takes longer than most tests, the more so with the race detector; that it
// works is the business of the store's own tests.
package storetest

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"thingd/internal/store"
)

// Ready puts an empty SQLite database with all tables at path, unless there is
// one, and gives path for store.Open.
func Ready(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path
	}
	text, err := empty()
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// empty is the file of an empty database; the first who asks makes it.
var empty = sync.OnceValues(func() (text []byte, err error) {
	dir, err := os.MkdirTemp("", "thingd-storetest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "thingd.db")
	db, err := store.Open(context.Background(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil { // it leaves nothing in a file beside
		return nil, err
	}
	return os.ReadFile(path)
})
