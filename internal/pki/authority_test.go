package pki

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// home is a fixed machine: its tests do not depend on where they run.
func home() []string { return []string{"localhost", "127.0.0.1", "::1"} }

func openTest(t testing.TB, dir string, hosts ...string) *Authority {
	t.Helper()
	a, err := OpenAuthority(dir, Options{Hosts: hosts, Local: home, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// roots is a client's trust: the file that users download, and nothing else.
func roots(t testing.TB, a *Authority) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.RootPEM()) {
		t.Fatal("root-ca.pem holds no certificate")
	}
	return pool
}

// shake does a handshake and gives what each side saw.
func shake(t testing.TB, server, client *tls.Config) (seen, peer tls.ConnectionState, err error) {
	t.Helper()
	c, s := net.Pipe()
	defer c.Close()
	defer s.Close()
	conn := tls.Server(s, server)
	var wg sync.WaitGroup
	var serverErr error
	wg.Go(func() {
		serverErr = conn.Handshake()
		if serverErr != nil {
			s.Close()
		}
	})
	dial := tls.Client(c, client)
	err = dial.Handshake()
	if err != nil {
		c.Close()
	}
	wg.Wait()
	return dial.ConnectionState(), conn.ConnectionState(), errors.Join(err, serverErr)
}

// Clients of every kind must get a certificate that they can verify with the
// one root file.
func TestHandshake(t *testing.T) {
	a := openTest(t, t.TempDir(), "iot.example.com", "192.0.2.7")
	rsaOnly := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	for _, test := range []struct {
		name   string
		client *tls.Config
		want   x509.PublicKeyAlgorithm
	}{
		{"ok/modern client", &tls.Config{ServerName: "localhost"}, x509.ECDSA},
		{"ok/TLS 1.2", &tls.Config{ServerName: "localhost", MaxVersion: tls.VersionTLS12}, x509.ECDSA},
		{"ok/RSA alone", &tls.Config{ServerName: "localhost", MaxVersion: tls.VersionTLS12, CipherSuites: rsaOnly}, x509.RSA},
		{"ok/host from the settings", &tls.Config{ServerName: "iot.example.com"}, x509.ECDSA},
		{"ok/bucket as a host name", &tls.Config{ServerName: "photos.s3.iot.example.com"}, x509.ECDSA},
		{"ok/bucket below the host", &tls.Config{ServerName: "photos.iot.example.com"}, x509.ECDSA},
		{"ok/no SNI, address typed", &tls.Config{ServerName: "192.0.2.7"}, x509.ECDSA},
		{"ok/IPv6 address", &tls.Config{ServerName: "::1"}, x509.ECDSA},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.client.RootCAs = roots(t, a)
			seen, _, err := shake(t, a.ServerConfig(), test.client)
			if err != nil {
				t.Fatal(err)
			}
			if got := seen.PeerCertificates[0].PublicKeyAlgorithm; got != test.want || len(seen.PeerCertificates) != 1 {
				t.Fatalf("server showed %d certificates, the first with %v; want one with %v", len(seen.PeerCertificates), got, test.want)
			}
		})
	}
	t.Run("refused/a name that is not ours", func(t *testing.T) {
		_, _, err := shake(t, a.ServerConfig(), &tls.Config{ServerName: "other.example.net", RootCAs: roots(t, a)})
		if err == nil || !strings.Contains(err.Error(), "other.example.net") {
			t.Fatal(err)
		}
	})
}

// The door asks for a certificate, names no CA, and lets any in: registration
// is looked at later.
func TestClientCertificate(t *testing.T) {
	a := openTest(t, t.TempDir())
	device := selfSigned(t, pkix.Name{CommonName: "stranger"})
	var asked *tls.CertificateRequestInfo
	client := &tls.Config{ServerName: "localhost", RootCAs: roots(t, a),
		GetClientCertificate: func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = info
			return &device, nil
		}}
	_, peer, err := shake(t, a.ServerConfig(), client)
	if err != nil {
		t.Fatal(err)
	}
	if asked == nil || len(asked.AcceptableCAs) != 0 {
		t.Fatalf("asked = %+v", asked)
	}
	if !bytes.Equal(peer.PeerCertificates[0].Raw, device.Certificate[0]) {
		t.Fatal("the server saw another certificate")
	}
}

