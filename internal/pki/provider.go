package pki

import (
	"context"
	"slices"
	"time"

	"thingd/internal/fault"
)

// providersMax is AWS's quota of certificate providers per account (unconfirmed;
// there is one operation that a provider can serve).
const providersMax = 1

// Provider is a certificate provider: a function that signs in our place, see
// providercall.go.
type Provider struct {
	Name       string
	LambdaARN  string
	Operations []string // for which it is the account's default: CreateCertificateFromCsr
	Created    time.Time
	Modified   time.Time
}

// ProviderARN names a certificate provider.
func (s *Service) ProviderARN(name string) string { return s.scope.IoT("certificateprovider", name) }

// CreateProvider adds a provider (CreateCertificateProvider). Asking again for
// the same is fine.
func (s *Service) CreateProvider(ctx context.Context, p Provider) (Provider, error) {
	p.Created = s.timestamp()
	p.Modified = p.Created
	return p, s.store.Update(ctx, func(tx Tx) error {
		all, err := tx.Providers()
		if err != nil {
			return err
		}
		for _, other := range all {
			if other.Name == p.Name {
				return s.sameProvider(other, p)
			}
		}
		if len(all) >= providersMax {
			return fault.LimitExceeded("the account has a certificate provider already: %s", all[0].Name)
		}
		return tx.PutProvider(p)
	})
}

func (s *Service) sameProvider(have, want Provider) error {
	if have.LambdaARN == want.LambdaARN && slices.Equal(have.Operations, want.Operations) {
		return nil
	}
	return fault.AlreadyExists("Certificate provider %s already exists", have.Name).About(have.Name, s.ProviderARN(have.Name))
}

// DescribeProvider gives a provider (DescribeCertificateProvider).
func (s *Service) DescribeProvider(ctx context.Context, name string) (Provider, error) {
	var p Provider
	err := s.store.View(ctx, func(tx Tx) (err error) {
		p, err = existingProvider(tx, name)
		return err
	})
	return p, err
}

func existingProvider(tx Tx, name string) (Provider, error) {
	p, found, err := tx.Provider(name)
	if err == nil && !found {
		err = fault.NotFound("Certificate provider %s does not exist", name)
	}
	return p, err
}

// UpdateProvider changes what is not empty (UpdateCertificateProvider).
func (s *Service) UpdateProvider(ctx context.Context, name, lambdaARN string, operations []string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		p, err := existingProvider(tx, name)
		if err != nil {
			return err
		}
		if lambdaARN != "" {
			p.LambdaARN = lambdaARN
		}
		if len(operations) > 0 {
			p.Operations = operations
		}
		p.Modified = s.timestamp()
		return tx.PutProvider(p)
	})
}

// DeleteProvider removes a provider (DeleteCertificateProvider).
func (s *Service) DeleteProvider(ctx context.Context, name string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := existingProvider(tx, name); err != nil {
			return err
		}
		return tx.DeleteProvider(name)
	})
}

// ListProviders gives all providers by name (ListCertificateProviders).
func (s *Service) ListProviders(ctx context.Context) ([]Provider, error) {
	var all []Provider
	err := s.store.View(ctx, func(tx Tx) (err error) {
		all, err = tx.Providers()
		return err
	})
	return all, err
}
