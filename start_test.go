package thingd

import (
	"context"
	"database/sql"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A start that fails says why in one line and leaves the folder as it was.
func TestStartsThatFailExplainThemselvesAndTouchNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	used := startedOnce(t)
	for name, c := range map[string]struct {
		spoil func(t *testing.T, c *Config)
		says  []string
	}{
		"a TLS port in use":        {func(_ *testing.T, c *Config) { c.Listen = []string{taken.Addr().String()} }, []string{"cannot listen on", taken.Addr().String(), "another program uses that port"}},
		"the plain port in use":    {func(_ *testing.T, c *Config) { c.HTTP = taken.Addr().String() }, []string{"cannot listen on", "another program uses that port"}},
		"an address that is none":  {func(_ *testing.T, c *Config) { c.Listen = []string{"nonsense"} }, []string{"--listen", "nonsense", "such as :8883"}},
		"a damaged root-ca.pem":    {spoilFile("root-ca.pem", "damaged"), []string{"root-ca.pem"}},
		"a damaged root-ca.key":    {spoilFile("root-ca.key", "damaged"), []string{"root-ca.key"}},
		"a missing root-ca.key":    {func(t *testing.T, c *Config) { must(t, os.Remove(filepath.Join(c.Data, "root-ca.key"))) }, []string{"root-ca.key"}},
		"a damaged database":       {damagedDatabase, []string{"thingd.db", "damaged", "restore it from a backup"}},
		"a newer schema":           {newerSchema, []string{"thingd.db", "newer thingd", "9999_future"}},
		"a folder that is a file":  {func(t *testing.T, c *Config) { c.Data = write(t, t.TempDir(), "file", "x") }, []string{"data folder"}},
		"an account of 3 digits":   {func(_ *testing.T, c *Config) { c.Account = "123" }, []string{"--account", "twelve digits"}},
		"a region that is none":    {func(_ *testing.T, c *Config) { c.Region = "here" }, []string{"--region"}},
		"a host with a port":       {func(_ *testing.T, c *Config) { c.Host = []string{"example.com:8883"} }, []string{"--host", "without scheme and port"}},
		"the plain door for all":   {func(_ *testing.T, c *Config) { c.HTTP = "0.0.0.0:0" }, []string{"--http", "loopback"}},
		"a limit that is none":     {func(_ *testing.T, c *Config) { c.Limits = map[string]string{"speed": "9"} }, []string{"--limit speed=9", "no such limit"}},
		"a limit of letters":       {func(_ *testing.T, c *Config) { c.Limits = map[string]string{"publish-rate": "many"} }, []string{"--limit publish-rate=many", "whole number"}},
		"a store that is none":     {func(_ *testing.T, c *Config) { c.Store = "mysql://me:secret@localhost/things" }, []string{"--store", "postgres://"}},
		"a file as the store":      {func(_ *testing.T, c *Config) { c.Store = "things.db" }, []string{"--store", "postgres://"}},
		"a bus":                    {func(_ *testing.T, c *Config) { c.Bus = "nats://localhost" }, []string{"--bus"}},
		"a seal key that is short": {func(t *testing.T, c *Config) { c.SealKeyFile = write(t, t.TempDir(), "key", "short") }, []string{"--seal-key-file", "32 bytes"}},
		"a seal key that is gone":  {func(_ *testing.T, c *Config) { c.SealKeyFile = "/nonexistent/key" }, []string{"--seal-key-file", "/nonexistent/key"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := testSettings(t)
			must(t, os.CopyFS(config.Data, os.DirFS(used)))
			c.spoil(t, &config)
			before := contents(t, config.Data)
			err := tryStart(t, config)
			if err == nil {
				t.Fatal("the server starts")
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q", part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Error("the error has several lines")
			}
			t.Log(err)
			if diff := cmp.Diff(before, contents(t, config.Data)); diff != "" {
				t.Errorf("the folder changed (-before +after):\n%.2000s", diff)
			}
		})
	}
}

func TestASecondServerOnAFolderIsRefused(t *testing.T) {
	h := start(t)
	config := testSettings(t)
	config.Data = h.config.Data
	err := tryStart(t, config)
	if err == nil || !strings.Contains(err.Error(), "another thingd runs on the data folder") {
		t.Errorf("the second start gives %v", err)
	}
	h.stillServes(t)
}

// startedOnce gives a folder that a server has used and left.
func startedOnce(t *testing.T) string {
	t.Helper()
	h := start(t)
	h.device(t, everything)
	h.stopped(t)
	return h.config.Data
}

// tryStart gives the error of a start; a server that does start is stopped.
func tryStart(t *testing.T, config Config) error {
	t.Helper()
	server, err := New(t.Context(), config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	return server.Run(ctx, func(Endpoint) { cancel() })
}

func spoilFile(name, text string) func(*testing.T, *Config) {
	return func(t *testing.T, c *Config) { write(t, c.Data, name, text) }
}

func damagedDatabase(t *testing.T, c *Config) {
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(filepath.Join(c.Data, "thingd.db"+suffix)) // may be absent
	}
	write(t, c.Data, "thingd.db", strings.Repeat("damaged ", 4096))
}

func newerSchema(t *testing.T, c *Config) {
	db, err := sql.Open("sqlite", filepath.Join(c.Data, "thingd.db"))
	must(t, err)
	_, err = db.Exec("INSERT INTO migrations (name) VALUES ('9999_future')")
	must(t, err)
	must(t, db.Close())
}

// contents gives every file of a folder. The lock is left out, and what SQLite
// does to its files when a sound database is opened.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "lock" {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.HasPrefix(entry.Name(), "thingd.db") && (entry.Name() != "thingd.db" || strings.HasPrefix(string(text), "SQLite format 3")) {
			return err
		}
		all[path] = string(text)
		return err
	}))
	return all
}
