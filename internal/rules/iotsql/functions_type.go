package iotsql

import "fmt"

func typeFunctions() []Function {
	return []Function{
		{
			Name: "isNull", Arguments: "x", Min: 1, Max: 1, Since: V20151008, Group: GroupTypes,
			Doc:      "Whether the value is Null. Undefined is not.",
			Examples: []Example{example("isNull(NULL)", "true"), example("isNull(missing)", "false"), example("isNull(0)", "false")},
			code:     func(_ *evaluation, args []Value) Value { return boolean(args[0].kind == Null) },
		},
		{
			Name: "isUndefined", Arguments: "x", Min: 1, Max: 1, Since: V20160323, Group: GroupTypes,
			Doc:      "Whether the value is Undefined, as a member is that the payload does not have. Null is not.",
			Examples: []Example{example("isUndefined(missing)", "true"), example("isUndefined(NULL)", "false")},
			code:     func(_ *evaluation, args []Value) Value { return boolean(args[0].kind == Undefined) },
		},
		{
			Name: "get", Arguments: "collection, key", Min: 2, Max: 2, Since: V20151008, Group: GroupTypes,
			Doc: "An element of an Array or a character of a String by its position from 0, or a member of an Object by its " +
				"name. It reaches members whose names are no words of the language.",
			Examples: []Example{
				example("get([10, 20], 1)", "20"), example(`get("abc", 2)`, `"c"`), example(`get({"a-b": 1}, "a-b")`, "1"),
				example(`get([1], "0")`, "1"), example("get([1], -1)", "Undefined"), example("get({'1': 2}, 1)", "Undefined"),
			},
			code: func(ev *evaluation, args []Value) Value { return ev.element(args[0], args[1]) },
		},
		{
			Name: "get_or_default", Arguments: "x[, default]", Min: 1, Max: 2, Since: V20160323, Group: GroupTypes,
			Doc: "The value, or the default where the value is Undefined or Null or a lookup in it fails. A failing lookup does " +
				"not abort the rule then. The default must not itself contain a lookup.",
			Examples: []Example{
				example("get_or_default(missing, 5)", "5"), example("get_or_default(NULL)", "Undefined"), example("get_or_default(1, 2)", "1"),
				example("get_or_default(get_thing_shadow('nobody', 'arn:aws:iam::123456789012:role/r'), 'none')", `"none"`),
			},
			special: getOrDefault,
		},
		{
			Name: "transform", Arguments: "'enrichArray', object, array", Min: 3, Max: 3, Since: V20160323, Group: GroupTypes,
			Doc: "The Array of Objects with the members of another Object added to each element, where they win over members " +
				"of the same name. The result has at most 128 KiB of JSON.",
			Examples: []Example{
				example("transform('enrichArray', {'id': 9}, [{'a': 1}, {'b': 2}])", `[{"a":1,"id":9},{"b":2,"id":9}]`),
				example("transform('other', {'id': 9}, [])", "Undefined"), example("transform('enrichArray', 1, [])", "Undefined"),
			},
			literals: []int{0},
			code:     transform,
		},
	}
}

// element is get(collection, key) and collection[key].
func (ev *evaluation) element(collection, key Value) Value {
	if collection.kind == Object && ev.spend(len(key.text)>>6) {
		return collection.Member(key.Text())
	}
	i, ok := toIndex(key)
	if !ok || i < 0 {
		return Value{}
	}
	switch collection.kind {
	case Array:
		if elements := collection.Elements(); i < len(elements) {
			return elements[i]
		}
	case String:
		if !ev.spend(len(collection.text) >> 6) {
			return Value{}
		}
		start := byteOffset(collection.text, i)
		rest := collection.text[start:]
		if rest != "" {
			return NewString(rest[:byteOffset(rest, 1)])
		}
	}
	return Value{}
}

func getOrDefault(c *compiler, _ *Function, n *callNode) evaluator {
	value, otherwise := c.expression(n.arguments[0]), evaluator(undefined)
	if len(n.arguments) == 2 {
		outer := c.fallback
		c.fallback = true
		otherwise = c.expression(n.arguments[1])
		c.fallback = outer
	}
	return func(ev *evaluation) Value {
		if !ev.spend(1) {
			return Value{}
		}
		v := value(ev)
		if _, lookup := ev.err.(*LookupError); lookup {
			ev.err, v = nil, Value{}
		}
		if isMissing(v) || v.kind == Null {
			return otherwise(ev)
		}
		return v
	}
}

func transform(ev *evaluation, args []Value) Value {
	added, isObject := args[1].nested.(*object)
	if args[0].text != "enrichArray" || !isObject || args[2].kind != Array {
		return Value{}
	}
	elements := args[2].Elements()
	enriched := make([]Value, 0, len(elements))
	for _, element := range elements {
		from, isObject := element.nested.(*object)
		if !isObject || !ev.charge((len(from.members)+len(added.members))*memberSize) {
			return Value{} // an element that is no Object: unconfirmed
		}
		o := &object{}
		o.setAll(from)
		o.setAll(added)
		enriched = append(enriched, objectValue(o))
	}
	result := ev.array(enriched)
	if text, ok := appendJSON(nil, result, enrichedMax); !ok || !ev.charge(len(text)) {
		ev.fail(fmt.Errorf("transform: %w", tooLong("the result", enrichedMax)))
	}
	return result
}
