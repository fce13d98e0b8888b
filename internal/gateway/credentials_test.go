package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/credentials"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/pki"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
	"thingd/internal/why"
)

// provider is a CredentialProvider with all that stands behind it, on a real
// database, wired as thingd wires it. Its one device has a certificate, a policy
// that allows everything, and the alias a of a role.
type provider struct {
	*CredentialProvider
	t      *testing.T
	pki    *pki.Service
	access *access.Service
	iam    *iam.Service
	leaf   *x509.Certificate
	id     pki.CertificateID
	events []why.Event
	log    bytes.Buffer
}

// Record makes provider a why.Recorder.
func (p *provider) Record(e why.Event) { p.events = append(p.events, e) }

var providerNow = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func newProvider(t *testing.T) *provider {
	t.Helper()
	dir, p := t.TempDir(), &provider{t: t}
	log := slog.New(slog.NewTextHandler(&p.log, nil))
	scope, now := arn.Scope{Region: "us-east-1", Account: "111122223333"}, func() time.Time { return providerNow }
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(dir, "thingd.db")), slog.New(slog.NewTextHandler(io.Discard, nil)))
	p.ok(err)
	t.Cleanup(func() { _ = db.Close() })
	issuer, err := pki.OpenAuthority(dir, pki.Options{Now: now, Log: log, Local: func() []string { return []string{"localhost"} }})
	p.ok(err)
	things := registry.New(registry.Config{Store: db.Registry(scope.Account), Scope: scope, Now: now})
	p.access = access.New(access.Config{Store: db.Access(scope.Account), Scope: scope, Now: now, Log: log})
	p.iam = iam.New(iam.Config{Store: db.IAM(scope.Account), Scope: scope, Now: now})
	p.pki = pki.New(pki.Config{Store: db.PKI(scope.Account), Scope: scope, Issuer: issuer, Now: now, Attachments: unattached{},
		OnStatus: func(id pki.CertificateID, _, _ pki.Status) {
			p.ok(p.iam.EndSessionsOf(context.Background(), string(id)))
		}})
	things.OnChange = p.access.RegistryChanged
	p.CredentialProvider = &CredentialProvider{
		Guard: &Guard{PKI: p.pki, Access: p.access, IAM: p.iam, Now: now}, Journal: p, Now: now, Log: log,
		Credentials: credentials.New(credentials.Config{Store: db.Credentials(scope.Account), Scope: scope, Access: p.access, IAM: p.iam, Now: now}),
	}
	p.furnish()
	return p
}

// unattached says that nothing hangs on any certificate.
type unattached struct{}

func (unattached) Things(context.Context, string) (int, error)   { return 0, nil }
func (unattached) Policies(context.Context, string) (int, error) { return 0, nil }
func (unattached) DetachPolicies(context.Context, string) error  { return nil }

func (p *provider) furnish() {
	ctx := p.t.Context()
	made, _, err := p.pki.CreateKeys(ctx, pki.Order{Status: pki.Active})
	p.ok(err)
	block, _ := pem.Decode([]byte(made.PEM))
	p.leaf, err = x509.ParseCertificate(block.Bytes)
	p.ok(err)
	p.id = made.ID
	_, err = p.access.CreatePolicy(ctx, "all", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`, nil)
	p.ok(err)
	p.ok(p.access.AttachPolicy(ctx, "all", p.pki.ARN(p.id)))
	role, err := p.iam.CreateRole(ctx, iam.Role{Name: "camera", Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`})
	p.ok(err)
	p.ok(p.Credentials.Create(ctx, credentials.RoleAlias{Name: "a=@,_-1", RoleARN: p.iam.RoleARN(role)}, nil))
}

func (p *provider) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// get asks as a connection with this certificate, nil for none.
func (p *provider) get(leaf *x509.Certificate, path string, header ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	from := &peer{remote: netip.MustParseAddrPort("192.0.2.7:4711"), state: tls.ConnectionState{ServerName: "cred.example"}}
	if leaf != nil {
		from.state.PeerCertificates = []*x509.Certificate{leaf}
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	web := &Web{Credentials: p, API: http.NotFoundHandler()}
	web.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, from)))
	return w
}

