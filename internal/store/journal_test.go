package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/journal"
	"thingd/internal/why"
)

func journalEntry(number int64, client string) journal.Entry {
	at := time.UnixMilli(1_700_000_000_000 + number).UTC()
	return journal.Entry{Number: number, Count: 1, Since: at, Event: why.Event{Time: at, ClientID: client, Principal: "p-" + client,
		Step: why.StepConnect, Cause: why.NotMQTT}}
}

func putJournal(t *testing.T, db *DB, batch journal.Batch) {
	t.Helper()
	if err := db.Journal(testAccount).Put(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
}

func readJournal(t *testing.T, db *DB, q journal.Query) []journal.Entry {
	t.Helper()
	page, err := db.Journal(testAccount).Recent(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestJournalKeepsEveryField(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	want := journal.Entry{Number: 1 << 61, Count: 3, Since: at, Event: why.Event{Time: at.Add(time.Second), ClientID: "c\x1b", Principal: "p",
		Source: "[2001:db8::1]:5", Door: "mqtts", Server: "host", Step: why.StepPublish, Cause: why.PolicyExplicitDeny,
		Disconnect: why.AuthError, Action: "iot:Publish", Resource: "arn", Detail: "d'é", Statement: "{\n}",
		Variables: []why.Variable{{Name: "a", Value: "b"}, {Name: "c", Missing: true}}}}
	eachEngine(t, func(t *testing.T, db *DB) {
		first := journalEntry(1, want.Event.ClientID)
		first.Number, first.Event.Principal, first.Event.Cause, first.Since = want.Number, want.Event.Principal, want.Event.Cause, at
		putJournal(t, db, journal.Batch{New: []journal.Entry{first}, Keep: 10, PerClient: 10})
		putJournal(t, db, journal.Batch{Changed: []journal.Entry{want, journalEntry(5, "forgotten")}})
		if diff := cmp.Diff([]journal.Entry{want}, readJournal(t, db, journal.Query{Limit: 10})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		other, err := db.Journal("999999999999").Recent(context.Background(), journal.Query{Limit: 10})
		if len(other) > 0 || err != nil {
			t.Error("another account sees it:", other, err)
		}
	})
}

func TestJournalSelects(t *testing.T) {
	entries := []journal.Entry{journalEntry(1, "a"), journalEntry(2, "b"), journalEntry(3, "a"), journalEntry(4, ""), journalEntry(5, "a")}
	entries[4].Event.Cause = why.TooFast
	tests := []struct {
		name  string
		query journal.Query
		want  []int64
	}{
		{"all", journal.Query{Limit: 10}, []int64{5, 4, 3, 2, 1}},
		{"a page", journal.Query{Limit: 2, Before: 5}, []int64{4, 3}},
		{"client", journal.Query{Limit: 10, ClientID: "a"}, []int64{5, 3, 1}},
		{"client, a page", journal.Query{Limit: 1, ClientID: "a", Before: 5}, []int64{3}},
		{"principal", journal.Query{Limit: 10, Principal: "p-b"}, []int64{2}},
		{"cause", journal.Query{Limit: 10, Cause: why.NotMQTT}, []int64{4, 3, 2, 1}},
		{"all three", journal.Query{Limit: 10, ClientID: "a", Principal: "p-a", Cause: why.NotMQTT}, []int64{3, 1}},
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		putJournal(t, db, journal.Batch{New: entries, Keep: 10, PerClient: 10})
		for _, test := range tests {
			var got []int64
			for _, e := range readJournal(t, db, test.query) {
				got = append(got, e.Number)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		}
	})
}

func TestJournalForgetsTheOldest(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		number := int64(0)
		put := func(ids string) string {
			batch := journal.Batch{Keep: 6, PerClient: 2}
			for _, id := range strings.Fields(ids) {
				number++
				batch.New = append(batch.New, journalEntry(number, strings.Trim(id, "-")))
			}
			putJournal(t, db, batch)
			var left []string
			for _, e := range readJournal(t, db, journal.Query{Limit: 100}) {
				left = append(left, e.Event.ClientID+"-")
			}
			return strings.Join(left, " ")
		}
		for _, step := range []struct{ put, left string }{
			{"a b a", "a- b- a-"},
			{"a", "a- a- b-"},
			{"- - -", "- - - a- a- b-"}, // no client: bounded by the whole alone
			{"c", "c- - - - a- a-"},
			{"d d d d", "d- d- c- - - -"},
		} {
			if got := put(step.put); got != step.left {
				t.Errorf("after %q: got %q, want %q", step.put, got, step.left)
			}
		}
	})
}
