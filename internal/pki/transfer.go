package pki

import (
	"context"

	"thingd/internal/fault"
)

// A transfer is two records of one certificate, both PENDING_TRANSFER: the
// giver's says to whom, the receiver's from whom. One of them goes in the end.

// Transfer offers a certificate to another account of this installation
// (TransferCertificate) and gives the ARN that it will have there.
func (s *Service) Transfer(ctx context.Context, id CertificateID, to, message string) (string, error) {
	if to == s.scope.Account {
		return "", fault.InvalidRequest("the certificate belongs to account %s already", to)
	}
	if !s.hasAccount(to) {
		return "", fault.NotFound("Account %s does not exist on this server", to)
	}
	if err := s.untied(ctx, id); err != nil {
		return "", err
	}
	var from Status
	err := s.store.Update(ctx, func(tx Tx) error {
		cert, err := s.existing(tx, id)
		if err != nil {
			return err
		}
		from = cert.Status
		return s.offer(tx, cert, to, message)
	})
	if err != nil {
		return "", err
	}
	s.announce(id, from, PendingTransfer)
	s.onTransfer(to, id)
	target := s.scope
	target.Account = to
	return target.IoT("cert", string(id)), nil
}

// untied refuses to transfer what has policies or things.
func (s *Service) untied(ctx context.Context, id CertificateID) error {
	policies, err := s.attached.Policies(ctx, s.ARN(id))
	if err != nil {
		return err
	}
	things, err := s.attached.Things(ctx, s.ARN(id))
	if err == nil && policies+things > 0 {
		err = fault.New(fault.CodeTransferConflict, "Policies and things must be detached before the transfer (arn: %s)", s.ARN(id))
	}
	return err
}

func (s *Service) offer(tx Tx, cert Certificate, to, message string) error {
	if cert.Status != Inactive {
		return badState("Certificate must be INACTIVE to be transferred. Id: %s", cert.ID)
	}
	if _, taken, err := tx.In(to).Certificate(cert.ID); err != nil {
		return err
	} else if taken {
		return fault.New(fault.CodeTransferConflict, "Account %s has the certificate %s already", to, cert.ID)
	}
	now := s.timestamp()
	cert.Status, cert.Version, cert.Modified = PendingTransfer, cert.Version+1, now
	cert.Transfer = Transfer{To: to, Message: message, Date: now}
	if err := tx.PutCertificate(cert); err != nil {
		return err
	}
	cert.Transfer.To, cert.Transfer.From = "", s.scope.Account
	cert.PreviousOwner, cert.CA = s.scope.Account, "" // the CA is the giver's
	return tx.In(to).PutCertificate(cert)
}

// Accept takes a certificate that another account offers
// (AcceptCertificateTransfer).
func (s *Service) Accept(ctx context.Context, id CertificateID, active bool) error {
	to := Inactive
	if active {
		to = Active
	}
	giver := ""
	err := s.store.Update(ctx, func(tx Tx) error {
		cert, err := s.offered(tx, id)
		if err != nil {
			return err
		}
		giver = cert.Transfer.From
		if err := tx.In(cert.Transfer.From).DeleteCertificate(id); err != nil {
			return err
		}
		now := s.timestamp()
		cert.Status, cert.Version, cert.Modified, cert.Transfer.Accepted = to, cert.Version+1, now, now
		return tx.PutCertificate(cert)
	})
	if err == nil {
		s.announce(id, PendingTransfer, to)
		s.onTransfer(giver, id)
	}
	return err
}

// offered is a certificate that this account may accept or reject.
func (s *Service) offered(tx Tx, id CertificateID) (Certificate, error) {
	cert, err := s.existing(tx, id)
	if err == nil && (cert.Status != PendingTransfer || cert.Transfer.From == "") {
		err = completed(id)
	}
	return cert, err
}

func completed(id CertificateID) error {
	return fault.New(fault.CodeTransferCompleted, "No transfer of the certificate is pending. Id: %s", id)
}

// Reject sends a certificate back to the account that offers it
// (RejectCertificateTransfer).
func (s *Service) Reject(ctx context.Context, id CertificateID, reason string) error {
	return s.drop(ctx, id, func(tx Tx) (string, error) {
		offer, err := s.offered(tx, id)
		if err != nil {
			return "", err
		}
		if err := tx.DeleteCertificate(id); err != nil {
			return "", err
		}
		return offer.Transfer.From, s.takeBack(tx.In(offer.Transfer.From), id, func(t *Transfer) {
			t.Reason, t.Rejected = reason, s.timestamp()
		})
	})
}

// Cancel ends a transfer that this account began (CancelCertificateTransfer).
func (s *Service) Cancel(ctx context.Context, id CertificateID) error {
	return s.drop(ctx, id, func(tx Tx) (string, error) {
		cert, err := s.existing(tx, id)
		if err != nil {
			return "", err
		}
		if cert.Status != PendingTransfer || cert.Transfer.To == "" {
			return "", completed(id)
		}
		if err := tx.In(cert.Transfer.To).DeleteCertificate(id); err != nil {
			return "", err
		}
		return cert.Transfer.To, s.takeBack(tx, id, func(t *Transfer) { *t = Transfer{} })
	})
}

// drop ends a transfer without success; fn gives the other account.
func (s *Service) drop(ctx context.Context, id CertificateID, fn func(Tx) (string, error)) error {
	other := ""
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		other, err = fn(tx)
		return err
	})
	if err == nil {
		s.Forget(id)
		s.onTransfer(other, id)
	}
	return err
}

// takeBack ends the giver's half of a transfer.
func (s *Service) takeBack(giver Tx, id CertificateID, note func(*Transfer)) error {
	cert, found, err := giver.Certificate(id)
	if err != nil || !found {
		return err
	}
	cert.Status, cert.Version, cert.Modified = Inactive, cert.Version+1, s.timestamp()
	note(&cert.Transfer)
	cert.Transfer.To = ""
	return giver.PutCertificate(cert)
}
