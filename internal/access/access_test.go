package access_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/policy"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

var scope = arn.Scope{Region: "us-east-1", Account: "111122223333"}

// The certificates of the worked examples: c1 is attached to lamp-7, c2 to
// nothing.
const (
	id1 = "c100000000000000000000000000000000000000000000000000000000000001"
	id2 = "c200000000000000000000000000000000000000000000000000000000000002"
)

var (
	c1 = scope.IoT("cert", id1)
	c2 = scope.IoT("cert", id2)
)

// bench is both services on a real database, wired as thingd wires them.
type bench struct {
	*access.Service
	things *registry.Service
	db     *store.DB
	store  *unsteady
	t      testing.TB
	ctx    context.Context
	now    time.Time
	ids    int
	log    bytes.Buffer
}

// unsteady is a Store that can be told to fail.
type unsteady struct {
	access.Store
	broken atomic.Bool
	reads  atomic.Int64
}

func (u *unsteady) View(ctx context.Context, fn func(access.Tx) error) error {
	if u.broken.Load() {
		return fmt.Errorf("the disk is gone")
	}
	u.reads.Add(1)
	return u.Store.View(ctx, fn)
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, ctx: context.Background(), now: time.UnixMilli(1_700_000_000_123).UTC()}
	log := slog.New(slog.NewTextHandler(&b.log, nil))
	db, err := store.Open(context.Background(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	b.db, b.store = db, &unsteady{Store: db.Access(scope.Account)}
	b.things = registry.New(registry.Config{Store: db.Registry(scope.Account), Scope: scope})
	b.Service = access.New(access.Config{Store: b.store, Scope: scope, Log: log,
		Now:   func() time.Time { return b.now },
		NewID: func() string { b.ids++; return fmt.Sprint("id-", b.ids) },
	})
	b.things.OnChange = b.RegistryChanged
	return b
}

// withLamp adds the thing of the worked examples, of which c1 may speak.
func (b *bench) withLamp(exclusive bool) *bench {
	b.t.Helper()
	_, err := b.things.CreateThingType(b.ctx, "Lamp", registry.TypeProperties{}, nil)
	b.ok(err)
	_, err = b.things.CreateThing(b.ctx, registry.NewThing{Name: "lamp-7", Type: "Lamp", Attributes: map[string]string{"site": "north"}})
	b.ok(err)
	b.ok(b.things.AttachThingPrincipal(b.ctx, "lamp-7", c1, exclusive))
	return b
}

// attach makes a policy and attaches it.
func (b *bench) attach(name, document string, targets ...string) {
	b.t.Helper()
	_, err := b.CreatePolicy(b.ctx, name, document, nil)
	b.ok(err)
	for _, target := range targets {
		b.ok(b.AttachPolicy(b.ctx, name, target))
	}
}

// open opens an MQTT connection, closed with the test.
func (b *bench) open(certificate, clientID string) *access.Subject {
	b.t.Helper()
	return b.connect(access.Connection{Principal: byCertificate(certificate), MQTT: true, ClientID: clientID})
}

func byCertificate(certificate string) policy.Principal {
	return policy.Principal{Kind: policy.ByCertificate, ID: certificate[len(certificate)-64:], ARN: certificate}
}

func (b *bench) connect(c access.Connection) *access.Subject {
	b.t.Helper()
	s, err := b.Open(b.ctx, c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(s.Close)
	return s
}

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// want checks a fault.
func (b *bench) want(err error, code fault.Code, message string) {
	b.t.Helper()
	if err == nil || err.Error() != string(code)+": "+message {
		b.t.Errorf("error %v, want %s: %s", err, code, message)
	}
}

func same(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// allow is a policy with one statement.
func allow(action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%q,"Resource":%q}]}`, action, resource)
}

func iotARN(resource string) string { return scope.Of("iot", resource) }
