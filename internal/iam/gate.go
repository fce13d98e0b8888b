package iam

import (
	"context"
	"net/http"

	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/policy"
)

// Gate answers the AWS front's two questions about callers with access keys: who
// is it, and may it.
type Gate struct {
	service  *Service
	verifier *sigv4.Verifier
}

var (
	_ wire.Authenticator = (*Gate)(nil)
	_ wire.Authorizer    = (*Gate)(nil)
)

// NewGate makes the Gate of a Service.
func NewGate(s *Service) *Gate { return &Gate{s, sigv4.NewVerifier(s.now)} }

// Authenticate checks the signature of a request. A request without one is
// refused: other ways to prove oneself are judged before or elsewhere.
func (g *Gate) Authenticate(ctx context.Context, r *http.Request, sig *sigv4.Signature) (wire.Caller, error) {
	if sig == nil {
		parsed, err := sigv4.Parse(r)
		if err != nil {
			return wire.Caller{}, err
		}
		sig = parsed
	}
	actor, secret, err := g.service.Find(ctx, sig.AccessKeyID, sig.SessionToken)
	if err != nil {
		return wire.Caller{}, err
	}
	if err := g.verifier.Verify(sig, secret); err != nil {
		return wire.Caller{}, err
	}
	return g.caller(actor.With(about(ctx, r, sig))), nil
}

func (g *Gate) caller(a *Actor) wire.Caller {
	return wire.Caller{
		Kind: wire.AccessKey, AccountID: g.service.scope.Account,
		ARN: a.ARN, UserID: a.UserID, AccessKeyID: a.AccessKeyID, Detail: a,
	}
}

// about are the condition keys that a request brings.
func about(ctx context.Context, r *http.Request, sig *sigv4.Signature) policy.Values {
	v := policy.Values{}
	if ip := wire.SourceIP(ctx); ip != "" {
		v.Set(policy.KeySourceIP, ip)
	}
	secure := "false"
	if r.TLS != nil {
		secure = "true"
	}
	v.Set(policy.KeySecureTransport, secure)
	v.Set("aws:RequestedRegion", sig.Region)
	if agent := r.UserAgent(); agent != "" {
		v.Set(policy.KeyUserAgent, agent)
	}
	return v
}

// ActorOf gives the actor behind a caller whom a Gate let in.
func ActorOf(c wire.Caller) (*Actor, bool) {
	a, ok := c.Detail.(*Actor)
	return a, ok
}

// Authorize asks the caller's policies about every resource that the call
// touches, and about every role that it hands to a service (iam:PassRole).
func (g *Gate) Authorize(ctx context.Context, caller wire.Caller, call wire.Call) error {
	actor, ok := ActorOf(caller)
	if !ok {
		return fault.New(fault.CodeAccessDenied, "%s takes calls that are signed with an access key only", call.Action())
	}
	if actor.Kind == Root || free[call.Action()] {
		return nil
	}
	resources, err := g.service.resources(ctx, actor, call)
	if err != nil {
		return err
	}
	more := keysOf(call)
	for _, resource := range resources {
		if err := g.service.Check(ctx, actor, call.Action(), resource, more); err != nil {
			return err
		}
	}
	return g.passRoles(ctx, actor, call)
}

// free are the calls that need no permission, or find out themselves.
var free = map[string]bool{
	"sts:GetCallerIdentity": true,
	"sts:GetSessionToken":   true,
	"sts:AssumeRole":        true, // the role's trust policy has a say: see Service.AssumeRole
}

func (g *Gate) passRoles(ctx context.Context, actor *Actor, call wire.Call) error {
	for _, role := range passedRoles(call.Input) {
		if err := g.service.Check(ctx, actor, "iam:PassRole", role, passedBy(call)); err != nil {
			return err
		}
	}
	return nil
}
