package wire

import (
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

const (
	formKeysMax  = 2000 // parameters in one form
	formIndexMax = 1000 // elements of a list
)

// queryInput reads the input of a Query call from its form.
func (sc *schema) queryInput(op *Operation, form url.Values) (reflect.Value, *violations, error) {
	in := newInput(op)
	d := &decoder{schema: sc}
	if len(form) > formKeysMax {
		return in, nil, serialization("A request has at most %d parameters.", formKeysMax)
	}
	node, err := shapeNode(formTree(form), in.Elem().Type(), nil, sc)
	if err != nil {
		return in, nil, err
	}
	return in, &d.wrong, d.members(in.Elem(), node.(map[string]any), nil, everyMember)
}

// formTree turns names such as Tags.member.1.Key into nested maps. Depth is
// bounded: deeper parts stay in the last name.
func formTree(form url.Values) map[string]any {
	root := map[string]any{}
	for name, values := range form {
		node := root
		parts := strings.SplitN(name, ".", depthMax)
		for _, part := range parts[:len(parts)-1] {
			next, ok := node[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				node[part] = next
			}
			node = next
		}
		last := parts[len(parts)-1]
		if _, taken := node[last].(map[string]any); !taken {
			node[last] = text(values[0])
		}
	}
	return root
}

// shapeNode makes the lists and maps of a form tree what the input's type says
// they are: a form alone does not tell them from structures.
func shapeNode(node any, t reflect.Type, at *path, sc *schema) (any, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	tree, isTree := node.(map[string]any)
	switch {
	case t == timeType || t == bytesType || t == rawType:
		return leaf(node, at)
	case t.Kind() == reflect.Struct && isTree:
		return shapeStructure(tree, t, at, sc)
	case t.Kind() == reflect.Slice:
		return shapeList(node, t, at, sc)
	case t.Kind() == reflect.Map && isTree:
		return shapeMap(tree, t, at, sc)
	}
	return leaf(node, at)
}

func leaf(node any, at *path) (any, error) {
	if _, isTree := node.(map[string]any); isTree {
		return nil, serialization("The parameter '%s' takes one value.", at)
	}
	return node, nil
}

func shapeStructure(tree map[string]any, t reflect.Type, at *path, sc *schema) (any, error) {
	p := sc.plan(t)
	for i := range p.members {
		m := &p.members[i]
		if tree[m.name] == nil {
			continue
		}
		shaped, err := shapeNode(tree[m.name], t.Field(m.index).Type, &path{at, m.name}, sc)
		if err != nil {
			return nil, err
		}
		tree[m.name] = shaped
	}
	return tree, nil
}

// shapeList reads NAME.member.1, NAME.member.2 and, as some tools write them,
// NAME.1, NAME.2. NAME= is the empty list.
func shapeList(node any, t reflect.Type, at *path, sc *schema) (any, error) {
	tree, ok := node.(map[string]any)
	if !ok {
		if node == text("") {
			return []any{}, nil
		}
		return nil, serialization("The parameter '%s' is a list and takes numbered values.", at)
	}
	if inner, ok := tree["member"].(map[string]any); ok {
		tree = inner
	}
	return numbered(tree, at, func(node any, at *path) (any, error) { return shapeNode(node, t.Elem(), at, sc) })
}

// numbered collects the values under "1", "2" and so on, in that order. Gaps
// are closed.
func numbered(tree map[string]any, at *path, shape func(any, *path) (any, error)) ([]any, error) {
	list := []any{}
	for i := 1; i <= formIndexMax && len(list) < len(tree); i++ {
		node, ok := tree[strconv.Itoa(i)]
		if !ok {
			continue
		}
		shaped, err := shape(node, at.element(i))
		if err != nil {
			return nil, err
		}
		list = append(list, shaped)
	}
	if len(list) < len(tree) {
		return nil, serialization("The list '%s' has elements that are not numbered from 1 to %d.", at, formIndexMax)
	}
	return list, nil
}

// shapeMap reads NAME.entry.1.key and NAME.entry.1.value.
func shapeMap(tree map[string]any, t reflect.Type, at *path, sc *schema) (any, error) {
	if inner, ok := tree["entry"].(map[string]any); ok {
		tree = inner
	}
	entries, err := numbered(tree, at, func(node any, _ *path) (any, error) { return node, nil })
	if err != nil {
		return nil, err
	}
	object := map[string]any{}
	for _, node := range entries {
		entry, _ := node.(map[string]any)
		key, ok := entry["key"].(text)
		if !ok {
			return nil, serialization("An entry of the map '%s' has no key.", at)
		}
		value, err := shapeNode(entry["value"], t.Elem(), &path{at, string(key)}, sc)
		if err != nil {
			return nil, err
		}
		object[string(key)] = value
	}
	return object, nil
}
