package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"time"
)

// defaultSubject is AWS's subject of certificates that it makes keys for.
var defaultSubject = pkix.Name{CommonName: "AWS IoT Certificate"}

// deviceClock is how late the clock of a device may be when its certificate is
// new.
const deviceClock = 5 * time.Minute

// IssueDevice signs a device certificate over a public key, in the form of
// AWS's own: end of 2049, for signatures only, no extended usages. subject is a
// name in DER, nil for "CN=AWS IoT Certificate". It gives the DER.
func (a *Authority) IssueDevice(public crypto.PublicKey, subject []byte, notAfter time.Time) ([]byte, error) {
	if notAfter.IsZero() {
		notAfter = endOfTime
	}
	template := &x509.Certificate{
		Subject:               defaultSubject,
		RawSubject:            subject,
		NotBefore:             a.now().Add(-deviceClock),
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	id, err := keyID(public)
	if err != nil {
		return nil, err
	}
	template.SubjectKeyId = id
	cert, err := sign(template, a.devices, public)
	if err != nil {
		return nil, err
	}
	return cert.Raw, nil
}
