package api

import (
	"context"
	"errors"

	"thingd/internal/authorizer"
	"thingd/internal/aws/iot"
	"thingd/internal/fault"
)

// CreateDomainConfiguration makes a domain configuration.
func (a *IoT) CreateDomainConfiguration(ctx context.Context, in *iot.CreateDomainConfigurationRequest) (*iot.CreateDomainConfigurationResponse, error) {
	d := authorizer.Domain{
		Name: in.DomainConfigurationName, DomainName: in.DomainName, ServerCertificates: in.ServerCertificateArns,
		ValidationCertificateARN: in.ValidationCertificateArn, Authorizer: domainDefault(in.AuthorizerConfig),
		ServiceType: in.ServiceType, OCSP: ocspIn(in.ServerCertificateConfig),
		AuthenticationType: in.AuthenticationType, ApplicationProtocol: in.ApplicationProtocol,
	}
	if in.TlsConfig != nil {
		d.SecurityPolicy = in.TlsConfig.SecurityPolicy
	}
	if in.ClientCertificateConfig != nil {
		d.CertificateCallbackARN = in.ClientCertificateConfig.ClientCertificateCallbackArn
	}
	d, err := a.Authorizers.CreateDomain(ctx, d, tagsIn(in.Tags))
	return &iot.CreateDomainConfigurationResponse{DomainConfigurationName: d.Name, DomainConfigurationArn: a.Authorizers.DomainARN(d)}, err
}

func domainDefault(c *iot.AuthorizerConfig) *authorizer.DomainDefault {
	if c == nil {
		return nil
	}
	return &authorizer.DomainDefault{Name: c.DefaultAuthorizerName, AllowOverride: isTrue(c.AllowAuthorizerOverride)}
}

func ocspIn(c *iot.ServerCertificateConfig) *authorizer.OCSP {
	if c == nil {
		return nil
	}
	return &authorizer.OCSP{Enabled: c.EnableOCSPCheck, LambdaARN: c.OcspLambdaArn, AuthorizedResponders: c.OcspAuthorizedResponderArn}
}

// DescribeDomainConfiguration gives a domain configuration.
func (a *IoT) DescribeDomainConfiguration(ctx context.Context, in *iot.DescribeDomainConfigurationRequest) (*iot.DescribeDomainConfigurationResponse, error) {
	d, err := a.Authorizers.Domain(ctx, in.DomainConfigurationName)
	if err != nil {
		return nil, err
	}
	out := &iot.DescribeDomainConfigurationResponse{
		DomainConfigurationName: d.Name, DomainConfigurationArn: a.Authorizers.DomainARN(d), DomainName: d.DomainName,
		ServerCertificates: []iot.ServerCertificateSummary{}, DomainConfigurationStatus: "ENABLED",
		ServiceType: d.ServiceType, DomainType: domainType(d), LastStatusChangeDate: d.StatusChanged,
		AuthenticationType: d.AuthenticationType, ApplicationProtocol: d.ApplicationProtocol,
	}
	if d.Disabled {
		out.DomainConfigurationStatus = "DISABLED"
	}
	for _, arn := range d.ServerCertificates {
		out.ServerCertificates = append(out.ServerCertificates, a.serverCertificate(d, arn))
	}
	fillDomain(out, d)
	return out, nil
}

func (a *IoT) serverCertificate(d authorizer.Domain, arn string) iot.ServerCertificateSummary {
	out := iot.ServerCertificateSummary{ServerCertificateArn: arn, ServerCertificateStatus: iot.ServerCertificateStatusValid}
	if err := a.Authorizers.CertificateProblem(d, arn); err != nil {
		out.ServerCertificateStatus, out.ServerCertificateStatusDetail = iot.ServerCertificateStatusInvalid, words(err)
	}
	return out
}

// words gives a fault's text without its code.
func words(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return err.Error()
}

// fillDomain adds what a domain configuration may lack.
func fillDomain(out *iot.DescribeDomainConfigurationResponse, d authorizer.Domain) {
	if z := d.Authorizer; z != nil {
		out.AuthorizerConfig = &iot.AuthorizerConfig{DefaultAuthorizerName: z.Name, AllowAuthorizerOverride: &z.AllowOverride}
	}
	if d.SecurityPolicy != "" {
		out.TlsConfig = &iot.TlsConfig{SecurityPolicy: d.SecurityPolicy}
	}
	if o := d.OCSP; o != nil {
		out.ServerCertificateConfig = &iot.ServerCertificateConfig{
			EnableOCSPCheck: o.Enabled, OcspLambdaArn: o.LambdaARN, OcspAuthorizedResponderArn: o.AuthorizedResponders,
		}
	}
	if d.CertificateCallbackARN != "" {
		out.ClientCertificateConfig = &iot.ClientCertificateConfig{ClientCertificateCallbackArn: d.CertificateCallbackARN}
	}
}

func domainType(d authorizer.Domain) string {
	switch {
	case d.IsOwn():
		return "ENDPOINT"
	case d.DomainName == "":
		return "AWS_MANAGED"
	}
	return "CUSTOMER_MANAGED"
}

// UpdateDomainConfiguration changes a domain configuration.
func (a *IoT) UpdateDomainConfiguration(ctx context.Context, in *iot.UpdateDomainConfigurationRequest) (*iot.UpdateDomainConfigurationResponse, error) {
	u := authorizer.DomainUpdate{
		Authorizer: domainDefault(in.AuthorizerConfig), RemoveAuthorizer: isTrue(in.RemoveAuthorizerConfig),
		Status: in.DomainConfigurationStatus, OCSP: ocspIn(in.ServerCertificateConfig),
		AuthenticationType: in.AuthenticationType, ApplicationProtocol: in.ApplicationProtocol,
	}
	if in.TlsConfig != nil {
		u.SecurityPolicy = in.TlsConfig.SecurityPolicy
	}
	if in.ClientCertificateConfig != nil {
		u.CertificateCallbackARN = in.ClientCertificateConfig.ClientCertificateCallbackArn
	}
	d, err := a.Authorizers.UpdateDomain(ctx, in.DomainConfigurationName, u)
	return &iot.UpdateDomainConfigurationResponse{DomainConfigurationName: d.Name, DomainConfigurationArn: a.Authorizers.DomainARN(d)}, err
}

// DeleteDomainConfiguration deletes a domain configuration.
func (a *IoT) DeleteDomainConfiguration(ctx context.Context, in *iot.DeleteDomainConfigurationRequest) (*iot.DeleteDomainConfigurationResponse, error) {
	return &iot.DeleteDomainConfigurationResponse{}, a.Authorizers.DeleteDomain(ctx, in.DomainConfigurationName)
}

// ListDomainConfigurations lists domain configurations.
func (a *IoT) ListDomainConfigurations(ctx context.Context, in *iot.ListDomainConfigurationsRequest) (*iot.ListDomainConfigurationsResponse, error) {
	domains, next, err := a.Authorizers.Domains(ctx, in.ServiceType, page(in.Marker, in.PageSize))
	all := make([]iot.DomainConfigurationSummary, len(domains))
	for i, d := range domains {
		all[i] = iot.DomainConfigurationSummary{
			DomainConfigurationName: d.Name, DomainConfigurationArn: a.Authorizers.DomainARN(d), ServiceType: d.ServiceType,
		}
	}
	return &iot.ListDomainConfigurationsResponse{DomainConfigurations: all, NextMarker: next}, err
}
