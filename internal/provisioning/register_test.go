package provisioning_test

import (
	"crypto/x509/pkix"
	"fmt"
	"strings"
	"testing"

	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/template"
	"thingd/internal/registry"
)

// bulk is the template of operators: from a signing request.
const bulk = `{"Parameters":{"ThingName":{"Type":"String"},"SerialNumber":{"Type":"String"},"CSR":{"Type":"String"}},
 "Resources":{
  "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"ThingName"},"AttributePayload":{"serial":{"Ref":"SerialNumber"}},"ThingTypeName":"sensor","ThingGroups":["all"]}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateSigningRequest":{"Ref":"CSR"},"Status":"ACTIVE"}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"p"}}}}`

// furnish makes what the template bulk refers to.
func (h *house) furnish() {
	h.t.Helper()
	ctx := h.t.Context()
	_, err := h.registry.CreateThingType(ctx, "sensor", registry.TypeProperties{}, nil)
	must(h.t, err)
	_, err = h.registry.CreateThingGroup(ctx, registry.NewThingGroup{Name: "all"})
	must(h.t, err)
	_, err = h.access.CreatePolicy(ctx, "p", allowAll, nil)
	must(h.t, err)
}

// certificates lists what certificates there are, by status.
func (h *house) certificates() (statuses []string) {
	h.t.Helper()
	all, _, err := h.pki.List(h.t.Context(), pki.Page{Size: 250, Ascending: true})
	must(h.t, err)
	for _, c := range all {
		statuses = append(statuses, string(c.Status))
	}
	return statuses
}

func TestRegisterThingMakesAllOfIt(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	got, err := h.RegisterThing(t.Context(), bulk, map[string]string{"ThingName": "a1", "SerialNumber": "7", "CSR": csr(t, "a1")})
	must(t, err)
	certificate := got.ResourceARNs["certificate"]
	same(t, map[string]string{"certificate": certificate, "policy": "arn:aws:iot:us-east-1:111122223333:policy/p", "thing": "arn:aws:iot:us-east-1:111122223333:thing/a1"}, got.ResourceARNs)
	if !strings.HasPrefix(got.CertificatePEM, "-----BEGIN CERTIFICATE-----\n") {
		t.Errorf("certificate %q", got.CertificatePEM)
	}
	same(t, []string{"ACTIVE"}, h.certificates())
	thing, err := h.registry.Thing(t.Context(), "a1")
	must(t, err)
	same(t, registry.Thing{Name: "a1", ID: thing.ID, Type: "sensor", Attributes: map[string]string{"serial": "7"}, Version: 1}, thing)
	groups, _, err := h.registry.ThingGroupsForThing(t.Context(), "a1", registry.Page{})
	must(t, err)
	same(t, []string{"all"}, groups)
	links, _, err := h.registry.PrincipalThings(t.Context(), certificate, nil, registry.Page{})
	must(t, err)
	same(t, []registry.Link{{Thing: "a1", Principal: certificate}}, links)
}

func TestRegisterThingTakesBackWhatItDid(t *testing.T) {
	for name, tc := range map[string]struct{ from, to, code, text string }{
		"group missing":   {`["all"]`, `["none"]`, "ResourceRegistrationFailure", ""},
		"type missing":    {`"sensor"`, `"none"`, "ResourceRegistrationFailure", ""},
		"policy missing":  {`"PolicyName":"p"`, `"PolicyName":"none"`, "ResourceRegistrationFailure", "Policy none does not exist"},
		"bad attribute":   {`{"Ref":"SerialNumber"}`, `"a b"`, "InvalidRequest", ""},
		"bad policy":      {`"PolicyName":"p"`, `"PolicyDocument":"{}"`, "ResourceRegistrationFailure", ""},
		"no value at all": {`{"Ref":"SerialNumber"}`, `{"Fn::Select":[1,["a"]]}`, "ResourceRegistrationFailure", "Fn::Select has no value number 1 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.furnish()
			_, err := h.RegisterThing(t.Context(), strings.Replace(bulk, tc.from, tc.to, 1), map[string]string{"ThingName": "a1", "SerialNumber": "7", "CSR": csr(t, "a1")})
			if err == nil || !strings.HasPrefix(err.Error(), tc.code+": "+tc.text) {
				t.Errorf("got error %v, want %s: %s", err, tc.code, tc.text)
			}
			same(t, []string(nil), h.certificates())
			_, err = h.registry.Thing(t.Context(), "a1")
			wants(t, err, "ResourceNotFound", "Thing a1 not found")
		})
	}
}

