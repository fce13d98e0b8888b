package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"

	"thingd/internal/arn"
	"thingd/internal/fault"
)

// Issuer signs certificates for devices. Authority is one.
type Issuer interface {
	IssueDevice(public crypto.PublicKey, subject []byte, notAfter time.Time) (der []byte, err error)
}

// Attachments knows what hangs on a certificate; access and registry do.
type Attachments interface {
	// Things counts the things that the certificate with this ARN is attached to.
	Things(ctx context.Context, certificateARN string) (int, error)
	// Policies counts the policies attached to it.
	Policies(ctx context.Context, certificateARN string) (int, error)
	// DetachPolicies takes all policies off.
	DetachPolicies(ctx context.Context, certificateARN string) error
}

// Config is what a Service needs.
type Config struct {
	Store  Store
	Scope  arn.Scope
	Issuer Issuer

	Attachments Attachments // default: nothing is ever attached

	// Functions calls the functions behind certificate providers. nil: there are
	// none, and what a provider is to sign is refused.
	Functions Functions

	// HasAccount says whether another account lives on this installation, as
	// the target of a transfer. Default: none does.
	HasAccount func(account string) bool

	// OnTransfer hears that a transfer changed the record that another account
	// has of a certificate. Default: nobody does.
	OnTransfer func(account string, id CertificateID)

	// OnStatus hears of every change of status after it is on disk, so that the
	// sessions of a certificate can be cut. A session that is being set up at
	// that moment must look again once it can be found.
	OnStatus func(id CertificateID, from, to Status)

	Now func() time.Time // default: time.Now
}

// Service keeps the device certificates and registered CAs of one account.
type Service struct {
	store      Store
	scope      arn.Scope
	issuer     Issuer
	attached   Attachments
	functions  Functions
	hasAccount func(string) bool
	onTransfer func(string, CertificateID)
	onStatus   func(CertificateID, Status, Status)
	now        func() time.Time
	making     chan struct{} // a token for each RSA key in the making
	asking     chan struct{} // a token for each question to a certificate provider
	warning    sync.Mutex    // held by who warns of certificates near their end
	cache      cache
}

// New gives the Service of the scope's account.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, scope: c.Scope, issuer: c.Issuer, attached: c.Attachments, functions: c.Functions,
		hasAccount: c.HasAccount, onTransfer: c.OnTransfer, onStatus: c.OnStatus, now: c.Now,
		// Making keys is all CPU; more at a time than there are cores would only
		// make every other connection wait.
		making: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
		asking: make(chan struct{}, askedAtOnce),
	}
	if s.attached == nil {
		s.attached = unattached{}
	}
	if s.hasAccount == nil {
		s.hasAccount = func(string) bool { return false }
	}
	if s.onTransfer == nil {
		s.onTransfer = func(string, CertificateID) {}
	}
	if s.onStatus == nil {
		s.onStatus = func(CertificateID, Status, Status) {}
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// ARN names a certificate of the account.
func (s *Service) ARN(id CertificateID) string { return s.scope.IoT("cert", string(id)) }

// CAARN names a registered CA of the account.
func (s *Service) CAARN(id CertificateID) string { return s.scope.IoT("cacert", string(id)) }

// Describe gives the record of a certificate (DescribeCertificate).
func (s *Service) Describe(ctx context.Context, id CertificateID) (Certificate, error) {
	var cert Certificate
	err := s.store.View(ctx, func(tx Tx) (err error) {
		cert, err = s.existing(tx, id)
		return err
	})
	return cert, err
}

func (s *Service) existing(tx Tx, id CertificateID) (Certificate, error) {
	cert, found, err := tx.Certificate(id)
	if err == nil && !found {
		err = fault.NotFound("Certificate %s does not exist", id).About(string(id), s.ARN(id))
	}
	return cert, err
}

// record is a new record of a certificate.
func (s *Service) record(cert *x509.Certificate, text string, status Status, mode Mode) Certificate {
	now := s.timestamp()
	return Certificate{
		ID: IDOf(cert.Raw), Status: status, PEM: text, Mode: mode,
		Created: now, Modified: now, Version: 1, Generation: uuid.NewString(),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
	}
}

// timestamp is the time as the store keeps it.
func (s *Service) timestamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// unattached is for installations without things and policies, such as tests.
type unattached struct{}

func (unattached) Things(context.Context, string) (int, error)   { return 0, nil }
func (unattached) Policies(context.Context, string) (int, error) { return 0, nil }
func (unattached) DetachPolicies(context.Context, string) error  { return nil }
