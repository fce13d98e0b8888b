package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"sync/atomic"
	"time"
)

const (
	// serverLife stays below what browsers accept of a server certificate.
	serverLife = 397 * 24 * time.Hour
	// renewBefore is what is left of serverLife when a new one is made.
	renewBefore = serverLife / 3
	// commonNameMax is X.520's bound on a common name.
	commonNameMax = 64
)

// ServerConfig is how the server presents itself on TLS 1.2 and 1.3. A client
// certificate is asked for and never judged here: registration decides, once the
// client has said what it wants. The caller fills in NextProtos.
//
// There are no session tickets: a resumed session would skip nothing that we
// need and cost a certificate's worth of state in each ticket. No CA is named in
// the request for a certificate, because clients withhold theirs when its issuer
// is not in the list.
func (a *Authority) ServerConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		GetCertificate:         a.Certificate,
		ClientAuth:             tls.RequestClientCert,
		SessionTicketsDisabled: true,
		CipherSuites:           suites(),
	}
}

// suites are those of TLS 1.2 that the server agrees on: Go's, and those with RSA key
// exchange, which AWS IoT Core takes and the modems of many boards have alone. Nobody
// who offers better gets them: the order is Go's.
func suites() []uint16 {
	ids := []uint16{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	}
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return ids
}

// Certificate chooses by what the client can verify. The name it asks for does
// not matter: a client that uses another name will say so itself.
func (a *Authority) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert := a.ecdsa.Load()
	anyName := *hello
	anyName.ServerName = ""
	if anyName.SupportsCertificate(cert) == nil {
		return cert, nil
	}
	return a.rsa.Load(), nil
}

// renewServer keeps, loads or makes one server certificate.
func (a *Authority) renewServer(name string, slot *atomic.Pointer[tls.Certificate], want names, fresh makeKey) error {
	if current := slot.Load(); current != nil && a.good(current.Leaf, want) {
		return nil
	}
	if slot.Load() == nil {
		if found, ok := a.loadServer(name, want); ok {
			slot.Store(found)
			return nil
		}
	}
	made, err := a.issueServer(name, want, fresh)
	if err != nil {
		return err
	}
	slot.Store(made)
	a.log.Info("made a server certificate", "file", name+".pem", "names", made.Leaf.DNSNames, "until", made.Leaf.NotAfter)
	return nil
}

// good says whether a certificate can be shown a while longer.
func (a *Authority) good(leaf *x509.Certificate, want names) bool {
	return a.now().Before(leaf.NotAfter.Add(-renewBefore)) &&
		leaf.CheckSignatureFrom(a.root.cert) == nil &&
		want.covers(leaf.DNSNames, leaf.IPAddresses)
}

// loadServer takes the files of an earlier start if they are of any use. Whatever
// is wrong with them, a new pair is the cure.
func (a *Authority) loadServer(name string, want names) (*tls.Certificate, bool) {
	cert, err := a.folder.readCertificate(name + ".pem")
	if err != nil || !a.good(cert, want) {
		return nil, false
	}
	key, err := a.folder.readKey(name + ".key")
	if err != nil || !samePublicKey(signer{cert, key}) {
		return nil, false
	}
	return serverPair(cert, key), true
}

func serverPair(cert *x509.Certificate, key crypto.Signer) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (a *Authority) issueServer(name string, want names, fresh makeKey) (*tls.Certificate, error) {
	key, err := fresh()
	if err != nil {
		return nil, err
	}
	cert, err := sign(a.serverTemplate(want), a.root, key.Public())
	if err != nil {
		return nil, err
	}
	if err := a.folder.writeKey(name+".key", key); err != nil {
		return nil, err
	}
	return serverPair(cert, key), a.folder.writeCertificate(name+".pem", cert.Raw)
}

func (a *Authority) serverTemplate(want names) *x509.Certificate {
	begin := a.now().Add(-backdated)
	end := begin.Add(serverLife)
	if end.After(a.root.cert.NotAfter) {
		end = a.root.cert.NotAfter // some verifiers want the leaf within its issuer's time
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: want.first()},
		NotBefore:             begin,
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              want.dns,
	}
	for _, ip := range want.ips {
		template.IPAddresses = append(template.IPAddresses, net.IP(ip.AsSlice()))
	}
	return template
}

// first is the name for the subject, which only people read.
func (n names) first() string {
	for _, name := range n.dns {
		if len(name) <= commonNameMax {
			return name
		}
	}
	return "thingd"
}
