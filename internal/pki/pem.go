package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"thingd/internal/fault"
)

const (
	csrSizeMax = 4096     // characters, CertificateSigningRequest in the service model
	pemSizeMax = 64 << 10 // CertificatePem in the service model
	rsaBitsMin = 2048
	rsaBitsMax = 8192 // longer keys only cost time; none are in use
)

// parseCSR reads a signing request in PEM and checks that its sender has the
// key.
func parseCSR(text string) (*x509.CertificateRequest, error) {
	if len(text) > csrSizeMax {
		return nil, fault.InvalidRequest("the certificate signing request is longer than %d characters", csrSizeMax)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || !strings.HasSuffix(block.Type, "CERTIFICATE REQUEST") { // "NEW " in front, says older OpenSSL
		return nil, fault.InvalidRequest("the certificate signing request is not in PEM; it should begin with -----BEGIN CERTIFICATE REQUEST-----")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fault.InvalidRequest("the certificate signing request cannot be read: %w", err)
	}
	if why := weakKey(request.PublicKey); why != "" {
		return nil, fault.InvalidRequest("the certificate signing request %s", why)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fault.InvalidRequest("the signature of the certificate signing request does not fit its key")
	}
	return request, nil
}

// weakKey says what is wrong with a device's key; "" if nothing is.
func weakKey(key crypto.PublicKey) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < rsaBitsMin || bits > rsaBitsMax {
			return "has an RSA key that is not 2048 to 8192 bits long"
		}
		return ""
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521() {
			return ""
		}
	}
	return "has a key of a kind that is not accepted; accepted are RSA from 2048 bits and ECDSA on P-256, P-384 and P-521"
}

// parseCertificate reads the first certificate of a PEM text. What follows, a
// chain as a rule, is kept by the caller and not looked at.
func parseCertificate(text string) (*x509.Certificate, error) {
	if len(text) > pemSizeMax {
		return nil, invalidCertificate("the certificate is longer than %d characters", pemSizeMax)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || (block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE") {
		return nil, invalidCertificate("the certificate is not in PEM; it should begin with -----BEGIN CERTIFICATE-----")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, invalidCertificate("the certificate cannot be read: %w", err)
	}
	return cert, nil
}

func invalidCertificate(format string, args ...any) *fault.Error {
	return fault.New(fault.CodeCertificateValidation, format, args...)
}

// accepted are the signatures that registered certificates may have. DSA is on
// AWS's list and cannot be verified here; SHA-1 and Ed25519 are not on it.
var accepted = map[x509.SignatureAlgorithm]bool{
	x509.SHA256WithRSA: true, x509.SHA384WithRSA: true, x509.SHA512WithRSA: true,
	x509.SHA256WithRSAPSS: true, x509.SHA384WithRSAPSS: true, x509.SHA512WithRSAPSS: true,
	x509.ECDSAWithSHA256: true, x509.ECDSAWithSHA384: true, x509.ECDSAWithSHA512: true,
}

// checkAlgorithms refuses what AWS refuses to register.
func checkAlgorithms(cert *x509.Certificate) error {
	if !accepted[cert.SignatureAlgorithm] {
		return invalidCertificate("the certificate is signed with %v, which is not accepted; accepted are RSA and ECDSA with SHA-256, SHA-384 and SHA-512", cert.SignatureAlgorithm)
	}
	if why := weakKey(cert.PublicKey); why != "" {
		return invalidCertificate("the certificate %s", why)
	}
	return nil
}
