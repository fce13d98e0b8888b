package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/pki"
)

const pkiAccount, pkiOther = "111122223333", "444455556666"

func pkiCertificate(id string, created int64) pki.Certificate {
	return pki.Certificate{
		ID: pki.CertificateID(id), Status: pki.Inactive, PEM: "-----BEGIN " + id, Mode: pki.ModeDefault,
		Created: time.UnixMilli(created).UTC(), Modified: time.UnixMilli(created).UTC(), Version: 1, Generation: "g",
		NotBefore: time.UnixMilli(5).UTC(), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
}

func pkiUpdate(t *testing.T, db *DB, fn func(pki.Tx) error) {
	t.Helper()
	if err := db.PKI(pkiAccount).Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func pkiView(t *testing.T, db *DB, fn func(pki.Tx) error) {
	t.Helper()
	if err := db.PKI(pkiAccount).View(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestPKICertificateRoundTrip(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		want := pkiCertificate("aa", 1000)
		want.CA, want.Mode, want.PreviousOwner, want.Claim = "ca", pki.ModeSNIOnly, pkiOther, true
		want.Transfer = pki.Transfer{To: pkiOther, Message: "yours", Date: time.UnixMilli(9).UTC()}
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.PutCertificate(pkiCertificate("aa", 1)) })
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.PutCertificate(want) })
		pkiView(t, db, func(tx pki.Tx) error {
			got, found, err := tx.Certificate("aa")
			if diff := cmp.Diff(want, got); diff != "" || !found {
				t.Error(found, diff)
			}
			if _, found, _ := tx.In(pkiOther).Certificate("aa"); found {
				t.Error("another account has it")
			}
			return err
		})
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.DeleteCertificate("aa") })
		pkiView(t, db, func(tx pki.Tx) error {
			_, found, err := tx.Certificate("aa")
			if found {
				t.Error("still there")
			}
			return err
		})
	})
}

func TestPKIListings(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		pkiUpdate(t, db, func(tx pki.Tx) error {
			for i, id := range []string{"aa", "bb", "cc", "dd", "ee"} {
				c := pkiCertificate(id, int64(100+i/2)) // pairs share a time
				if i%2 == 0 {
					c.CA = "ca1"
				}
				if id == "bb" || id == "cc" {
					c.Transfer.To, c.Status = pkiOther, pki.PendingTransfer
				}
				if id == "dd" {
					c.Transfer.From, c.Status = pkiOther, pki.PendingTransfer
				}
				if id == "ee" {
					c.Claim = true
				}
				if err := tx.PutCertificate(c); err != nil {
					return err
				}
			}
			return tx.In(pkiOther).PutCertificate(pkiCertificate("zz", 100))
		})
		for _, test := range []struct {
			name string
			l    pki.Listing
			want string
		}{
			{"oldest first", pki.Listing{Ascending: true}, "[aa bb] [cc dd] []"},
			{"newest first", pki.Listing{}, "[dd cc] [bb aa] []"},
			{"of a CA", pki.Listing{Ascending: true, CA: "ca1"}, "[aa cc] []"},
			{"of another CA", pki.Listing{CA: "ca2"}, "[]"},
			{"outgoing", pki.Listing{Outgoing: true}, "[cc bb] []"},
			{"incoming", pki.Listing{Incoming: true}, "[dd] []"},
		} {
			t.Run(test.name, func(t *testing.T) {
				if got := pkiPages(t, db, test.l); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		}
	})
}

// pkiPages walks a list in pages of two and writes the IDs of each.
func pkiPages(t *testing.T, db *DB, l pki.Listing) string {
	t.Helper()
	text := ""
	for l.Limit = 2; ; {
		var page []pki.Certificate
		pkiView(t, db, func(tx pki.Tx) (err error) {
			page, err = tx.Certificates(l)
			return err
		})
		ids := []pki.CertificateID{}
		for _, c := range page {
			ids = append(ids, c.ID)
			l.After = pki.Mark{At: c.Created.UnixMilli(), ID: c.ID}
		}
		text += fmt.Sprint(ids)
		if len(page) == 0 {
			return text
		}
		text += " "
	}
}

func TestPKIDeleteClaims(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		pkiUpdate(t, db, func(tx pki.Tx) error {
			for i, id := range []string{"aa", "bb", "cc"} {
				c := pkiCertificate(id, 1)
				c.Claim, c.NotAfter = id != "cc", time.UnixMilli(int64(10*(i+1)))
				if err := tx.PutCertificate(c); err != nil {
					return err
				}
			}
			return nil
		})
		pkiUpdate(t, db, func(tx pki.Tx) error {
			n, err := tx.DeleteClaims(time.UnixMilli(20), 10)
			if n != 1 {
				t.Errorf("deleted %d", n)
			}
			return err
		})
	})
}