// registerCA registers somebody's CA.
func (h *house) registerCA(a authority) {
	h.t.Helper()
	code, err := h.pki.RegistrationCode(h.t.Context())
	must(h.t, err)
	_, err = h.pki.RegisterCA(h.t.Context(), pki.CAOrder{PEM: text(a.cert), Verification: text(a.leaf(h.t, pkix.Name{CommonName: code})), Active: true})
	must(h.t, err)
}

func TestRegisterThingUsesRegisteredCertificates(t *testing.T) {
	h := newHouse(t)
	a := newAuthority(t)
	h.registerCA(a)
	body := `{"Parameters":{"Pem":{"Type":"String"}},"Resources":{"c":{"Type":"AWS::IoT::Certificate","Properties":{"CertificatePem":{"Ref":"Pem"}}},
		"t":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":"x"}}}}`
	values := map[string]string{"Pem": text(a.leaf(t, pkix.Name{CommonName: "x"}))}
	first, err := h.RegisterThing(t.Context(), body, values)
	must(t, err)
	same(t, []string{"ACTIVE"}, h.certificates())
	again, err := h.RegisterThing(t.Context(), body, values)
	must(t, err)
	same(t, first, again)
	must(t, h.pki.SetStatus(t.Context(), pki.CertificateID(first.ResourceARNs["c"][len("arn:aws:iot:us-east-1:111122223333:cert/"):]), pki.Inactive))
	_, err = h.RegisterThing(t.Context(), body, values) // says nothing of the status: it stays
	must(t, err)
	same(t, []string{"INACTIVE"}, h.certificates())
}

// existing is a template for a thing that is there, with settings.
func existing(overrides string) string {
	return `{"Resources":{"t":{"Type":"AWS::IoT::Thing","OverrideSettings":` + overrides + `,"Properties":{
		"ThingName":"x","AttributePayload":{"b":"2"},"ThingTypeName":"sensor","ThingGroups":["all"]}}}}`
}

func TestOverrideSettingsDecideOverExistingThings(t *testing.T) {
	const conflict = "ConflictingResourceUpdate: Thing x already exists "
	for name, tc := range map[string]struct {
		overrides, err, after string
	}{
		"unsaid leaves all":   {`{}`, "", "map[a:1]  [old] 1"},
		"do nothing":          {`{"AttributePayload":"DO_NOTHING","ThingTypeName":"DO_NOTHING","ThingGroups":"DO_NOTHING"}`, "", "map[a:1]  [old] 1"},
		"merge attributes":    {`{"AttributePayload":"MERGE"}`, "", "map[a:1 b:2]  [old] 2"},
		"replace attributes":  {`{"ATTRIBUTE_PAYLOAD":"REPLACE"}`, "", "map[b:2]  [old] 2"},
		"fail for attributes": {`{"AttributePayload":"FAIL"}`, conflict + "with other attributes", "map[a:1]  [old] 1"},
		"replace type":        {`{"ThingTypeName":"REPLACE"}`, "", "map[a:1] sensor [old] 2"},
		"fail for type":       {`{"THING_TYPE_NAME":"FAIL"}`, conflict + "with another thing type", "map[a:1]  [old] 1"},
		"merge groups":        {`{"ThingGroups":"MERGE"}`, "", "map[a:1]  [all old] 1"},
		"replace groups":      {`{"ThingGroups":"REPLACE"}`, "", "map[a:1]  [all] 1"},
		"fail for groups":     {`{"AttributePayload":"MERGE","ThingGroups":"FAIL"}`, conflict + "in other thing groups", "map[a:1]  [old] 3"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.furnish()
			ctx := t.Context()
			_, err := h.registry.CreateThing(ctx, registry.NewThing{Name: "x", Attributes: map[string]string{"a": "1"}})
			must(t, err)
			_, err = h.registry.CreateThingGroup(ctx, registry.NewThingGroup{Name: "old"})
			must(t, err)
			must(t, h.registry.AddThingToThingGroup(ctx, "x", "old"))
			_, err = h.RegisterThing(ctx, existing(tc.overrides), nil)
			if got := fmt.Sprint(err); got != strings.Replace("<nil>"+tc.err, "<nil>C", "C", 1) {
				t.Errorf("got error %v, want %q", err, tc.err)
			}
			thing, err := h.registry.Thing(ctx, "x")
			must(t, err)
			groups, _, err := h.registry.ThingGroupsForThing(ctx, "x", registry.Page{})
			must(t, err)
			same(t, tc.after, fmt.Sprint(thing.Attributes, " ", thing.Type, " ", groups, " ", thing.Version))
		})
	}
}

