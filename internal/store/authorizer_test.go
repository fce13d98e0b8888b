package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"thingd/internal/authorizer"
)

func TestAuthorizersKeepWhatIsPut(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	first := authorizer.Authorizer{
		Name: "a", FunctionARN: "f", TokenKeyName: "tok", PublicKeys: map[string]string{"k": "pem"}, Status: "ACTIVE",
		SigningDisabled: true, CachingForHTTP: true, Created: at, Modified: at.Add(time.Hour),
	}
	second := authorizer.Authorizer{Name: "b", Status: "INACTIVE"}
	domain := authorizer.Domain{Name: "d", ID: "x", DomainName: "d.example", Authorizer: &authorizer.DomainDefault{Name: "a"}, StatusChanged: at}
	eachEngine(t, func(t *testing.T, db *DB) {
		err := db.Authorizers(testAccount).Update(context.Background(), func(tx authorizer.Tx) error {
			for _, err := range []error{
				tx.PutAuthorizer(second), tx.PutAuthorizer(authorizer.Authorizer{Name: "a"}), tx.PutAuthorizer(first),
				tx.SetDefaultAuthorizer("b"), tx.SetDefaultAuthorizer("a"), tx.PutDomain(authorizer.Domain{Name: "d"}), tx.PutDomain(domain),
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
		err = db.Authorizers(testAccount).Update(context.Background(), func(tx authorizer.Tx) error {
			same(t, first)(tx.Authorizer("a"))
			for _, c := range []struct {
				status     authorizer.Status
				after      string
				descending bool
				want       []string
			}{{"", "", false, []string{"a", "b"}}, {"", "", true, []string{"b", "a"}}, {"", "a", false, []string{"b"}},
				{"ACTIVE", "", false, []string{"a"}}, {"INACTIVE", "", true, []string{"b"}}} {
				got, err := tx.Authorizers(c.status, c.after, c.descending, 10)
				same(t, c.want)(got, true, err)
			}
			name, err := tx.DefaultAuthorizer()
			same(t, "a")(name, true, err)
			same(t, domain)(tx.Domain("d"))
			all, err := tx.Domains()
			same(t, []authorizer.Domain{domain})(all, true, err)
			for _, err := range []error{tx.SetDefaultAuthorizer(""), tx.DeleteAuthorizer("a"), tx.DeleteDomain("d")} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Authorizers(testAccount).View(context.Background(), func(tx authorizer.Tx) error {
			name, err := tx.DefaultAuthorizer()
			same(t, "")(name, true, err)
			if _, found, err := tx.Authorizer("a"); found || err != nil {
				t.Errorf("after deletion: found %v, %v", found, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestAuthorizerListingsAreIndexed(t *testing.T) {
	db := openTest(t, t.TempDir()+"/thingd.db")
	for _, query := range []string{authorizersUp, authorizersDown, authorizersOfState, authorizersOfStateDsc} {
		if plan := queryPlan(t, db, query); strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\n\tgoes %s", query, plan)
		}
	}
}
