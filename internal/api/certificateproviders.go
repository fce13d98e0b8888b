package api

import (
	"context"
	"slices"

	"thingd/internal/aws/iot"
	"thingd/internal/pki"
)

// CreateCertificateProvider adds a certificate provider.
func (a *IoT) CreateCertificateProvider(ctx context.Context, in *iot.CreateCertificateProviderRequest) (*iot.CreateCertificateProviderResponse, error) {
	p, err := a.PKI.CreateProvider(ctx, pki.Provider{
		Name: in.CertificateProviderName, LambdaARN: in.LambdaFunctionArn, Operations: in.AccountDefaultForOperations,
	})
	if err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := a.Registry.TagResource(ctx, a.PKI.ProviderARN(p.Name), tagsIn(in.Tags)); err != nil {
			return nil, err
		}
	}
	return &iot.CreateCertificateProviderResponse{
		CertificateProviderName: p.Name,
		CertificateProviderArn:  a.PKI.ProviderARN(p.Name),
	}, nil
}

// DescribeCertificateProvider gives a certificate provider.
func (a *IoT) DescribeCertificateProvider(ctx context.Context, in *iot.DescribeCertificateProviderRequest) (*iot.DescribeCertificateProviderResponse, error) {
	p, err := a.PKI.DescribeProvider(ctx, in.CertificateProviderName)
	if err != nil {
		return nil, err
	}
	return &iot.DescribeCertificateProviderResponse{
		CertificateProviderName:     p.Name,
		CertificateProviderArn:      a.PKI.ProviderARN(p.Name),
		LambdaFunctionArn:           p.LambdaARN,
		AccountDefaultForOperations: p.Operations,
		CreationDate:                p.Created,
		LastModifiedDate:            p.Modified,
	}, nil
}

// UpdateCertificateProvider changes a certificate provider.
func (a *IoT) UpdateCertificateProvider(ctx context.Context, in *iot.UpdateCertificateProviderRequest) (*iot.UpdateCertificateProviderResponse, error) {
	name := in.CertificateProviderName
	if err := a.PKI.UpdateProvider(ctx, name, in.LambdaFunctionArn, in.AccountDefaultForOperations); err != nil {
		return nil, err
	}
	return &iot.UpdateCertificateProviderResponse{CertificateProviderName: name, CertificateProviderArn: a.PKI.ProviderARN(name)}, nil
}

// DeleteCertificateProvider deletes a certificate provider.
func (a *IoT) DeleteCertificateProvider(ctx context.Context, in *iot.DeleteCertificateProviderRequest) (*iot.DeleteCertificateProviderResponse, error) {
	name := in.CertificateProviderName
	if err := a.PKI.DeleteProvider(ctx, name); err != nil {
		return nil, err
	}
	return &iot.DeleteCertificateProviderResponse{}, a.Registry.ForgetTags(ctx, a.PKI.ProviderARN(name))
}

// ListCertificateProviders lists all certificate providers by name; an account
// has too few for pages.
func (a *IoT) ListCertificateProviders(ctx context.Context, in *iot.ListCertificateProvidersRequest) (*iot.ListCertificateProvidersResponse, error) {
	providers, err := a.PKI.ListProviders(ctx)
	all := make([]iot.CertificateProviderSummary, len(providers))
	for i, p := range providers {
		all[i] = iot.CertificateProviderSummary{CertificateProviderName: p.Name, CertificateProviderArn: a.PKI.ProviderARN(p.Name)}
	}
	if isFalse(in.AscendingOrder) {
		slices.Reverse(all)
	}
	return &iot.ListCertificateProvidersResponse{CertificateProviders: all}, err
}
