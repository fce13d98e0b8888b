package console

import (
	"slices"
	"strings"

	"thingd/internal/access"
	"thingd/internal/pki"
	"thingd/internal/policy"
)

// simulatorPage asks what a device may do, and shows what its policies answer.
type simulatorPage struct {
	outcome
	Thing, Certificate, Client, Action, Name string
	Things                                   []string
	Certificates                             []principal // of the thing
	Status                                   pki.Status  // of the certificate
	Resource                                 string      // ARN that was asked about
	ThingName                                string      // the thing that the connection is
	Explanation                              *policy.Explanation
	Decided                                  string // the statement that decided
}

// simulated are the actions of devices with the kind of what they are done to.
var simulated = []struct{ action, kind string }{
	{"iot:Connect", "client"},
	{"iot:Publish", "topic"},
	{"iot:RetainPublish", "topic"},
	{"iot:Subscribe", "topicfilter"},
	{"iot:Receive", "topic"},
	{"iot:GetThingShadow", "thing"},
	{"iot:UpdateThingShadow", "thing"},
	{"iot:DeleteThingShadow", "thing"},
	{"iot:ListNamedShadowsForThing", "thing"},
	{"iot:AssumeRoleWithCertificate", "rolealias"},
}

// Actions are those that can be tried.
func (simulatorPage) Actions() []string {
	all := make([]string, len(simulated))
	for i, one := range simulated {
		all[i] = one.action
	}
	return all
}

// simulator decides as a connection would, and explains it. It changes nothing.
func (v *visit) simulator() error {
	if err := v.may("iot:TestAuthorization", "*"); err != nil {
		return err
	}
	page := simulatorPage{
		Thing: v.query("thing"), Certificate: certificateOf(v.query("certificate")), Client: v.query("client"),
		Action: v.query("action"), Name: v.query("name"),
	}
	page.outcome = v.outcomeOf(v.simulate(&page))
	var err error
	if page.Things, err = v.thingNames(); err != nil {
		return err
	}
	return v.renderWith(page.outcome.Status, "simulator", page)
}

// certificateOf takes the ID out of what may be an ARN.
func certificateOf(text string) string {
	if _, id, isARN := strings.Cut(text, ":cert/"); isARN {
		text = id
	}
	return string(pki.NormalID(text))
}

func (v *visit) simulate(page *simulatorPage) error {
	if err := v.chooseDevice(page); err != nil {
		return err
	}
	if page.Action == "" {
		return nil // nothing was asked yet
	}
	cert, err := v.PKI.Describe(v.r.Context(), pki.CertificateID(page.Certificate))
	if err != nil {
		return err
	}
	page.Status = cert.Status
	return v.explain(page, cert)
}

// chooseDevice fills in what follows from the thing: its certificate, and its
// name as the client ID.
func (v *visit) chooseDevice(page *simulatorPage) error {
	if page.Thing == "" {
		return nil
	}
	if err := v.mayIoT("ListThingPrincipals", "thing", page.Thing); err != nil {
		return err
	}
	device := thingPage{}
	device.Name = page.Thing
	if err := v.fillPrincipals(&device); err != nil {
		return err
	}
	page.Certificates = slices.DeleteFunc(device.Principals, func(p principal) bool { return p.Certificate == "" })
	if page.Client == "" {
		page.Client = page.Thing
	}
	if page.Certificate == "" && len(page.Certificates) > 0 {
		page.Certificate = page.Certificates[0].Certificate
	}
	if page.Certificate == "" && page.Action != "" {
		return v.wrong("simulator.nocertificate", page.Thing)
	}
	return nil
}

func (v *visit) explain(page *simulatorPage, cert pki.Certificate) error {
	at := slices.IndexFunc(simulated, func(one struct{ action, kind string }) bool { return one.action == page.Action })
	if at < 0 {
		return v.wrong("simulator.action")
	}
	name := page.resourceName(simulated[at].kind)
	if name == "" {
		return v.wrong("simulator.noname")
	}
	page.Resource = v.Scope.IoT(simulated[at].kind, name)
	leaf, err := leafOf(cert.PEM)
	if err != nil {
		return err
	}
	arn := v.PKI.ARN(cert.ID)
	subject, err := v.Access.Open(v.r.Context(), access.Connection{
		Principal: policy.Principal{Kind: policy.ByCertificate, ID: string(cert.ID), ARN: arn, Certificate: leaf},
		MQTT:      true, ClientID: page.Client,
	})
	if err != nil {
		return err
	}
	defer subject.Close()
	explanation := subject.Explain(page.Action, page.Resource)
	page.Explanation, page.ThingName = &explanation, subject.ThingName()
	page.Decided = v.statementText(explanation)
	return nil
}

// resourceName is what the action is done to: what was typed or, where nothing
// was, the device itself.
func (p simulatorPage) resourceName(kind string) string {
	switch {
	case p.Name != "":
		return p.Name
	case kind == "client":
		return p.Client
	case kind == "thing":
		return p.Thing
	}
	return ""
}

// statementText gives the statement that decided as it stands in its policy; ""
// where none did.
func (v *visit) statementText(e policy.Explanation) string {
	at := slices.IndexFunc(e.Policies, func(p policy.PolicyReport) bool { return p.Name == e.Decision.Policy })
	if at < 0 || e.Decision.Statement == 0 || v.mayIoT("GetPolicyVersion", "policy", e.Decision.Policy) != nil {
		return ""
	}
	_, version, err := v.Access.PolicyVersion(v.r.Context(), e.Decision.Policy, e.Policies[at].Version)
	if err != nil {
		return "" // it changed meanwhile
	}
	_, rows, err := rowsOf(version.Document)
	if err != nil || e.Decision.Statement > len(rows) {
		return ""
	}
	return pretty([]byte(rows[e.Decision.Statement-1].Raw))
}

var simulatorRoutes = []route{{"GET /console/simulator", (*visit).simulator}}
