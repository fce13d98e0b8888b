package console

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/audit"
	"thingd/internal/authorizer"
	"thingd/internal/aws/wire"
	"thingd/internal/bridge"
	"thingd/internal/broker"
	"thingd/internal/credentials"
	"thingd/internal/edgefleet"
	"thingd/internal/fault"
	"thingd/internal/gateway"
	"thingd/internal/iam"
	"thingd/internal/journal"
	"thingd/internal/lease"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
	"thingd/internal/rules"
	"thingd/internal/rules/action"
	"thingd/internal/s3gate"
	"thingd/internal/settings"
	"thingd/internal/shadow"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
	"thingd/internal/why"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// house is a console on the plain door, with real services behind it.
type house struct {
	*Console
	URL string
	log *strings.Builder // what the console logged; read it when no request runs
}

// noGuard lets no device in: the tests of devices are elsewhere.
type noGuard struct{}

func (noGuard) Admit(context.Context, broker.Attempt) (broker.Admission, *why.Event) {
	return broker.Admission{}, &why.Event{Step: why.StepConnect, Cause: why.NoCertificate}
}

func open(t *testing.T) *house {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	h := &house{log: &strings.Builder{}}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(ctx, storetest.Ready(t, filepath.Join(dir, "thingd.db")), quiet)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	authority, err := pki.OpenAuthority(dir, pki.Options{Hosts: []string{"localhost"}, Log: quiet})
	must(t, err)
	scope := arn.Scope{Partition: "aws", Region: "us-east-1", Account: "123456789012"}
	c := Config{
		Scope: scope, Host: "iot.example.com", Profile: "aws", Limits: broker.AWS(), RootCA: authority.RootPEM(),
		Hosts: func() []string { return []string{"iot.example.com", "localhost", "127.0.0.1", "192.0.2.7"} },
		Now:   time.Now, Log: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	c.Journal, err = journal.New(ctx, db.Journal(scope.Account), journal.Config{})
	must(t, err)
	go c.Journal.Run(context.Background())
	t.Cleanup(c.Journal.Close)
	c.Registry = registry.New(registry.Config{Store: db.Registry(scope.Account), Scope: scope})
	c.Access = access.New(access.Config{Store: db.Access(scope.Account), Scope: scope})
	c.PKI = pki.New(pki.Config{Store: db.PKI(scope.Account), Scope: scope, Issuer: authority})
	c.IAM = iam.New(iam.Config{Store: db.IAM(scope.Account), Scope: scope, Now: time.Now})
	c.Broker, err = broker.New(ctx, broker.Config{
		Limits: c.Limits, Store: db.Broker(scope.Account), Guard: noGuard{}, Journal: c.Journal, Now: time.Now, NewID: registry.NewUUID, Log: quiet,
	})
	must(t, err)
	c.Bridge = bridge.New(bridge.Config{Store: db.Bridge(scope.Account), Broker: c.Broker, Topics: c.Limits.Topics, NewID: registry.NewUUID, Log: quiet})
	must(t, c.Bridge.Start(ctx))
	t.Cleanup(func() { must(t, c.Bridge.Close(context.Background())) })
	c.Shadows = shadow.New(shadow.Config{Store: db.Shadows(scope.Account), Publisher: c.Broker, Log: quiet})
	t.Cleanup(func() { must(t, c.Shadows.Close(context.Background())) })
	t.Cleanup(c.Broker.Handle(shadow.Filter, c.Shadows.Handler()))
	c.Rules = rules.New(rules.Config{
		Store: db.Rules(scope.Account), Scope: scope, Broker: c.Broker, Actions: action.Config{Publisher: c.Broker, AnyURL: true}, Log: quiet,
		PassRole: func(ctx context.Context, role string) error {
			actor, ok := iam.ActorOf(wire.CallerFrom(ctx))
			if !ok {
				return fault.Forbidden("nobody passes a role")
			}
			return c.IAM.Check(ctx, actor, "iam:PassRole", role, nil)
		},
	})
	c.Settings, err = settings.New(ctx, settings.Config{Store: db.Settings(scope.Account)})
	must(t, err)
	c.Authorizers, err = authorizer.New(ctx, authorizer.Config{Store: db.Authorizers(scope.Account), Scope: scope, Host: "iot.example.com"})
	must(t, err)
	c.Audit, err = audit.New(ctx, audit.Config{Store: db.Audit(scope.Account), Log: quiet})
	must(t, err)
	go c.Audit.Run(context.Background())
	t.Cleanup(c.Audit.Close)
	c.Provisioning = provisioning.New(provisioning.Config{
		Store: db.Provisioning(scope.Account), Scope: scope, Registry: c.Registry, PKI: c.PKI, Access: c.Access, Log: quiet,
		Leases: lease.New(lease.Config{Store: db.Leases(scope.Account), Holder: "node", Log: quiet}),
	})
	t.Cleanup(func() { must(t, c.Provisioning.Close(context.Background())) })
	gate, err := s3gate.New(s3gate.Config{
		Dir: dir, Account: scope.Account, Region: scope.Region, Hosts: []string{"s3.inside"}, IAM: c.IAM, Log: quiet,
	})
	must(t, err)
	t.Cleanup(func() { gate.Close() })
	c.Objects, c.ObjectsURL = direct{gate}, "http://s3.inside"
	must(t, c.Rules.Start(ctx))
	t.Cleanup(func() { must(t, c.Rules.Close(context.Background())) })
	c.Aliases = credentials.New(credentials.Config{Store: db.Credentials(scope.Account), Scope: scope, Access: c.Access, IAM: c.IAM})
	c.Fleets = edgefleet.New(edgefleet.Config{Store: db.EdgeFleets(scope.Account), Scope: scope, Credentials: c.Aliases, IAM: c.IAM, Artifacts: shelf("a model"), Log: quiet})
	there := func(context.Context, arn.ARN) (bool, error) { return true, nil }
	c.Registry.TagExists = map[string]func(context.Context, arn.ARN) (bool, error){"policy": there, "cacert": there, "rolealias": there}
	c.Accounts, c.Data, c.Others = alone{}, dir, func() []*Console { return nil }
	h.Console = New(c)
	h.listen(t)
	return h
}

// alone is a server with one account.
type alone struct{}

// Create implements Accounts.
func (alone) Create(context.Context, string) (iam.AccessKey, error) { return iam.AccessKey{}, nil }

// List implements Accounts.
func (alone) List(context.Context) ([]string, error) { return []string{"123456789012"}, nil }

// shelf has the same artifact wherever one is looked for.
type shelf string

// Open implements edgefleet.Artifacts.
func (s shelf) Open(context.Context, iam.Credentials, string, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(s))), nil
}

