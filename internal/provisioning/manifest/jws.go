package manifest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha512" // ES384 and ES512
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// protected is the signed header of an element.
type protected struct {
	Type       string `json:"typ"`
	Algorithm  string `json:"alg"`
	KeyID      string `json:"kid,omitempty"`      // the signer's subject key identifier, base64url
	Thumbprint string `json:"x5t#S256,omitempty"` // SHA-256 of the signer's certificate, base64url
}

// algorithm is a way to sign: RFC 7518, section 3.1.
type algorithm struct {
	hash crypto.Hash
	size int // of r and of s, in bytes; 0: RSA with PKCS #1 v1.5
}

var algorithms = map[string]algorithm{
	"ES256": {crypto.SHA256, 32}, "ES384": {crypto.SHA384, 48}, "ES512": {crypto.SHA512, 66},
	"RS256": {crypto.SHA256, 0}, "RS384": {crypto.SHA384, 0}, "RS512": {crypto.SHA512, 0},
}

// signerKey is a signer under the two names that elements call it by.
type signerKey struct {
	public            crypto.PublicKey
	keyID, thumbprint string
}

func signerKeys(signers []*x509.Certificate) []signerKey {
	keys := make([]signerKey, len(signers))
	for i, cert := range signers {
		keys[i] = signerKey{cert.PublicKey, keyIDOf(cert), thumbprintOf(cert)}
	}
	return keys
}

func thumbprintOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// keyIDOf gives the subject key identifier; a certificate without one has the
// identifier that RFC 5280 computes (section 4.2.1.2, the first way).
func keyIDOf(cert *x509.Certificate) string {
	id := cert.SubjectKeyId
	if len(id) == 0 {
		sum := sha1.Sum(publicBits(cert))
		id = sum[:]
	}
	return base64.RawURLEncoding.EncodeToString(id)
}

func publicBits(cert *x509.Certificate) []byte {
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		if bits, err := key.Bytes(); err == nil {
			return bits
		}
	}
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		return x509.MarshalPKCS1PublicKey(key)
	}
	return cert.RawSubjectPublicKeyInfo
}

// verify finds the signer that the element names and checks the signature.
func (s *signedElement) verify(keys []signerKey) error {
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s.Protected, "="))
	if err != nil {
		return errors.New("the protected header is not base64url")
	}
	var header protected
	if err := json.Unmarshal(text, &header); err != nil {
		return fmt.Errorf("the protected header cannot be read: %w", err)
	}
	how, ok := algorithms[header.Algorithm]
	if !ok {
		return fmt.Errorf("the element is signed with %.20q, which is not accepted", header.Algorithm)
	}
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s.Signature, "="))
	if err != nil {
		return errors.New("the signature is not base64url")
	}
	h := how.hash.New()
	h.Write([]byte(s.Protected + "." + s.Payload))
	digest := h.Sum(nil)
	known := false
	for _, key := range keys {
		if !header.names(key) {
			continue
		}
		known = true
		if how.holds(key.public, digest, signature) {
			return nil
		}
	}
	if !known {
		return errors.New("the element is signed by somebody whose certificate was not given")
	}
	return errors.New("the signature of the element does not hold: it was changed after it was signed")
}

// names says whether the header can mean a signer: what it says must fit.
func (p *protected) names(key signerKey) bool {
	if p.Thumbprint != "" && strings.TrimRight(p.Thumbprint, "=") != key.thumbprint {
		return false
	}
	return p.KeyID == "" || strings.TrimRight(p.KeyID, "=") == key.keyID
}

// holds checks a signature. That of ECDSA is r and s side by side, not DER.
func (a algorithm) holds(public crypto.PublicKey, digest, signature []byte) bool {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return a.size == 0 && rsa.VerifyPKCS1v15(key, a.hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		if a.size == 0 || len(signature) != 2*a.size || (key.Curve.Params().BitSize+7)/8 != a.size {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:a.size]), new(big.Int).SetBytes(signature[a.size:])
		return ecdsa.Verify(key, digest, r, s)
	}
	return false
}
