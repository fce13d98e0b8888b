package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/aws/wire"
	"thingd/internal/pki"
)

// CreateKeysAndCertificate makes a key pair and a certificate for it. The private
// key is told here and nowhere else.
func (a *IoT) CreateKeysAndCertificate(ctx context.Context, in *iot.CreateKeysAndCertificateRequest) (*iot.CreateKeysAndCertificateResponse, error) {
	cert, pair, err := a.PKI.CreateKeys(ctx, pki.Order{Status: statusIf(in.SetAsActive)})
	if err != nil {
		return nil, err
	}
	return &iot.CreateKeysAndCertificateResponse{
		CertificateArn: a.PKI.ARN(cert.ID),
		CertificateId:  string(cert.ID),
		CertificatePem: cert.PEM,
		KeyPair:        &iot.KeyPair{PublicKey: pair.Public, PrivateKey: pair.Private},
	}, nil
}

// statusIf is the status of a certificate that may begin as ACTIVE.
func statusIf(active *bool) pki.Status {
	if isTrue(active) {
		return pki.Active
	}
	return pki.Inactive
}

// CreateCertificateFromCsr issues a certificate for a signing request.
func (a *IoT) CreateCertificateFromCsr(ctx context.Context, in *iot.CreateCertificateFromCsrRequest) (*iot.CreateCertificateFromCsrResponse, error) {
	cert, err := a.PKI.CreateFromCSR(ctx, in.CertificateSigningRequest, pki.Order{
		Status: statusIf(in.SetAsActive), Requester: &pki.Requester{PrincipalID: wire.CallerFrom(ctx).UserID},
	})
	if err != nil {
		return nil, err
	}
	return &iot.CreateCertificateFromCsrResponse{
		CertificateArn: a.PKI.ARN(cert.ID),
		CertificateId:  string(cert.ID),
		CertificatePem: cert.PEM,
	}, nil
}

// RegisterCertificate registers a certificate that a registered CA has signed.
// setAsActive is the older word for status.
func (a *IoT) RegisterCertificate(ctx context.Context, in *iot.RegisterCertificateRequest) (*iot.RegisterCertificateResponse, error) {
	status := pki.Status(in.Status)
	if status == "" {
		status = statusIf(in.SetAsActive)
	}
	cert, err := a.PKI.Register(ctx, in.CertificatePem, in.CaCertificatePem, status)
	if err != nil {
		return nil, err
	}
	return &iot.RegisterCertificateResponse{CertificateArn: a.PKI.ARN(cert.ID), CertificateId: string(cert.ID)}, nil
}

// RegisterCertificateWithoutCA registers a certificate whoever signed it.
func (a *IoT) RegisterCertificateWithoutCA(ctx context.Context, in *iot.RegisterCertificateWithoutCARequest) (*iot.RegisterCertificateWithoutCAResponse, error) {
	cert, err := a.PKI.RegisterWithoutCA(ctx, in.CertificatePem, pki.Status(in.Status))
	if err != nil {
		return nil, err
	}
	return &iot.RegisterCertificateWithoutCAResponse{CertificateArn: a.PKI.ARN(cert.ID), CertificateId: string(cert.ID)}, nil
}

// DescribeCertificate gives all that is known of a certificate.
func (a *IoT) DescribeCertificate(ctx context.Context, in *iot.DescribeCertificateRequest) (*iot.DescribeCertificateResponse, error) {
	cert, err := a.PKI.Describe(ctx, pki.NormalID(in.CertificateId))
	if err != nil {
		return nil, err
	}
	return &iot.DescribeCertificateResponse{CertificateDescription: &iot.CertificateDescription{
		CertificateArn:   a.PKI.ARN(cert.ID),
		CertificateId:    string(cert.ID),
		CaCertificateId:  string(cert.CA),
		Status:           string(cert.Status),
		CertificatePem:   cert.PEM,
		OwnedBy:          a.Scope.Account,
		PreviousOwnedBy:  cert.PreviousOwner,
		CreationDate:     cert.Created,
		LastModifiedDate: cert.Modified,
		CustomerVersion:  new(cert.Version),
		TransferData:     transferData(cert.Transfer),
		GenerationId:     cert.Generation,
		Validity:         &iot.CertificateValidity{NotBefore: cert.NotBefore, NotAfter: cert.NotAfter},
		CertificateMode:  string(cert.Mode),
	}}, nil
}

// transferData is nil where no transfer was ever begun.
func transferData(t pki.Transfer) *iot.TransferData {
	if t == (pki.Transfer{}) {
		return nil
	}
	return &iot.TransferData{
		TransferMessage: t.Message,
		RejectReason:    t.Reason,
		TransferDate:    t.Date,
		AcceptDate:      t.Accepted,
		RejectDate:      t.Rejected,
	}
}

