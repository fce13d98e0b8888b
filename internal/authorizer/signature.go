package authorizer

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"

	"thingd/internal/fault"
)

const (
	keyBitsMin = 2048 // of an RSA key that verifies tokens
	keysMax    = 10   // of an authorizer; AWS has 2 (unconfirmed)
	keyMax     = 5120 // bytes of PEM; the model's bound
)

// check refuses an authorizer that could never verify a token.
func (a *Authorizer) check() error {
	if len(a.PublicKeys) > keysMax {
		return fault.InvalidRequest("an authorizer has at most %d signing keys, not %d", keysMax, len(a.PublicKeys))
	}
	for name, text := range a.PublicKeys {
		if _, err := parseKey(text); err != nil {
			return fault.InvalidRequest("the signing key %q %s", name, err)
		}
	}
	switch {
	case a.SigningDisabled:
		return nil
	case a.TokenKeyName == "":
		return fault.InvalidRequest("an authorizer with signing needs tokenKeyName")
	case len(a.PublicKeys) == 0:
		return fault.InvalidRequest("an authorizer with signing needs tokenSigningPublicKeys")
	}
	return nil
}

// badKey says what is wrong with a key, as the end of a sentence.
type badKey string

func (b badKey) Error() string { return string(b) }

func parseKey(text string) (*rsa.PublicKey, error) {
	if len(text) > keyMax {
		return nil, badKey("is too long")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, badKey("is not PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		if parsed, err = x509.ParsePKCS1PublicKey(block.Bytes); err != nil {
			return nil, badKey("is not a public key")
		}
	}
	key, ok := parsed.(*rsa.PublicKey)
	switch {
	case !ok:
		return nil, badKey("is not an RSA key")
	case key.N.BitLen() < keyBitsMin:
		return nil, badKey("has fewer than 2048 bits")
	}
	return key, nil
}

// verify checks the token's signature with each of the keys: base64 of RSA
// PKCS #1 v1.5 over the token's SHA-256.
func (a *Authorizer) verify(token, signature string) error {
	if token == "" {
		return fault.InvalidRequest("the token is missing: %q was not sent", a.TokenKeyName)
	}
	if signature == "" {
		return fault.InvalidRequest("the token's signature is missing: %q was not sent", SignatureKey)
	}
	raw, err := decodeSignature(signature)
	if err != nil {
		return fault.InvalidRequest("the token's signature is not base64")
	}
	sum := sha256.Sum256([]byte(token))
	for _, name := range sortedNames(a.PublicKeys) {
		key, err := parseKey(a.PublicKeys[name])
		if err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil {
			return nil
		}
	}
	return fault.InvalidRequest("the token's signature fits none of the authorizer's keys")
}

// decodeSignature mends what a query string makes of base64 that was not
// escaped: its + reads as a space.
func decodeSignature(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.ReplaceAll(text, " ", "+"))
}

func sortedNames(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
