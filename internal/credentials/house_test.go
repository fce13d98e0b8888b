package credentials_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/credentials"
	"thingd/internal/iam"
	"thingd/internal/policy"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
	"thingd/internal/why"
)

var scope = arn.Scope{Region: "us-east-1", Account: "111122223333"}

// The certificates: c1 is attached to lamp-7 of type Lamp, c2 to nothing.
const (
	id1 = "c100000000000000000000000000000000000000000000000000000000000001"
	id2 = "c200000000000000000000000000000000000000000000000000000000000002"
)

const (
	trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	other = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	all   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":"*"}}`
)

var roleARN = scope.IAM("role/camera")

// house is the Service with what it stands on, on a real database, wired as
// thingd wires them. The clock stands still.
type house struct {
	*credentials.Service
	iam    *iam.Service
	access *access.Service
	things *registry.Service
	t      testing.TB
	now    time.Time
}

func open(t testing.TB) *house {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h := &house{t: t, now: time.Date(2030, 1, 2, 3, 4, 5, 6_000_000, time.UTC)}
	now := func() time.Time { return h.now }
	h.things = registry.New(registry.Config{Store: db.Registry(scope.Account), Scope: scope, Now: now})
	h.access = access.New(access.Config{Store: db.Access(scope.Account), Scope: scope, Now: now, Log: quiet})
	h.iam = iam.New(iam.Config{Store: db.IAM(scope.Account), Scope: scope, Now: now})
	h.things.OnChange = h.access.RegistryChanged
	h.Service = credentials.New(credentials.Config{
		Store: db.Credentials(scope.Account), Scope: scope, Access: h.access, IAM: h.iam, Now: now,
		ThingType: func(ctx context.Context, name string) (string, error) {
			thing, err := h.things.Thing(ctx, name)
			return thing.Type, err
		},
	})
	return h
}

// furnish makes a role, an alias of it, a thing with c1, and a policy that lets
// both certificates have credentials.
func (h *house) furnish() *house {
	h.t.Helper()
	ctx := h.t.Context()
	h.role("camera", trust, 2*time.Hour)
	h.ok(h.Create(ctx, credentials.RoleAlias{Name: "camera-alias", RoleARN: roleARN}, nil))
	_, err := h.things.CreateThingType(ctx, "Lamp", registry.TypeProperties{}, nil)
	h.ok(err)
	_, err = h.things.CreateThing(ctx, registry.NewThing{Name: "lamp-7", Type: "Lamp"})
	h.ok(err)
	h.ok(h.things.AttachThingPrincipal(ctx, "lamp-7", device(id1).ARN, false))
	h.allow("all", all, id1, id2)
	return h
}

func (h *house) role(name, trust string, longest time.Duration) {
	h.t.Helper()
	_, err := h.iam.CreateRole(h.t.Context(), iam.Role{Name: name, Trust: trust, SessionMax: longest})
	h.ok(err)
}

// allow attaches an IoT policy to certificates.
func (h *house) allow(name, document string, ids ...string) {
	h.t.Helper()
	_, err := h.access.CreatePolicy(h.t.Context(), name, document, nil)
	h.ok(err)
	for _, id := range ids {
		h.ok(h.access.AttachPolicy(h.t.Context(), name, device(id).ARN))
	}
}

// grant writes the one inline policy of the role.
func (h *house) grant(document string) {
	h.t.Helper()
	h.ok(h.iam.PutInline(h.t.Context(), iam.ByRole, "camera", "inline", document))
}

func device(id string) policy.Principal {
	return policy.Principal{Kind: policy.ByCertificate, ID: id, ARN: scope.IoT("cert", id)}
}

// assume asks for credentials that must be given, and gives whoever signs with
// them.
func (h *house) assume(o credentials.Order) (iam.Credentials, iam.Actor) {
	h.t.Helper()
	session, event, err := h.Assume(h.t.Context(), o)
	if err != nil || event != nil {
		h.t.Fatalf("refused: %v, event %+v", err, event)
	}
	actor, secret, err := h.iam.Find(h.t.Context(), session.AccessKeyID, session.SessionToken)
	h.ok(err)
	same(h.t, session.SecretAccessKey, secret)
	return session, actor
}

// refuses asks for credentials that must be refused with this fault and event.
func (h *house) refuses(o credentials.Order, message string, want why.Event) {
	h.t.Helper()
	session, event, err := h.Assume(h.t.Context(), o)
	same(h.t, iam.Credentials{}, session)
	same(h.t, message, fmt.Sprint(err))
	if event == nil {
		h.t.Fatal("no event tells why")
	}
	want.Step, want.Principal = why.StepHTTP, o.Principal.ID
	want.Action, want.Resource = "iot:AssumeRoleWithCertificate", h.ARN(o.Alias)
	same(h.t, want.Detail, event.Reason.String())
	event.Reason = why.Phrase{}
	same(h.t, want, *event)
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func same(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func contextThatIsOver(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}
