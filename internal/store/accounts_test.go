package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestAccountTables: every table with rows of accounts has a primary key to
// delete them by, and the list is not short of any.
func TestAccountTables(t *testing.T) {
	known, err := steps()
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, step := range known {
		for _, table := range strings.Split(step.ddl, "CREATE TABLE ")[1:] {
			if body, _, _ := strings.Cut(table, ";\n"); strings.Contains(body, " account TEXT") {
				want++
			}
		}
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		all, err := db.accountTables(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != want {
			t.Errorf("%d tables, want the %d of the schema: %v", len(all), want, all)
		}
		for _, one := range all {
			if len(one.key) == 0 {
				t.Errorf("table %s has no key", one.name)
			}
		}
	})
}

// TestDropAccount: the rows of one account go, more than one transaction takes,
// and others' stay.
func TestDropAccount(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, now := t.Context(), time.UnixMilli(1_900_000_000_000).UTC()
		for _, id := range []string{"111122223333", "444455556666"} {
			if err := db.AddAccount(ctx, Account{ID: id, Created: now}); err != nil {
				t.Fatal(err)
			}
			err := db.Update(ctx, func(tx *Tx) error {
				for i := range dropAtOnce + 10 {
					if _, err := tx.exec("INSERT INTO tags (account, resource, tag_key, tag_value) VALUES (?, ?, ?, ?)", id, fmt.Sprint("r", i), "k", "v"); err != nil {
						return err
					}
				}
				_, err := tx.exec("INSERT INTO settings (account, name, value) VALUES (?, ?, ?)", id, "n", "v")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := db.EndAccount(ctx, "444455556666", now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		both, err := db.Accounts(ctx)
		if diff := cmp.Diff([]Account{{ID: "111122223333", Created: now}, {ID: "444455556666", Created: now, Ended: now.Add(time.Hour)}}, both, cmpopts.EquateApproxTime(0)); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
		for range 2 { // again is fine
			if err := db.DropAccount(ctx, "444455556666"); err != nil {
				t.Fatal(err)
			}
		}
		left, err := db.Accounts(ctx)
		if len(left) != 1 || err != nil {
			t.Error(left, err)
		}
		for _, table := range []string{"tags", "settings"} {
			for id, want := range map[string]bool{"111122223333": true, "444455556666": false} {
				var n int
				err := db.View(ctx, func(tx *Tx) error {
					_, err := tx.get("SELECT count(*) FROM "+table+" WHERE account = ?", []any{id}, &n)
					return err
				})
				if err != nil || n > 0 != want {
					t.Errorf("account %s has %d rows in %s (%v)", id, n, table, err)
				}
			}
		}
	})
}
