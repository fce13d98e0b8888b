package wire_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/iotjobs"
	"thingd/internal/aws/sagemaker"
	"thingd/internal/aws/sagemakeredge"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/sts"
	"thingd/internal/aws/tunneling"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
)

const (
	accessKey = "AKIATESTTESTTESTTEST"
	secret    = "a secret for tests only"
	requestID = "0d2c1f0a-0000-4000-8000-000000000001"
)

var everyService = []*wire.Service{
	iot.Service, iotdata.Service, iotjobs.Service, tunneling.Service,
	sagemaker.Service, sagemakeredge.Service, sts.Service, iamapi.Service,
}

// door is both interfaces of a Mux: one user with one key, who may do anything
// but what denied names.
type door struct {
	verifier *sigv4.Verifier
	denied   string

	mu    sync.Mutex
	calls []string
}

func newDoor() *door { return &door{verifier: sigv4.NewVerifier(time.Now)} }

func (d *door) Authenticate(_ context.Context, r *http.Request, sig *sigv4.Signature) (wire.Caller, error) {
	if sig == nil {
		_, err := sigv4.Parse(r)
		return wire.Caller{}, err
	}
	if sig.AccessKeyID != accessKey {
		return wire.Caller{}, sigv4.Unrecognized()
	}
	if sig.SessionToken == "old" {
		return wire.Caller{}, sigv4.ExpiredToken()
	}
	if err := d.verifier.Verify(sig, secret); err != nil {
		return wire.Caller{}, err
	}
	return wire.Caller{
		Kind: wire.AccessKey, AccountID: "111122223333", AccessKeyID: sig.AccessKeyID,
		ARN: "arn:aws:iam::111122223333:user/tester", UserID: "AIDATESTER",
	}, nil
}

func (d *door) Authorize(_ context.Context, _ wire.Caller, call wire.Call) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, call.Action()+" "+call.Member("thingName"))
	if call.Action() == d.denied {
		return fault.New(fault.CodeAccessDenied, "not for you")
	}
	return nil
}

// front is a served Mux.
type front struct {
	*httptest.Server
	door *door
	log  *bytes.Buffer
}

// serve mounts every service; impls gives what implements one of them.
func serve(t *testing.T, impls map[*wire.Service]any) *front {
	t.Helper()
	f := &front{door: newDoor(), log: &bytes.Buffer{}}
	mux := wire.NewMux(wire.Options{
		Authenticator: f.door,
		Authorizer:    f.door,
		Now:           time.Now,
		Log:           slog.New(slog.NewTextHandler(f.log, nil)),
		NewID:         func() string { return requestID },
	})
	for _, s := range everyService {
		mux.Mount(s, impls[s])
	}
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// config is for AWS's own clients. They try once: retries would only hide.
func (f *front) config() aws.Config {
	return aws.Config{
		Region:           "eu-west-1",
		BaseEndpoint:     aws.String(f.URL),
		Credentials:      credentials.NewStaticCredentialsProvider(accessKey, secret, ""),
		HTTPClient:       f.Client(),
		RetryMaxAttempts: 1,
	}
}

// send signs and sends a request of our own making.
func (f *front) send(t *testing.T, service, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, f.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if service != "" {
		sigv4.Sign(r, []byte(body), sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secret}, service, "eu-west-1", time.Now())
	}
	resp, err := f.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(got)
}

func contains(s, part string) bool { return strings.Contains(s, part) }
