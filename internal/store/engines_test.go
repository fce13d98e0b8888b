package store

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"thingd/internal/store/pgtest"
)

// cluster is the private PostgreSQL server of this test run.
var cluster struct {
	address string // postgres:// URL of its default database; "" where it cannot run
	why     string // why it cannot
	schemas atomic.Int64
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if child := os.Getenv(crashChild); child != "" {
		return writeUntilKilled(child)
	}
	address, stop, err := pgtest.Start()
	if err != nil {
		cluster.why = err.Error()
	}
	cluster.address = address
	defer stop()
	return m.Run()
}

// eachEngine runs test on an empty SQLite database and on an empty PostgreSQL
// schema.
func eachEngine(t *testing.T, test func(t *testing.T, db *DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, openTest(t, filepath.Join(t.TempDir(), "thingd.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, openTest(t, postgresSchema(t)))
	})
}

// openTest opens a database that closes with the test.
func openTest(t *testing.T, address string) *DB {
	t.Helper()
	db, err := Open(context.Background(), address, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return db
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// postgresSchema makes an empty schema and gives the URL that selects it.
func postgresSchema(t *testing.T) string {
	t.Helper()
	if cluster.address == "" {
		t.Skip("no PostgreSQL here: " + cluster.why)
	}
	name := fmt.Sprintf("test_%d", cluster.schemas.Add(1))
	db, err := connect(cluster.address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.closePools()
	if _, err := db.writes.Exec("CREATE SCHEMA " + name); err != nil {
		t.Fatal(err)
	}
	return cluster.address + "&search_path=" + name
}
