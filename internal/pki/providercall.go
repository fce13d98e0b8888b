package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"thingd/internal/fault"
)

const (
	// providerTimeout bounds the answer of a certificate provider. AWS tells no
	// figure; its other functions have five seconds, and a CA behind this one may
	// need a few of its own (unconfirmed).
	providerTimeout = 10 * time.Second

	// askedAtOnce bounds the questions under way: a fleet that comes to life must
	// not bury the provider. Who finds no place waits.
	askedAtOnce = 32

	signFromCSR = "CreateCertificateFromCsr" // the one operation that providers serve
)

// Functions calls functions; function.Caller does.
type Functions interface {
	// Call sends event to a function and gives the answer, which must come within
	// limit.
	Call(ctx context.Context, functionARN string, event []byte, limit time.Duration) ([]byte, error)
}

// Requester is who asks with CreateCertificateFromCsr.
type Requester struct {
	PrincipalID string // a certificate's ID, or an IAM identity's unique ID
	ClientID    string // over MQTT; "" over HTTPS
}

// providerFor finds the provider that signs for a requester; found is false where
// we sign ourselves.
func (s *Service) providerFor(ctx context.Context, r *Requester) (p Provider, found bool, err error) {
	if r == nil {
		return Provider{}, false, nil
	}
	all, err := s.ListProviders(ctx)
	i := slices.IndexFunc(all, func(p Provider) bool { return slices.Contains(p.Operations, signFromCSR) })
	if err != nil || i < 0 {
		return Provider{}, false, err
	}
	return all[i], true, nil
}

// providerEvent is what a certificate provider's function is told; the names of
// the members are AWS's (unconfirmed).
type providerEvent struct {
	CSR         string `json:"certificateSigningRequest"`
	PrincipalID string `json:"principalId"`
	ClientID    string `json:"clientId"`
}

// askProvider has the account's provider sign a request. The certificate may
// carry its chain; the text is kept and told byte for byte. Whatever goes wrong
// on the provider's side is ServiceUnavailable: the request was fine, and may be
// sent again when the provider has been mended (unconfirmed).
func (s *Service) askProvider(ctx context.Context, p Provider, csr string, key crypto.PublicKey, r Requester) (text string, leaf *x509.Certificate, err error) {
	if text, err = s.callProvider(ctx, p, providerEvent{csr, r.PrincipalID, r.ClientID}); err == nil {
		leaf, err = s.provided(text, key)
	}
	if err != nil {
		err = fault.New(fault.CodeServiceUnavailable, "Certificate provider %s did not issue a certificate: %s", p.Name, reason(err)).Because(err)
	}
	return text, leaf, err
}

// reason is what an error says to callers.
func reason(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return err.Error()
}

func (s *Service) callProvider(ctx context.Context, p Provider, event providerEvent) (string, error) {
	if s.functions == nil {
		return "", fmt.Errorf("no function is configured for %s", p.LambdaARN)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return "", err
	}
	select {
	case s.asking <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-s.asking }()
	text, err := s.functions.Call(ctx, p.LambdaARN, payload, providerTimeout)
	if err != nil {
		return "", err
	}
	var answer struct {
		PEM string `json:"certificatePem"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.PEM == "" {
		return "", errors.New("its answer is not JSON with a certificatePem")
	}
	return answer.PEM, nil
}

// provided checks what a provider has signed: a certificate for the key that was
// asked for, which can be registered and has not expired.
func (s *Service) provided(text string, key crypto.PublicKey) (*x509.Certificate, error) {
	leaf, err := parseLeaf(text)
	if err != nil {
		return nil, err
	}
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !public.Equal(key):
		return nil, errors.New("the certificate is for another key than the signing request")
	case !s.now().Before(leaf.NotAfter):
		return nil, errors.New("the certificate has expired")
	}
	return leaf, nil
}
