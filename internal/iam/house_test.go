package iam_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

const account = "111122223333"

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// house is a Service on a real database with a clock that stands still.
type house struct {
	*iam.Service
	db  *store.DB
	now time.Time
}

func open(t testing.TB, sealer iam.Sealer) *house {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h := &house{db: db, now: start}
	h.Service = h.node(sealer)
	return h
}

// node is another Service on the same database.
func (h *house) node(sealer iam.Sealer) *iam.Service {
	return iam.New(iam.Config{Store: h.db.IAM(account), Scope: arn.Scope{Region: "us-east-1", Account: account},
		Sealer: sealer, Now: func() time.Time { return h.now }})
}

func wantCode(t testing.TB, err error, want fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("error %v has code %q, want %q", err, got, want)
	}
}

// user makes a user with an inline policy ("" for none) and gives its actor.
func (h *house) user(t testing.TB, name, document string) (iam.Actor, iam.AccessKey) {
	t.Helper()
	if _, err := h.CreateUser(t.Context(), iam.User{Name: name}); err != nil {
		t.Fatal(err)
	}
	if document != "" {
		if err := h.PutInline(t.Context(), iam.ByUser, name, "inline", document); err != nil {
			t.Fatal(err)
		}
	}
	key, err := h.CreateAccessKey(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return h.actor(t, key.ID, ""), key
}

func (h *house) actor(t testing.TB, id, token string) iam.Actor {
	t.Helper()
	actor, _, err := h.Find(t.Context(), id, token)
	if err != nil {
		t.Fatal(err)
	}
	return actor
}

func (h *house) root(t testing.TB) iam.Actor {
	t.Helper()
	key, err := h.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h.actor(t, key.ID, "")
}

// role makes a role with a trust and a policy.
func (h *house) role(t testing.TB, name, trust, document string) iam.Role {
	t.Helper()
	role, err := h.CreateRole(t.Context(), iam.Role{Name: name, Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	if document != "" {
		if err := h.PutInline(t.Context(), iam.ByRole, name, "inline", document); err != nil {
			t.Fatal(err)
		}
	}
	return role
}

// allow is a policy of one statement.
func allow(actions, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + actions + `,"Resource":"` + resource + `"}]}`
}

// trusting is a trust policy for a principal, such as "AWS":"111122223333".
func trusting(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{` + principal + `},"Action":"sts:AssumeRole"}]}`
}
