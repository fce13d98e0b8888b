package credentials

import (
	"context"

	"thingd/internal/access"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// provider is whom a role must trust.
const provider = "credentials.iot.amazonaws.com"

// assumeAction is what an IoT policy must allow on the role alias.
const assumeAction = "iot:AssumeRoleWithCertificate"

// The condition keys that IAM policies of the role can ask for.
const (
	KeyThingName     = "credentials-iot:ThingName"     // where the device says which thing it is
	KeyThingTypeName = "credentials-iot:ThingTypeName" // and that has a type
	KeyCertificateID = "credentials-iot:AwsCertificateId"
)

// Order asks for credentials on behalf of a device.
type Order struct {
	Principal policy.Principal // by certificate, which was found to be active
	Alias     string
	ThingName string // the thing that the device says it is; "" if it does not say

	// Holds says whether the certificate is still active. It is asked once the
	// session is open: whoever ended the sessions of a certificate that was
	// deactivated meanwhile may not have seen this one, and then nobody is told
	// its secret. nil: it is.
	Holds func() bool
}

// Assume gives a device credentials of the role behind an alias. The checks come
// in AWS's order: the thing, the IoT policies, the alias, the role. A refusal
// is a fault in AWS's words, with an event that tells the operator why; whoever
// records it adds when and from where it came.
func (s *Service) Assume(ctx context.Context, o Order) (iam.Credentials, *why.Event, error) {
	if event, err := s.authorize(ctx, o); err != nil {
		return iam.Credentials{}, event, err
	}
	alias, found, err := s.alias(ctx, o.Alias)
	if err != nil {
		return iam.Credentials{}, nil, err
	}
	if !found {
		return refused(fault.NotFound("Role alias does not exist"), s.event(o, why.RoleAliasMissing, why.Phrase{}))
	}
	return s.openSession(ctx, o, alias)
}

// refused is the answer to a device that gets nothing.
func refused(err error, event *why.Event) (iam.Credentials, *why.Event, error) {
	return iam.Credentials{}, event, err
}

func (s *Service) event(o Order, cause why.Cause, detail why.Phrase) *why.Event {
	event := &why.Event{
		Step: why.StepHTTP, Cause: cause, Principal: o.Principal.ID,
		Action: assumeAction, Resource: s.ARN(o.Alias),
	}
	event.Because(detail)
	return event
}

// authorize asks the IoT policies. They do not get to see a thing that the
// certificate is not attached to.
func (s *Service) authorize(ctx context.Context, o Order) (*why.Event, error) {
	subject, err := s.access.Open(ctx, access.Connection{Principal: o.Principal, ThingName: o.ThingName})
	if err != nil {
		return nil, err
	}
	defer subject.Close()
	if subject.ThingName() != o.ThingName {
		detail := why.Say("the request says that the device is thing %q", o.ThingName)
		return s.event(o, why.ThingNotAttached, detail), denied("Invalid thing name passed")
	}
	if subject.AllowsNamed(assumeAction, "rolealias/", o.Alias) {
		return nil, nil
	}
	event := s.event(o, why.PolicyImplicitDeny, why.Phrase{})
	subject.Explain(assumeAction, "rolealias/"+o.Alias).Tell(event)
	return event, denied("Access Denied")
}

func denied(message string) error { return fault.New(fault.CodeAccessDenied, "%s", message) }

func (s *Service) alias(ctx context.Context, name string) (alias RoleAlias, found bool, err error) {
	err = s.store.View(ctx, func(tx Tx) (err error) {
		alias, found, err = tx.RoleAlias(name)
		return err
	})
	return alias, found, err
}

func (s *Service) openSession(ctx context.Context, o Order, alias RoleAlias) (iam.Credentials, *why.Event, error) {
	keys, err := s.keys(ctx, o)
	if err != nil {
		return iam.Credentials{}, nil, err
	}
	session, err := s.iam.AssumeForService(ctx, iam.ServiceOrder{
		RoleARN: alias.RoleARN, Service: provider, SourceARN: s.ARN(o.Alias), SessionName: o.Principal.ID, Duration: alias.Duration,
		Context: keys, Certificate: o.Principal.ID,
	})
	if fault.Is(err, fault.CodeInvalidRequest) {
		return refused(err, s.event(o, why.RoleRefused, s.explainRole(ctx, alias)))
	}
	if err == nil && o.Holds != nil && !o.Holds() {
		return refused(NotOnThisEndpoint(), s.event(o, why.CertificateWithdrawn, why.Phrase{}))
	}
	return session, nil, err
}

// NotOnThisEndpoint is what a device reads whose certificate is unknown or not
// active.
func NotOnThisEndpoint() error { return denied("Certificate is invalid on this endpoint") }

// keys are what IAM policies can ask of the session.
func (s *Service) keys(ctx context.Context, o Order) (policy.Values, error) {
	keys := policy.Values{}
	keys.Set(KeyCertificateID, o.Principal.ID)
	if o.ThingName == "" {
		return keys, nil
	}
	keys.Set(KeyThingName, o.ThingName)
	thingType, err := s.thingType(ctx, o.ThingName)
	if err == nil && thingType != "" {
		keys.Set(KeyThingTypeName, thingType)
	}
	return keys, err
}

// explainRole says for the operator what AWS keeps to itself: which of the
// reasons it is. It reads the role again, so it can be wrong where the role was
// changed this very moment.
func (s *Service) explainRole(ctx context.Context, alias RoleAlias) why.Phrase {
	role, found, err := s.iam.RoleByARN(ctx, alias.RoleARN)
	switch {
	case err != nil:
		return why.Say("the role could not be read: %v", err)
	case !found:
		return why.Say("there is no role %s", alias.RoleARN)
	case alias.Duration > role.SessionMax:
		return why.Say("the alias gives sessions of %v, and role %s allows at most %v", alias.Duration, role.Name, role.SessionMax)
	}
	return why.Say("the trust policy of role %s does not let %s do sts:AssumeRole", role.Name, provider)
}
