package provisioning

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/lease"
	"thingd/internal/pki"
	"thingd/internal/provisioning/template"
	"thingd/internal/registry"
)

// Registered is what a template has made, or found and used.
type Registered struct {
	Thing               string            // "" for none
	CertificatePEM      string            // "" for none
	ResourceARNs        map[string]string // by logical ID
	DeviceConfiguration map[string]any
}

// RegisterThing runs a template for one device (AWS operation RegisterThing).
// What fails for the device's values is ResourceRegistrationFailure, what
// contradicts an existing resource ConflictingResourceUpdate; either way what
// was done before is taken back.
func (s *Service) RegisterThing(ctx context.Context, body string, parameters map[string]string) (Registered, error) {
	t, err := template.Parse(body, template.API)
	if err != nil {
		return Registered{}, err
	}
	plan, err := t.Evaluate(s.input(parameters))
	if err != nil {
		return Registered{}, err
	}
	return s.carryOut(ctx, plan, attempt{})
}

// attempt lets a plan that the end of the server has torn be carried out again as
// if it had never begun. The zero value is for plans that nobody comes back to.
type attempt struct {
	// Before is the certificate that the torn attempt was about to make; it may
	// have come into being or not. "": there was none.
	Before pki.CertificateID
	// Note hears of the certificate that this attempt is about to make.
	Note func(context.Context, pki.CertificateID) error
	// Held is the lease of whoever comes back. Without it no certificate is made
	// any more, and nothing taken back: another server goes on with the plan.
	Held *lease.Held
}

// undertaking is one plan on its way.
type undertaking struct {
	*Service
	plan template.Plan
	try  attempt
	done Registered
	cert pki.Certificate
	own  bool // the certificate was made for this plan

	back []func(context.Context) error // takes back what was done, in order of doing
}

// carryOut does what a plan says, all of it or nothing.
func (s *Service) carryOut(ctx context.Context, plan template.Plan, try attempt) (Registered, error) {
	if plan.Thing != nil {
		// Two devices that claim one name must not both believe that they made
		// the thing: the one that fails would take it from the other.
		defer s.names.lock(plan.Thing.Name)()
	}
	u := &undertaking{Service: s, plan: plan, try: try, done: Registered{
		ResourceARNs: map[string]string{}, DeviceConfiguration: plan.DeviceConfiguration}}
	for _, step := range []func(context.Context) error{u.certificate, u.policies, u.thing, u.attach, u.status} {
		if err := step(ctx); err != nil {
			u.takeBack(ctx)
			return Registered{}, registrationError(err)
		}
	}
	return u.done, nil
}

// takeBackTimeout bounds the way back, which is gone even when the caller has
// given up.
const takeBackTimeout = 10 * time.Second

