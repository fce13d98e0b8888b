package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// backdated is how far certificates begin in the past, for clients whose clocks
// are late.
const backdated = 24 * time.Hour

// endOfTime is when AWS's device certificates end, and our CAs too: the last
// second of the older of X.509's two time formats, the only one that some small
// clients read.
var endOfTime = time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)

// signer is a certificate and its key.
type signer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

type makeKey func() (crypto.Signer, error)

func newRSAKey() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func newECDSAKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// openCA reads a CA's two files. The key is written first, so a key without a
// certificate is a first start that was interrupted; a certificate without its
// key is a loss that only the operator can mend.
func (a *Authority) openCA(name, subject string, fresh makeKey) (signer, error) {
	cert, certErr := a.folder.readCertificate(name + ".pem")
	key, keyErr := a.folder.readKey(name + ".key")
	switch {
	case keyErr == nil && certErr == nil:
		return checkedCA(signer{cert, key}, name)
	case !absent(keyErr) || !absent(certErr):
		return signer{}, errors.Join(realError(certErr), realError(keyErr))
	case certErr == nil:
		return signer{}, fmt.Errorf("%s is there and %s.key is not; restore the key, or remove both to begin anew",
			a.folder.path(name+".pem"), name)
	case keyErr == nil:
		return a.selfSign(name, subject, key)
	}
	key, err := fresh()
	if err != nil {
		return signer{}, err
	}
	if err := a.folder.writeKey(name+".key", key); err != nil {
		return signer{}, err
	}
	return a.selfSign(name, subject, key)
}

// absent says that a file was read, or is not there.
func absent(err error) bool { return err == nil || errors.Is(err, fs.ErrNotExist) }

// realError forgets that a file is not there.
func realError(err error) error {
	if absent(err) {
		return nil
	}
	return err
}

// checkedCA refuses a pair with which every handshake would fail.
func checkedCA(ca signer, name string) (signer, error) {
	if !samePublicKey(ca) {
		return signer{}, fmt.Errorf("%s.key is not the key of %s.pem", name, name)
	}
	if !ca.cert.IsCA {
		return signer{}, fmt.Errorf("%s.pem is not the certificate of a CA", name)
	}
	return ca, nil
}

func samePublicKey(s signer) bool {
	public, ok := s.cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(s.key.Public())
}

// selfSign makes and writes the certificate of a new CA. Its name carries a few
// digits of the key, so that two installations in one trust store differ.
func (a *Authority) selfSign(name, subject string, key crypto.Signer) (signer, error) {
	id, err := keyID(key.Public())
	if err != nil {
		return signer{}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"thingd"}, CommonName: subject + " " + hex.EncodeToString(id[:4])},
		NotBefore:             a.now().Add(-backdated),
		NotAfter:              endOfTime,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          id,
	}
	cert, err := sign(template, signer{template, key}, key.Public())
	if err != nil {
		return signer{}, err
	}
	return signer{cert, key}, a.folder.writeCertificate(name+".pem", cert.Raw)
}

// keyID is a subject key identifier as in RFC 7093 section 2, method 1.
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}

// sign issues a certificate. The serial number is random.
func sign(template *x509.Certificate, by signer, public crypto.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, public, by.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// spareKey is a key that another core makes meanwhile.
type spareKey struct {
	done chan struct{}
	made crypto.Signer
	err  error
}

// prepareRSA begins to make the server's RSA key at the first start, when the
// root's is made too.
func (a *Authority) prepareRSA() *spareKey {
	s := &spareKey{done: make(chan struct{})}
	if _, err := os.Stat(a.folder.path("server-rsa.key")); err == nil {
		close(s.done)
		return s
	}
	go func() {
		defer close(s.done)
		s.made, s.err = newRSAKey()
	}()
	return s
}

func (s *spareKey) wait() { <-s.done }

// key gives the spare, or a new key where none was prepared.
func (s *spareKey) key() (crypto.Signer, error) {
	s.wait()
	if s.made == nil && s.err == nil {
		return newRSAKey()
	}
	return s.made, s.err
}
