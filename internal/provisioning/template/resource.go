package template

import (
	"slices"
	"strings"

	"thingd/internal/fault"
)

// resource is one thing, certificate or policy of a template.
type resource struct {
	id         string // logical ID
	kind       string // AWS::IoT::Thing …
	properties map[string]node
	override   map[string]Override
}

const (
	thingKind       = "AWS::IoT::Thing"
	certificateKind = "AWS::IoT::Certificate"
	policyKind      = "AWS::IoT::Policy"
)

// properties lists what each kind of resource can have. ThingPrincipalType says
// how the certificate is attached to the thing (unconfirmed as a property).
var properties = map[string][]string{
	thingKind:       {"ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup"},
	certificateKind: {"CertificateSigningRequest", "CertificateId", "CertificatePem", "CACertificatePem", "Status", "ThingPrincipalType"},
	policyKind:      {"PolicyName", "PolicyDocument"},
}

// Override says what happens to a resource that exists already.
type Override string

// The overrides. Where a template says nothing, Unsaid: AWS's default is
// unconfirmed, so nothing that exists is changed.
const (
	Unsaid    Override = ""
	DoNothing Override = "DO_NOTHING"
	Replace   Override = "REPLACE"
	Fail      Override = "FAIL"
	Merge     Override = "MERGE" // attributes and groups only
)

// overridable gives the settings of a kind of resource and the values of each.
// AWS's text calls them ATTRIBUTE_PAYLOAD and so on, its samples AttributePayload.
var overridable = map[string]map[string][]Override{
	thingKind: {
		"AttributePayload": {DoNothing, Replace, Fail, Merge},
		"ThingTypeName":    {DoNothing, Replace, Fail},
		"ThingGroups":      {DoNothing, Replace, Fail, Merge},
	},
	certificateKind: {"Status": {DoNothing, Replace, Fail}},
}

func (t *Template) readResources(document map[string]any) error {
	all, err := section(document, "Resources")
	if err != nil {
		return err
	}
	seen := map[string]string{}
	for _, id := range sorted(all) {
		r, err := t.readResource(id, all)
		if err != nil {
			return err
		}
		if other, twice := seen[r.kind]; twice && r.kind != policyKind {
			return fault.InvalidRequest("Resources %s and %s are both of type %s; there can be one", other, id, r.kind)
		}
		seen[r.kind] = id
		t.resources = append(t.resources, r)
	}
	return nil
}

func (t *Template) readResource(id string, all map[string]any) (resource, error) {
	said, err := section(all, id)
	if err != nil {
		return resource{}, err
	}
	r := resource{id: id, properties: map[string]node{}}
	r.kind, _ = said["Type"].(string)
	if properties[r.kind] == nil {
		return r, fault.InvalidRequest("Resource %s has the Type %q; there are %s", id, r.kind, strings.Join(sorted(properties), ", "))
	}
	for _, name := range sorted(said) {
		if !slices.Contains([]string{"Type", "Properties", "OverrideSettings", "DependsOn"}, name) {
			return r, fault.InvalidRequest("Resource %s has an unknown member %s", id, name)
		}
	}
	if err := t.readProperties(&r, said); err != nil {
		return r, err
	}
	if err := r.readOverrides(said); err != nil {
		return r, err
	}
	return r, r.check(t.kind)
}

func (t *Template) readProperties(r *resource, said map[string]any) error {
	all, err := section(said, "Properties")
	if err != nil {
		return err
	}
	for _, name := range sorted(all) {
		if !slices.Contains(properties[r.kind], name) {
			return fault.InvalidRequest("Resource %s has an unknown property %s; a resource of type %s can have %s",
				r.id, name, r.kind, strings.Join(properties[r.kind], ", "))
		}
		if r.properties[name], err = t.compile(all[name]); err != nil {
			return err
		}
	}
	return nil
}

func (r *resource) readOverrides(said map[string]any) error {
	all, err := section(said, "OverrideSettings")
	if err != nil {
		return err
	}
	r.override = map[string]Override{}
	for _, written := range sorted(all) {
		name := camelCase(written)
		value, _ := all[written].(string)
		allowed := overridable[r.kind][name]
		if allowed == nil {
			return fault.InvalidRequest("Resource %s cannot override %s", r.id, written)
		}
		if !slices.Contains(allowed, Override(value)) {
			return fault.InvalidRequest("Resource %s cannot override %s with %v", r.id, written, all[written])
		}
		r.override[name] = Override(value)
	}
	return nil
}

// camelCase writes ATTRIBUTE_PAYLOAD as AttributePayload.
func camelCase(name string) string {
	if strings.ToUpper(name) != name {
		return name
	}
	var b strings.Builder
	for _, word := range strings.Split(name, "_") {
		if word != "" {
			b.WriteString(word[:1] + strings.ToLower(word[1:]))
		}
	}
	return b.String()
}

// check finds combinations of properties that can never be.
func (r *resource) check(kind Kind) error {
	count := func(names ...string) (n int) {
		for _, name := range names {
			if r.properties[name] != nil {
				n++
			}
		}
		return n
	}
	switch {
	case r.kind == thingKind && count("ThingName") == 0:
		return fault.InvalidRequest("Resource %s has no ThingName", r.id)
	case r.kind == policyKind && count("PolicyName", "PolicyDocument") != 1:
		return fault.InvalidRequest("Resource %s must have either PolicyName or PolicyDocument", r.id)
	case r.kind == certificateKind && count("CertificateSigningRequest", "CertificateId", "CertificatePem") != 1:
		return fault.InvalidRequest("Resource %s must have one of CertificateSigningRequest, CertificateId and CertificatePem", r.id)
	case r.kind == certificateKind && kind != API && count("CertificateId") == 0:
		return fault.InvalidRequest("Resource %s must name the device's certificate with CertificateId", r.id)
	}
	return nil
}
