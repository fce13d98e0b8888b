package provisioning_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/lease"
	"thingd/internal/message"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// issuer is one for all tests, because making its keys takes longer than most of
// them. Nothing of it is needed from disk later.
var issuer = sync.OnceValues(func() (*pki.Authority, error) {
	dir, err := os.MkdirTemp("", "thingd-issuer-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return pki.OpenAuthority(dir, pki.Options{Now: func() time.Time { return start }, Log: slog.New(slog.DiscardHandler),
		Local: func() []string { return []string{"localhost"} }})
})

var scope = arn.Scope{Region: "us-east-1", Account: "111122223333"}

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// house is a whole provisioning on one real database, with a clock that stands
// still.
type house struct {
	*provisioning.Service
	t        testing.TB
	db       *store.DB
	config   provisioning.Config
	now      time.Time
	registry *registry.Service
	pki      *pki.Service
	access   *access.Service
	handle   message.Handler
}

// attachments tells pki what hangs on a certificate.
type attachments struct{ h *house }

func (a attachments) Things(ctx context.Context, certificate string) (int, error) {
	links, _, err := a.h.registry.PrincipalThings(ctx, certificate, nil, registry.Page{Size: 1})
	return len(links), err
}

func (a attachments) Policies(ctx context.Context, certificate string) (int, error) {
	has, err := a.h.access.HasPolicies(ctx, certificate)
	if has {
		return 1, err
	}
	return 0, err
}

func (a attachments) DetachPolicies(ctx context.Context, certificate string) error {
	return a.h.access.DetachAll(ctx, certificate)
}

func newHouse(t testing.TB, change ...func(*provisioning.Config)) *house {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	db, err := store.Open(context.Background(), storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), quiet)
	must(t, err)
	h := &house{t: t, db: db, now: start}
	clock := func() time.Time { return h.now }
	issuer, err := issuer()
	must(t, err)
	h.registry = registry.New(registry.Config{Store: db.Registry(scope.Account), Scope: scope, Now: clock})
	h.access = access.New(access.Config{Store: db.Access(scope.Account), Scope: scope, Now: clock, Log: quiet})
	h.pki = pki.New(pki.Config{Store: db.PKI(scope.Account), Scope: scope, Issuer: issuer, Now: clock, Attachments: attachments{h}})
	h.registry.OnChange = h.access.RegistryChanged
	h.config = provisioning.Config{Store: db.Provisioning(scope.Account), Scope: scope, Registry: h.registry, PKI: h.pki, Access: h.access,
		Leases: lease.New(lease.Config{Store: db.Leases(scope.Account), Holder: "node", Now: clock, Log: quiet}), Now: clock, Log: quiet}
	for _, c := range change {
		c(&h.config)
	}
	h.Service = provisioning.New(h.config)
	h.handle, err = h.Service.Handler()
	must(t, err)
	t.Cleanup(func() {
		must(t, h.Service.Close(context.Background()))
		must(t, db.Close())
	})
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants checks an error: "" is none, else its code and the beginning of its text.
func wants(t testing.TB, err error, code fault.Code, text string) {
	t.Helper()
	got, want := "", ""
	if err != nil {
		got = err.Error()
	}
	if code != "" {
		want = string(code) + ": " + text
	}
	if (want == "") != (got == "") || !strings.HasPrefix(got, want) {
		t.Errorf("got error %q, want %q", got, want)
	}
}

func same(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return k
}

// csr makes a signing request.
func csr(t testing.TB, name string) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key(t))
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// authority is a CA of somebody's own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	k := key(t)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fleet CA"}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a := authority{c, k}
	a.cert = a.sign(t, c, k)
	return a
}

func (a authority) sign(t testing.TB, c *x509.Certificate, k *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, k.Public(), a.key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert
}

func (a authority) leaf(t testing.TB, subject pkix.Name) *x509.Certificate {
	t.Helper()
	return a.sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: subject, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour)}, key(t))
}

func text(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

// fleet is the template of most tests.
const fleet = `{"Parameters":{"SerialNumber":{"Type":"String"},"AWS::IoT::Certificate::Id":{"Type":"String"}},
 "Resources":{
  "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Fn::Join":["-",["dev",{"Ref":"SerialNumber"}]]},"AttributePayload":{"serial":{"Ref":"SerialNumber"}}}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"Active"}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":` + allowAll + `}}},
 "DeviceConfiguration":{"Interval":60,"Url":{"Fn::Sub":"https://${SerialNumber}.example.net"}}}`

// template makes an enabled fleet template.
func (h *house) template(name, body string, hook provisioning.Hook) {
	h.t.Helper()
	_, err := h.CreateTemplate(context.Background(), provisioning.NewTemplate{Name: name, Body: body, Enabled: true, RoleARN: "arn:aws:iam::111122223333:role/p", Hook: hook})
	must(h.t, err)
}

// device is a connection that asks.
type device struct {
	h       *house
	id      string
	answers chan message.Message
}

func (h *house) device(id string) *device {
	return &device{h, id, make(chan message.Message, 64)}
}

// send asks without waiting; done is called when the request is over.
func (d *device) send(topic string, payload []byte, done message.Done) {
	d.h.handle(message.Message{Topic: topic, Payload: payload, QoS: message.QoS1, Origin: message.Origin{
		Kind: message.FromDevice, ClientID: d.id, Principal: "claim", Reply: func(m message.Message) { d.answers <- m },
	}}, done)
}

// ask asks and gives the answer's topic, behind the asked one, and payload.
func (d *device) ask(topic, payload string) (suffix string, answer map[string]any) {
	d.h.t.Helper()
	over := make(chan error, 1)
	d.send(topic, []byte(payload), func(err error) { over <- err })
	if err := <-over; err != nil {
		d.h.t.Fatalf("done with %v", err)
	}
	m := <-d.answers
	must(d.h.t, json.Unmarshal(m.Payload, &answer))
	return strings.TrimPrefix(m.Topic, topic), answer
}

// expect asks and compares the answer.
func (d *device) expect(topic, payload, suffix string, want map[string]any) {
	d.h.t.Helper()
	gotSuffix, got := d.ask(topic, payload)
	same(d.h.t, suffix, gotSuffix)
	same(d.h.t, want, got)
}

func refused(status float64, code, message string) map[string]any {
	return map[string]any{"statusCode": status, "errorCode": code, "errorMessage": message}
}

func object(t testing.TB, value any) string {
	t.Helper()
	out, err := json.Marshal(value)
	must(t, err)
	return string(out)
}
