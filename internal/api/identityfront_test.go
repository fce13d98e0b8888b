package api

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	sdkiot "github.com/aws/aws-sdk-go-v2/service/iot"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"thingd/internal/arn"
	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/sts"
	"thingd/internal/aws/wire"
	"thingd/internal/iam"
	"thingd/internal/pki"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

// identityFront is the operations on certificates, IAM and STS behind the wire,
// with real signatures and a real database.
type identityFront struct {
	url  string
	root iam.AccessKey
	iam  *iam.Service
	pki  *pki.Service
}

func openIdentityFront(t *testing.T) identityFront {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(dir, "thingd.db")), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	const account = "111122223333"
	scope := arn.Scope{Region: "us-east-1", Account: account}
	authority, err := pki.OpenAuthority(dir, pki.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	f := identityFront{
		iam: iam.New(iam.Config{Store: db.IAM(account), Scope: scope}),
		pki: pki.New(pki.Config{Store: db.PKI(account), Scope: scope, Issuer: authority}),
	}
	things := registry.New(registry.Config{Store: db.Registry(account), Scope: scope, Now: time.Now, Publisher: deaf{}})
	gate := iam.NewGate(f.iam)
	mux := wire.NewMux(wire.Options{Authenticator: gate, Authorizer: gate, Now: time.Now, Log: log})
	mux.Mount(iot.Service, &IoT{Scope: scope, PKI: f.pki, Registry: things})
	mux.Mount(sts.Service, &STS{IAM: f.iam})
	mux.Mount(iamapi.Service, &IAM{IAM: f.iam})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	if f.root, err = f.iam.RootKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f identityFront) config(id, secret, token string) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(f.url), RetryMaxAttempts: 1,
		Credentials: sdkcredentials.NewStaticCredentialsProvider(id, secret, token)}
}

func (f identityFront) iot() *sdkiot.Client {
	return sdkiot.NewFromConfig(f.config(f.root.ID, f.root.Secret, ""))
}

func (f identityFront) sts(id, secret, token string) *sdksts.Client {
	return sdksts.NewFromConfig(f.config(id, secret, token))
}

// get asks the control plane as the root and gives the body.
func (f identityFront) get(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, body := f.send(t, r, nil, f.root, "iot")
	return body
}

// send signs and sends a request, and gives the status and the body.
func (f identityFront) send(t *testing.T, r *http.Request, body []byte, key iam.AccessKey, service string) (int, string) {
	t.Helper()
	sigv4.Sign(r, body, sigv4.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, service, "us-east-1", time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// callIAM calls an IAM operation as its clients do, with a form, and gives the
// status and the XML.
func (f identityFront) callIAM(t *testing.T, key iam.AccessKey, action string, values ...string) (int, string) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	body := form.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return f.send(t, r, []byte(body), key, "iam")
}

// wantException fails unless err is this exception of AWS's; "" wants none.
func wantException(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	var e smithy.APIError
	if errors.As(err, &e) {
		got = e.ErrorCode()
	} else if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error %v is %q, want %q", err, got, want)
	}
}
