package template

import (
	"strings"

	"thingd/internal/fault"
)

// node is a piece of a template that has a value once parameters have theirs:
// a string, a json.Number, a bool, nil, a []any or a map[string]any of those.
type node interface {
	value(*evaluation) (any, error)
}

type (
	literal struct{ of any } // a string, number, truth value or null
	list    []node           //
	object  map[string]node  // such as a policy document
	call    struct {         // of a function, {"Fn::Join": [...]}
		function function
		argument node
	}
	reference struct{ to string } // {"Ref": "SerialNumber"}
)

// compile makes a node of decoded JSON.
func (t *Template) compile(value any) (node, error) {
	switch v := value.(type) {
	case []any:
		return t.compileList(v)
	case map[string]any:
		return t.compileObject(v)
	default:
		return literal{v}, nil
	}
}

func (t *Template) compileList(elements []any) (node, error) {
	all := make(list, len(elements))
	for i, element := range elements {
		n, err := t.compile(element)
		if err != nil {
			return nil, err
		}
		all[i] = n
	}
	return all, nil
}

// compileObject tells functions, which are objects of one member, from plain
// objects.
func (t *Template) compileObject(members map[string]any) (node, error) {
	all := object{}
	for _, name := range sorted(members) {
		if name == "Ref" && len(members) == 1 {
			return t.compileReference(members[name])
		}
		if strings.HasPrefix(name, "Fn::") {
			return t.compileCall(members, name)
		}
		n, err := t.compile(members[name])
		if err != nil {
			return nil, err
		}
		all[name] = n
	}
	return all, nil
}

func (t *Template) compileReference(value any) (node, error) {
	name, ok := value.(string)
	if !ok {
		return nil, fault.InvalidRequest("Ref takes the name of a parameter")
	}
	if !t.knows(name) {
		return nil, fault.InvalidRequest("Ref names %q, which is no parameter of the template", name)
	}
	return reference{name}, nil
}

// knows says whether a parameter can have a value. What the server sets need
// not be declared.
func (t *Template) knows(name string) bool {
	_, declared := t.parameters[name]
	return declared || t.kind != API && IsServers(name) || pseudo[name] != nil
}

func (t *Template) compileCall(members map[string]any, name string) (node, error) {
	if len(members) != 1 {
		return nil, fault.InvalidRequest("%s has other members beside it", name)
	}
	f, ok := functions[name]
	if !ok {
		return nil, fault.InvalidRequest("The template has no function %s; there are %s", name, strings.Join(sorted(functions), ", "))
	}
	argument, err := t.compile(members[name])
	if err != nil {
		return nil, err
	}
	if err := f.check(t, argument); err != nil {
		return nil, err
	}
	return call{f, argument}, nil
}

func (l literal) value(*evaluation) (any, error) { return l.of, nil }

func (l list) value(e *evaluation) (any, error) {
	all := make([]any, len(l))
	for i, element := range l {
		v, err := element.value(e)
		if err != nil {
			return nil, err
		}
		all[i] = v
	}
	return all, nil
}

func (o object) value(e *evaluation) (any, error) {
	all := make(map[string]any, len(o))
	for _, name := range sorted(o) {
		v, err := o[name].value(e)
		if err != nil {
			return nil, err
		}
		all[name] = v
	}
	return all, nil
}

func (r reference) value(e *evaluation) (any, error) { return e.parameter(r.to) }

func (c call) value(e *evaluation) (any, error) { return c.function.apply(e, c.argument) }
