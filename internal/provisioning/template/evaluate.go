package template

import (
	"encoding/json"

	"thingd/internal/fault"
)

const (
	// outputMax bounds what the functions of one evaluation make, in bytes: a
	// text of a few kilobytes could otherwise name itself into gigabytes.
	outputMax = 1 << 20
	// elementCost is what an element of a list counts for, in bytes.
	elementCost = 32
)

// Input is what a template is evaluated with.
type Input struct {
	Parameters map[string]string
	Region     string // AWS::Region
	Account    string // AWS::AccountId
	Partition  string // AWS::Partition
}

// pseudo are the parameters that every template has. AWS knows them in
// CloudFormation alone; here they are harmless.
var pseudo = map[string]func(Input) string{
	"AWS::Region":    func(in Input) string { return in.Region },
	"AWS::AccountId": func(in Input) string { return in.Account },
	"AWS::Partition": func(in Input) string { return in.Partition },
}

// Missing gives the names, in order, of the parameters that have neither a
// value nor a default.
func (t *Template) Missing(values map[string]string) []string {
	var missing []string
	for _, name := range sorted(t.parameters) {
		if _, given := values[name]; !given && t.parameters[name].Default == nil {
			missing = append(missing, name)
		}
	}
	return missing
}

// evaluation is one run of a template.
type evaluation struct {
	template *Template
	input    Input
	spent    int // bytes made so far
}

// failed is an error that depends on the values.
func failed(format string, args ...any) *fault.Error {
	return fault.New(fault.CodeRegistrationFailure, format, args...)
}

// spend counts bytes against the bound.
func (e *evaluation) spend(n int) error {
	if e.spent += n; e.spent > outputMax {
		return failed("the template makes more than %d bytes of its parameters", outputMax)
	}
	return nil
}

// bounded makes a text that is extra bytes longer than what was counted already.
func (e *evaluation) bounded(extra int, text func() string) (any, error) {
	if err := e.spend(extra); err != nil {
		return nil, err
	}
	return text(), nil
}

// unreplaced is the value of a Ref to a parameter that has none: RegisterThing
// and bulk registration leave the Ref as it is. In a policy document it stays
// there, and ${name} in a text of Fn::Sub. What AWS makes of one where a string
// must be is unconfirmed. Here a property that a thing or certificate can do
// without counts as not given (see dispensable), so that a line of a file may
// leave out what is optional; anything else fails, and names the parameter.
type unreplaced struct {
	Name string `json:"Ref"`
}

// parameter gives the value of a parameter, a string or unreplaced. Templates of
// devices are never evaluated without all values (see Missing).
func (e *evaluation) parameter(name string) (any, error) {
	value, given := e.input.Parameters[name]
	switch declared := e.template.parameters[name]; {
	case given:
	case declared.Default != nil:
		value = *declared.Default
	case pseudo[name] != nil:
		value = pseudo[name](e.input)
	case e.template.kind == API:
		return unreplaced{name}, e.spend(elementCost + len(name))
	default:
		return nil, noValue(name)
	}
	return value, e.spend(len(value))
}

func noValue(parameter string) error { return failed("Parameter %s has no value", parameter) }

// text evaluates a node that must have a single value; what says what it is.
func (e *evaluation) text(what string, n node) (string, error) {
	value, err := n.value(e)
	if err != nil {
		return "", err
	}
	return single(value, "%s is not a string", what)
}

// single gives a value as a text; where it is none, the error has the words.
func single(value any, format string, args ...any) (string, error) {
	if ref, is := value.(unreplaced); is {
		return "", noValue(ref.Name)
	}
	text, ok := scalar(value)
	if !ok {
		return "", failed(format, args...)
	}
	return text, nil
}

// texts evaluates a node that must have a list of single values.
func (e *evaluation) texts(what string, n node) ([]string, error) {
	value, err := n.value(e)
	if err != nil {
		return nil, err
	}
	if ref, is := value.(unreplaced); is {
		return nil, noValue(ref.Name)
	}
	elements, ok := value.([]any)
	if !ok {
		return nil, failed("%s are not a list", what)
	}
	all := make([]string, len(elements))
	for i, element := range elements {
		if all[i], err = single(element, "%s are not all strings", what); err != nil {
			return nil, err
		}
		if err := e.spend(len(all[i])); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// document evaluates a node that is JSON, as an object or as a text of it.
func (e *evaluation) document(n node) (string, error) {
	value, err := n.value(e)
	if err != nil {
		return "", err
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case unreplaced:
		return "", noValue(v.Name)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "", failed("the policy document is not JSON")
	}
	return string(text), e.spend(len(text))
}
