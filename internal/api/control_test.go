package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"thingd/internal/access"
	"thingd/internal/api"
	"thingd/internal/arn"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

var controlScope = arn.Scope{Region: "eu-west-1", Account: "111122223333"}

// control is the control plane behind a real HTTP server, spoken to by AWS's own
// client.
type control struct {
	*sdk.Client
	t         *testing.T
	ctx       context.Context
	now       time.Time
	registry  *registry.Service
	access    *access.Service
	published []message.Message
}

// anyone lets every signed request in: who may is not what is tested here.
type anyone struct{}

func (anyone) Authenticate(context.Context, *http.Request, *sigv4.Signature) (wire.Caller, error) {
	return wire.Caller{Kind: wire.AccessKey, AccountID: controlScope.Account}, nil
}

func (anyone) Authorize(context.Context, wire.Caller, wire.Call) error { return nil }

// Publish makes control a message.Publisher.
func (c *control) Publish(m message.Message, _ message.Done) { c.published = append(c.published, m) }

func newControl(t *testing.T) *control {
	t.Helper()
	c := &control{t: t, ctx: context.Background(), now: time.UnixMilli(1_700_000_000_123).UTC()}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(c.ctx, storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), quiet)
	if err != nil {
		t.Fatal(err)
	}
	ids, now := 0, func() time.Time { return c.now }
	newID := func() string { ids++; return fmt.Sprint("id-", ids) }
	c.registry = registry.New(registry.Config{Store: db.Registry(controlScope.Account), Scope: controlScope, Now: now, NewID: newID, Publisher: c})
	c.access = access.New(access.Config{Store: db.Access(controlScope.Account), Scope: controlScope, Now: now, NewID: newID, Log: quiet})
	c.registry.OnChange = c.access.RegistryChanged
	c.registry.TagExists = map[string]func(context.Context, arn.ARN) (bool, error){
		"policy": func(ctx context.Context, a arn.ARN) (bool, error) {
			_, name := a.Kind()
			return c.access.Exists(ctx, name)
		},
	}
	messages, err := broker.New(c.ctx, broker.Config{Store: db.Broker(controlScope.Account), Now: now, NewID: newID, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	mux := wire.NewMux(wire.Options{Authenticator: anyone{}, Authorizer: anyone{}, Now: now, Log: quiet})
	mux.Mount(iot.Service, &api.IoT{Scope: controlScope, Registry: c.registry, Access: c.access, Broker: messages})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	c.Client = sdk.NewFromConfig(aws.Config{
		Region:           controlScope.Region,
		BaseEndpoint:     aws.String(server.URL),
		Credentials:      credentials.NewStaticCredentialsProvider("AKIATESTTESTTESTTEST", "secret", ""),
		HTTPClient:       server.Client(),
		RetryMaxAttempts: 1,
	})
	return c
}

// gives checks an answer of the client: its members as JSON, without those that
// have no value.
func (c *control) gives(want string) func(out any, err error) {
	c.t.Helper()
	return func(out any, err error) {
		c.t.Helper()
		if err != nil {
			c.t.Errorf("%v", err)
			return
		}
		if diff := cmp.Diff(object(c.t, []byte(want)), members(c.t, out)); diff != "" {
			c.t.Errorf("%T (-want +got):\n%s", out, diff)
		}
	}
}

func (c *control) ok() func(out any, err error) { c.t.Helper(); return c.gives(`{}`) }

// refuses checks an error of the client: its status, exception and, if one is
// given, its message.
func (c *control) refuses(status int, exception string, message ...string) func(out any, err error) {
	c.t.Helper()
	return func(_ any, err error) {
		c.t.Helper()
		var problem smithy.APIError
		var response *smithyhttp.ResponseError
		if !errors.As(err, &problem) || !errors.As(err, &response) {
			c.t.Errorf("error %v, want %s", err, exception)
			return
		}
		got := fmt.Sprint(response.HTTPStatusCode(), " ", problem.ErrorCode())
		want := fmt.Sprint(status, " ", exception, "Exception")
		for _, m := range message {
			got, want = got+": "+problem.ErrorMessage(), want+": "+m
		}
		if got != want {
			c.t.Errorf("got %s, want %s", got, want)
		}
	}
}

func members(t *testing.T, out any) map[string]any {
	t.Helper()
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	all := object(t, text)
	delete(all, "ResultMetadata")
	return all
}

// object reads JSON and drops null members, at any depth.
func object(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var all map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&all); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	dropNull(all)
	return all
}

func dropNull(value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
			}
			dropNull(member)
		}
	case []any:
		for _, member := range v {
			dropNull(member)
		}
	}
}

// all reads a list page by page, two entries each.
func all[T any](t *testing.T, read func(token *string, size *int32) (entries []T, next *string, err error)) []T {
	t.Helper()
	found := []T{}
	var token *string
	for range 1000 {
		entries, next, err := read(token, aws.Int32(2))
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) > 2 {
			t.Fatalf("a page of 2 has %d entries", len(entries))
		}
		found = append(found, entries...)
		if token = next; next == nil {
			return found
		}
	}
	t.Fatal("the list has no end")
	return nil
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
