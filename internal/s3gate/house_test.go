package s3gate_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"thingd/internal/arn"
	"thingd/internal/iam"
	"thingd/internal/s3gate"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
	host    = "cloud.test"
	bucket  = "plants"
)

// house is a Gate behind TLS with a real iam.Service.
type house struct {
	gate   *s3gate.Gate
	iam    *iam.Service
	server *httptest.Server
	dir    string
	clock  func() time.Time
}

func open(t testing.TB) *house {
	t.Helper()
	return openAt(t, t.TempDir())
}

func openAt(t testing.TB, dir string) *house {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(dir, "thingd.db")), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h := &house{dir: dir, clock: time.Now}
	now := func() time.Time { return h.clock() }
	h.iam = iam.New(iam.Config{Store: db.IAM(account), Scope: arn.Scope{Region: region, Account: account}, Now: now})
	h.gate, err = s3gate.New(s3gate.Config{
		Dir: dir, Account: account, Region: region, Hosts: []string{host, "127.0.0.1"}, IAM: h.iam, Now: now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.gate.Close(); err != nil {
			t.Error(err)
		}
	})
	h.server = httptest.NewTLSServer(h.gate)
	t.Cleanup(h.server.Close)
	return h
}

// http is a client that finds every host at the test server.
func (h *house) http() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the server's name is not what is tested
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", h.server.Listener.Addr().String())
		},
		DisableKeepAlives: true,
	}}
}

// client is an S3 client for a key. Change may be nil.
func (h *house) client(key aws.Credentials, change func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String("https://" + host), HTTPClient: h.http(),
		Credentials:      aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return key, nil }),
		RetryMaxAttempts: 1,
	}, func(o *s3.Options) {
		if change != nil {
			change(o)
		}
	})
}

func (h *house) rootKey(t testing.TB) aws.Credentials {
	t.Helper()
	key, err := h.iam.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
}

// root is a client that may do everything, with a bucket made.
func (h *house) root(t testing.TB) *s3.Client {
	t.Helper()
	client := h.client(h.rootKey(t), nil)
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	return client
}

// user is a key of a user with an inline policy.
func (h *house) user(t testing.TB, name, document string) aws.Credentials {
	t.Helper()
	if _, err := h.iam.CreateUser(t.Context(), iam.User{Name: name}); err != nil {
		t.Fatal(err)
	}
	if err := h.iam.PutInline(t.Context(), iam.ByUser, name, "inline", document); err != nil {
		t.Fatal(err)
	}
	key, err := h.iam.CreateAccessKey(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
}

// session is a session of a role with a policy.
func (h *house) session(t testing.TB, name, document string) aws.Credentials {
	t.Helper()
	role, err := h.iam.CreateRole(t.Context(), iam.Role{Name: name, Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.iam.PutInline(t.Context(), iam.ByRole, name, "inline", document); err != nil {
		t.Fatal(err)
	}
	c, err := h.iam.AssumeForService(t.Context(), iam.ServiceOrder{
		RoleARN: h.iam.RoleARN(role), Service: "credentials.iot.amazonaws.com", SessionName: "leaf",
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}}`

func allow(actions, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + actions + `,"Resource":"` + resource + `"}]}`
}

func put(t testing.TB, c *s3.Client, key, data string) {
	t.Helper()
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(data)})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func get(t testing.TB, c *s3.Client, key string) string {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return readAll(t, out.Body)
}

func readAll(t testing.TB, r io.ReadCloser) string {
	t.Helper()
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// codeOf is the code that S3 gave an error; "" for none.
func codeOf(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}

func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := codeOf(err); got != want {
		t.Errorf("error has code %q, want %q (%v)", got, want, err)
	}
}
