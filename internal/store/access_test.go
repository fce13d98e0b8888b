package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/access"
)

func TestAccessKeepsWhatIsPut(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	lamps := access.Policy{Name: "lamps", Generation: "g", Default: 2, Last: 7, Created: at, Modified: at.Add(time.Hour)}
	versions := []access.Version{
		{Policy: "lamps", ID: 7, Document: " { } ", Created: at},
		{Policy: "lamps", ID: 2, Document: "\t\u00fc", Created: at},
	}
	eachEngine(t, func(t *testing.T, db *DB) {
		err := db.Access(testAccount).Update(context.Background(), func(tx access.Tx) error {
			for _, err := range []error{
				tx.PutPolicy(lamps), tx.PutPolicy(lamps), tx.PutVersion(versions[1]), tx.PutVersion(versions[0]),
				tx.PutAttachment("t1", "lamps"), tx.PutAttachment("t1", "lamps"), tx.PutAttachment("t2", "lamps"),
			} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Access(testAccount).Update(context.Background(), func(tx access.Tx) error {
			same(t, lamps)(tx.Policy("lamps"))
			same(t, versions[1])(tx.Version("lamps", 2))
			list, err := tx.Versions("lamps")
			same(t, versions)(list, true, err)
			attached, err := tx.Attached("t2")
			same(t, []access.Policy{lamps})(attached, true, err)
			up, err := tx.Targets("lamps", "", false, 10)
			same(t, []string{"t1", "t2"})(up, true, err)
			down, err := tx.Targets("lamps", "t2", true, 10)
			same(t, []string{"t1"})(down, true, err)
			return tx.DeletePolicy("lamps")
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Access(testAccount).View(context.Background(), func(tx access.Tx) error {
			list, err := tx.Versions("lamps")
			same(t, []access.Version{})(list, true, err)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestPoliciesByTime(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000).UTC()
	eachEngine(t, func(t *testing.T, db *DB) {
		err := db.Access(testAccount).Update(context.Background(), func(tx access.Tx) error {
			for name, ms := range map[string]int64{"c": 0, "a": 1, "b": 1, "d": 2} {
				p := access.Policy{Name: name, Created: at.Add(time.Duration(ms) * time.Millisecond), Modified: at}
				if err := tx.PutPolicy(p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for want, query := range map[string]struct {
			after access.PolicyKey
			down  bool
		}{
			"c a b d": {},
			"b d":     {after: access.PolicyKey{Created: at.Add(time.Millisecond), Name: "a"}},
			"d b a c": {down: true},
			"a c":     {after: access.PolicyKey{Created: at.Add(time.Millisecond), Name: "b"}, down: true},
		} {
			var names []string
			err := db.Access(testAccount).View(context.Background(), func(tx access.Tx) error {
				policies, err := tx.Policies(query.after, query.down, 10)
				for _, p := range policies {
					names = append(names, p.Name)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestPolicyListingsAreIndexed(t *testing.T) {
	db := openTest(t, t.TempDir()+"/thingd.db")
	for query, want := range map[string]string{
		policiesByTime:      "policies_by_time (account=? AND (created,name)>(?,?))",
		policiesByTimeDown:  "policies_by_time (account=? AND (created,name)<(?,?))",
		attachedPolicies:    "(account=? AND target=?)",
		targetsOfPolicy:     "policy_attachments_by_policy (account=? AND policy=? AND target>?)",
		targetsOfPolicyDown: "policy_attachments_by_policy (account=? AND policy=? AND target<?)",
	} {
		plan := queryPlan(t, db, query)
		if !strings.Contains(plan, want) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n\tgoes %s\n\tand should go %s", query, plan, want)
		}
	}
}
