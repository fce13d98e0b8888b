package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func set(tx *Tx, name, value string) error {
	_, err := tx.exec("INSERT INTO settings (account, name, value) VALUES ('', ?, ?) "+
		"ON CONFLICT (account, name) DO UPDATE SET value = excluded.value", name, value)
	return err
}

func read(t *testing.T, db *DB, name string) (value string, found bool) {
	t.Helper()
	err := db.View(context.Background(), func(tx *Tx) (err error) {
		found, err = tx.get("SELECT value FROM settings WHERE account = '' AND name = ?", []any{name}, &value)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value, found
}

func TestUpdate(t *testing.T) {
	refused := errors.New("refused")
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		t.Run("ok/is there afterwards", func(t *testing.T) {
			if err := db.Update(ctx, func(tx *Tx) error { return set(tx, "a", "1") }); err != nil {
				t.Fatal(err)
			}
			if got, _ := read(t, db, "a"); got != "1" {
				t.Fatalf("a = %q", got)
			}
		})
		t.Run("refused/leaves no trace", func(t *testing.T) {
			err := db.Update(ctx, func(tx *Tx) error {
				return errors.Join(set(tx, "b", "1"), refused)
			})
			if !errors.Is(err, refused) {
				t.Fatal(err)
			}
			if _, found := read(t, db, "b"); found {
				t.Fatal("a refused write is there")
			}
		})
		t.Run("panic/is the caller's error alone", func(t *testing.T) {
			err := db.Update(ctx, func(*Tx) error { panic("bug") })
			if err == nil || !strings.Contains(err.Error(), "bug") {
				t.Fatal(err)
			}
		})
	})
}

// One failing function in a group must not touch its neighbours, whatever it
// did before it failed, including a statement that the engine refused.
func TestGroupFailuresAreTheirOwn(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		hold := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = db.Update(context.Background(), func(*Tx) error { <-hold; return nil })
		})
		const writers = 60
		outcome := make([]error, writers)
		var queued sync.WaitGroup
		for i := range writers {
			queued.Add(1)
			wg.Add(1)
			err := db.Submit(context.Background(), func(tx *Tx) error {
				if err := set(tx, "g"+strconv.Itoa(i), "x"); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return errors.New("no")
				case 2:
					_, err := tx.exec("INSERT INTO settings (account, name, value) VALUES ('', ?, 'y')", "g"+strconv.Itoa(i))
					return err
				}
				return nil
			}, func(err error) { outcome[i] = err; wg.Done() })
			queued.Done()
			if err != nil {
				t.Fatal(err)
			}
		}
		queued.Wait()
		close(hold)
		wg.Wait()
		for i := range writers {
			_, found := read(t, db, "g"+strconv.Itoa(i))
			if want := i%3 == 0; found != want || (outcome[i] == nil) != want {
				t.Errorf("write %d: stored %v, error %v", i, found, outcome[i])
			}
		}
	})
}

