package manifest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"
)

// Signer signs elements as Microchip does, for devices of one's own and for
// simulated ones: with ES256, so its key is on P-256.
type Signer struct {
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
}

// signedPayload is a whole payload, in the order of Microchip's files.
type signedPayload struct {
	Version      int    `json:"version"`
	Model        string `json:"model"`
	PartNumber   string `json:"partNumber"`
	Manufacturer struct {
		Name string `json:"organizationName"`
		Unit string `json:"organizationalUnitName"`
	} `json:"manufacturer"`
	Provisioner  organization `json:"provisioner"`
	Distributor  organization `json:"distributor"`
	Time         string       `json:"provisioningTimestamp"`
	UniqueID     string       `json:"uniqueId"`
	PublicKeySet struct {
		Keys []elementKey `json:"keys"`
	} `json:"publicKeySet"`
}

type organization struct {
	Name string `json:"organizationName"`
	Unit string `json:"organizationalUnitName"`
}

// Sign writes the manifest's entry for one element: its serial number, 18 hex
// digits, and its certificate followed by its signer's.
func (s *Signer) Sign(uniqueID string, chain []*x509.Certificate, at time.Time) (json.RawMessage, error) {
	if s.Key.Curve != elliptic.P256() {
		return nil, errors.New("manifests are signed with a key on P-256")
	}
	said := signedPayload{Version: 1, Model: "ATECC608B", PartNumber: "ATECC608B-TNGTLS", UniqueID: uniqueID,
		Time: at.UTC().Format("2006-01-02T15:04:05.000Z")}
	said.Manufacturer.Name = "thingd"
	said.Manufacturer.Unit = "Simulated secure elements"
	said.Provisioner, said.Distributor = organization(said.Manufacturer), organization(said.Manufacturer)
	key, err := identityKey(chain)
	if err != nil {
		return nil, err
	}
	said.PublicKeySet.Keys = []elementKey{key}
	header := protected{Type: "JWT", Algorithm: "ES256", KeyID: keyIDOf(s.Certificate), Thumbprint: thumbprintOf(s.Certificate)}
	return s.seal(uniqueID, header, said)
}

// identityKey is slot 0.
func identityKey(chain []*x509.Certificate) (elementKey, error) {
	public, ok := chain[0].PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return elementKey{}, errors.New("the element's certificate is not for a key on P-256")
	}
	x, y, err := coordinates(public)
	if err != nil {
		return elementKey{}, err
	}
	k := elementKey{Slot: "0", Kind: "EC", Curve: "P-256", X: x, Y: y}
	for _, cert := range chain {
		k.Chain = append(k.Chain, base64.StdEncoding.EncodeToString(cert.Raw))
	}
	return k, nil
}

func (s *Signer) seal(uniqueID string, header protected, said signedPayload) (json.RawMessage, error) {
	var e signedElement
	e.Header.UniqueID = uniqueID
	for part, value := range map[*string]any{&e.Protected: header, &e.Payload: said} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		*part = base64.RawURLEncoding.EncodeToString(text)
	}
	digest := sha256.Sum256([]byte(e.Protected + "." + e.Payload))
	r, sig, err := ecdsa.Sign(rand.Reader, s.Key, digest[:])
	if err != nil {
		return nil, err
	}
	both := make([]byte, 64)
	r.FillBytes(both[:32])
	sig.FillBytes(both[32:])
	e.Signature = base64.RawURLEncoding.EncodeToString(both)
	return json.Marshal(e)
}
