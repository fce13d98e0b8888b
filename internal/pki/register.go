package pki

import (
	"context"
	"crypto/x509"

	"thingd/internal/fault"
)

// Register registers a certificate that a registered CA has signed
// (RegisterCertificate). text is PEM, the leaf first; caText is the CA's PEM,
// needed only where several CAs have one name. status "" means Inactive.
func (s *Service) Register(ctx context.Context, text, caText string, status Status) (Certificate, error) {
	leaf, err := parseLeaf(text)
	if err != nil {
		return Certificate{}, err
	}
	find, err := caFinder(leaf, caText)
	if err != nil {
		return Certificate{}, err
	}
	cert := s.record(leaf, text, status, ModeDefault)
	return s.register(ctx, cert, func(tx Tx, cert *Certificate) error {
		ca, err := find(tx)
		if err != nil {
			return err
		}
		cert.CA, cert.Mode = ca.ID, ca.Mode
		return mayRegister(ca, leaf)
	})
}

// RegisterWithoutCA registers a certificate whoever signed it
// (RegisterCertificateWithoutCA). The record keeps text byte for byte, with the
// chain that may follow the leaf: importers compare it.
func (s *Service) RegisterWithoutCA(ctx context.Context, text string, status Status) (Certificate, error) {
	leaf, err := parseLeaf(text)
	if err != nil {
		return Certificate{}, err
	}
	cert := s.record(leaf, text, status, ModeSNIOnly)
	return s.register(ctx, cert, func(Tx, *Certificate) error { return nil })
}

func parseLeaf(text string) (*x509.Certificate, error) {
	leaf, err := parseCertificate(text)
	if err != nil {
		return nil, err
	}
	return leaf, checkAlgorithms(leaf)
}

// register writes a new record after check has completed it.
func (s *Service) register(ctx context.Context, cert Certificate, check func(Tx, *Certificate) error) (Certificate, error) {
	if err := registrable(&cert.Status); err != nil {
		return Certificate{}, err
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		if err := s.untaken(tx, cert.ID); err != nil {
			return err
		}
		if err := check(tx, &cert); err != nil {
			return err
		}
		return tx.PutCertificate(cert)
	})
	return cert, err
}

// untaken refuses a certificate that is registered already.
func (s *Service) untaken(tx Tx, id CertificateID) error {
	_, taken, err := tx.Certificate(id)
	if err == nil && taken {
		err = fault.AlreadyExists("The certificate is already provisioned or registered").About(string(id), s.ARN(id))
	}
	return err
}

// registrable lets through the statuses that a certificate can begin with.
func registrable(status *Status) error {
	switch *status {
	case "", registerInactive:
		*status = Inactive
		return nil
	case Active, Inactive, Revoked:
		return nil
	default:
		return badState("Not allowed to register certificate with %s status", *status)
	}
}

// registerInactive is a deprecated word of the API for Inactive.
const registerInactive Status = "REGISTER_INACTIVE"

func badState(format string, args ...any) *fault.Error {
	return fault.New(fault.CodeCertificateState, format, args...)
}

// caFinder gives the search for the CA of a leaf: the one whose PEM the caller
// gave, or the only one that has the name of the leaf's issuer.
func caFinder(leaf *x509.Certificate, caText string) (func(Tx) (CA, error), error) {
	if caText == "" {
		return func(tx Tx) (CA, error) { return onlyCANamed(tx, leaf) }, nil
	}
	parsed, err := parseCertificate(caText)
	if err != nil {
		return nil, err
	}
	return func(tx Tx) (CA, error) {
		ca, found, err := tx.CA(IDOf(parsed.Raw))
		if err == nil && !found {
			err = invalidCertificate("the CA certificate is not registered")
		}
		return ca, err
	}, nil
}

func onlyCANamed(tx Tx, leaf *x509.Certificate) (CA, error) {
	named, err := tx.CAsNamed(subjectKey(leaf.RawIssuer))
	switch {
	case err != nil:
		return CA{}, err
	case len(named) == 0:
		return CA{}, invalidCertificate("no CA certificate is registered for the certificate's issuer, %s", leaf.Issuer)
	case len(named) > 1:
		return CA{}, fault.New(fault.CodeCertificateConflict,
			"%d registered CA certificates have the name of the certificate's issuer; say which with caCertificatePem", len(named))
	}
	return named[0], nil
}

// mayRegister says whether leaf may be registered under ca.
func mayRegister(ca CA, leaf *x509.Certificate) error {
	if !ca.Active {
		return badState("The CA certificate %s is not ACTIVE", ca.ID)
	}
	return signedBy(ca, leaf)
}

// signedBy checks the CA's signature on a certificate.
func signedBy(ca CA, leaf *x509.Certificate) error {
	parent, err := parseCertificate(ca.PEM)
	if err != nil {
		return err
	}
	if err := parent.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature); err != nil {
		return invalidCertificate("the certificate is not signed by the CA certificate %s", ca.ID)
	}
	return nil
}