func TestSubmitAnswersInOrder(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		const n = 500
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range n {
			wg.Add(1)
			err := db.Submit(context.Background(), func(tx *Tx) error { return set(tx, "o", strconv.Itoa(i)) }, func(err error) {
				defer wg.Done()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
		for i, got := range order {
			if got != i {
				t.Fatalf("answer %d came at place %d", got, i)
			}
		}
		if got, _ := read(t, db, "o"); got != strconv.Itoa(n-1) {
			t.Fatalf("o = %s", got)
		}
	})
}

func TestReadersDoNotWaitForTheWriter(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		hold, writing := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			err := db.Update(context.Background(), func(tx *Tx) error {
				err := set(tx, "r", "late")
				close(writing)
				<-hold
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-writing
		if _, found := read(t, db, "r"); found {
			t.Error("a write shows before its commit")
		}
		close(hold)
		wg.Wait()
		if _, found := read(t, db, "r"); !found {
			t.Error("a committed write does not show")
		}
	})
}

func TestCloseWritesWhatWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thingd.db")
	db, err := Open(context.Background(), path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Add(1)
		if err := db.Submit(context.Background(), func(tx *Tx) error { return set(tx, fmt.Sprint("c", i), "1") }, func(error) { wg.Done() }); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := db.Update(context.Background(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Fatal("update after close:", err)
	}
	again := openTest(t, path)
	for i := range 100 {
		if _, found := read(t, again, fmt.Sprint("c", i)); !found {
			t.Fatalf("c%d is missing", i)
		}
	}
}

// After a clean stop the database is one file, so that a copy of it is a backup.
func TestCloseLeavesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thingd.db")
	db, err := Open(context.Background(), path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(context.Background(), func(tx *Tx) error { return set(tx, "a", "1") }); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, db, "a"); got != "1" {
		t.Fatal(got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(path + "-*")
	if err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("damaged file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "thingd.db")
		garbage := []byte(strings.Repeat("this is not a database ", 500))
		if err := os.WriteFile(path, garbage, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(context.Background(), path, quiet())
		if err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Fatal(err)
		}
		if after, _ := os.ReadFile(path); string(after) != string(garbage) {
			t.Fatal("the file was changed")
		}
	})
	t.Run("newer schema", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "thingd.db")
		db, err := Open(context.Background(), path, quiet())
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(context.Background(), func(tx *Tx) error {
			_, err := tx.exec("INSERT INTO migrations (name) VALUES ('9999_future')")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err = Open(context.Background(), path, quiet()); err == nil || !strings.Contains(err.Error(), "newer thingd") {
			t.Fatal(err)
		}
	})
	t.Run("folder that cannot be made", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(context.Background(), filepath.Join(file, "thingd.db"), quiet()); err == nil {
			t.Fatal("opened below a file")
		}
	})
}

// crashChild names the environment variable that turns this test binary into
// the victim of the crash test.
const crashChild = "THINGD_STORE_CRASH_CHILD"

// TestCrash kills a process with SIGKILL at random moments while many goroutines
// write. Whatever it had acknowledged must be there afterwards.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thingd.db")
	acknowledged := map[string]string{}
	rounds := 5
	for range rounds {
		for name, value := range crash(t, path) {
			acknowledged[name] = value
		}
		db, err := Open(context.Background(), path, quiet())
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range acknowledged {
			got, _ := read(t, db, name)
			if g, w := number(got), number(want); g < w { // later writes may have landed unacknowledged
				t.Errorf("%s: acknowledged %s, found %s", name, want, got)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged; the test shows nothing")
	}
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// crash runs a writer for a random while, kills it and gives the last
// acknowledged value of each name.
func crash(t *testing.T, path string) map[string]string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashChild+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]string{}
	enough := 200 + rand.IntN(3000)
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			acknowledged[name] = value
		}
		if n == enough {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	return acknowledged
}

// writeUntilKilled is the victim: it prints each write after its acknowledgement.
func writeUntilKilled(path string) int {
	db, err := Open(context.Background(), path, quiet())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	start := int(time.Now().UnixNano() / 1000) // grows from round to round
	for writer := range 16 {
		go func() {
			for n := start; ; n++ {
				name := fmt.Sprint("w", writer)
				if db.Update(context.Background(), func(tx *Tx) error { return set(tx, name, strconv.Itoa(n)) }) == nil {
					os.Stdout.WriteString(fmt.Sprintf("%s %d\n", name, n))
				}
			}
		}()
	}
	time.Sleep(time.Minute) // the parent kills us long before
	return 0
}

func TestNothingIsLeftRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), "thingd.db"), quiet())
	if err != nil {
		t.Fatal(err)
	}
	if _, found := read(t, db, "x"); found {
		t.Fatal("an empty database is not empty")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	db, err := Open(context.Background(), filepath.Join(b.TempDir(), "thingd.db"), quiet())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	b.SetParallelism(100)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := db.Update(context.Background(), func(tx *Tx) error { return set(tx, "k", "v") }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
