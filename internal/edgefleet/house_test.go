package edgefleet_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/credentials"
	"thingd/internal/edgefleet"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

var scope = arn.Scope{Region: "us-east-1", Account: "111122223333"}

var roleARN = scope.IAM("role/edge")

const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}}`

var output = edgefleet.Output{S3Location: "s3://models/out/"}

// house is the Service with what it stands on, on a real database. The clock
// stands still.
type house struct {
	*edgefleet.Service
	aliases *credentials.Service
	iam     *iam.Service
	shelf   *shelf
	t       testing.TB
	now     time.Time
}

// shelf is an S3 that one role may read.
type shelf struct {
	objects map[string]string // by bucket/key
	readers []string          // access keys that came
	reached chan struct{}     // where not nil, hears of each Open
	goOn    chan struct{}     // and is waited for
}

// Open implements edgefleet.Artifacts.
func (s *shelf) Open(ctx context.Context, who iam.Credentials, bucket, key string) (io.ReadCloser, error) {
	s.readers = append(s.readers, who.AccessKeyID)
	if s.reached != nil {
		s.reached <- struct{}{}
		<-s.goOn
	}
	text, found := s.objects[bucket+"/"+key]
	if !found {
		return nil, fault.NotFound("there is no object %s in bucket %s", key, bucket)
	}
	return io.NopCloser(bytes.NewReader([]byte(text))), nil
}

func open(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), shelf: &shelf{objects: map[string]string{}}}
	h.wire(h.shelf)
	return h
}

func (h *house) wire(artifacts edgefleet.Artifacts) {
	h.t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(h.t.Context(), storetest.Ready(h.t, filepath.Join(h.t.TempDir(), "thingd.db")), quiet)
	h.ok(err)
	h.t.Cleanup(func() { _ = db.Close() })
	now := func() time.Time { return h.now }
	policies := access.New(access.Config{Store: db.Access(scope.Account), Scope: scope, Now: now, Log: quiet})
	h.iam = iam.New(iam.Config{Store: db.IAM(scope.Account), Scope: scope, Now: now})
	h.aliases = credentials.New(credentials.Config{
		Store: db.Credentials(scope.Account), Scope: scope, Access: policies, IAM: h.iam, Now: now,
	})
	h.Service = edgefleet.New(edgefleet.Config{
		Store: db.EdgeFleets(scope.Account), Scope: scope, Credentials: h.aliases, IAM: h.iam, Artifacts: artifacts, Now: now, Log: quiet,
	})
}

// fleet makes a fleet with devices.
func (h *house) fleet(name string, devices ...string) {
	h.t.Helper()
	h.ok(h.CreateFleet(h.t.Context(), edgefleet.Fleet{Name: name, RoleARN: roleARN, Output: output}, nil, nil))
	for _, d := range devices {
		h.ok(h.Register(h.t.Context(), name, []edgefleet.Device{{Name: d}}, nil))
	}
}

func (h *house) beat(fleet, device string, result *edgefleet.Result, models ...edgefleet.Model) {
	h.t.Helper()
	h.ok(h.Beat(h.t.Context(), edgefleet.Heartbeat{Fleet: fleet, Device: device, AgentVersion: "1.2", Models: models, Result: result}))
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// refused checks a fault.
func (h *house) refused(err error, want string) {
	h.t.Helper()
	if !strings.HasPrefix(fmt.Sprint(err), want) {
		h.t.Errorf("got %v, want %s", err, want)
	}
}

func same(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// pages reads a list to its end in pages of two and gives the names.
func pages[T any](h *house, name func(T) string, read func(registry.Page) ([]T, string, error)) string {
	h.t.Helper()
	var names []string
	for p := (registry.Page{Size: 2}); ; {
		rows, next, err := read(p)
		h.ok(err)
		if len(rows) > 2 || next != "" && len(rows) != 2 {
			h.t.Errorf("a page of %d", len(rows))
		}
		for _, row := range rows {
			names = append(names, name(row))
		}
		if p.Token = next; next == "" {
			return strings.Join(names, " ")
		}
	}
}