const aliasPath = "/role-aliases/a=@,_-1/credentials"

func TestProviderGivesCredentials(t *testing.T) {
	p := newProvider(t)
	w := p.get(p.leaf, aliasPath)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	form := regexp.MustCompile(`^\{"credentials":\{"accessKeyId":"ASIA[A-Z2-7]{16}","secretAccessKey":"[^"]{40}","sessionToken":"[^"]+","expiration":"2030-01-02T04:04:05Z"\}\}$`)
	if !form.Match(w.Body.Bytes()) {
		t.Errorf("answer %s", w.Body)
	}
	sameAs(t, "application/json", w.Header().Get("Content-Type"))
	sameAs(t, "no-store", w.Header().Get("Cache-Control"))
	if len(headerOf(w, "x-amzn-RequestId")) != 1 {
		t.Error("no x-amzn-RequestId")
	}
	var answer struct{ Credentials credentialsAnswer }
	p.ok(json.Unmarshal(w.Body.Bytes(), &answer))
	_, secret, err := p.iam.Find(t.Context(), answer.Credentials.AccessKeyID, answer.Credentials.SessionToken)
	p.ok(err)
	sameAs(t, answer.Credentials.SecretAccessKey, secret)
	sameAs(t, 0, len(p.events))

	p.ok(p.pki.SetStatus(t.Context(), p.id, pki.Inactive))
	_, _, err = p.iam.Find(t.Context(), answer.Credentials.AccessKeyID, answer.Credentials.SessionToken)
	sameAs(t, fault.Code("UnrecognizedClient"), fault.CodeOf(err))
}

func TestProviderRefuses(t *testing.T) {
	invalid := `{"message":"Certificate is invalid on this endpoint"}`
	for name, test := range map[string]struct {
		arrange func(p *provider)
		path    string
		header  []string
		status  int
		errType string
		body    string
		cause   why.Cause
	}{
		"403/no certificate": {arrange: func(p *provider) { p.leaf = nil },
			status: 403, errType: "AccessDeniedException", body: invalid, cause: why.NoCertificate},
		"403/inactive": {arrange: func(p *provider) { p.ok(p.pki.SetStatus(t.Context(), p.id, pki.Inactive)) },
			status: 403, errType: "AccessDeniedException", body: invalid, cause: why.CertificateInactive},
		"403/revoked": {arrange: func(p *provider) { p.ok(p.pki.SetStatus(t.Context(), p.id, pki.Revoked)) },
			status: 403, errType: "AccessDeniedException", body: invalid, cause: why.CertificateRevoked},
		"403/unknown": {arrange: func(p *provider) {
			p.ok(p.pki.SetStatus(t.Context(), p.id, pki.Inactive))
			p.ok(p.pki.Delete(t.Context(), p.id, true))
		}, status: 403, errType: "AccessDeniedException", body: invalid, cause: why.CertificateUnknown},
		"403/another thing": {header: []string{"x-amzn-iot-thingname", "lamp"},
			status: 403, errType: "AccessDeniedException", body: `{"message":"Invalid thing name passed"}`, cause: why.ThingNotAttached},
		"403/policy detached": {arrange: func(p *provider) { p.ok(p.access.DetachPolicy(t.Context(), "all", p.pki.ARN(p.id))) },
			status: 403, errType: "AccessDeniedException", body: `{"message":"Access Denied"}`, cause: why.PolicyImplicitDeny},
		"404/alias": {path: "/role-aliases/no/credentials",
			status: 404, errType: "ResourceNotFoundException", body: `{"message":"Role alias does not exist"}`, cause: why.RoleAliasMissing},
		"400/role": {arrange: func(p *provider) { p.ok(p.iam.DeleteRole(t.Context(), "camera")) },
			status: 400, errType: "InvalidRequestException", body: `{"message":"Unable to assume the role, or the role to assume does not exist"}`, cause: why.RoleRefused},
		"400/duration": {arrange: func(p *provider) { p.ok(p.Credentials.Update(t.Context(), "a=@,_-1", "", 2*time.Hour)) },
			status: 400, errType: "InvalidRequestException", body: `{"message":"The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role"}`, cause: why.RoleRefused},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			if test.arrange != nil {
				test.arrange(p)
			}
			if test.path == "" {
				test.path = aliasPath
			}
			w := p.get(p.leaf, test.path, test.header...)
			sameAs(t, test.status, w.Code)
			sameAs(t, test.body, w.Body.String())
			sameAs(t, []string{test.errType}, headerOf(w, "x-amzn-ErrorType"))
			if len(p.events) != 1 {
				t.Fatalf("%d events", len(p.events))
			}
			e := p.events[0]
			sameAs(t, why.Event{Time: providerNow, Step: why.StepHTTP, Cause: test.cause, Source: "192.0.2.7:4711", Server: "cred.example",
				Door: "https", Principal: e.Principal, Action: e.Action, Resource: e.Resource, Detail: e.Detail, Reason: e.Reason, Statement: e.Statement, Variables: e.Variables}, e)
			sameAs(t, e.Detail, e.Reason.String())
			if p.leaf != nil {
				sameAs(t, string(p.id), e.Principal)
			}
		})
	}
}

