package registry_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

var scope = arn.Scope{Region: "eu-west-1", Account: "111122223333"}

// bench is a registry on a real database, with a clock that stands.
type bench struct {
	*registry.Service
	t         *testing.T
	ctx       context.Context
	now       time.Time
	ids       int
	published []message.Message
	changes   []registry.Change
}

// Publish makes the bench a message.Publisher.
func (b *bench) Publish(m message.Message, done message.Done) {
	b.published = append(b.published, m)
	if done != nil {
		done(nil)
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newBench(t *testing.T) *bench {
	t.Helper()
	db, err := store.Open(context.Background(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, ctx: context.Background(), now: time.UnixMilli(1_700_000_000_123).UTC()}
	b.Service = registry.New(registry.Config{
		Store: db.Registry(scope.Account), Scope: scope, Publisher: b,
		Now:   func() time.Time { return b.now },
		NewID: func() string { b.ids++; return fmt.Sprint("id-", b.ids) },
	})
	t.Cleanup(func() { b.ok(b.Close(b.ctx)) })
	b.OnChange = func(c registry.Change) { b.changes = append(b.changes, c) }
	return b
}

// want checks an outcome: "" is success, else the code and message of a fault.
func (b *bench) want(err error, code fault.Code, message string) {
	b.t.Helper()
	var got string
	if err != nil {
		got = err.Error()
	}
	want := ""
	if code != "" {
		want = string(code) + ": " + message
	}
	if got != want {
		b.t.Errorf("error %q, want %q", got, want)
	}
}

func (b *bench) ok(err error) { b.t.Helper(); b.want(err, "", "") }

func (b *bench) thing(n registry.NewThing) registry.Thing {
	b.t.Helper()
	thing, err := b.CreateThing(b.ctx, n)
	b.ok(err)
	return thing
}

func (b *bench) group(name, parent string) registry.ThingGroup {
	b.t.Helper()
	g, err := b.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: name, Parent: parent})
	b.ok(err)
	return g
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// pages reads a whole list page by page.
func pages[T any](t *testing.T, size int, read func(registry.Page) ([]T, string, error)) []T {
	t.Helper()
	all := []T{}
	for p := (registry.Page{Size: size}); ; {
		rows, next, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) > size {
			t.Fatalf("a page of %d has %d entries", size, len(rows))
		}
		all = append(all, rows...)
		if next == "" {
			return all
		}
		p.Token = next
	}
}

func TestNewUUID(t *testing.T) {
	a, b := registry.NewUUID(), registry.NewUUID()
	if len(a) != 36 || a[14] != '4' || a == b {
		t.Error(a, b)
	}
}

func TestTokens(t *testing.T) {
	list := registry.List{"things", "a"}
	token := list.Token("k>>>", "???")
	keys, err := list.Keys(token, 2)
	if err != nil {
		t.Fatal(err)
	}
	same(t, []string{"k>>>", "???"}, keys)
	for name, refused := range map[string]func() ([]string, error){
		"other list":      func() ([]string, error) { return registry.List{"things", "b"}.Keys(token, 2) },
		"run together":    func() ([]string, error) { return registry.List{"thingsa"}.Keys(token, 2) },
		"other keys":      func() ([]string, error) { return list.Keys(token, 1) },
		"not base64":      func() ([]string, error) { return list.Keys("-_", 2) },
		"base64 of words": func() ([]string, error) { return list.Keys("aGVsbG8=", 2) },
		"damaged":         func() ([]string, error) { return list.Keys(token[:len(token)-8]+token[len(token)-4:], 2) },
	} {
		if _, err := refused(); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzTokens(f *testing.F) {
	list := registry.List{"things"}
	f.Add(list.Token("a"))
	f.Add("e30=")
	f.Fuzz(func(t *testing.T, token string) {
		keys, err := list.Keys(token, 1)
		if (err == nil) != (len(keys) == 1) {
			t.Error(keys, err)
		}
	})
}

// wait is how long a thing type must have been deprecated.
func (b *bench) wait() time.Duration { return 5 * time.Minute }

func TestResolve(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		name, arn, want string
		code            fault.Code
	}{
		{"t", "", "t", ""},
		{"", b.ARN("thing", "a:b"), "a:b", ""},
		{"t", b.ARN("thing", "t"), "t", ""},
		{"t", b.ARN("thing", "u"), "", fault.CodeInvalidRequest},
		{"", "", "", fault.CodeInvalidRequest},
		{"", "t", "", fault.CodeInvalidRequest},
		{"", b.ARN("thinggroup", "t"), "", fault.CodeInvalidRequest},
		{"", b.ARN("thing", ""), "", fault.CodeInvalidRequest},
		{"", "arn:aws:iot:eu-west-1:999999999999:thing/t", "", fault.CodeNotFound},
	} {
		got, err := b.Resolve("thing", test.name, test.arn)
		if got != test.want || fault.CodeOf(err) != test.code {
			t.Errorf("%q %q: %q, %v", test.name, test.arn, got, err)
		}
	}
}
