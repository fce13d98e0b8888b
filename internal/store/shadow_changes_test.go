package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/shadow"
)

var plenty = shadow.Keep{Changes: 50, Bytes: 1 << 20}

// changeOf is a change of a version, made a second after the one before it.
func changeOf(version int64) shadow.Change {
	return shadow.Change{
		Version: version, At: time.Unix(1700000000+version, 0).UTC(), ClientToken: "t\x00", ClientID: "pump7", Principal: "abcd",
		Request: []byte(`{"state": {"reported":{"n":"\u0000"}}}`), Documents: []byte(`{"current":{}}`),
	}
}

func addChanges(t *testing.T, s *Shadows, keep shadow.Keep, id shadow.ID, changes ...shadow.Change) {
	t.Helper()
	var entries []shadow.Entry
	for _, c := range changes {
		entries = append(entries, shadow.Entry{ID: id, Change: c})
	}
	if err := s.AddChanges(context.Background(), entries, keep); err != nil {
		t.Fatal(err)
	}
}

func changesOf(t *testing.T, s *Shadows, id shadow.ID) []shadow.Change {
	t.Helper()
	got, err := s.Changes(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// versionsOf are those of the history, the newest first.
func versionsOf(t *testing.T, s *Shadows, id shadow.ID) []int64 {
	t.Helper()
	versions := []int64{}
	for _, c := range changesOf(t, s, id) {
		versions = append(versions, c.Version)
	}
	return versions
}

func expectVersions(t *testing.T, what string, s *Shadows, id shadow.ID, want ...int64) {
	t.Helper()
	if diff := cmp.Diff(append([]int64{}, want...), versionsOf(t, s, id)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// at is a row of a shadow at a version.
func at(version int64) shadow.Record {
	return shadow.Record{Revision: shadow.Revision{Created: 1, Version: version}, Reported: `{"n":1}`, Stamps: "1"}
}

func TestChangesOfAShadowAreKept(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s, other := db.Shadows("111122223333"), db.Shadows("444455556666")
		for _, one := range []*Shadows{s, other} {
			if err := save(t, one, classic, shadow.Revision{}, at(3)); err != nil {
				t.Fatal(err)
			}
		}
		addChanges(t, s, plenty, classic, changeOf(1), changeOf(2))
		addChanges(t, s, plenty, classic, changeOf(2), changeOf(3)) // written twice after a failure
		addChanges(t, s, plenty, shadow.ID{Thing: "nobody"}, changeOf(1))
		if diff := cmp.Diff([]shadow.Change{changeOf(3), changeOf(2), changeOf(1)}, changesOf(t, s, classic)); diff != "" {
			t.Errorf("the history (-want +got):\n%s", diff)
		}
		expectVersions(t, "another account's", other, classic)
		expectVersions(t, "of no shadow", s, shadow.ID{Thing: "nobody"})

		addChanges(t, s, shadow.Keep{Changes: 2, Bytes: 1 << 20}, classic, changeOf(4))
		expectVersions(t, "two are kept", s, classic, 4, 3)
		big := changeOf(5)
		big.Request = []byte(strings.Repeat(" ", 1000))
		addChanges(t, s, shadow.Keep{Changes: 9, Bytes: 1000}, classic, big)
		expectVersions(t, "the newest is kept, however big", s, classic, 5)
		addChanges(t, s, shadow.Keep{Changes: 9, Bytes: 1000}, classic, changeOf(6), changeOf(7))
		expectVersions(t, "what weighs too much goes", s, classic, 7, 6)
	})
}

func TestTheHistoryGoesWithItsShadow(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s := db.Shadows("111122223333")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		named := shadow.ID{Thing: classic.Thing, Name: "net"}
		for _, id := range []shadow.ID{classic, named} {
			must(save(t, s, id, shadow.Revision{}, at(2)))
			addChanges(t, s, plenty, id, changeOf(1), changeOf(2))
		}
		gone := shadow.Record{Revision: shadow.Revision{Created: 1, Version: 3}, Deleted: 1700000005000}
		if err := save(t, s, classic, shadow.Revision{Created: 1, Version: 1}, gone); err == nil {
			t.Error("a stale row is replaced")
		}
		expectVersions(t, "a deletion that lost its race", s, classic, 2, 1)
		must(save(t, s, classic, at(2).Revision, gone))
		expectVersions(t, "deleted", s, classic)
		deletion := shadow.Change{Version: 3, At: time.Unix(1700000005, 0).UTC(), Deleted: true, Principal: "ann"}
		addChanges(t, s, plenty, classic, changeOf(2), deletion)
		if diff := cmp.Diff([]shadow.Change{deletion}, changesOf(t, s, classic)); diff != "" {
			t.Errorf("what came behind the deletion (-want +got):\n%s", diff)
		}
		must(save(t, s, classic, gone.Revision, at(4)))
		addChanges(t, s, plenty, classic, changeOf(4))
		expectVersions(t, "made again", s, classic, 4, 3)
		must(save(t, s, classic, at(4).Revision, shadow.Record{Revision: shadow.Revision{Created: 9, Version: 1}}))
		expectVersions(t, "counted anew", s, classic)
		expectVersions(t, "the other shadow's", s, named, 2, 1)

		must(save(t, s, named, at(2).Revision, gone))
		addChanges(t, s, plenty, named, deletion)
		if n, err := s.Purge(context.Background(), time.Unix(1700000005, 0), 9); n != 1 || err != nil {
			t.Fatalf("%d purged, %v", n, err)
		}
		expectVersions(t, "purged", s, named)
	})
}

func TestTheOldestChangesOfAllGo(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		s := db.Shadows("111122223333")
		a, b := shadow.ID{Thing: "a"}, shadow.ID{Thing: "b"}
		for _, id := range []shadow.ID{a, b} {
			if err := save(t, s, id, shadow.Revision{}, at(9)); err != nil {
				t.Fatal(err)
			}
		}
		addChanges(t, s, plenty, a, changeOf(1), changeOf(4))
		addChanges(t, s, plenty, b, changeOf(2), changeOf(3))
		for _, step := range []struct {
			name string
			keep shadow.Keep
			a, b []int64
		}{
			{"all fit", shadow.Keep{Changes: 4, Bytes: 4 * changeOf(1).Weight()}, []int64{4, 1}, []int64{3, 2}},
			{"three", shadow.Keep{Changes: 3, Bytes: 1 << 20}, []int64{4}, []int64{3, 2}},
			{"bytes of two", shadow.Keep{Changes: 9, Bytes: 2*changeOf(1).Weight() + 1}, []int64{4}, []int64{3}},
		} {
			if err := s.TrimChanges(context.Background(), step.keep); err != nil {
				t.Fatal(err)
			}
			expectVersions(t, step.name+": a", s, a, step.a...)
			expectVersions(t, step.name+": b", s, b, step.b...)
		}
	})
}