func TestPKICAs(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ca := pki.CA{ID: "c1", Active: true, AutoRegistration: true, PEM: "p", Subject: "s1", Mode: pki.ModeDefault,
			Created: time.UnixMilli(1).UTC(), Modified: time.UnixMilli(2).UTC(), Version: 3, Generation: "g",
			NotBefore: time.UnixMilli(4).UTC(), NotAfter: time.UnixMilli(5).UTC(),
			Registration: pki.Registration{TemplateBody: "{}", RoleARN: "r", TemplateName: "t1"}}
		other := ca
		other.ID, other.Subject, other.Registration = "c2", "s2", pki.Registration{}
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.PutCA(pki.CA{ID: "c1"}) })
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.PutCA(ca) })
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.PutCA(other) })
		pkiView(t, db, func(tx pki.Tx) error {
			got, _, err := tx.CA("c1")
			if diff := cmp.Diff(ca, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
			named, err := tx.CAsNamed("s2")
			if diff := cmp.Diff([]pki.CA{other}, named); diff != "" || err != nil {
				t.Error(err, diff)
			}
			all, err := tx.CAs(pki.Listing{Ascending: true, Limit: 9})
			if diff := cmp.Diff([]pki.CA{ca, other}, all); diff != "" || err != nil {
				t.Error(err, diff)
			}
			for account, want := range map[string]bool{testAccount: false, "444455556666": true} {
				if elsewhere, err := tx.In(account).DefaultCAElsewhere("c1"); elsewhere != want || err != nil {
					t.Errorf("account %s finds the CA elsewhere: %v, %v", account, elsewhere, err)
				}
			}
			withTemplate, err := tx.CAs(pki.Listing{Template: "t1", Limit: 9})
			if diff := cmp.Diff([]pki.CA{ca}, withTemplate); diff != "" || err != nil {
				t.Error(err, diff)
			}
			return nil
		})
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.DeleteCA("c1") })
		pkiView(t, db, func(tx pki.Tx) error {
			_, found, err := tx.CA("c1")
			if found {
				t.Error("still there")
			}
			return err
		})
	})
}

func TestPKIRegistrationCodeAndProviders(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		want := pki.Provider{Name: "p", LambdaARN: "arn", Operations: []string{"CreateCertificateFromCsr"},
			Created: time.UnixMilli(1).UTC(), Modified: time.UnixMilli(2).UTC()}
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.PutRegistrationCode("old") })
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.PutRegistrationCode("new") })
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.PutProvider(want) })
		pkiView(t, db, func(tx pki.Tx) error {
			if code, found, err := tx.RegistrationCode(); code != "new" || !found || err != nil {
				t.Error(code, found, err)
			}
			got, _, err := tx.Provider("p")
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
			all, err := tx.Providers()
			if diff := cmp.Diff([]pki.Provider{want}, all); diff != "" || err != nil {
				t.Error(err, diff)
			}
			return nil
		})
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.DeleteRegistrationCode() })
		pkiUpdate(t, db, func(tx pki.Tx) error { return tx.DeleteProvider("p") })
		pkiView(t, db, func(tx pki.Tx) error {
			_, code, err := tx.RegistrationCode()
			_, provider, err2 := tx.Provider("p")
			if code || provider || err != nil || err2 != nil {
				t.Error(code, provider, err, err2)
			}
			return nil
		})
	})
}

func TestPKIExpiringCertificates(t *testing.T) {
	end := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	eachEngine(t, func(t *testing.T, db *DB) {
		pkiUpdate(t, db, func(tx pki.Tx) error {
			for _, c := range []struct {
				id     string
				status pki.Status
				claim  bool
				end    time.Time
			}{{"b", pki.Active, false, end}, {"a", pki.Active, false, end}, {"early", pki.Active, false, end.Add(-time.Hour)},
				{"idle", pki.Inactive, false, end}, {"claim", pki.Active, true, end}, {"late", pki.Active, false, end.Add(time.Hour)}} {
				cert := pkiCertificate(c.id, 1)
				cert.Status, cert.Claim, cert.NotAfter = c.status, c.claim, c.end
				if err := tx.PutCertificate(cert); err != nil {
					return err
				}
			}
			return tx.PutCA(pki.CA{ID: "ca", Active: true, NotAfter: end})
		})
		expiring := func(ca bool, warned, limit int) (ids []pki.CertificateID) {
			t.Helper()
			pkiView(t, db, func(tx pki.Tx) error {
				found, err := tx.Expiring(ca, warned, end.Add(time.Second), limit)
				for _, e := range found {
					ids = append(ids, e.ID)
				}
				return err
			})
			return ids
		}
		want := func(want []pki.CertificateID, got []pki.CertificateID) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		want([]pki.CertificateID{"early", "a"}, expiring(false, 0, 2))
		want([]pki.CertificateID{"ca"}, expiring(true, 0, 2))
		pkiUpdate(t, db, func(tx pki.Tx) error {
			for _, err := range []error{tx.SetWarned(false, "early", 30), tx.SetWarned(true, "ca", 7)} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		want([]pki.CertificateID{"a", "b"}, expiring(false, 0, 9))
		want([]pki.CertificateID{"early"}, expiring(false, 30, 9))
		want(nil, expiring(true, 0, 9))
		want([]pki.CertificateID{"ca"}, expiring(true, 7, 9))
	})
}
