package api_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/access"
	"thingd/internal/api"
	"thingd/internal/arn"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/sagemaker"
	"thingd/internal/aws/sagemakeredge"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/wire"
	"thingd/internal/credentials"
	"thingd/internal/edgefleet"
	"thingd/internal/iam"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

const edgeAccount, edgeRole = "111122223333", "arn:aws:iam::111122223333:role/edge"

// edgeFront is role aliases, SageMaker and its agents' API behind the wire, with
// real signatures and a real database. The clock stands still.
type edgeFront struct {
	t   *testing.T
	url string
	key iam.AccessKey
	iam *iam.Service
	now time.Time
}

func newEdgeFront(t *testing.T) *edgeFront {
	t.Helper()
	f := &edgeFront{t: t, now: time.UnixMilli(1_700_000_000_500).UTC()}
	now, log := func() time.Time { return f.now }, slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), log)
	f.ok(err)
	t.Cleanup(func() { _ = db.Close() })
	scope := arn.Scope{Region: "us-east-1", Account: edgeAccount}
	f.iam = iam.New(iam.Config{Store: db.IAM(edgeAccount), Scope: scope, Now: now})
	aliases := credentials.New(credentials.Config{
		Store: db.Credentials(edgeAccount), Scope: scope, IAM: f.iam, Now: now,
		Access: access.New(access.Config{Store: db.Access(edgeAccount), Scope: scope, Now: now, Log: log}),
	})
	things := registry.New(registry.Config{Store: db.Registry(edgeAccount), Scope: scope, Now: now})
	things.TagExists = tagsOf(aliases)
	fleets := edgefleet.New(edgefleet.Config{
		Store: db.EdgeFleets(edgeAccount), Scope: scope, Credentials: aliases, IAM: f.iam, Now: now, Log: log,
	})
	gate := iam.NewGate(f.iam)
	mux := wire.NewMux(wire.Options{Authenticator: gate, Authorizer: gate, Now: now, Log: log})
	mux.Mount(iot.Service, &api.IoT{Scope: scope, Registry: things, Credentials: aliases})
	mux.Mount(sagemaker.Service, &api.SageMaker{Fleets: fleets})
	mux.Mount(sagemakeredge.Service, &api.SageMakerEdge{Fleets: fleets})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	f.key, err = f.iam.RootKey(t.Context())
	f.ok(err)
	return f
}

func (f *edgeFront) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// send signs a request and gives status and body of the answer.
func (f *edgeFront) send(method, path, service, target, body string) (int, string) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	f.ok(err)
	r.Header.Set("Content-Type", "application/json")
	if target != "" {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "SageMaker."+target)
	}
	sigv4.Sign(r, []byte(body), sigv4.Credentials{AccessKeyID: f.key.ID, SecretAccessKey: f.key.Secret}, service, "us-east-1", f.now)
	answer, err := http.DefaultClient.Do(r)
	f.ok(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	f.ok(err)
	return answer.StatusCode, string(text)
}

// rest calls the control plane; the answer has to be this.
func (f *edgeFront) rest(method, path, body string, status int, want string) {
	f.t.Helper()
	got, text := f.send(method, path, "iot", "", body)
	f.compare(method+" "+path, got, text, status, want)
}

// call calls an operation of SageMaker; the answer has to be this.
func (f *edgeFront) call(operation, body string, status int, want string) {
	f.t.Helper()
	got, text := f.send(http.MethodPost, "/", "sagemaker", operation, body)
	f.compare(operation, got, text, status, want)
}

// agent calls an operation of the agents' API; the answer has to be this.
func (f *edgeFront) agent(operation, body string, status int, want string) {
	f.t.Helper()
	got, text := f.send(http.MethodPost, "/"+operation, "sagemaker", "", body)
	f.compare(operation, got, text, status, want)
}

func (f *edgeFront) compare(what string, got int, text string, status int, want string) {
	f.t.Helper()
	if got != status {
		f.t.Errorf("%s: status %d, want %d: %s", what, got, status, text)
		return
	}
	if diff := cmp.Diff(decoded(f.t, want), decoded(f.t, text)); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// decoded reads JSON; nothing at all is the same as an empty object.
func decoded(t *testing.T, text string) any {
	t.Helper()
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}
