package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/registry"
)

const testAccount = "111122223333"

// inRegistry runs fn in a write transaction of the registry.
func inRegistry(t *testing.T, db *DB, fn func(tx registry.Tx) error) {
	t.Helper()
	if err := db.Registry(testAccount).Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestRegistryKeepsWhatIsPut(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	thing := registry.Thing{Name: "pump7", ID: "id", Type: "Pump", BillingGroup: "b",
		Attributes: map[string]string{"site": "north"}, Version: 3}
	thingType := registry.ThingType{Name: "Pump", ID: "id", Created: at, Deprecated: at.Add(time.Second),
		Properties: registry.TypeProperties{Description: "d", Searchable: []string{"z", "a"},
			Propagating: []registry.PropagatingAttribute{{UserPropertyKey: "k", ThingAttribute: "z"}}}}
	group := registry.ThingGroup{Name: "hall", ID: "id", Ancestors: []string{"site", "north"}, Description: "d",
		Attributes: map[string]string{}, Version: 2, Created: at}
	billing := registry.BillingGroup{Name: "b", ID: "id", Description: "d", Version: 1, Created: at}
	events := registry.EventConfigurations{Enabled: map[registry.EventType]bool{registry.EventThing: true}, Created: at, Modified: at}
	eachEngine(t, func(t *testing.T, db *DB) {
		for range 2 { // the second round replaces
			inRegistry(t, db, func(tx registry.Tx) error {
				for _, err := range []error{tx.PutThing(thing), tx.PutThingType(thingType), tx.PutThingGroup(group),
					tx.PutBillingGroup(billing), tx.PutEventConfigurations(events)} {
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		err := db.Registry(testAccount).View(context.Background(), func(tx registry.Tx) error {
			same(t, thing)(tx.Thing("pump7"))
			same(t, thingType)(tx.ThingType("Pump"))
			same(t, group)(tx.ThingGroup("hall"))
			same(t, billing)(tx.BillingGroup("b"))
			same(t, events)(tx.EventConfigurations())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Registry("999999999999").View(context.Background(), func(tx registry.Tx) error {
			if _, found, err := tx.Thing("pump7"); found || err != nil {
				t.Error("another account sees it:", found, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// same compares what a transaction finds.
func same[T any](t *testing.T, want T) func(got T, found bool, err error) {
	t.Helper()
	return func(got T, found bool, err error) {
		t.Helper()
		if err != nil || !found {
			t.Errorf("%T: found %v, error %v", got, found, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", got, diff)
		}
	}
}

func TestThingsWithAttribute(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		inRegistry(t, db, func(tx registry.Tx) error {
			for name, value := range map[string]string{"a": "north", "b": "north-2", "c": "south", "d": "north", "e": "nor", "f": "nort~"} {
				if err := tx.PutThing(registry.Thing{Name: name, Attributes: map[string]string{"site": value}}); err != nil {
					return err
				}
			}
			// a moves, d loses the attribute, c goes
			if err := tx.PutThing(registry.Thing{Name: "a", Attributes: map[string]string{"site": "north-1"}}); err != nil {
				return err
			}
			if err := tx.PutThing(registry.Thing{Name: "d", Attributes: map[string]string{"other": "north"}}); err != nil {
				return err
			}
			return tx.DeleteThing("c")
		})
		tests := []struct {
			name  string
			query registry.AttributeRange
			want  string
		}{
			{"exact", registry.AttributeRange{Name: "site", Value: "nor"}, "nor/e"},
			{"none", registry.AttributeRange{Name: "site", Value: "south"}, ""},
			{"prefix", registry.AttributeRange{Name: "site", Value: "north", Prefix: true}, "north-1/a north-2/b"},
			{"prefix that is a value", registry.AttributeRange{Name: "site", Value: "nor", Prefix: true}, "nor/e north-1/a north-2/b nort~/f"},
			{"all", registry.AttributeRange{Name: "site", Prefix: true}, "nor/e north-1/a north-2/b nort~/f"},
			{"go on", registry.AttributeRange{Name: "site", Value: "nor", Prefix: true, AfterValue: "north-1", AfterThing: "a"}, "north-2/b nort~/f"},
			{"other attribute", registry.AttributeRange{Name: "other", Value: "north"}, "north/d"},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				var got []string
				inRegistry(t, db, func(tx registry.Tx) error {
					got = nil
					matches, err := tx.ThingsWithAttribute(test.query, 10)
					for _, m := range matches {
						got = append(got, m.Value+"/"+m.Thing.Name)
					}
					return err
				})
				if got := strings.Join(got, " "); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	})
}

// A group and what is below it is one range of paths, whatever its neighbors are
// called.
func TestHierarchyRanges(t *testing.T) {
	paths := []string{"a", "a,b", "a,b,c", "a-", "a-,x", "a0", "a:", "aa,b2", "A"}
	eachEngine(t, func(t *testing.T, db *DB) {
		inRegistry(t, db, func(tx registry.Tx) error {
			for i, path := range paths {
				ancestors, name := registry.SplitPath(path)
				if name == "b2" || name == "x" || name == "c" || name == "b" || len(ancestors) == 0 {
					if err := tx.PutThingGroup(registry.ThingGroup{Name: name, Ancestors: ancestors}); err != nil {
						return err
					}
				}
				if err := tx.PutMembership(registry.Membership{ID: "m", Thing: fmt.Sprint("t", i), Path: path}); err != nil {
					return err
				}
			}
			return nil
		})
		inRegistry(t, db, func(tx registry.Tx) error {
			groups, err := tx.DescendantGroups("a", "", "", 10)
			if err != nil {
				return err
			}
			var names []string
			for _, g := range groups {
				names = append(names, g.Path())
			}
			if diff := cmp.Diff([]string{"a,b", "a,b,c"}, names); diff != "" {
				t.Error("descendants:", diff)
			}
			for _, c := range []struct {
				path  string
				deep  bool
				after registry.MemberKey
				want  []string
			}{
				{"a", false, registry.MemberKey{}, []string{"t0"}},
				{"a", true, registry.MemberKey{}, []string{"t0", "t1", "t2"}},
				{"a", true, registry.MemberKey{Path: "a", Thing: "t0"}, []string{"t1", "t2"}},
				{"a,b", true, registry.MemberKey{}, []string{"t1", "t2"}},
				{"a-", true, registry.MemberKey{}, []string{"t3", "t4"}},
			} {
				members, err := tx.Members(c.path, c.deep, c.after, 10)
				if err != nil {
					return err
				}
				got := []string{}
				for _, m := range members {
					got = append(got, m.Thing)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("members of %s deep=%v: %s", c.path, c.deep, diff)
				}
			}
			return nil
		})
	})
}

// Listings must enter an index at the page's place: a plan that scans or sorts
// costs more with each page.
func TestListingsAreIndexed(t *testing.T) {
	db := openTest(t, t.TempDir()+"/thingd.db")
	group, _, _ := nameRange("name", "", "a")
	child, _, _ := nameRange("i.name", "p", "")
	plans := []struct{ query, want string }{
		{thingColumns + "WHERE account = ? AND name > ? ORDER BY name LIMIT ?", "(account=? AND name>?)"},
		{thingsOfType, "things_by_type (account=? AND type=? AND name>?)"},
		{attributeColumns + "AND (a.value, a.thing) > (?, ?) AND a.value < ? ORDER BY a.value, a.thing LIMIT ?",
			"(account=? AND name=? AND (value,thing)>(?,?) AND value<?)"},
		{attributeColumns + "AND a.value = ? AND a.thing > ? ORDER BY a.value, a.thing LIMIT ?",
			"(account=? AND name=? AND value=? AND thing>?)"},
		{groupColumns + "WHERE account = ? AND " + group + " ORDER BY name LIMIT ?", "(account=? AND name>? AND name<?)"},
		{childGroups + child + " ORDER BY i.name LIMIT ?", "thing_groups_by_parent (account=? AND parent=? AND name>? AND name<?)"},
		{groupColumns + "WHERE account = ? AND path > ? AND path < ? AND name >= ? AND name < ? ORDER BY path LIMIT ?",
			"thing_groups_by_path (account=? AND path>? AND path<?)"},
		{memberColumns + "WHERE account = ? AND (path, thing) > (?, ?) AND path < ? ORDER BY path, thing LIMIT ?",
			"(account=? AND (path,thing)>(?,?) AND path<?)"},
		{memberColumns + "WHERE account = ? AND thing = ? ORDER BY path", "thing_group_members_by_thing (account=? AND thing=?)"},
		{linkColumns + "WHERE account = ? AND principal = ? AND thing > ? ORDER BY thing LIMIT ?",
			"thing_principals_by_principal (account=? AND principal=? AND thing>?)"},
		{linkColumns + "WHERE account = ? AND thing = ? AND principal > ? ORDER BY principal LIMIT ?", "(account=? AND thing=? AND principal>?)"},
		{thingsOfBillingGroup, "things_by_billing_group (account=? AND billing_group=? AND name>?)"},
	}
	for _, test := range plans {
		plan := queryPlan(t, db, test.query)
		if !strings.Contains(plan, test.want) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n\tgoes %s\n\tand should go %s", test.query, plan, test.want)
		}
	}
}

// queryPlan tells how SQLite would run a query.
func queryPlan(t *testing.T, db *DB, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	for i := range args {
		args[i] = 1
	}
	var steps []string
	err := db.View(context.Background(), func(tx *Tx) (err error) {
		steps, err = list(tx, "EXPLAIN QUERY PLAN "+query, args, func(row scanner) (string, error) {
			var id, parent, unused int
			var detail string
			err := row(&id, &parent, &unused, &detail)
			return detail, err
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "; ")
}

func TestRegistryEventsAreKeptUntilDeleted(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	eachEngine(t, func(t *testing.T, db *DB) {
		events := []registry.Event{
			{ID: "b", Kept: at, Topic: "t", Payload: []byte(`{"a":1}`)},
			{ID: "a", Kept: at.Add(time.Millisecond), Topic: "u", Payload: []byte("{}")},
			{ID: "c", Kept: at.Add(time.Second), Topic: "v", Payload: []byte("{}")},
		}
		inRegistry(t, db, func(tx registry.Tx) error {
			for _, e := range events {
				if err := tx.PutEvent(e); err != nil {
					return err
				}
			}
			return nil
		})
		kept := func(before time.Time, limit int) (all []registry.Event) {
			t.Helper()
			err := db.Registry(testAccount).View(context.Background(), func(tx registry.Tx) (err error) {
				all, err = tx.Events(before, limit)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		same(t, events[:2])(kept(at.Add(time.Second), 5), true, nil)
		same(t, events[:1])(kept(at.Add(time.Hour), 1), true, nil)
		inRegistry(t, db, func(tx registry.Tx) error { return tx.DeleteEvent("b") })
		same(t, events[1:])(kept(at.Add(time.Hour), 5), true, nil)
	})
}
