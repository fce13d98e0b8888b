package manifest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// signedElement is one secure element of a Trust&GO manifest: a flattened JWS
// (RFC 7515, section 7.2.2).
type signedElement struct {
	Header struct {
		UniqueID string `json:"uniqueId"`
	} `json:"header"` // not covered by the signature
	Protected string `json:"protected"`
	Payload   string `json:"payload"`
	Signature string `json:"signature"`
}

// payload is what the maker signs about an element, as far as we need it.
type payload struct {
	Version      int    `json:"version"`
	UniqueID     string `json:"uniqueId"`
	PublicKeySet struct {
		Keys []elementKey `json:"keys"`
	} `json:"publicKeySet"`
}

// elementKey is the key of one slot, a JWK. Slot 0 is the device's identity and
// has certificates: the device's own, then its signer's.
type elementKey struct {
	Slot  string   `json:"kid"`
	Kind  string   `json:"kty"`
	Curve string   `json:"crv"`
	X     string   `json:"x"`
	Y     string   `json:"y"`
	Chain []string `json:"x5c,omitempty"` // DER in base64, the standard alphabet
}

// readMicrochip reads an array of signed elements.
func readMicrochip(r io.Reader, signers []*x509.Certificate) iter.Seq2[Element, error] {
	return func(yield func(Element, error) bool) {
		if len(signers) == 0 {
			yield(Element{}, rest(errors.New("a signed manifest needs the certificate of its signer")))
			return
		}
		s := splitter{in: bufio.NewReaderSize(r, 64<<10)}
		if err := s.open(); err != nil {
			yield(Element{}, rest(err))
			return
		}
		keys := signerKeys(signers)
		for number := 1; ; number++ {
			raw, err := s.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Element{Number: number}, rest(err))
				return
			}
			element, err := openElement(raw, keys)
			element.Number = number
			if !yield(element, err) {
				return
			}
		}
	}
}

// openElement checks one element's signature and reads what it covers.
func openElement(raw []byte, keys []signerKey) (Element, error) {
	var signed signedElement
	if err := json.Unmarshal(raw, &signed); err != nil {
		return Element{}, fmt.Errorf("the element is not a signed object: %w", err)
	}
	element := Element{ID: signed.Header.UniqueID}
	if err := signed.verify(keys); err != nil {
		return element, err
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(signed.Payload, "="))
	if err != nil {
		return element, errors.New("the payload is not base64url")
	}
	var said payload
	if err := json.Unmarshal(text, &said); err != nil {
		return element, fmt.Errorf("the payload cannot be read: %w", err)
	}
	if err := said.check(signed.Header.UniqueID); err != nil {
		return element, err
	}
	element.PEM, err = said.chain()
	return element, err
}

// uniqueIDSize is the length of a serial number, in hex digits: 9 bytes.
const uniqueIDSize = 18

// check compares the name on the outside, which anybody could have changed, with
// the one that is signed.
func (p *payload) check(outside string) error {
	switch {
	case p.Version != 1:
		return fmt.Errorf("the element has version %d; only 1 is known", p.Version)
	case !isHex(p.UniqueID, uniqueIDSize):
		return fmt.Errorf("the uniqueId %.40q is not %d hex digits", p.UniqueID, uniqueIDSize)
	case p.UniqueID != outside:
		return fmt.Errorf("the header says uniqueId %.40q, the signed payload %q", outside, p.UniqueID)
	}
	return nil
}

func isHex(text string, size int) bool {
	return len(text) == size && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// chain gives the certificates of slot 0 in PEM, the device's first.
func (p *payload) chain() (string, error) {
	for _, key := range p.PublicKeySet.Keys {
		if key.Slot == "0" {
			return key.chain()
		}
	}
	return "", errors.New("the element has no key 0")
}

func (k *elementKey) chain() (string, error) {
	if len(k.Chain) == 0 {
		return "", errors.New("key 0 has no certificate")
	}
	var b strings.Builder
	for i, text := range k.Chain {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", fmt.Errorf("certificate %d of key 0 is not base64", i)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return "", fmt.Errorf("certificate %d of key 0 cannot be read: %w", i, err)
		}
		if i == 0 && !k.isOf(cert) {
			return "", errors.New("the certificate of key 0 is for another key")
		}
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a Builder takes everything
	}
	return b.String(), nil
}

// isOf says whether the key is the certificate's.
func (k *elementKey) isOf(cert *x509.Certificate) bool {
	public, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || k.Kind != "EC" || k.Curve != public.Curve.Params().Name {
		return false
	}
	x, y, err := coordinates(public)
	return err == nil && k.X == x && k.Y == y
}

// coordinates writes a public key as a JWK does: RFC 7518, section 6.2.1.
func coordinates(public *ecdsa.PublicKey) (x, y string, err error) {
	point, err := public.Bytes() // 4, x, y
	if err != nil {
		return "", "", err
	}
	half := len(point) / 2
	return base64.RawURLEncoding.EncodeToString(point[1 : 1+half]), base64.RawURLEncoding.EncodeToString(point[1+half:]), nil
}
