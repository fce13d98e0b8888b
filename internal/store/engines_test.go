package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
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
	stop, err := startPostgres()
	if err != nil {
		cluster.why = err.Error()
	}
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

// startPostgres runs a server in a temporary folder. PostgreSQL
// refuses to run as root, so root lends it to the user nobody.
func startPostgres() (stop func(), err error) {
	stop = func() {}
	bin, err := postgresBin()
	if err != nil {
		return stop, err
	}
	dir, err := os.MkdirTemp("", "thingd-pg")
	if err != nil {
		return stop, err
	}
	stop = func() { os.RemoveAll(dir) }
	as, err := unprivileged(dir)
	if err != nil {
		return stop, err
	}
	data := filepath.Join(dir, "data")
	if err := command(as, filepath.Join(bin, "initdb"), "-D", data, "-U", "thingd", "-A", "trust", "-E", "UTF8", "--no-sync"); err != nil {
		return stop, err
	}
	// A socket in the folder and no TCP: a free port may be taken before the
	// server has it.
	flags := fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories=%s -c fsync=off", dir)
	ctl := filepath.Join(bin, "pg_ctl")
	if err := command(as, ctl, "-D", data, "-w", "-t", "300", "-o", flags, "-l", filepath.Join(dir, "log"), "start"); err != nil {
		return stop, err
	}
	stop = func() {
		_ = command(as, ctl, "-D", data, "-m", "immediate", "stop")
		os.RemoveAll(dir)
	}
	cluster.address = "postgres://thingd@/postgres?sslmode=disable&host=" + dir
	return stop, nil
}

func postgresBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("pg_ctl")
	if err != nil {
		return "", fmt.Errorf("pg_ctl not found; make setup installs it")
	}
	return filepath.Dir(path), nil
}

// unprivileged gives dir to a user that PostgreSQL agrees to run as.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}

func command(as *syscall.SysProcAttr, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = as
	cmd.Dir = "/"
	var out bytes.Buffer
	cmd.Stderr = &out // not stdout: the server would keep it open
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out.String())
	}
	return nil
}