// jitp is a template for first connects.
const jitp = `{"Parameters":{"AWS::IoT::Certificate::CommonName":{"Type":"String"},"AWS::IoT::Certificate::SerialNumber":{"Type":"String"},
  "AWS::IoT::Certificate::Country":{"Type":"String","Default":"none"},"AWS::IoT::Certificate::Id":{"Type":"String"}},
 "Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"AWS::IoT::Certificate::CommonName"},
   "AttributePayload":{"serial":{"Ref":"AWS::IoT::Certificate::SerialNumber"},"country":{"Ref":"AWS::IoT::Certificate::Country"}}}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[]}"}}}}`

func TestFirstConnectProvisionsWhatTheSubjectSays(t *testing.T) {
	h := newHouse(t)
	a := newAuthority(t)
	code, err := h.pki.RegistrationCode(t.Context())
	must(t, err)
	body := strings.Replace(jitp, `\"Statement\":[]`, `\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"iot:*\",\"Resource\":\"*\"}]`, 1)
	_, err = h.CreateTemplate(t.Context(), provisioning.NewTemplate{Name: "jitp", Kind: template.JITP, Body: body, Enabled: true})
	must(t, err)
	_, err = h.pki.RegisterCA(t.Context(), pki.CAOrder{PEM: text(a.cert), Verification: text(a.leaf(t, pkix.Name{CommonName: code})), Active: true,
		AutoRegistration: true, Registration: pki.Registration{TemplateName: "jitp"}})
	must(t, err)
	err = h.DeleteTemplate(t.Context(), "jitp")
	wants(t, err, "DeleteConflict", "Provisioning template jitp is used by CA certificate")

	leaf := a.leaf(t, pkix.Name{CommonName: "lamp", SerialNumber: "S7", Country: []string{"JP"}})
	verdict, err := h.pki.Identify(t.Context(), leaf)
	must(t, err)
	same(t, pki.AwaitsActivation, verdict.Refused)
	must(t, h.FirstConnect(t.Context(), leaf, verdict.JustInTime.CA))
	must(t, h.FirstConnect(t.Context(), leaf, verdict.JustInTime.CA)) // a twin that came too late
	verdict, err = h.pki.Identify(t.Context(), leaf)
	must(t, err)
	same(t, pki.Welcome, verdict.Refused)
	thing, err := h.registry.Thing(t.Context(), "lamp")
	must(t, err)
	same(t, map[string]string{"serial": "S7", "country": "JP"}, thing.Attributes)

	nameless := a.leaf(t, pkix.Name{CommonName: "nameless"})
	verdict, err = h.pki.Identify(t.Context(), nameless)
	must(t, err)
	err = h.FirstConnect(t.Context(), nameless, verdict.JustInTime.CA)
	wants(t, err, "ResourceRegistrationFailure", "the certificate's subject has no value for AWS::IoT::Certificate::SerialNumber")
	verdict, err = h.pki.Identify(t.Context(), nameless)
	must(t, err)
	same(t, pki.AwaitsActivation, verdict.Refused)
}