func TestProviderHidesFailures(t *testing.T) {
	p := newProvider(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	from := &peer{remote: netip.MustParseAddrPort("192.0.2.7:4711")}
	from.state.PeerCertificates = []*x509.Certificate{p.leaf}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, aliasPath, nil)
	p.ServeHTTP(w, r.WithContext(context.WithValue(ctx, peerKey{}, from)))
	sameAs(t, http.StatusInternalServerError, w.Code)
	if !bytes.Contains(p.log.Bytes(), []byte("credentials could not be given")) || bytes.Contains(w.Body.Bytes(), []byte("cancel")) {
		t.Errorf("answer %s, log %s", w.Body, p.log.String())
	}
}

func TestAsksForCredentials(t *testing.T) {
	type answer struct {
		Alias string
		OK    bool
	}
	for request, want := range map[string]answer{
		"GET /role-aliases/a/credentials":        {"a", true},
		"GET /role-aliases/a%3Db%40/credentials": {"a=b@", true},
		"GET /role-aliases/a%2Fb/credentials":    {},
		"GET /role-aliases/a":                    {},
		"GET /role-aliases/credentials":          {},
		"GET /role-aliases//credentials":         {},
		"GET /role-aliases/a/credentials/":       {},
		"POST /role-aliases/a/credentials":       {},
		"GET /x/role-aliases/a/credentials":      {},
	} {
		method, target, _ := strings.Cut(request, " ")
		alias, ok := asksForCredentials(httptest.NewRequest(method, target, nil))
		if diff := cmp.Diff(want.OK, ok); diff != "" || ok && alias != want.Alias {
			t.Errorf("%s: %q %v", request, alias, ok)
		}
	}
}

// headerOf gives a header field as it is spelled.
func headerOf(w *httptest.ResponseRecorder, name string) []string {
	return map[string][]string(w.Header())[name]
}

// Whatever the path, an alias is never more than one name.
func FuzzAsksForCredentials(f *testing.F) {
	for _, path := range []string{aliasPath, "/role-aliases/a%2Fb/credentials", "/role-aliases//credentials", "/x", "/role-aliases/%zz/credentials"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		alias, ok := asksForCredentials(&http.Request{Method: http.MethodGet, URL: u})
		if ok && (alias == "" || strings.Contains(alias, "/") || u.Path != "/role-aliases/"+alias+"/credentials") {
			t.Errorf("%q asks for %q", path, alias)
		}
	})
}

func sameAs(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
