package pki

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"thingd/internal/fault"
)

// sameNameMax bounds the CAs with one subject (AWS's limit).
const sameNameMax = 10

// CA is the record of a registered certificate authority: one whose devices may
// register themselves, or be registered with proof that it signed them.
type CA struct {
	ID               CertificateID
	Active           bool
	AutoRegistration bool
	PEM              string // byte for byte as it was registered
	Subject          string // subjectKey of its name, under which issuers are found
	Mode             Mode
	Created          time.Time
	Modified         time.Time
	Version          int
	Generation       string
	NotBefore        time.Time
	NotAfter         time.Time
	Registration     Registration
}

// Registration is what happens to a device of a CA that registers itself: the
// template that provisions it (JITP). Zero: it waits for somebody to act on the
// event (JITR).
type Registration struct {
	TemplateBody string
	RoleARN      string
	TemplateName string
}

// subjectKey is the hash of a distinguished name in DER. Issuers are found by
// it: certificates repeat their issuer's name byte for byte.
func subjectKey(name []byte) string {
	sum := sha256.Sum256(name)
	return hex.EncodeToString(sum[:])
}

// CAOrder is the input of RegisterCA.
type CAOrder struct {
	PEM              string
	Verification     string // PEM: a certificate by this CA whose common name is the registration code
	Mode             Mode   // "" means ModeDefault
	Active           bool
	AutoRegistration bool
	Registration     Registration
}

// RegisterCA registers a certificate authority (RegisterCACertificate). In
// ModeDefault the caller proves that it has the CA's key by a certificate over
// the registration code; in ModeSNIOnly there is no proof.
func (s *Service) RegisterCA(ctx context.Context, o CAOrder) (CA, error) {
	cert, err := parseLeaf(o.PEM)
	if err != nil {
		return CA{}, err
	}
	if !cert.IsCA {
		return CA{}, invalidCertificate("the certificate is not that of a CA; its basic constraints should say CA:TRUE")
	}
	if err := coherent(o); err != nil {
		return CA{}, err
	}
	ca := s.caRecord(cert, o)
	return ca, s.store.Update(ctx, func(tx Tx) error { return s.addCA(tx, ca, o.Verification) })
}

// coherent checks what can be said without looking anything up.
func coherent(o CAOrder) error {
	if o.Mode == ModeSNIOnly && o.Verification != "" {
		return fault.InvalidRequest("verificationCertificate must not be given for certificateMode SNI_ONLY")
	}
	if o.Mode != ModeSNIOnly && o.Verification == "" {
		return fault.InvalidRequest("verificationCertificate is required for certificateMode DEFAULT")
	}
	return checkRegistration(o.Registration)
}

func checkRegistration(r Registration) error {
	if r.TemplateName != "" && r.TemplateBody != "" {
		return fault.InvalidRequest("registrationConfig takes templateName, or templateBody and roleArn, but not both")
	}
	if (r.TemplateBody == "") != (r.RoleARN == "") && r.TemplateName == "" {
		return fault.InvalidRequest("registrationConfig needs both templateBody and roleArn")
	}
	return nil
}

func (s *Service) caRecord(cert *x509.Certificate, o CAOrder) CA {
	now := s.timestamp()
	if o.Mode == "" {
		o.Mode = ModeDefault
	}
	return CA{
		ID: IDOf(cert.Raw), Active: o.Active, AutoRegistration: o.AutoRegistration, PEM: o.PEM,
		Subject: subjectKey(cert.RawSubject), Mode: o.Mode, Created: now, Modified: now, Version: 1,
		Generation: uuid.NewString(), NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Registration: o.Registration,
	}
}

func (s *Service) addCA(tx Tx, ca CA, verification string) error {
	if _, taken, err := tx.CA(ca.ID); err != nil {
		return err
	} else if taken {
		return fault.AlreadyExists("The CA certificate is already registered").About(string(ca.ID), s.CAARN(ca.ID))
	}
	if named, err := tx.CAsNamed(ca.Subject); err != nil {
		return err
	} else if len(named) >= sameNameMax {
		return fault.LimitExceeded("%d CA certificates with this subject are registered already", len(named))
	}
	if ca.Mode == ModeDefault {
		if err := verifyCA(tx, ca, verification); err != nil {
			return err
		}
		// Its devices need not say which account they mean, so one account has it
		// in this mode. (AWS's error is unconfirmed.)
		if taken, err := tx.DefaultCAElsewhere(ca.ID); err != nil {
			return err
		} else if taken {
			return fault.AlreadyExists("The CA certificate is registered in another account with certificateMode DEFAULT").About(string(ca.ID), "")
		}
	}
	return tx.PutCA(ca)
}

// verifyCA checks the proof that the caller has the CA's key.
func verifyCA(tx Tx, ca CA, verification string) error {
	proof, err := parseCertificate(verification)
	if err != nil {
		return err
	}
	if err := signedBy(ca, proof); err != nil {
		return invalidCertificate("the verification certificate is not signed by the CA certificate")
	}
	code, found, err := tx.RegistrationCode()
	if err != nil {
		return err
	}
	if !found || proof.Subject.CommonName != code {
		return fault.New(fault.CodeRegistrationCode, "the common name of the verification certificate is not the account's registration code")
	}
	return nil
}

// DescribeCA gives the record of a registered CA (DescribeCACertificate).
func (s *Service) DescribeCA(ctx context.Context, id CertificateID) (CA, error) {
	var ca CA
	err := s.store.View(ctx, func(tx Tx) (err error) {
		ca, err = s.existingCA(tx, id)
		return err
	})
	return ca, err
}

func (s *Service) existingCA(tx Tx, id CertificateID) (CA, error) {
	ca, found, err := tx.CA(id)
	if err == nil && !found {
		err = fault.NotFound("CA certificate %s does not exist", id).About(string(id), s.CAARN(id))
	}
	return ca, err
}

// CAChange is the input of UpdateCA; nil leaves as it is.
type CAChange struct {
	Active             *bool
	AutoRegistration   *bool
	Registration       *Registration
	RemoveRegistration bool // removeAutoRegistration: forget the template
}

// UpdateCA changes a registered CA (UpdateCACertificate). Certificates that were
// registered under it keep working when it becomes inactive.
func (s *Service) UpdateCA(ctx context.Context, id CertificateID, c CAChange) error {
	if c.Registration != nil {
		if err := checkRegistration(*c.Registration); err != nil {
			return err
		}
	}
	return s.store.Update(ctx, func(tx Tx) error {
		ca, err := s.existingCA(tx, id)
		if err != nil {
			return err
		}
		old := ca
		if c.apply(&ca); ca == old {
			return nil
		}
		ca.Version, ca.Modified = ca.Version+1, s.timestamp()
		return tx.PutCA(ca)
	})
}

func (c CAChange) apply(ca *CA) {
	if c.Active != nil {
		ca.Active = *c.Active
	}
	if c.AutoRegistration != nil {
		ca.AutoRegistration = *c.AutoRegistration
	}
	if c.Registration != nil {
		ca.Registration = *c.Registration
	}
	if c.RemoveRegistration {
		ca.Registration = Registration{}
	}
}

// DeleteCA removes a CA that is not active (DeleteCACertificate).
func (s *Service) DeleteCA(ctx context.Context, id CertificateID) error {
	return s.store.Update(ctx, func(tx Tx) error {
		ca, err := s.existingCA(tx, id)
		if err != nil {
			return err
		}
		if ca.Active {
			return badState("CA certificate must be deactivated (not ACTIVE) before deletion. Id: %s", id)
		}
		return tx.DeleteCA(id)
	})
}
