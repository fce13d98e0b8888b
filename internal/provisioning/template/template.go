// Package template is the language of provisioning templates: JSON that says
// which thing, certificate and policies a device gets, with parameters and a few
// functions in it.
//
//	t, err := template.Parse(body, template.Fleet)
//	plan, err := t.Evaluate(template.Input{Parameters: values})
//	// plan.Thing.Name, plan.Policies[0].Name ...
//
// Parse finds what can be found without values: unknown members, functions with
// the wrong arguments, references to nothing. Evaluate gives a Plan, which is
// only data: whoever carries it out decides what an existing thing means.
//
// A template comes from an operator and its values come from devices, so both
// are bounded: BodyMax for the text, depthMax for its nesting and outputMax for
// what its functions make of it.
package template

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"thingd/internal/fault"
)

// Kind says who runs a template; not everything is for everyone.
type Kind string

// The kinds of templates.
const (
	API   Kind = "API"                // RegisterThing and bulk registration
	Fleet Kind = "FLEET_PROVISIONING" // devices, over MQTT
	JITP  Kind = "JITP"               // a device's first connect
)

const (
	// BodyMax is the longest template, in characters; AWS's limit.
	BodyMax = 10240
	// depthMax bounds the nesting of a template. Templates in use are 8 deep.
	depthMax = 40
)

// CertificateID is the parameter under which the server passes the device's own
// certificate to the templates of fleets and first connects.
const CertificateID = "AWS::IoT::Certificate::Id"

// serverPrefix begins the parameters that only the server sets.
const serverPrefix = "AWS::IoT::Certificate::"

// IsServers says whether a parameter is the server's to set.
func IsServers(parameter string) bool { return strings.HasPrefix(parameter, serverPrefix) }

// Template is a template that was read and understood. It never changes.
type Template struct {
	kind       Kind
	parameters map[string]parameter
	mappings   mappings
	resources  []resource // by logical ID
	device     map[string]node
}

// parameter is what a template says of one of its parameters.
type parameter struct {
	Default *string // nil: the caller must give it
}

// Parse reads a template. The error is a fault (InvalidRequest) in the words of
// whoever wrote the template.
func Parse(body string, kind Kind) (*Template, error) {
	if n := utf8.RuneCountInString(body); n > BodyMax {
		return nil, fault.InvalidRequest("The template has %d characters; at most %d are allowed", n, BodyMax)
	}
	document, err := decode(body)
	if err != nil {
		return nil, err
	}
	t := &Template{kind: kind}
	if err := t.checkMembers(document); err != nil {
		return nil, err
	}
	for _, step := range []func(map[string]any) error{t.readParameters, t.readMappings, t.readResources, t.readDevice} {
		if err := step(document); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func decode(body string) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fault.InvalidRequest("The template is not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.InvalidRequest("The template is followed by something else")
	}
	document, ok := value.(map[string]any)
	if !ok {
		return nil, fault.InvalidRequest("The template is not a JSON object")
	}
	if depth(value) > depthMax {
		return nil, fault.InvalidRequest("The template is nested more than %d levels deep", depthMax)
	}
	return document, nil
}

func depth(value any) int {
	deepest := 0
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			deepest = max(deepest, depth(member))
		}
	case []any:
		for _, element := range v {
			deepest = max(deepest, depth(element))
		}
	}
	return deepest + 1
}

// checkMembers refuses members that the kind of template does not have: a
// misspelled one would otherwise do nothing, in silence.
func (t *Template) checkMembers(document map[string]any) error {
	known := []string{"Parameters", "Resources"}
	if t.kind == Fleet {
		known = append(known, "Mappings", "DeviceConfiguration")
	}
	for _, name := range sorted(document) {
		if !slices.Contains(known, name) {
			return fault.InvalidRequest("The template has an unknown section %q; it can have %s", name, strings.Join(known, ", "))
		}
	}
	if document["Resources"] == nil {
		return fault.InvalidRequest("The template has no Resources")
	}
	return nil
}

func (t *Template) readParameters(document map[string]any) error {
	all, err := section(document, "Parameters")
	if err != nil {
		return err
	}
	t.parameters = map[string]parameter{}
	for _, name := range sorted(all) {
		said, ok := all[name].(map[string]any)
		if !ok {
			return fault.InvalidRequest("Parameter %s is not an object", name)
		}
		if kind := said["Type"]; kind != "String" {
			return fault.InvalidRequest("Parameter %s must have the Type String", name)
		}
		var p parameter
		if value, given := said["Default"]; given {
			text, ok := scalar(value)
			if !ok {
				return fault.InvalidRequest("The Default of parameter %s is not a string", name)
			}
			p.Default = &text
		}
		t.parameters[name] = p
	}
	return nil
}

// readDevice reads the flat map that a device gets as its configuration.
func (t *Template) readDevice(document map[string]any) error {
	all, err := section(document, "DeviceConfiguration")
	if err != nil {
		return err
	}
	t.device = map[string]node{}
	for _, name := range sorted(all) {
		if t.device[name], err = t.compile(all[name]); err != nil {
			return err
		}
		if _, nested := t.device[name].(object); nested {
			return fault.InvalidRequest("DeviceConfiguration member %s is nested; it must be a single value", name)
		}
	}
	return nil
}

// section gives a member that is an object; nil where it is absent.
func section(document map[string]any, name string) (map[string]any, error) {
	value, given := document[name]
	if !given {
		return nil, nil
	}
	all, ok := value.(map[string]any)
	if !ok {
		return nil, fault.InvalidRequest("%s is not an object", name)
	}
	return all, nil
}

// sorted gives the keys of a map in order, so that the same template always
// meets the same error first and is carried out in the same order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// scalar gives the text of a string, number or truth value.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
