package thingd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bought makes a server certificate as from a public authority, puts it into the
// folder of a server, and gives what clients need to trust it.
func (h *house) bought(t *testing.T, id string, change func(*x509.Certificate), names ...string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "bought"}, DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	dir := filepath.Join(h.config.Data, "server-certificates")
	must(t, os.MkdirAll(dir, 0o700))
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, dir, id+".pem", string(chain))
	write(t, dir, id+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	return pool
}

// greets does a handshake and gives the server's certificate.
func (h *house) greets(t *testing.T, roots *x509.CertPool, name string, version uint16) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", h.Doors[0], &tls.Config{RootCAs: roots, ServerName: name, MinVersion: version, MaxVersion: version})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

const acm = "arn:aws:acm:us-east-1:123456789012:certificate/"

func TestDomainsShowTheirCertificates(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	ours := a.h.bought(t, "ours", nil, "iot.ours.example")
	theirs := b.h.bought(t, "theirs", nil, "iot.theirs.example")
	a.must(t, `CreateDomainConfiguration {"domainConfigurationName":"bought","domainName":"IoT.ours.example","serverCertificateArns":["`+acm+`ours"]}`)
	b.must(t, `CreateDomainConfiguration {"domainConfigurationName":"bought","domainName":"iot.theirs.example","serverCertificateArns":["`+acm+`theirs"]}`)
	a.must(t, `CreateDomainConfiguration {"domainConfigurationName":"made","domainName":"made.example"}`)
	a.must(t, `CreateDomainConfiguration {"domainConfigurationName":"creds","domainName":"credentials.example","serviceType":"CREDENTIAL_PROVIDER"}`)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		a.h.greets(t, ours, "iot.ours.example", version)
		a.h.greets(t, theirs, "iot.theirs.example", version)
		first := a.h.greets(t, a.h.roots, "made.example", version)
		if again := a.h.greets(t, a.h.roots, "made.example", version); !again.Equal(first) {
			t.Error("a certificate is made for each client")
		}
		a.h.greets(t, a.h.roots, "credentials.example", version)
		a.h.greets(t, a.h.roots, "localhost", version)
	}
	t.Run("refused/a name that nobody configured", func(t *testing.T) {
		if conn, err := tls.Dial("tcp", a.h.Doors[0], &tls.Config{RootCAs: a.h.roots, ServerName: "stranger.example"}); err == nil {
			conn.Close()
			t.Error("a certificate was made for it")
		}
	})
	t.Run("ok/renewed", func(t *testing.T) {
		renewed := a.h.bought(t, "ours", nil, "iot.ours.example")
		later := time.Now().Add(time.Minute) // file systems keep times coarsely
		must(t, os.Chtimes(filepath.Join(a.h.config.Data, "server-certificates", "ours.pem"), later, later))
		a.h.greets(t, renewed, "iot.ours.example", tls.VersionTLS13)
	})
	t.Run("invalid/gone", func(t *testing.T) {
		must(t, os.Remove(filepath.Join(a.h.config.Data, "server-certificates", "ours.pem")))
		a.h.greets(t, a.h.roots, "iot.ours.example", tls.VersionTLS13) // our own stands in
		out := a.must(t, `DescribeDomainConfiguration {"domainConfigurationName":"bought"}`)
		got := out.members["ServerCertificates"].([]any)[0].(map[string]any)
		if detail, _ := got["ServerCertificateStatusDetail"].(string); got["ServerCertificateStatus"] != "INVALID" || !strings.Contains(detail, "there is no certificate") {
			t.Errorf("it is described as %v", got)
		}
	})
}

func TestCertificatesThatCannotServeAreRefused(t *testing.T) {
	c := newCaller(t)
	c.h.bought(t, "other", nil, "other.example")
	c.h.bought(t, "expired", func(cert *x509.Certificate) { cert.NotAfter = time.Now().Add(-time.Minute) }, "d.example")
	c.h.bought(t, "future", func(cert *x509.Certificate) { cert.NotBefore = time.Now().Add(time.Hour) }, "d.example")
	c.h.bought(t, "client", func(cert *x509.Certificate) { cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "d.example")
	c.h.bought(t, "damaged", nil, "d.example")
	c.h.bought(t, "keyless", nil, "d.example")
	dir := filepath.Join(c.h.config.Data, "server-certificates")
	write(t, dir, "damaged.pem", "hello")
	must(t, os.Remove(filepath.Join(dir, "keyless.key")))
	for _, id := range []string{"other", "expired", "future", "client", "damaged", "keyless", "missing", "a/"} {
		_, err := c.call(`CreateDomainConfiguration {"domainConfigurationName":"d","domainName":"d.example","serverCertificateArns":["` + acm + id + `"]}`)
		if got := exception(err); got != "400 CertificateValidationException" {
			t.Errorf("%s: %s", id, got)
		}
		if strings.Contains(errText(err), c.h.config.Data) {
			t.Errorf("%s: the error tells where our files are: %v", id, err)
		}
	}
}
