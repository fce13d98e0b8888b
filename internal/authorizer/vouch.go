package authorizer

import (
	"context"
	"encoding/json"
	"time"

	"thingd/internal/fault"
)

// functionLimit is how long AWS waits for an authorizer's function.
const functionLimit = 5 * time.Second

// callsMax bounds the calls under way: anybody can cause one. Who finds no room
// waits for as long as a call may take, and is refused then.
const callsMax = 512

// Vouch asks the authorizer that the offer is for. An error is a refusal, in
// words for the operator: the client is told nothing. Unauthorized means that the
// function said no.
func (s *Service) Vouch(ctx context.Context, o Offer) (Verdict, error) {
	a, err := s.meant(ctx, o)
	if err != nil {
		return Verdict{}, err
	}
	if a.Status != Active {
		return Verdict{}, fault.InvalidRequest("authorizer %s is INACTIVE", a.Name)
	}
	v, err := s.ask(ctx, a, o, o.value(a.TokenKeyName), o.value(SignatureKey))
	if err != nil {
		return Verdict{}, err
	}
	if !v.Authenticated {
		return Verdict{}, fault.New(fault.CodeUnauthorized, "authorizer %s answered that the client is not authenticated", a.Name)
	}
	return v, nil
}

// Expects says whether a client that brings neither a certificate nor a
// signature is meant for an authorizer: it names one, or there is a default.
func (s *Service) Expects(ctx context.Context, o Offer) (bool, error) {
	if o.Names() {
		return true, nil
	}
	name, err := s.defaultFor(ctx, o.ServerName)
	return name != "", err
}

// meant finds the authorizer: the one that is named, else the domain's, else the
// account's.
func (s *Service) meant(ctx context.Context, o Offer) (Authorizer, error) {
	name := o.value(NameKey)
	if d, ok := s.DomainOf(o.ServerName); ok && d.Authorizer != nil && d.Authorizer.Name != "" {
		if name != "" && name != d.Authorizer.Name && !d.Authorizer.AllowOverride {
			return Authorizer{}, fault.InvalidRequest("domain configuration %s does not let clients name an authorizer, and %s was named", d.Name, name)
		}
	}
	if name == "" {
		var err error
		if name, err = s.defaultFor(ctx, o.ServerName); err != nil {
			return Authorizer{}, err
		}
	}
	if name == "" {
		return Authorizer{}, fault.NotFound("the client names no authorizer, and there is no default one")
	}
	return s.Describe(ctx, name)
}

func (s *Service) defaultFor(ctx context.Context, server string) (name string, err error) {
	if d, ok := s.DomainOf(server); ok && d.Authorizer != nil && d.Authorizer.Name != "" {
		return d.Authorizer.Name, nil
	}
	err = s.store.View(ctx, func(tx Tx) error {
		name, err = tx.DefaultAuthorizer()
		return err
	})
	return name, err
}

// Test asks an authorizer, active or not, without a connection, AWS operation
// TestInvokeAuthorizer. That it says no is no error here.
func (s *Service) Test(ctx context.Context, name, token, signature string, o Offer) (Verdict, error) {
	a, err := s.Describe(ctx, name)
	if err != nil {
		return Verdict{}, err
	}
	return s.ask(ctx, a, o, token, signature)
}

// ask verifies the token, calls the function and reads its answer.
func (s *Service) ask(ctx context.Context, a Authorizer, o Offer, token, signature string) (Verdict, error) {
	if !a.SigningDisabled {
		if err := a.verify(token, signature); err != nil {
			return Verdict{}, err
		}
	}
	text, err := json.Marshal(o.event(token, !a.SigningDisabled, s.newID()))
	if err != nil {
		return Verdict{}, err
	}
	answer, err := s.call(ctx, a.FunctionARN, text)
	if err != nil {
		return Verdict{}, err
	}
	v, err := readVerdict(answer)
	if err != nil {
		return Verdict{}, fault.New(fault.CodeInvalidResponse, "the function of authorizer %s answered wrongly: %s", a.Name, err)
	}
	v.Authorizer, v.CachingForHTTP, v.tokenKey = a.Name, a.CachingForHTTP, a.TokenKeyName
	return v, nil
}

// call calls a function when there is room for it.
func (s *Service) call(ctx context.Context, function string, event []byte) ([]byte, error) {
	wait, cancel := context.WithTimeout(ctx, functionLimit)
	defer cancel()
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
		return s.functions.Call(ctx, function, event, functionLimit)
	case <-wait.Done():
		return nil, fault.New(fault.CodeThrottling, "%d calls of authorizers are under way already", callsMax)
	}
}
