package template

import (
	"strings"
)

// Plan is what a template comes to for one device.
type Plan struct {
	Thing       *Thing       // nil: none
	Certificate *Certificate // nil: none
	Policies    []Policy     // by logical ID

	// DeviceConfiguration is told to the device: strings, json.Numbers and
	// bools. Never nil.
	DeviceConfiguration map[string]any
}

// Thing is the thing to be.
type Thing struct {
	LogicalID    string
	Name         string
	Type         string            // "" for none
	BillingGroup string            // "" for none
	Attributes   map[string]string // nil: nothing is said
	Groups       []string          // nil: nothing is said
	Override     struct{ Attributes, Type, Groups Override }
}

// Certificate is the certificate to be: one of Request, ID and PEM is given.
type Certificate struct {
	LogicalID string
	Request   string // a signing request in PEM
	ID        string
	PEM       string // of a certificate that a registered CA has signed
	CAPEM     string // of that CA, where several have its name
	Active    bool   // else INACTIVE
	Said      bool   // the template names the status itself
	Exclusive bool   // attached to the thing as its only one
	Override  Override
}

// Policy is a policy to attach, by name or by document.
type Policy struct {
	LogicalID string
	Name      string
	Document  string
}

// Evaluate gives the plan for some values. The error is a fault
// (ResourceRegistrationFailure): it depends on the values.
func (t *Template) Evaluate(in Input) (Plan, error) {
	e := &evaluation{template: t, input: in}
	plan := Plan{DeviceConfiguration: map[string]any{}}
	for i := range t.resources {
		if err := e.resource(&t.resources[i], &plan); err != nil {
			return Plan{}, err
		}
	}
	for _, name := range sorted(t.device) {
		value, err := t.device[name].value(e)
		if err != nil {
			return Plan{}, err
		}
		if _, ok := scalar(value); !ok && value != nil {
			return Plan{}, failed("DeviceConfiguration member %s is not a single value", name)
		}
		plan.DeviceConfiguration[name] = value
	}
	return plan, nil
}

func (e *evaluation) resource(r *resource, plan *Plan) (err error) {
	switch r.kind {
	case thingKind:
		plan.Thing, err = e.thing(r)
	case certificateKind:
		plan.Certificate, err = e.certificate(r)
	case policyKind:
		var p Policy
		p, err = e.policy(r)
		plan.Policies = append(plan.Policies, p)
	}
	return err
}

// dispensable are the properties that are left out where their Ref is not
// replaced, as single attributes are. A status or a group is not among them: they
// decide over rights, which nobody should have for want of a value.
var dispensable = map[string]bool{"ThingTypeName": true, "BillingGroup": true, "CACertificatePem": true}

// property evaluates a property with a single value, "" where it is absent.
func (e *evaluation) property(r *resource, name string) (string, error) {
	n := r.properties[name]
	if n == nil {
		return "", nil
	}
	value, err := n.value(e)
	if err != nil {
		return "", err
	}
	if _, is := value.(unreplaced); is && dispensable[name] {
		return "", nil
	}
	return single(value, "%s of resource %s is not a string", name, r.id)
}

// properties evaluates some of them into the places given.
func (e *evaluation) properties(r *resource, places map[string]*string) error {
	for _, name := range sorted(places) {
		text, err := e.property(r, name)
		if err != nil {
			return err
		}
		*places[name] = text
	}
	return nil
}

func (e *evaluation) thing(r *resource) (*Thing, error) {
	t := &Thing{LogicalID: r.id}
	err := e.properties(r, map[string]*string{"ThingName": &t.Name, "ThingTypeName": &t.Type, "BillingGroup": &t.BillingGroup})
	if err != nil {
		return nil, err
	}
	if t.Name == "" {
		return nil, failed("The ThingName of resource %s is empty", r.id)
	}
	if n := r.properties["ThingGroups"]; n != nil {
		if t.Groups, err = e.texts("ThingGroups of resource "+r.id, n); err != nil {
			return nil, err
		}
	}
	if t.Attributes, err = e.attributes(r); err != nil {
		return nil, err
	}
	t.Override.Attributes, t.Override.Type, t.Override.Groups =
		r.override["AttributePayload"], r.override["ThingTypeName"], r.override["ThingGroups"]
	return t, nil
}

func (e *evaluation) attributes(r *resource) (map[string]string, error) {
	n := r.properties["AttributePayload"]
	if n == nil {
		return nil, nil
	}
	value, err := n.value(e)
	if err != nil {
		return nil, err
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, failed("AttributePayload of resource %s is not an object", r.id)
	}
	all := map[string]string{}
	for _, name := range sorted(members) {
		if _, is := members[name].(unreplaced); is {
			continue
		}
		if all[name], err = single(members[name], "Attribute %s of resource %s is not a string", name, r.id); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (e *evaluation) certificate(r *resource) (*Certificate, error) {
	c := &Certificate{LogicalID: r.id, Override: r.override["Status"], Said: r.properties["Status"] != nil}
	var status, attachment string
	err := e.properties(r, map[string]*string{
		"CertificateSigningRequest": &c.Request, "CertificateId": &c.ID, "CertificatePem": &c.PEM, "CACertificatePem": &c.CAPEM,
		"Status": &status, "ThingPrincipalType": &attachment,
	})
	if err != nil {
		return nil, err
	}
	if c.Request == "" && c.ID == "" && c.PEM == "" {
		return nil, failed("Resource %s names no certificate", r.id)
	}
	switch strings.ToUpper(status) { // AWS's own samples write Active
	case "", "ACTIVE":
		c.Active = true
	case "INACTIVE":
	default:
		return nil, failed("The Status of resource %s is %q; it can be ACTIVE or INACTIVE", r.id, status)
	}
	switch attachment {
	case "", "NON_EXCLUSIVE_THING":
	case "EXCLUSIVE_THING":
		c.Exclusive = true
	default:
		return nil, failed("The ThingPrincipalType of resource %s is %q; it can be EXCLUSIVE_THING or NON_EXCLUSIVE_THING", r.id, attachment)
	}
	return c, nil
}

func (e *evaluation) policy(r *resource) (p Policy, err error) {
	p.LogicalID = r.id
	if n := r.properties["PolicyDocument"]; n != nil {
		p.Document, err = e.document(n)
		return p, err
	}
	if p.Name, err = e.property(r, "PolicyName"); err == nil && p.Name == "" {
		err = failed("The PolicyName of resource %s is empty", r.id)
	}
	return p, err
}