// UpdateCertificate changes the status of a certificate.
func (a *IoT) UpdateCertificate(ctx context.Context, in *iot.UpdateCertificateRequest) error {
	return a.PKI.SetStatus(ctx, pki.NormalID(in.CertificateId), pki.Status(in.NewStatus))
}

// DeleteCertificate deletes a certificate.
func (a *IoT) DeleteCertificate(ctx context.Context, in *iot.DeleteCertificateRequest) error {
	return a.PKI.Delete(ctx, pki.NormalID(in.CertificateId), isTrue(in.ForceDelete))
}

// ListCertificates lists certificates in order of creation.
func (a *IoT) ListCertificates(ctx context.Context, in *iot.ListCertificatesRequest) (*iot.ListCertificatesResponse, error) {
	certs, next, err := a.PKI.List(ctx, pkiPage(in.Marker, in.PageSize, in.AscendingOrder))
	return &iot.ListCertificatesResponse{Certificates: a.certificates(certs), NextMarker: next}, err
}

// ListCertificatesByCA lists the certificates registered under a CA.
func (a *IoT) ListCertificatesByCA(ctx context.Context, in *iot.ListCertificatesByCARequest) (*iot.ListCertificatesByCAResponse, error) {
	certs, next, err := a.PKI.ListByCA(ctx, pki.NormalID(in.CaCertificateId), pkiPage(in.Marker, in.PageSize, in.AscendingOrder))
	return &iot.ListCertificatesByCAResponse{Certificates: a.certificates(certs), NextMarker: next}, err
}

func pkiPage(marker string, size *int, ascending *bool) pki.Page {
	p := pki.Page{Marker: marker, Ascending: isTrue(ascending)}
	if size != nil {
		p.Size = *size
	}
	return p
}

func (a *IoT) certificates(certs []pki.Certificate) []iot.Certificate {
	all := make([]iot.Certificate, len(certs))
	for i, c := range certs {
		all[i] = iot.Certificate{
			CertificateArn:  a.PKI.ARN(c.ID),
			CertificateId:   string(c.ID),
			Status:          string(c.Status),
			CertificateMode: string(c.Mode),
			CreationDate:    c.Created,
		}
	}
	return all
}

// TransferCertificate offers a certificate to another account.
func (a *IoT) TransferCertificate(ctx context.Context, in *iot.TransferCertificateRequest) (*iot.TransferCertificateResponse, error) {
	arn, err := a.PKI.Transfer(ctx, pki.NormalID(in.CertificateId), in.TargetAwsAccount, in.TransferMessage)
	if err != nil {
		return nil, err
	}
	return &iot.TransferCertificateResponse{TransferredCertificateArn: arn}, nil
}

// AcceptCertificateTransfer takes a certificate that another account offers.
func (a *IoT) AcceptCertificateTransfer(ctx context.Context, in *iot.AcceptCertificateTransferRequest) error {
	return a.PKI.Accept(ctx, pki.NormalID(in.CertificateId), isTrue(in.SetAsActive))
}

// RejectCertificateTransfer sends it back.
func (a *IoT) RejectCertificateTransfer(ctx context.Context, in *iot.RejectCertificateTransferRequest) error {
	return a.PKI.Reject(ctx, pki.NormalID(in.CertificateId), in.RejectReason)
}

// CancelCertificateTransfer takes an offer back.
func (a *IoT) CancelCertificateTransfer(ctx context.Context, in *iot.CancelCertificateTransferRequest) error {
	return a.PKI.Cancel(ctx, pki.NormalID(in.CertificateId))
}

// ListOutgoingCertificates lists the offers that wait for an answer.
func (a *IoT) ListOutgoingCertificates(ctx context.Context, in *iot.ListOutgoingCertificatesRequest) (*iot.ListOutgoingCertificatesResponse, error) {
	certs, next, err := a.PKI.ListOutgoing(ctx, pkiPage(in.Marker, in.PageSize, in.AscendingOrder))
	all := make([]iot.OutgoingCertificate, len(certs))
	for i, c := range certs {
		all[i] = iot.OutgoingCertificate{
			CertificateArn:  a.PKI.ARN(c.ID),
			CertificateId:   string(c.ID),
			TransferredTo:   c.Transfer.To,
			TransferDate:    c.Transfer.Date,
			TransferMessage: c.Transfer.Message,
			CreationDate:    c.Created,
		}
	}
	return &iot.ListOutgoingCertificatesResponse{OutgoingCertificates: all, NextMarker: next}, err
}
