package pki

import (
	"context"

	"thingd/internal/fault"
)

// SetStatus changes the status of a certificate (UpdateCertificate). Asking for
// the status it has is fine and changes nothing. REVOKED is for good.
func (s *Service) SetStatus(ctx context.Context, id CertificateID, to Status) error {
	return s.change(ctx, id, func(cert *Certificate) error {
		if err := mayBecome(*cert, to); err != nil {
			return err
		}
		cert.Status = to
		return nil
	})
}

// successors lists where a caller may take a certificate from each status. The
// others are left by a transfer alone, or never.
var successors = map[Status][]Status{
	Active:            {Active, Inactive, Revoked},
	Inactive:          {Active, Inactive, Revoked},
	PendingActivation: {Active, Inactive, Revoked},
	Revoked:           {Revoked},
}

func mayBecome(cert Certificate, to Status) error {
	if to == PendingTransfer || to == PendingActivation || to == registerInactive {
		return badState("A certificate cannot be set to %s. Id: %s", to, cert.ID)
	}
	for _, next := range successors[cert.Status] {
		if next == to {
			return nil
		}
	}
	return badState("A certificate that is %s cannot become %s. Id: %s", cert.Status, to, cert.ID)
}

// change loads a certificate, lets fn decide, and saves it as a new version if
// its status is another one now; then everybody hears of it.
func (s *Service) change(ctx context.Context, id CertificateID, fn func(*Certificate) error) error {
	var from, to Status
	err := s.store.Update(ctx, func(tx Tx) error {
		cert, err := s.existing(tx, id)
		if err != nil {
			return err
		}
		from = cert.Status
		if err := fn(&cert); err != nil {
			return err
		}
		if to = cert.Status; to == from {
			return nil
		}
		cert.Version, cert.Modified = cert.Version+1, s.timestamp()
		return tx.PutCertificate(cert)
	})
	if err == nil {
		s.announce(id, from, to)
	}
	return err
}

func (s *Service) announce(id CertificateID, from, to Status) {
	if from == to {
		return
	}
	s.Forget(id)
	s.onStatus(id, from, to)
}

// Delete removes a certificate that is not ACTIVE and hangs on nothing
// (DeleteCertificate). force takes its policies off; things stay in the way.
func (s *Service) Delete(ctx context.Context, id CertificateID, force bool) error {
	cert, err := s.Describe(ctx, id)
	if err != nil {
		return err
	}
	if err := deletable(cert); err != nil {
		return err
	}
	if err := s.release(ctx, s.ARN(id), force); err != nil {
		return err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		cert, err := s.existing(tx, id)
		if err != nil {
			return err
		}
		if err := deletable(cert); err != nil {
			return err // somebody was quicker
		}
		return tx.DeleteCertificate(id)
	})
	if err == nil {
		s.Forget(id)
	}
	return err
}

func deletable(cert Certificate) error {
	switch cert.Status {
	case Active:
		return badState("Certificate must be deactivated (not ACTIVE) before deletion. Id: %s", cert.ID)
	case PendingTransfer:
		return badState("Certificate must not be in transfer for deletion. Id: %s", cert.ID)
	default:
		return nil
	}
}

// release makes sure that nothing hangs on a certificate.
func (s *Service) release(ctx context.Context, certificateARN string, force bool) error {
	things, err := s.attached.Things(ctx, certificateARN)
	if err != nil {
		return err
	}
	if things > 0 {
		return fault.DeleteConflict("Things must be detached before deletion (arn: %s)", certificateARN)
	}
	if force {
		return s.attached.DetachPolicies(ctx, certificateARN)
	}
	policies, err := s.attached.Policies(ctx, certificateARN)
	if err == nil && policies > 0 {
		err = fault.DeleteConflict("Certificate policies must be detached before deletion (arn: %s)", certificateARN)
	}
	return err
}

// claimsAtOnce bounds one transaction of PurgeClaims.
const claimsAtOnce = 500

// PurgeClaims deletes the provisioning claims whose time is over.
func (s *Service) PurgeClaims(ctx context.Context) error {
	for {
		var n int
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			n, err = tx.DeleteClaims(s.now(), claimsAtOnce)
			return err
		})
		if err != nil || n < claimsAtOnce {
			return err
		}
	}
}