func TestTemplatesHaveVersions(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	h.template("fleet", fleet, provisioning.Hook{TargetARN: "f"})
	_, err := h.CreateTemplate(ctx, provisioning.NewTemplate{Name: "fleet", Body: fleet})
	wants(t, err, "ResourceAlreadyExists", "Provisioning template fleet already exists")
	_, err = h.CreateTemplate(ctx, provisioning.NewTemplate{Name: "a b", Body: fleet})
	wants(t, err, "InvalidRequest", "templateName has 1 to 36 letters, digits, - and _")
	_, err = h.CreateTemplate(ctx, provisioning.NewTemplate{Name: "x", Body: jitp, Kind: template.JITP, Hook: provisioning.Hook{TargetARN: "f"}})
	wants(t, err, "InvalidRequest", "only templates of type FLEET_PROVISIONING have a preProvisioningHook")

	for want := 2; want <= 5; want++ {
		v, err := h.CreateVersion(ctx, "fleet", fleet, want == 3)
		must(t, err)
		same(t, want, v.ID)
	}
	_, err = h.CreateVersion(ctx, "fleet", fleet, false)
	wants(t, err, "VersionsLimitExceeded", "Provisioning template fleet already has the maximum number of versions (5)")
	wants(t, h.DeleteVersion(ctx, "fleet", 3), "DeleteConflict", "Version 3 is the default version of provisioning template fleet")
	must(t, h.DeleteVersion(ctx, "fleet", 5))
	v, err := h.CreateVersion(ctx, "fleet", fleet, false)
	must(t, err)
	same(t, 6, v.ID) // numbers are never used again
	all, isDefault, next, err := h.Versions(ctx, "fleet", registry.Page{Size: 4})
	must(t, err)
	if len(all) != 4 || isDefault != 3 || next == "" {
		t.Errorf("%d versions, default %d, token %q", len(all), isDefault, next)
	}
	rest, _, next, err := h.Versions(ctx, "fleet", registry.Page{Size: 4, Token: next})
	must(t, err)
	if len(rest) != 1 || rest[0].ID != 6 || next != "" {
		t.Errorf("the second page has %v, token %q", rest, next)
	}

	missing := 9
	wants(t, h.UpdateTemplate(ctx, "fleet", provisioning.TemplateUpdate{Default: &missing}), "ResourceNotFound", "Version 9 of provisioning template fleet does not exist")
	must(t, h.UpdateTemplate(ctx, "fleet", provisioning.TemplateUpdate{RemoveHook: true}))
	got, _, err := h.Template(ctx, "fleet")
	must(t, err)
	same(t, provisioning.Template{Name: "fleet", Kind: template.Fleet, Enabled: true, RoleARN: "arn:aws:iam::111122223333:role/p",
		Default: 3, Last: 6, Created: start, Modified: start}, got)
	must(t, h.DeleteTemplate(ctx, "fleet"))
	wants(t, h.DeleteTemplate(ctx, "fleet"), "ResourceNotFound", "Provisioning template fleet does not exist")
}

func BenchmarkRegisterThing(b *testing.B) {
	h := newHouse(b)
	_, err := h.access.CreatePolicy(b.Context(), "p", allowAll, nil)
	must(b, err)
	body := strings.NewReplacer(`,"ThingTypeName":"sensor","ThingGroups":["all"]`, "").Replace(bulk)
	request := csr(b, "x")
	names := make(chan int)
	b.ResetTimer()
	done := make(chan struct{})
	for range 32 {
		go func() {
			defer func() { done <- struct{}{} }()
			for n := range names {
				if _, err := h.RegisterThing(b.Context(), body, map[string]string{"ThingName": fmt.Sprint("t", n), "SerialNumber": "7", "CSR": request}); err != nil {
					b.Error(err)
				}
			}
		}()
	}
	for n := range b.N {
		names <- n
	}
	close(names)
	for range 32 {
		<-done
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "things/s")
}
