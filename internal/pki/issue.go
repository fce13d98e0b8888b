package pki

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"time"

	"thingd/internal/fault"
	"thingd/internal/lease"
)

// Order says how a certificate is to be issued. The zero value is an INACTIVE
// certificate like AWS's own.
type Order struct {
	Status   Status    // default Inactive; Active or PendingActivation
	NotAfter time.Time // default: the end of 2049, as on AWS
	Claim    bool      // of CreateProvisioningClaim: in no list, and deleted after NotAfter

	// Requester asks with CreateCertificateFromCsr, so that the account's
	// certificate provider signs where it has one. nil: we sign ourselves.
	Requester *Requester

	// Before hears of the certificate when it is signed and not yet kept. Whoever
	// must not lose it notes its ID here, on disk: should the server end before
	// the certificate is kept, the note is of a certificate that nobody has. An
	// error keeps the certificate from coming into being. nil: nobody needs to know.
	Before func(context.Context, CertificateID) error

	// Fence is the lease under which the certificate is wanted: it does not come
	// into being where another server has taken that (lease.ErrLost). nil: none.
	Fence *lease.Held
}

// KeyPair is a key that we made for a device. It is told once and not kept.
type KeyPair struct {
	Public  string // PEM, SubjectPublicKeyInfo
	Private string // PEM, PKCS #1
}

// CreateKeys makes an RSA key of 2048 bits and issues a certificate for it
// (CreateKeysAndCertificate).
func (s *Service) CreateKeys(ctx context.Context, o Order) (Certificate, KeyPair, error) {
	key, err := s.makeKey(ctx)
	if err != nil {
		return Certificate{}, KeyPair{}, err
	}
	pair, err := encodePair(key)
	if err != nil {
		return Certificate{}, KeyPair{}, err
	}
	cert, err := s.issue(ctx, key.Public(), nil, o)
	return cert, pair, err
}

// makeKey waits for its turn: a flood of requests must not take every core.
func (s *Service) makeKey(ctx context.Context) (crypto.Signer, error) {
	select {
	case s.making <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.making }()
	return newRSAKey()
}

func encodePair(key crypto.Signer) (KeyPair, error) {
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return KeyPair{}, err
	}
	private := x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))
	return KeyPair{
		Public:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		Private: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: private})),
	}, nil
}

// CreateFromCSR issues a certificate for the key and subject of a certificate
// signing request in PEM (CreateCertificateFromCsr). One request may be used
// many times; each certificate has its own serial number and ID.
func (s *Service) CreateFromCSR(ctx context.Context, csr string, o Order) (Certificate, error) {
	request, err := parseCSR(csr)
	if err != nil {
		return Certificate{}, err
	}
	provider, found, err := s.providerFor(ctx, o.Requester)
	if err != nil {
		return Certificate{}, err
	}
	if !found {
		return s.issue(ctx, request.PublicKey, subjectOf(request), o)
	}
	text, leaf, err := s.askProvider(ctx, provider, csr, request.PublicKey, *o.Requester)
	if err != nil {
		return Certificate{}, err
	}
	return s.keep(ctx, leaf, text, o)
}

// subjectOf is the request's subject in DER; nil if it has none.
func subjectOf(request *x509.CertificateRequest) []byte {
	if len(request.Subject.Names) == 0 {
		return nil
	}
	return request.RawSubject
}

func (s *Service) issue(ctx context.Context, public crypto.PublicKey, subject []byte, o Order) (Certificate, error) {
	der, err := s.issuer.IssueDevice(public, subject, o.NotAfter)
	if err != nil {
		return Certificate{}, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, fault.InvalidRequest("the certificate signing request asks for a certificate that cannot be read: %w", err)
	}
	return s.keep(ctx, parsed, string(encodeCertificate(der)), o)
}

// keep writes the record of a certificate that was signed for an order. One that
// is registered already, which a provider may give, is refused before anybody
// notes it.
func (s *Service) keep(ctx context.Context, leaf *x509.Certificate, text string, o Order) (Certificate, error) {
	if o.Status == "" {
		o.Status = Inactive
	}
	cert := s.record(leaf, text, o.Status, ModeDefault)
	cert.Claim = o.Claim
	if o.Before != nil {
		if err := s.store.View(ctx, func(tx Tx) error { return s.untaken(tx, cert.ID) }); err != nil {
			return Certificate{}, err
		}
		if err := o.Before(ctx, cert.ID); err != nil {
			return Certificate{}, err
		}
	}
	return cert, s.store.Update(ctx, func(tx Tx) error {
		if o.Fence != nil {
			if err := o.Fence.Check(tx); err != nil {
				return err
			}
		}
		if err := s.untaken(tx, cert.ID); err != nil {
			return err
		}
		return tx.PutCertificate(cert)
	})
}
