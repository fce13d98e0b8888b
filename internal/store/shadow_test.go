package store

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/message"
	"thingd/internal/shadow"
)

var (
	classic = shadow.ID{Thing: "pump7"}
	first   = shadow.Record{
		Revision: shadow.Revision{Created: 1700000000123, Version: 1},
		Desired:  `{"speed":40,"nul":"\u0000","é":[]}`, Stamps: "1700000000*2",
	}
)

// save waits for the outcome.
func save(t *testing.T, s *Shadows, id shadow.ID, was shadow.Revision, next shadow.Record) error {
	t.Helper()
	done := make(chan error, 1)
	if err := s.Save(context.Background(), id, was, next, func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	return <-done
}

func load(t *testing.T, s *Shadows, id shadow.ID) shadow.Record {
	t.Helper()
	r, err := s.Load(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestShadowRows(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, other := db.Shadows("111122223333"), db.Shadows("444455556666")
		if got := load(t, s, classic); got != (shadow.Record{}) {
			t.Fatalf("an absent row is %+v", got)
		}
		second := shadow.Record{
			Revision: shadow.Revision{Created: first.Created, Version: 2},
			Reported: `{"b":[1,2]}`, Stamps: "1700000001,1700000002",
		}
		deleted := shadow.Record{Revision: shadow.Revision{Created: first.Created, Version: 3}, Deleted: 1700000005000}
		anew := shadow.Record{Revision: shadow.Revision{Created: 1800000000000, Version: 1}}
		none := shadow.Revision{}
		for _, step := range []struct {
			name string
			was  shadow.Revision
			next shadow.Record
			err  error
			then shadow.Record
		}{
			{"stale/no row to replace", first.Revision, second, shadow.ErrStale, shadow.Record{}},
			{"ok/first", none, first, nil, first},
			{"stale/there is a row", none, second, shadow.ErrStale, first},
			{"stale/another version", second.Revision, deleted, shadow.ErrStale, first},
			{"stale/another counting", shadow.Revision{Created: 1, Version: 1}, second, shadow.ErrStale, first},
			{"ok/second", first.Revision, second, nil, second},
			{"ok/deleted", second.Revision, deleted, nil, deleted},
			{"ok/anew", deleted.Revision, anew, nil, anew},
		} {
			if err := save(t, s, classic, step.was, step.next); !errors.Is(err, step.err) {
				t.Fatalf("%s: %v", step.name, err)
			}
			if diff := cmp.Diff(step.then, load(t, s, classic)); diff != "" {
				t.Fatalf("%s: -want +got\n%s", step.name, diff)
			}
		}
		if got := load(t, other, classic); got != (shadow.Record{}) {
			t.Errorf("another account sees %+v", got)
		}
	})
}

func TestShadowNames(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s := db.Shadows("111122223333")
		for _, id := range []shadow.ID{classic, {Thing: "pump7", Name: "b"}, {Thing: "pump7", Name: "B"},
			{Thing: "pump7", Name: "$package"}, {Thing: "pump7", Name: "a_1"}, {Thing: "pump70", Name: "x"}} {
			if err := save(t, s, id, shadow.Revision{}, first); err != nil {
				t.Fatal(err)
			}
		}
		gone := first
		gone.Deleted = 1
		if err := save(t, s, shadow.ID{Thing: "pump7", Name: "gone"}, shadow.Revision{}, gone); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after string
			limit int
			want  []string
		}{
			{"", 10, []string{"$package", "B", "a_1", "b"}},
			{"", 2, []string{"$package", "B"}},
			{"B", 2, []string{"a_1", "b"}},
			{"b", 2, []string{}},
		} {
			got, err := s.Named(context.Background(), "pump7", c.after, c.limit)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("after %q: %v %s", c.after, err, diff)
			}
		}
	})
}

func TestShadowPurge(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, other := db.Shadows("111122223333"), db.Shadows("444455556666")
		for i := range 5 {
			r := first
			r.Deleted = int64(i) * 1000 // the first is live
			id := shadow.ID{Thing: strconv.Itoa(i)}
			if err := errors.Join(save(t, s, id, shadow.Revision{}, r), save(t, other, id, shadow.Revision{}, r)); err != nil {
				t.Fatal(err)
			}
		}
		var purged []int
		for range 3 {
			n, err := s.Purge(context.Background(), time.UnixMilli(3000), 2)
			if err != nil {
				t.Fatal(err)
			}
			purged = append(purged, n)
		}
		if diff := cmp.Diff([]int{2, 1, 0}, purged); diff != "" {
			t.Error(diff)
		}
		for i, left := range []bool{true, false, false, false, true} {
			if got := load(t, s, shadow.ID{Thing: strconv.Itoa(i)}).Version == 1; got != left {
				t.Errorf("shadow %d is there: %v", i, got)
			}
			if load(t, other, shadow.ID{Thing: strconv.Itoa(i)}).Version != 1 {
				t.Errorf("shadow %d of another account is gone", i)
			}
		}
	})
}

// Many save over the same revision at once: one wins, also where they share a
// group.
func TestShadowSavesRace(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s := db.Shadows("111122223333")
		was := shadow.Revision{}
		for version := int64(1); version <= 5; version++ {
			const writers = 20
			outcomes := make(chan error, writers)
			var all sync.WaitGroup
			for range writers {
				next := shadow.Record{Revision: shadow.Revision{Created: 7, Version: version}, Desired: `{}`}
				all.Go(func() {
					if err := s.Save(context.Background(), classic, was, next, func(err error) { outcomes <- err }); err != nil {
						outcomes <- err
					}
				})
			}
			all.Wait()
			won := 0
			for range writers {
				switch err := <-outcomes; {
				case err == nil:
					won++
				case !errors.Is(err, shadow.ErrStale):
					t.Error(err)
				}
			}
			if won != 1 {
				t.Fatalf("version %d was given %d times", version, won)
			}
			was = shadow.Revision{Created: 7, Version: version}
		}
	})
}

// Several nodes, each with a Service and connections of its own, share a
// database; the versions of one shadow stay one sequence.
func TestShadowNodesShareADatabase(t *testing.T) {
	for engine, address := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "thingd.db") },
		"postgres": postgresSchema,
	} {
		t.Run(engine, func(t *testing.T) {
			const nodes, writers, each = 3, 2, 20
			at := address(t)
			var rows *Shadows
			var all sync.WaitGroup
			for range nodes {
				rows = openTest(t, at).Shadows("111122223333")
				load(t, rows, classic)
				service := shadow.New(shadow.Config{Store: rows, Publisher: silent{}, Log: quiet()})
				t.Cleanup(func() { // it writes histories a while after
					if err := service.Close(context.Background()); err != nil {
						t.Error(err)
					}
				})
				for range writers {
					all.Go(func() { updateTimes(t, service, each) })
				}
			}
			all.Wait()
			if got := load(t, rows, classic).Version; got != nodes*writers*each {
				t.Errorf("version %d after %d updates", got, nodes*writers*each)
			}
		})
	}
}

func updateTimes(t *testing.T, service *shadow.Service, times int) {
	for range times {
		if _, err := service.Update(context.Background(), classic, []byte(`{"state":{"reported":{"a":1}}}`)); err != nil {
			t.Error(err)
		}
	}
}

// silent is a message.Publisher without subscribers.
type silent struct{}

func (silent) Publish(_ message.Message, done message.Done) { done(nil) }