func (u *undertaking) takeBack(ctx context.Context) {
	if u.lost(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	for _, undo := range slices.Backward(u.back) {
		if err := undo(ctx); err != nil {
			u.log.Warn("a failed registration could not be taken back wholly", "thing", u.done.Thing, "certificate", u.cert.ID, "error", err)
		}
	}
}

// lost says whether the plan is another server's now.
func (u *undertaking) lost(ctx context.Context) bool {
	if u.try.Held == nil {
		return false
	}
	err := u.store.View(context.WithoutCancel(ctx), func(tx Tx) error { return u.try.Held.Check(tx) })
	return errors.Is(err, lease.ErrLost) || errors.Is(context.Cause(ctx), lease.ErrLost)
}

func (u *undertaking) orElse(undo func(context.Context) error) { u.back = append(u.back, undo) }

// registrationError gives an error one of the codes that the operation has.
func registrationError(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	switch f.Code {
	case fault.CodeInvalidRequest, fault.CodeConflictingUpdate, fault.CodeRegistrationFailure, fault.CodeThrottling, fault.CodeServiceUnavailable:
		return f
	case fault.CodeAlreadyExists, fault.CodeConflict, fault.CodeVersionConflict, fault.CodeCertificateConflict:
		return fault.New(fault.CodeConflictingUpdate, "%s", f.Message).Because(err)
	}
	return fault.New(fault.CodeRegistrationFailure, "%s", f.Message).Because(err)
}

func conflict(format string, args ...any) error {
	return fault.New(fault.CodeConflictingUpdate, format, args...)
}

// certificate finds the certificate or makes it.
func (u *undertaking) certificate(ctx context.Context) (err error) {
	c := u.plan.Certificate
	switch {
	case c == nil:
		return nil
	case c.Request != "":
		u.cert, err = u.issue(ctx, c.Request)
		u.own = err == nil
	case c.PEM != "":
		u.cert, u.own, err = u.registerCertificate(ctx, c)
	default:
		u.cert, err = u.pki.Describe(ctx, pki.NormalID(c.ID))
	}
	if err != nil {
		return err
	}
	if u.own {
		u.orElse(u.deleteCertificate)
	}
	u.done.CertificatePEM = u.cert.PEM
	u.done.ResourceARNs[c.LogicalID] = u.pki.ARN(u.cert.ID)
	return nil
}

// issue makes the certificate of a signing request, unless a torn attempt has.
func (u *undertaking) issue(ctx context.Context, request string) (pki.Certificate, error) {
	if u.try.Before != "" {
		cert, err := u.pki.Describe(ctx, u.try.Before)
		if !fault.Is(err, fault.CodeNotFound) {
			return cert, err
		}
	}
	return u.pki.CreateFromCSR(ctx, request, pki.Order{Status: pki.Inactive, Before: u.try.Note, Fence: u.try.Held})
}

// registerCertificate registers a certificate under its CA, unless it is
// registered; own says whether this plan did, now or in a torn attempt.
func (u *undertaking) registerCertificate(ctx context.Context, c *template.Certificate) (cert pki.Certificate, own bool, err error) {
	if err := u.noteRegistration(ctx, c.PEM); err != nil {
		return cert, false, err
	}
	cert, err = u.pki.Register(ctx, c.PEM, c.CAPEM, pki.Inactive)
	if err == nil {
		return cert, true, nil
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == fault.CodeAlreadyExists {
		cert, err = u.pki.Describe(ctx, pki.CertificateID(f.ResourceID))
	}
	return cert, err == nil && cert.ID == u.try.Before, err
}

// noteRegistration notes a certificate that is not registered yet. What cannot be
// read is for Register to refuse.
func (u *undertaking) noteRegistration(ctx context.Context, text string) error {
	block, _ := pem.Decode([]byte(text))
	if u.try.Note == nil || block == nil {
		return nil
	}
	id := pki.IDOf(block.Bytes)
	_, err := u.pki.Describe(ctx, id)
	if fault.Is(err, fault.CodeNotFound) {
		err = u.try.Note(ctx, id)
	}
	return err
}

// deleteCertificate takes back the certificate that was made for this plan. One
// of a torn attempt may be ACTIVE already.
func (u *undertaking) deleteCertificate(ctx context.Context) error {
	if u.cert.Status == pki.Active {
		if err := u.pki.SetStatus(ctx, u.cert.ID, pki.Inactive); err != nil {
			return err
		}
	}
	return u.pki.Delete(ctx, u.cert.ID, true)
}

// policies makes the policies that are given by document. They are not taken
// back: whoever comes next with the same document may be using them already, and
// a policy that is attached to nothing allows nothing.
func (u *undertaking) policies(ctx context.Context) error {
	for i := range u.plan.Policies {
		p := &u.plan.Policies[i]
		isNamed := p.Document == ""
		if !isNamed {
			p.Name = policyName(p.Document)
		}
		found, err := u.access.Exists(ctx, p.Name)
		if err == nil && !found && isNamed {
			err = fault.NotFound("Policy %s does not exist", p.Name)
		}
		if err == nil && !found && !isNamed {
			err = u.createPolicy(ctx, *p)
		}
		if err != nil {
			return err
		}
		u.done.ResourceARNs[p.LogicalID] = u.access.ARN(p.Name)
	}
	return nil
}

// createPolicy makes a policy, unless somebody else has meanwhile.
func (u *undertaking) createPolicy(ctx context.Context, p template.Policy) error {
	_, err := u.access.CreatePolicy(ctx, p.Name, p.Document, nil)
	if fault.Is(err, fault.CodeAlreadyExists) {
		return nil
	}
	return err
}

// policyName names a policy after its document, so that the same document is the
// same policy. AWS's names have the form of a SHA-1.
func policyName(document string) string {
	sum := sha1.Sum([]byte(document))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// thing makes the thing, or treats the existing one as the template says.
func (u *undertaking) thing(ctx context.Context) error {
	want := u.plan.Thing
	if want == nil {
		return nil
	}
	u.done.Thing = want.Name
	u.done.ResourceARNs[want.LogicalID] = u.registry.ARN("thing", want.Name)
	have, err := u.registry.Thing(ctx, want.Name)
	if err == nil {
		return u.override(ctx, have)
	}
	if !fault.Is(err, fault.CodeNotFound) {
		return err
	}
	_, err = u.registry.CreateThing(ctx, registry.NewThing{Name: want.Name, Type: want.Type, BillingGroup: want.BillingGroup,
		Attributes: want.Attributes, Groups: want.Groups})
	if err != nil {
		return err
	}
	u.orElse(func(ctx context.Context) error { return u.registry.DeleteThing(ctx, want.Name, nil) })
	return nil
}

// override changes an existing thing as OverrideSettings say.
func (u *undertaking) override(ctx context.Context, have registry.Thing) error {
	update, err := overrideThing(have, u.plan.Thing)
	if err != nil {
		return err
	}
	if update != (registry.ThingUpdate{}) {
		if _, err := u.registry.UpdateThing(ctx, have.Name, update); err != nil {
			return err
		}
		u.orElse(func(ctx context.Context) error {
			before := registry.ThingUpdate{Type: have.Type, RemoveType: have.Type == "", Attributes: &registry.AttributePatch{Values: have.Attributes}}
			_, err := u.registry.UpdateThing(ctx, have.Name, before)
			return err
		})
	}
	return u.overrideGroups(ctx)
}

// overrideThing gives the change of an existing thing; the zero value is none.
func overrideThing(have registry.Thing, want *template.Thing) (update registry.ThingUpdate, err error) {
	if want.Attributes != nil && !includes(have.Attributes, want.Attributes, want.Override.Attributes == template.Merge) {
		switch want.Override.Attributes {
		case template.Fail:
			return update, conflict("Thing %s already exists with other attributes", have.Name)
		case template.Replace, template.Merge:
			update.Attributes = &registry.AttributePatch{Values: want.Attributes, Merge: want.Override.Attributes == template.Merge}
		}
	}
	if want.Type != "" && want.Type != have.Type {
		switch want.Override.Type {
		case template.Fail:
			return update, conflict("Thing %s already exists with another thing type", have.Name)
		case template.Replace:
			update.Type = want.Type
		}
	}
	return update, nil
}

// includes says whether attributes are as wanted: the same or, to be merged, at
// least those.
func includes(have, want map[string]string, merge bool) bool {
	if !merge {
		return maps.Equal(have, want)
	}
	for name, value := range want {
		if have[name] != value {
			return false
		}
	}
	return true
}

func (u *undertaking) overrideGroups(ctx context.Context) error {
	want := u.plan.Thing
	if want.Groups == nil || want.Override.Groups == template.Unsaid || want.Override.Groups == template.DoNothing {
		return nil
	}
	have, _, err := u.registry.ThingGroupsForThing(ctx, want.Name, registry.Page{Size: registry.PageSizeMax})
	if err != nil {
		return err
	}
	join, leave := without(want.Groups, have), without(have, want.Groups)
	if want.Override.Groups == template.Merge {
		leave = nil
	}
	if len(join)+len(leave) == 0 {
		return nil
	}
	if want.Override.Groups == template.Fail {
		return conflict("Thing %s already exists in other thing groups", want.Name)
	}
	if err := u.registry.UpdateThingGroupsForThing(ctx, want.Name, join, leave); err != nil {
		return err
	}
	u.orElse(func(ctx context.Context) error {
		return u.registry.UpdateThingGroupsForThing(ctx, want.Name, leave, join)
	})
	return nil
}

// without gives the elements of all that are not in some.
func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// attach ties policies and the thing to the certificate.
func (u *undertaking) attach(ctx context.Context) error {
	if u.plan.Certificate == nil {
		return nil
	}
	principal := u.pki.ARN(u.cert.ID)
	attached, _, err := u.access.AttachedPolicies(ctx, principal, false, false, registry.Page{Size: registry.PageSizeMax})
	if err != nil {
		return err
	}
	before := map[string]bool{}
	for _, p := range attached {
		before[p.Name] = true
	}
	for _, p := range u.plan.Policies {
		if before[p.Name] && !u.own { // a torn attempt's attachments are ours, too
			continue
		}
		if err := u.access.AttachPolicy(ctx, p.Name, principal); err != nil {
			return err
		}
		u.orElse(func(ctx context.Context) error { return u.access.DetachPolicy(ctx, p.Name, principal) })
	}
	return u.attachThing(ctx, principal)
}

func (u *undertaking) attachThing(ctx context.Context, principal string) error {
	if u.plan.Thing == nil {
		return nil
	}
	name := u.plan.Thing.Name
	links, _, err := u.registry.PrincipalThings(ctx, principal, nil, registry.Page{Size: registry.PageSizeMax})
	if err != nil {
		return err
	}
	if err := u.registry.AttachThingPrincipal(ctx, name, principal, u.plan.Certificate.Exclusive); err != nil {
		return err
	}
	if !u.own && slices.ContainsFunc(links, func(l registry.Link) bool { return l.Thing == name }) {
		return nil
	}
	u.orElse(func(ctx context.Context) error { return u.registry.DetachThingPrincipal(ctx, name, principal) })
	return nil
}

// status comes last: a certificate connects only when all else is in place. A
// certificate that waits for its provisioning gets the template's status; one
// that is somebody's already only where the template says so.
func (u *undertaking) status(ctx context.Context) error {
	c := u.plan.Certificate
	if c == nil {
		return nil
	}
	want := pki.Inactive
	if c.Active {
		want = pki.Active
	}
	if !u.own && u.cert.Status != pki.PendingActivation {
		switch {
		case c.Override == template.Fail && u.cert.Status != want:
			return conflict("Certificate %s already exists with status %s", u.cert.ID, u.cert.Status)
		case c.Override == template.DoNothing, c.Override == template.Unsaid && !c.Said:
			return nil
		}
	}
	return u.pki.SetStatus(ctx, u.cert.ID, want)
}
