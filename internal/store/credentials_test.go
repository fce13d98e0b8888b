package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"thingd/internal/credentials"
)

func TestCredentialsKeepWhatIsPut(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	first := credentials.RoleAlias{Name: "a", RoleARN: "r1", Duration: time.Hour, Created: at, Modified: at}
	second := credentials.RoleAlias{Name: "a", RoleARN: "r2", Duration: 15 * time.Minute, Created: at, Modified: at.Add(time.Hour)}
	eachEngine(t, func(t *testing.T, db *DB) {
		err := db.Credentials(testAccount).Update(context.Background(), func(tx credentials.Tx) error {
			for _, a := range []credentials.RoleAlias{first, second, {Name: "b"}, {Name: "B"}} {
				if err := tx.PutRoleAlias(a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Credentials(testAccount).Update(context.Background(), func(tx credentials.Tx) error {
			same(t, second)(tx.RoleAlias("a"))
			up, err := tx.RoleAliases("", false, 2)
			same(t, []string{"B", "a"})(up, true, err)
			rest, err := tx.RoleAliases("a", false, 2)
			same(t, []string{"b"})(rest, true, err)
			down, err := tx.RoleAliases("", true, 2)
			same(t, []string{"b", "a"})(down, true, err)
			last, err := tx.RoleAliases("a", true, 2)
			same(t, []string{"B"})(last, true, err)
			return tx.DeleteRoleAlias("a")
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Credentials(testAccount).View(context.Background(), func(tx credentials.Tx) error {
			if _, found, err := tx.RoleAlias("a"); found || err != nil {
				t.Errorf("after deletion: found %v, %v", found, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestRoleAliasListingsAreIndexed(t *testing.T) {
	db := openTest(t, t.TempDir()+"/thingd.db")
	for _, query := range []string{roleAliasesUp, roleAliasesDown} {
		if plan := queryPlan(t, db, query); strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n\tgoes %s", query, plan)
		}
	}
}
