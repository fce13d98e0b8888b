package pki_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

const account, otherAccount = "111122223333", "444455556666"

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// house is two accounts on one real database, with a clock that stands still,
// and things and policies as the test says.
type house struct {
	*pki.Service
	other    *pki.Service
	now      time.Time
	changes  []string // of status, as OnStatus heard them
	things   map[string]int
	policies map[string]int
}

func open(t testing.TB) *house {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	dir := t.TempDir()
	db, err := store.Open(t.Context(), storetest.Ready(t, filepath.Join(dir, "thingd.db")), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h := &house{now: start, things: map[string]int{}, policies: map[string]int{}}
	clock := func() time.Time { return h.now }
	issuer, err := pki.OpenAuthority(dir, pki.Options{Now: clock, Log: quiet, Local: func() []string { return []string{"localhost"} }})
	if err != nil {
		t.Fatal(err)
	}
	service := func(account string) *pki.Service {
		return pki.New(pki.Config{
			Store: db.PKI(account), Scope: arn.Scope{Region: "us-east-1", Account: account}, Issuer: issuer,
			Attachments: h, Now: clock, HasAccount: func(a string) bool { return a == otherAccount },
			OnStatus: func(_ pki.CertificateID, from, to pki.Status) {
				h.changes = append(h.changes, fmt.Sprintf("%s->%s", from, to))
			},
		})
	}
	h.Service, h.other = service(account), service(otherAccount)
	return h
}

func (h *house) Things(_ context.Context, arn string) (int, error)   { return h.things[arn], nil }
func (h *house) Policies(_ context.Context, arn string) (int, error) { return h.policies[arn], nil }
func (h *house) DetachPolicies(_ context.Context, arn string) error {
	delete(h.policies, arn)
	return nil
}

// wantCode fails unless err is a fault of this code; "" wants no error.
func wantCode(t *testing.T, err error, want fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("error %v has code %q, want %q", err, got, want)
	}
}

// ca is somebody's own certificate authority.
type ca struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newCA(t testing.TB, name string) ca {
	t.Helper()
	key := ecKey(t)
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	c := ca{template, key}
	c.cert = c.sign(t, template, key.Public())
	return c
}

func (c ca) sign(t testing.TB, template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, public, c.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// leaf is a device certificate of the CA.
func (c ca) leaf(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	return c.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour)}, ecKey(t).Public())
}

// proof is the verification certificate for a registration code.
func (c ca) proof(t testing.TB, code string) string { return text(c.leaf(t, code)) }

func text(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// register registers the CA with proof, active and with auto-registration.
func (c ca) register(t testing.TB, h *house, r pki.Registration) pki.CA {
	t.Helper()
	code, err := h.RegistrationCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	made, err := h.RegisterCA(t.Context(), pki.CAOrder{PEM: text(c.cert), Verification: c.proof(t, code), Active: true, AutoRegistration: true, Registration: r})
	if err != nil {
		t.Fatal(err)
	}
	return made
}
