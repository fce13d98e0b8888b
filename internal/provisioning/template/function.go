package template

import (
	"strconv"
	"strings"

	"thingd/internal/fault"
)

// function is one row of the table below.
type function struct {
	check func(*Template, node) error
	apply func(*evaluation, node) (any, error)
}

// functions are all that a template can call.
var functions = map[string]function{
	"Fn::Join":      {arguments(2, `{"Fn::Join": ["-", ["a", "b"]]}`), join},
	"Fn::Select":    {arguments(2, `{"Fn::Select": [0, ["a", "b"]]}`), choose},
	"Fn::Split":     {arguments(2, `{"Fn::Split": ["|", "a|b"]}`), split},
	"Fn::FindInMap": {arguments(3, `{"Fn::FindInMap": ["Map", "first", "second"]}`), findInMap},
	"Fn::Sub":       {checkSub, substitute},
}

// arguments checks for a list of n arguments.
func arguments(n int, example string) func(*Template, node) error {
	return func(_ *Template, argument node) error {
		if all, ok := argument.(list); !ok || len(all) != n {
			return fault.InvalidRequest("A function of the template takes a list of %d arguments, such as %s", n, example)
		}
		return nil
	}
}

// join is {"Fn::Join": [delimiter, [values]]}.
func join(e *evaluation, argument node) (any, error) {
	all := argument.(list)
	delimiter, err := e.text("the delimiter of Fn::Join", all[0])
	if err != nil {
		return nil, err
	}
	values, err := e.texts("the values of Fn::Join", all[1])
	if err != nil {
		return nil, err
	}
	return e.bounded(len(delimiter)*max(0, len(values)-1), func() string { return strings.Join(values, delimiter) })
}

// choose is {"Fn::Select": [index, [values]]}. There is no default for an index
// that is out of range.
func choose(e *evaluation, argument node) (any, error) {
	all := argument.(list)
	text, err := e.text("the index of Fn::Select", all[0])
	if err != nil {
		return nil, err
	}
	values, err := e.texts("the values of Fn::Select", all[1])
	if err != nil {
		return nil, err
	}
	index, err := strconv.Atoi(text)
	if err != nil || index < 0 || index >= len(values) {
		return nil, failed("Fn::Select has no value number %s of %d", text, len(values))
	}
	return values[index], nil
}

// split is {"Fn::Split": [delimiter, value]}.
func split(e *evaluation, argument node) (any, error) {
	all := argument.(list)
	delimiter, err := e.text("the delimiter of Fn::Split", all[0])
	if err != nil {
		return nil, err
	}
	value, err := e.text("the value of Fn::Split", all[1])
	if err != nil {
		return nil, err
	}
	if delimiter == "" {
		return nil, failed("the delimiter of Fn::Split is empty")
	}
	parts := strings.Split(value, delimiter)
	if err := e.spend(len(parts) * elementCost); err != nil {
		return nil, err
	}
	values := make([]any, len(parts))
	for i, part := range parts {
		values[i] = part
	}
	return values, nil
}

// mappings are the tables of a template: map, first key, second key.
type mappings map[string]map[string]map[string]any

func (t *Template) readMappings(document map[string]any) error {
	all, err := section(document, "Mappings")
	if err != nil {
		return err
	}
	t.mappings = mappings{}
	for _, name := range sorted(all) {
		rows, err := section(all, name)
		if err != nil {
			return err
		}
		t.mappings[name] = map[string]map[string]any{}
		for _, first := range sorted(rows) {
			columns, err := section(rows, first)
			if err != nil {
				return err
			}
			if err := checkColumns(name, first, columns); err != nil {
				return err
			}
			t.mappings[name][first] = columns
		}
	}
	return nil
}

// checkColumns refuses what cannot be found in a map: functions have no place
// in Mappings.
func checkColumns(name, first string, columns map[string]any) error {
	for _, second := range sorted(columns) {
		values, isList := columns[second].([]any)
		if !isList {
			values = []any{columns[second]}
		}
		for _, value := range values {
			if _, ok := scalar(value); !ok {
				return fault.InvalidRequest("Mappings %s, %s, %s is neither a string nor a list of strings", name, first, second)
			}
		}
	}
	return nil
}

// findInMap is {"Fn::FindInMap": [map, first key, second key]}.
func findInMap(e *evaluation, argument node) (any, error) {
	var keys [3]string
	for i, n := range argument.(list) {
		var err error
		if keys[i], err = e.text("a key of Fn::FindInMap", n); err != nil {
			return nil, err
		}
	}
	value, found := e.template.mappings[keys[0]][keys[1]][keys[2]]
	if !found {
		return nil, failed("Fn::FindInMap finds nothing under %s, %s, %s", keys[0], keys[1], keys[2])
	}
	return value, e.spend(elementCost)
}