// direct carries requests to a handler in the same process.
type direct struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	reply := httptest.NewRecorder()
	in := r.Clone(r.Context())
	in.RequestURI, in.Host = r.URL.RequestURI(), r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	d.ServeHTTP(reply, in)
	return reply.Result(), nil
}

// listen opens the plain door, with its check of the Host header.
func (h *house) listen(t *testing.T) {
	server := httptest.NewServer(gateway.Local(gateway.LocalConfig{
		API: http.NotFoundHandler(), Objects: nobodys{}, Broker: h.Broker, RootCA: h.RootCA, Console: h.Console,
		Doors: func() *gateway.Stats { return &gateway.Stats{} },
	}))
	t.Cleanup(func() { h.Close(); server.Close() })
	h.URL = server.URL
}

type nobodys struct{ http.Handler }

func (nobodys) Owns(*http.Request) bool { return false }

// browser is somebody at a browser.
type browser struct {
	*http.Client
	h *house
}

func (h *house) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{}}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{&http.Client{Jar: jar, Timeout: patience, Transport: transport}, h}
}

// root is a browser signed in by the one-time link.
func (h *house) root(t *testing.T) *browser {
	t.Helper()
	b := h.browser(t)
	b.get(t, h.SignInPath(), http.StatusOK)
	return b
}

// user is a browser signed in as a user with one policy.
func (h *house) user(t *testing.T, name, policy string) *browser {
	t.Helper()
	_, err := h.IAM.CreateUser(t.Context(), iam.User{Name: name})
	must(t, err)
	if policy != "" {
		must(t, h.IAM.PutInline(t.Context(), iam.ByUser, name, "p", policy))
	}
	key, err := h.IAM.CreateAccessKey(t.Context(), name)
	must(t, err)
	b := h.browser(t)
	b.post(t, "/console/signin", url.Values{"key": {key.ID}, "secret": {key.Secret}}, http.StatusOK)
	return b
}

func (b *browser) do(t *testing.T, r *http.Request, want int) (*http.Response, string) {
	t.Helper()
	answer, err := b.Do(r)
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d\n%s", r.Method, r.URL.Path, answer.Status, want, body)
	}
	return answer, string(body)
}

func (b *browser) request(t *testing.T, method, path string, form url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.h.URL+path, strings.NewReader(form.Encode()))
	must(t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (b *browser) get(t *testing.T, path string, want int) string {
	t.Helper()
	_, body := b.do(t, b.request(t, http.MethodGet, path, nil), want)
	return body
}

var tokenField = regexp.MustCompile(`<meta name="csrf" content="([^"]+)">`)

// post sends a form with the token of the session.
func (b *browser) post(t *testing.T, path string, form url.Values, want int) string {
	t.Helper()
	if path != "/console/signin" {
		form.Set("csrf", b.token(t))
	}
	_, body := b.do(t, b.request(t, http.MethodPost, path, form), want)
	return body
}

func (b *browser) token(t *testing.T) string {
	t.Helper()
	found := tokenField.FindStringSubmatch(b.get(t, "/console/", http.StatusOK))
	if found == nil {
		t.Fatal("the page has no CSRF token")
	}
	return found[1]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// running does the work of the fleets until stop is called, or patience ends.
func (h *house) running(t *testing.T) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	var work sync.WaitGroup
	work.Go(func() { h.Fleets.Run(ctx) })
	return ctx, func() { cancel(); work.Wait() }
}
