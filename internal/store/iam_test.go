package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/iam"
	"thingd/internal/policy"
)

func iamUpdate(t *testing.T, db *DB, fn func(iam.Tx) error) {
	t.Helper()
	if err := db.IAM("111122223333").Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func iamView[T any](t *testing.T, db *DB, fn func(iam.Tx) (T, error)) (got T) {
	t.Helper()
	err := db.IAM("111122223333").View(context.Background(), func(tx iam.Tx) (err error) {
		got, err = fn(tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestIAMUsersAndRoles(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		user := iam.User{Name: "ann", Path: "/team/", ID: "AIDA1", Created: time.UnixMilli(1).UTC(), Tags: []iam.Tag{{Key: "k", Value: "v"}}}
		role := iam.Role{Name: "edge", Path: "/", ID: "AROA1", Trust: "{}", Description: "d", SessionMax: time.Hour, Created: time.UnixMilli(2).UTC()}
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutUser(iam.User{Name: "ann"}) })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutUser(user) })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutUser(iam.User{Name: "bob", Path: "/"}) })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutRole(iam.Role{Name: "edge"}) })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutRole(role) })
		got := iamView(t, db, func(tx iam.Tx) (iam.User, error) { u, _, err := tx.User("ann"); return u, err })
		if diff := cmp.Diff(user, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(role, iamView(t, db, func(tx iam.Tx) (iam.Role, error) { r, _, err := tx.Role("edge"); return r, err })); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]iam.User{user}, iamView(t, db, func(tx iam.Tx) ([]iam.User, error) { return tx.Users("/team/", "", 9) })); diff != "" {
			t.Error(diff)
		}
		after := iamView(t, db, func(tx iam.Tx) ([]iam.User, error) { return tx.Users("/", "ann", 9) })
		if len(after) != 1 || after[0].Name != "bob" {
			t.Error(after)
		}
		if diff := cmp.Diff([]iam.Role{role}, iamView(t, db, func(tx iam.Tx) ([]iam.Role, error) { return tx.Roles("", "", 9) })); diff != "" {
			t.Error(diff)
		}
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.DeleteUser("ann") })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.DeleteRole("edge") })
		gone := iamView(t, db, func(tx iam.Tx) (bool, error) {
			_, user, err := tx.User("ann")
			_, role, err2 := tx.Role("edge")
			return user || role, errors.Join(err, err2)
		})
		if gone {
			t.Error("still there")
		}
	})
}

func TestIAMPolicies(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		p := iam.Policy{Name: "p", Path: "/", ID: "ANPA1", ARN: "arn:p", Document: "{}", Description: "d", Created: time.UnixMilli(1).UTC()}
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutPolicy(p) })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.Attach(iam.ByRole, "r", "arn:p") })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.Attach(iam.ByRole, "r", "arn:p") })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.Attach(iam.ByUser, "r", "arn:p") })
		p.Attachments = 2
		if diff := cmp.Diff(p, iamView(t, db, func(tx iam.Tx) (iam.Policy, error) { p, _, err := tx.Policy("arn:p"); return p, err })); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]iam.Policy{p}, iamView(t, db, func(tx iam.Tx) ([]iam.Policy, error) { return tx.Policies("/", "", 9) })); diff != "" {
			t.Error(diff)
		}
		if arn := iamView(t, db, func(tx iam.Tx) (string, error) { arn, _, err := tx.PolicyNamed("p"); return arn, err }); arn != "arn:p" {
			t.Error(arn)
		}
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutInline(iam.ByUser, "r", "one", "old") })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutInline(iam.ByUser, "r", "one", "new") })
		if document := iamView(t, db, func(tx iam.Tx) (string, error) { d, _, err := tx.Inline(iam.ByUser, "r", "one"); return d, err }); document != "new" {
			t.Error(document)
		}
		if names := iamView(t, db, func(tx iam.Tx) ([]string, error) { return tx.InlineNames(iam.ByUser, "r", "", 9) }); len(names) != 1 {
			t.Error(names)
		}
		iamUpdate(t, db, func(tx iam.Tx) error {
			had, err := tx.Detach(iam.ByRole, "r", "arn:p")
			again, err2 := tx.Detach(iam.ByRole, "r", "arn:p")
			if !had || again {
				t.Error(had, again)
			}
			return errors.Join(err, err2, tx.DeleteInline(iam.ByUser, "r", "one"), tx.DeletePolicy("arn:p"))
		})
		if left := iamView(t, db, func(tx iam.Tx) ([]string, error) { return tx.Attached(iam.ByUser, "r", "", 9) }); len(left) != 1 {
			t.Error(left)
		}
	})
}

func TestIAMCredentials(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		key := iam.StoredKey{ID: "AKIA1", User: "ann", Secret: []byte{0, 1, 255}, Active: true, Created: time.UnixMilli(1).UTC()}
		session := iam.StoredSession{AccessKeyID: "ASIA1", Secret: []byte{0, 7}, TokenHash: "h", Kind: iam.ByRole, Owner: "edge", OwnerID: "AROA1",
			Session: iam.Session{Name: "s", Policies: []string{"{}"}, PolicyARNs: []string{"arn:p"}, Context: policy.Values{"k": {"v"}},
				Certificate: "cafe", Expires: time.UnixMilli(50).UTC()}, Created: time.UnixMilli(2).UTC()}
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutAccessKey(key) })
		iamUpdate(t, db, func(tx iam.Tx) error { return tx.PutSession(session) })
		if diff := cmp.Diff([]iam.StoredKey{key}, iamView(t, db, func(tx iam.Tx) ([]iam.StoredKey, error) { return tx.AccessKeys("ann") })); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(key, iamView(t, db, func(tx iam.Tx) (iam.StoredKey, error) { k, _, err := tx.AccessKey("AKIA1"); return k, err })); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(session, iamView(t, db, func(tx iam.Tx) (iam.StoredSession, error) { s, _, err := tx.Session("ASIA1"); return s, err })); diff != "" {
			t.Error(diff)
		}
		iamUpdate(t, db, func(tx iam.Tx) error {
			early, err := tx.DeleteSessionsBefore(time.UnixMilli(50), 9)
			other, err2 := tx.DeleteSessionsOf("beef")
			none, err3 := tx.DeleteSessionsOf("")
			if early+other+none != 0 {
				t.Error(early, other, none)
			}
			late, err4 := tx.DeleteSessionsBefore(time.UnixMilli(51), 9)
			if late != 1 {
				t.Error(late)
			}
			return errors.Join(err, err2, err3, err4, tx.DeleteAccessKey("AKIA1"))
		})
		if keys := iamView(t, db, func(tx iam.Tx) ([]iam.StoredKey, error) { return tx.AccessKeys("ann") }); len(keys) != 0 {
			t.Error(keys)
		}
	})
}
