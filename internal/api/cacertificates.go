package api

import (
	"context"

	"thingd/internal/aws/iot"
	"thingd/internal/pki"
)

// GetRegistrationCode gives the code that a CA's owner signs as proof.
func (a *IoT) GetRegistrationCode(ctx context.Context, _ *iot.GetRegistrationCodeRequest) (*iot.GetRegistrationCodeResponse, error) {
	code, err := a.PKI.RegistrationCode(ctx)
	return &iot.GetRegistrationCodeResponse{RegistrationCode: code}, err
}

// DeleteRegistrationCode forgets the code.
func (a *IoT) DeleteRegistrationCode(ctx context.Context, _ *iot.DeleteRegistrationCodeRequest) (*iot.DeleteRegistrationCodeResponse, error) {
	return &iot.DeleteRegistrationCodeResponse{}, a.PKI.DeleteRegistrationCode(ctx)
}

// RegisterCACertificate registers a CA.
func (a *IoT) RegisterCACertificate(ctx context.Context, in *iot.RegisterCACertificateRequest) (*iot.RegisterCACertificateResponse, error) {
	ca, err := a.PKI.RegisterCA(ctx, pki.CAOrder{
		PEM:              in.CaCertificate,
		Verification:     in.VerificationCertificate,
		Mode:             pki.Mode(in.CertificateMode),
		Active:           isTrue(in.SetAsActive),
		AutoRegistration: isTrue(in.AllowAutoRegistration),
		Registration:     registrationIn(in.RegistrationConfig),
	})
	if err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := a.Registry.TagResource(ctx, a.PKI.CAARN(ca.ID), tagsIn(in.Tags)); err != nil {
			return nil, err
		}
	}
	return &iot.RegisterCACertificateResponse{CertificateArn: a.PKI.CAARN(ca.ID), CertificateId: string(ca.ID)}, nil
}

func registrationIn(c *iot.RegistrationConfig) pki.Registration {
	if c == nil {
		return pki.Registration{}
	}
	return pki.Registration{TemplateBody: c.TemplateBody, RoleARN: c.RoleArn, TemplateName: c.TemplateName}
}

// registrationOut is nil where there is no template.
func registrationOut(r pki.Registration) *iot.RegistrationConfig {
	if r == (pki.Registration{}) {
		return nil
	}
	return &iot.RegistrationConfig{TemplateBody: r.TemplateBody, RoleArn: r.RoleARN, TemplateName: r.TemplateName}
}

// DescribeCACertificate gives all that is known of a registered CA.
func (a *IoT) DescribeCACertificate(ctx context.Context, in *iot.DescribeCACertificateRequest) (*iot.DescribeCACertificateResponse, error) {
	ca, err := a.PKI.DescribeCA(ctx, pki.NormalID(in.CertificateId))
	if err != nil {
		return nil, err
	}
	return &iot.DescribeCACertificateResponse{
		CertificateDescription: &iot.CACertificateDescription{
			CertificateArn:         a.PKI.CAARN(ca.ID),
			CertificateId:          string(ca.ID),
			Status:                 caStatus(ca),
			CertificatePem:         ca.PEM,
			OwnedBy:                a.Scope.Account,
			CreationDate:           ca.Created,
			AutoRegistrationStatus: autoRegistration(ca),
			LastModifiedDate:       ca.Modified,
			CustomerVersion:        new(ca.Version),
			GenerationId:           ca.Generation,
			Validity:               &iot.CertificateValidity{NotBefore: ca.NotBefore, NotAfter: ca.NotAfter},
			CertificateMode:        string(ca.Mode),
		},
		RegistrationConfig: registrationOut(ca.Registration),
	}, nil
}

func caStatus(ca pki.CA) string {
	if ca.Active {
		return iot.CACertificateStatusActive
	}
	return iot.CACertificateStatusInactive
}

func autoRegistration(ca pki.CA) string {
	if ca.AutoRegistration {
		return iot.AutoRegistrationStatusEnable
	}
	return iot.AutoRegistrationStatusDisable
}

// UpdateCACertificate changes a registered CA.
func (a *IoT) UpdateCACertificate(ctx context.Context, in *iot.UpdateCACertificateRequest) error {
	change := pki.CAChange{RemoveRegistration: isTrue(in.RemoveAutoRegistration)}
	if in.NewStatus != "" {
		change.Active = new(in.NewStatus == iot.CACertificateStatusActive)
	}
	if in.NewAutoRegistrationStatus != "" {
		change.AutoRegistration = new(in.NewAutoRegistrationStatus == iot.AutoRegistrationStatusEnable)
	}
	if in.RegistrationConfig != nil {
		change.Registration = new(registrationIn(in.RegistrationConfig))
	}
	return a.PKI.UpdateCA(ctx, pki.NormalID(in.CertificateId), change)
}

// DeleteCACertificate deletes a registered CA.
func (a *IoT) DeleteCACertificate(ctx context.Context, in *iot.DeleteCACertificateRequest) (*iot.DeleteCACertificateResponse, error) {
	id := pki.NormalID(in.CertificateId)
	if err := a.PKI.DeleteCA(ctx, id); err != nil {
		return nil, err
	}
	return &iot.DeleteCACertificateResponse{}, a.Registry.ForgetTags(ctx, a.PKI.CAARN(id))
}

// ListCACertificates lists registered CAs in order of creation.
func (a *IoT) ListCACertificates(ctx context.Context, in *iot.ListCACertificatesRequest) (*iot.ListCACertificatesResponse, error) {
	cas, next, err := a.PKI.ListCAs(ctx, in.TemplateName, pkiPage(in.Marker, in.PageSize, in.AscendingOrder))
	all := make([]iot.CACertificate, len(cas))
	for i, ca := range cas {
		all[i] = iot.CACertificate{
			CertificateArn: a.PKI.CAARN(ca.ID),
			CertificateId:  string(ca.ID),
			Status:         caStatus(ca),
			CreationDate:   ca.Created,
		}
	}
	return &iot.ListCACertificatesResponse{Certificates: all, NextMarker: next}, err
}