func TestServerCertificate(t *testing.T) {
	a := openTest(t, t.TempDir(), "iot.example.com", "192.0.2.7")
	leaf := a.ecdsa.Load().Leaf
	wantDNS := []string{"iot.example.com", "*.iot.example.com", "*.s3.iot.example.com", "localhost", "*.localhost", "*.s3.localhost"}
	if diff := cmp.Diff(wantDNS, leaf.DNSNames); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"192.0.2.7", "127.0.0.1", "::1"}, texts(leaf.IPAddresses)); diff != "" {
		t.Error(diff)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 398*24*time.Hour {
		t.Errorf("valid for %v; browsers stop at 398 days", life)
	}
	if since := time.Since(leaf.NotBefore); since < time.Hour {
		t.Errorf("began only %v ago; clocks are late", since)
	}
	if a.root.cert.SignatureAlgorithm != x509.SHA256WithRSA || leaf.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Error("a client that verifies RSA alone cannot follow", a.root.cert.SignatureAlgorithm, leaf.SignatureAlgorithm)
	}
}

func texts(ips []net.IP) []string {
	var all []string
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return all
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	openTest(t, dir)
	modes := map[string]os.FileMode{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		modes[entry.Name()] = info.Mode()
	}
	want := map[string]os.FileMode{
		"root-ca.pem": 0o644, "root-ca.key": 0o600, "device-ca.pem": 0o644, "device-ca.key": 0o600,
		"server-ecdsa.pem": 0o644, "server-ecdsa.key": 0o600, "server-rsa.pem": 0o644, "server-rsa.key": 0o600,
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Fatal(diff)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	first := openTest(t, dir, "a.example.com")
	t.Run("ok/same everything", func(t *testing.T) {
		again := openTest(t, dir, "a.example.com")
		for _, pair := range [][2]*x509.Certificate{
			{first.root.cert, again.root.cert}, {first.devices.cert, again.devices.cert},
			{first.ecdsa.Load().Leaf, again.ecdsa.Load().Leaf}, {first.rsa.Load().Leaf, again.rsa.Load().Leaf},
		} {
			if !pair[0].Equal(pair[1]) {
				t.Error("a certificate changed:", pair[0].Subject)
			}
		}
	})
	t.Run("ok/a new name brings new server certificates and keeps the root", func(t *testing.T) {
		again := openTest(t, dir, "a.example.com", "b.example.com")
		if !again.root.cert.Equal(first.root.cert) {
			t.Error("the root changed")
		}
		for _, pair := range []*tls.Certificate{again.ecdsa.Load(), again.rsa.Load()} {
			if err := pair.Leaf.VerifyHostname("b.example.com"); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("ok/damaged server files are replaced", func(t *testing.T) {
		spoil(t, dir, "server-rsa.key", "server-ecdsa.pem")
		openTest(t, dir, "a.example.com")
	})
	t.Run("ok/an interrupted first start goes on", func(t *testing.T) {
		dir := t.TempDir()
		openTest(t, dir)
		key := openTest(t, dir).root.key
		remove(t, dir, "root-ca.pem", "server-rsa.pem")
		again := openTest(t, dir)
		if !key.(*rsa.PrivateKey).Equal(again.root.key) {
			t.Error("the key changed")
		}
		if _, _, err := shake(t, again.ServerConfig(), &tls.Config{ServerName: "localhost", RootCAs: roots(t, again)}); err != nil {
			t.Error(err)
		}
	})
}

func TestRefusesLostRoot(t *testing.T) {
	for _, test := range []struct {
		name string
		harm func(t *testing.T, dir string)
		want string
	}{
		{"refused/key lost", func(t *testing.T, dir string) { remove(t, dir, "root-ca.key") }, "root-ca.key is not; restore"},
		{"refused/key damaged", func(t *testing.T, dir string) { spoil(t, dir, "root-ca.key") }, "root-ca.key holds no PEM key"},
		{"refused/certificate damaged", func(t *testing.T, dir string) { spoil(t, dir, "root-ca.pem") }, "root-ca.pem holds no PEM certificate"},
		{"refused/another's key", func(t *testing.T, dir string) { swap(t, dir, "device-ca.key", "root-ca.key") }, "root-ca.key is not the key of"},
		{"refused/no CA", func(t *testing.T, dir string) {
			swap(t, dir, "server-rsa.key", "root-ca.key")
			swap(t, dir, "server-rsa.pem", "root-ca.pem")
		}, "is not the certificate of a CA"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			openTest(t, dir)
			test.harm(t, dir)
			_, err := OpenAuthority(dir, Options{Local: home, Log: quiet})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
		})
	}
}

func remove(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func spoil(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func swap(t *testing.T, dir, from, to string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, from))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, to), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRenewal(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	a, err := OpenAuthority(dir, Options{Local: home, Log: quiet, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	old := a.ecdsa.Load().Leaf
	for _, step := range []struct {
		name    string
		after   time.Duration
		renewed bool
	}{
		{"kept/young", 200 * 24 * time.Hour, false},
		{"renewed/two thirds over", 300 * 24 * time.Hour, true},
	} {
		t.Run(step.name, func(t *testing.T) {
			now = old.NotBefore.Add(step.after)
			if err := a.Renew(); err != nil {
				t.Fatal(err)
			}
			if renewed := !a.ecdsa.Load().Leaf.Equal(old); renewed != step.renewed {
				t.Fatalf("renewed = %v", renewed)
			}
		})
	}
}

// A root of the operator's own, made with other tools, serves as well.
func TestOwnRoot(t *testing.T) {
	dir := t.TempDir()
	key, err := newECDSAKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "Example Corp"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(30 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	cert, err := sign(template, signer{template, key}, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	f := folder{dir: dir}
	if err := errors.Join(f.writeKey("root-ca.key", key), f.writeCertificate("root-ca.pem", cert.Raw)); err != nil {
		t.Fatal(err)
	}
	a := openTest(t, dir)
	if _, _, err := shake(t, a.ServerConfig(), &tls.Config{ServerName: "localhost", RootCAs: roots(t, a)}); err != nil {
		t.Fatal(err)
	}
	if leaf := a.ecdsa.Load().Leaf; leaf.NotAfter.After(cert.NotAfter) {
		t.Errorf("the server's certificate outlives its root")
	}
}

func TestSealedKeys(t *testing.T) {
	dir := t.TempDir()
	sealed := Options{Local: home, Log: quiet, Sealer: flip{}}
	first, err := OpenAuthority(dir, sealed)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenAuthority(dir, sealed)
	if err != nil {
		t.Fatal(err)
	}
	if !again.root.cert.Equal(first.root.cert) {
		t.Error("the root changed")
	}
	_, err = OpenAuthority(dir, Options{Local: home, Log: quiet})
	if err == nil || !strings.Contains(err.Error(), "is sealed") {
		t.Fatal(err)
	}
}

// flip is a Sealer whose work is easy to see.
type flip struct{}

func (flip) Seal(name string, plain []byte) ([]byte, error) {
	out := []byte(name)
	for _, b := range plain {
		out = append(out, ^b)
	}
	return out, nil
}

func (flip) Open(name string, sealed []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(name))
	if !ok {
		return nil, errors.New("another's")
	}
	out := make([]byte, len(rest))
	for i, b := range rest {
		out[i] = ^b
	}
	return out, nil
}

func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	openTest(t, t.TempDir()).Run(ctx)
}

// selfSigned is a device certificate as strangers have.
func selfSigned(t testing.TB, subject pkix.Name) tls.Certificate {
	t.Helper()
	key, err := newECDSAKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := sign(template, signer{template, key}, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func TestIssueDevice(t *testing.T) {
	a := openTest(t, t.TempDir())
	key, err := newRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.IssueDevice(key.Public(), nil, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if got := cert.Subject.String(); got != "CN=AWS IoT Certificate" {
		t.Error(got)
	}
	if !cert.NotAfter.Equal(endOfTime) || cert.IsCA || cert.KeyUsage != x509.KeyUsageDigitalSignature || len(cert.ExtKeyUsage) != 0 {
		t.Errorf("%+v", cert)
	}
	if err := cert.CheckSignatureFrom(a.devices.cert); err != nil {
		t.Error(err)
	}
}

// BenchmarkHandshake is a whole TLS 1.3 handshake with a P-256 client
// certificate, both sides in one process: the server does about half of it.
func BenchmarkHandshake(b *testing.B) {
	a := openTest(b, b.TempDir())
	device := selfSigned(b, pkix.Name{CommonName: "device"})
	for _, kind := range []struct {
		name   string
		curves []tls.CurveID
	}{{"P-256", []tls.CurveID{tls.CurveP256}}, {"X25519", []tls.CurveID{tls.X25519}}, {"X25519MLKEM768", []tls.CurveID{tls.X25519MLKEM768}}} {
		b.Run(kind.name, func(b *testing.B) {
			server, client := a.ServerConfig(), &tls.Config{ServerName: "localhost", RootCAs: roots(b, a),
				Certificates: []tls.Certificate{device}, CurvePreferences: kind.curves}
			for b.Loop() {
				if _, _, err := shake(b, server, client); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
