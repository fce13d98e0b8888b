package thingd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
	"thingd/internal/pki"
)

// maker is somebody's own CA.
type maker struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newMaker(t *testing.T) maker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	m := maker{&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "maker"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(365 * day), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, key}
	m.cert = m.sign(t, m.cert, key).Leaf
	return m
}

func (m maker) sign(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey) tls.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, m.cert, key.Public(), m.key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (m maker) device(t *testing.T, name string) device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	made := m.sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * day)}, key)
	return device{Certificate: made, id: pki.IDOf(made.Leaf.Raw)}
}

func pemOf(c *x509.Certificate) string {
	text, _ := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	return string(text)
}

// statuses lists the certificates of an account.
func (c *caller) statuses(t *testing.T) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, one := range c.must(t, `ListCertificates {}`).members["Certificates"].([]any) {
		cert := one.(map[string]any)
		all[cert["CertificateId"].(string)] = cert["Status"]
	}
	return all
}

// TestOneCAInTwoAccounts: one account has a CA whose devices need not say whom
// they mean; as many as like have it where they do, and a newcomer is registered
// in the account that it asks for.
func TestOneCAInTwoAccounts(t *testing.T) {
	a := newCaller(t)
	b, third := a.account(t, otherAccount), a.account(t, "777788889999")
	b.must(t, `CreateDomainConfiguration {"domainConfigurationName":"d","domainName":"b.example"}`)
	m := newMaker(t)
	byCode := func(c *caller) string {
		code := c.must(t, `GetRegistrationCode {}`).members["RegistrationCode"].(string)
		return `RegisterCACertificate {"setAsActive":true,"caCertificate":` + pemOf(m.cert) + `,"verificationCertificate":` + pemOf(m.device(t, code).Leaf) + `}`
	}
	a.must(t, byCode(a))
	if _, err := b.call(byCode(b)); exception(err) != "409 ResourceAlreadyExistsException" {
		t.Errorf("a second account registers the CA in mode DEFAULT: %s", exception(err))
	}
	for _, c := range []*caller{b, third} {
		c.must(t, `RegisterCACertificate {"setAsActive":true,"allowAutoRegistration":true,"certificateMode":"SNI_ONLY","caCertificate":`+pemOf(m.cert)+`}`)
	}

	newcomer := m.device(t, "lamp")
	config := a.h.trust(&newcomer)
	config.ServerName, config.InsecureSkipVerify = "b.example", true
	c := newClient(a.h.dial(t, config), mqtt.V4)
	c.send(t, &mqtt.Connect{ClientID: "lamp", CleanStart: true})
	if got := rest(t, c); got != "" {
		t.Errorf("the newcomer is answered with %q", got)
	}
	for name, want := range map[string]struct {
		*caller
		has map[string]any
	}{
		"the first": {a, map[string]any{}}, "the one it asks for": {b, map[string]any{string(newcomer.id): "PENDING_ACTIVATION"}}, "the third": {third, map[string]any{}},
	} {
		if diff := cmp.Diff(want.has, want.statuses(t)); diff != "" {
			t.Errorf("the certificates of %s (-want +got):\n%s", name, diff)
		}
	}
}
