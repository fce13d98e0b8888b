package api

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkiot "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// ownCA is a fleet owner's certificate authority.
type ownCA struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newOwnCA(t *testing.T) ownCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "factory"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	c := ownCA{template, key}
	c.cert = c.issue(t, template, key.Public())
	return c
}

func (c ownCA) issue(t *testing.T, template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, public, c.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (c ownCA) leaf(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf(c.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, key.Public()))
}

func pemOf(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// The life of a certificate that we make.
func TestCertificateOperations(t *testing.T) {
	f := openIdentityFront(t)
	client, ctx := f.iot(), t.Context()
	made, err := client.CreateKeysAndCertificate(ctx, &sdkiot.CreateKeysAndCertificateInput{SetAsActive: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair([]byte(*made.CertificatePem), []byte(*made.KeyPair.PrivateKey)); err != nil {
		t.Error(err)
	}
	described, err := client.DescribeCertificate(ctx, &sdkiot.DescribeCertificateInput{CertificateId: made.CertificateId})
	if err != nil {
		t.Fatal(err)
	}
	d := described.CertificateDescription
	want := types.CertificateDescription{
		CertificateArn: made.CertificateArn, CertificateId: made.CertificateId, CertificatePem: made.CertificatePem,
		Status: types.CertificateStatusActive, OwnedBy: aws.String("111122223333"), CustomerVersion: aws.Int32(1),
		CertificateMode: types.CertificateModeDefault,
		CreationDate:    d.CreationDate, LastModifiedDate: d.CreationDate, GenerationId: d.GenerationId, Validity: d.Validity,
	}
	if diff := cmp.Diff(want, *d, cmpopts.IgnoreUnexported(types.CertificateDescription{}, types.CertificateValidity{})); diff != "" {
		t.Error(diff)
	}
	if end := d.Validity.NotAfter.Unix(); end != time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC).Unix() {
		t.Error(d.Validity.NotAfter)
	}
	remove := func(id *string) error {
		_, err := client.DeleteCertificate(ctx, &sdkiot.DeleteCertificateInput{CertificateId: id})
		return err
	}
	set := func(status types.CertificateStatus) error {
		_, err := client.UpdateCertificate(ctx, &sdkiot.UpdateCertificateInput{CertificateId: made.CertificateId, NewStatus: status})
		return err
	}
	wantException(t, remove(made.CertificateId), "CertificateStateException")
	wantException(t, set(types.CertificateStatusPendingTransfer), "CertificateStateException")
	wantException(t, set(types.CertificateStatusInactive), "")
	list, err := client.ListCertificates(ctx, &sdkiot.ListCertificatesInput{PageSize: aws.Int32(1), AscendingOrder: true})
	if err != nil || len(list.Certificates) != 1 || list.Certificates[0].Status != types.CertificateStatusInactive || list.NextMarker != nil {
		t.Error(list, err)
	}
	wantException(t, remove(made.CertificateId), "")
	wantException(t, remove(made.CertificateId), "ResourceNotFoundException")
	wantException(t, remove(aws.String("short")), "InvalidRequestException")
}

func TestRegisterCertificateOperations(t *testing.T) {
	f := openIdentityFront(t)
	client, ctx := f.iot(), t.Context()
	own := newOwnCA(t)
	code, err := client.GetRegistrationCode(ctx, &sdkiot.GetRegistrationCodeInput{})
	if err != nil {
		t.Fatal(err)
	}
	ca, err := client.RegisterCACertificate(ctx, &sdkiot.RegisterCACertificateInput{
		CaCertificate: aws.String(pemOf(own.cert)), VerificationCertificate: aws.String(own.leaf(t, *code.RegistrationCode)),
		SetAsActive: true, AllowAutoRegistration: true,
		RegistrationConfig: &types.RegistrationConfig{TemplateName: aws.String("factory")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("ok/CA described", func(t *testing.T) {
		got, err := client.DescribeCACertificate(ctx, &sdkiot.DescribeCACertificateInput{CertificateId: ca.CertificateId})
		if err != nil {
			t.Fatal(err)
		}
		c := got.CertificateDescription
		if c.Status != types.CACertificateStatusActive || c.AutoRegistrationStatus != types.AutoRegistrationStatusEnable ||
			*c.CertificatePem != pemOf(own.cert) || *got.RegistrationConfig.TemplateName != "factory" {
			t.Errorf("%+v %+v", c, got.RegistrationConfig)
		}
	})
	t.Run("ok/certificate of the CA", func(t *testing.T) {
		if _, err := client.RegisterCertificate(ctx, &sdkiot.RegisterCertificateInput{CertificatePem: aws.String(own.leaf(t, "d1")), Status: types.CertificateStatusActive}); err != nil {
			t.Fatal(err)
		}
		byCA, err := client.ListCertificatesByCA(ctx, &sdkiot.ListCertificatesByCAInput{CaCertificateId: ca.CertificateId})
		if err != nil || len(byCA.Certificates) != 1 || byCA.Certificates[0].Status != types.CertificateStatusActive {
			t.Error(byCA, err)
		}
	})
	t.Run("ok/chain without a CA, and again", func(t *testing.T) {
		chain := own.leaf(t, "d2") + pemOf(own.cert)
		made, err := client.RegisterCertificateWithoutCA(ctx, &sdkiot.RegisterCertificateWithoutCAInput{CertificatePem: &chain})
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.DescribeCertificate(ctx, &sdkiot.DescribeCertificateInput{CertificateId: made.CertificateId})
		if err != nil || *got.CertificateDescription.CertificatePem != chain {
			t.Error("the chain came back changed", err)
		}
		_, err = client.RegisterCertificateWithoutCA(ctx, &sdkiot.RegisterCertificateWithoutCAInput{CertificatePem: &chain})
		var taken *types.ResourceAlreadyExistsException
		if !errors.As(err, &taken) || *taken.ResourceId != *made.CertificateId || *taken.ResourceArn != *made.CertificateArn {
			t.Error(err)
		}
	})
	t.Run("refused/status that only the server gives", func(t *testing.T) {
		leaf := own.leaf(t, "d3")
		_, err := client.RegisterCertificateWithoutCA(ctx, &sdkiot.RegisterCertificateWithoutCAInput{CertificatePem: &leaf, Status: types.CertificateStatusPendingActivation})
		wantException(t, err, "CertificateStateException")
	})
	t.Run("ok/CA goes once it is inactive", func(t *testing.T) {
		remove := func() error {
			_, err := client.DeleteCACertificate(ctx, &sdkiot.DeleteCACertificateInput{CertificateId: ca.CertificateId})
			return err
		}
		wantException(t, remove(), "CertificateStateException")
		_, err := client.UpdateCACertificate(ctx, &sdkiot.UpdateCACertificateInput{CertificateId: ca.CertificateId, NewStatus: types.CACertificateStatusInactive, RemoveAutoRegistration: true})
		wantException(t, err, "")
		wantException(t, remove(), "")
		all, err := client.ListCACertificates(ctx, &sdkiot.ListCACertificatesInput{})
		if err != nil || len(all.Certificates) != 0 {
			t.Error(all, err)
		}
	})
}

func TestCreateCertificateFromCsr(t *testing.T) {
	f := openIdentityFront(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "d"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, csr, exception string }{
		{"ok/P-256", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), ""},
		{"refused/no request", "hello", "InvalidRequestException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := f.iot().CreateCertificateFromCsr(t.Context(), &sdkiot.CreateCertificateFromCsrInput{CertificateSigningRequest: &test.csr})
			wantException(t, err, test.exception)
		})
	}
}

func TestCertificateTransferOperations(t *testing.T) {
	f := openIdentityFront(t)
	client, ctx := f.iot(), t.Context()
	made, err := client.CreateKeysAndCertificate(ctx, &sdkiot.CreateKeysAndCertificateInput{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.TransferCertificate(ctx, &sdkiot.TransferCertificateInput{CertificateId: made.CertificateId, TargetAwsAccount: aws.String("444455556666")})
	wantException(t, err, "ResourceNotFoundException") // nobody else lives here
	_, err = client.CancelCertificateTransfer(ctx, &sdkiot.CancelCertificateTransferInput{CertificateId: made.CertificateId})
	wantException(t, err, "TransferAlreadyCompletedException")
	all, err := client.ListOutgoingCertificates(ctx, &sdkiot.ListOutgoingCertificatesInput{})
	if err != nil || len(all.OutgoingCertificates) != 0 {
		t.Error(all, err)
	}
}

func TestCertificateProviderOperations(t *testing.T) {
	f := openIdentityFront(t)
	client, ctx := f.iot(), t.Context()
	name, function := aws.String("signer"), aws.String("arn:aws:lambda:us-east-1:111122223333:function:sign")
	_, err := client.CreateCertificateProvider(ctx, &sdkiot.CreateCertificateProviderInput{CertificateProviderName: name, LambdaFunctionArn: function,
		AccountDefaultForOperations: []types.CertificateProviderOperation{types.CertificateProviderOperationCreateCertificateFromCsr}})
	wantException(t, err, "")
	got, err := client.DescribeCertificateProvider(ctx, &sdkiot.DescribeCertificateProviderInput{CertificateProviderName: name})
	if err != nil || *got.LambdaFunctionArn != *function || *got.CertificateProviderArn != "arn:aws:iot:us-east-1:111122223333:certificateprovider/signer" {
		t.Error(got, err)
	}
	list := f.get(t, "/certificate-providers/") // as boto3 asks; the slash is AWS's
	if want := `{"certificateProviders":[{"certificateProviderName":"signer","certificateProviderArn":"arn:aws:iot:us-east-1:111122223333:certificateprovider/signer"}]}`; list != want {
		t.Error(list)
	}
	_, err = client.DeleteCertificateProvider(ctx, &sdkiot.DeleteCertificateProviderInput{CertificateProviderName: name})
	wantException(t, err, "")
	_, err = client.DescribeCertificateProvider(ctx, &sdkiot.DescribeCertificateProviderInput{CertificateProviderName: name})
	wantException(t, err, "ResourceNotFoundException")
}
