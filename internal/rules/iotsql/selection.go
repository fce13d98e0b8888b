package iotsql

import "encoding/base64"

// selection compiles what stands between SELECT and FROM.
func (c *compiler) selection(s *selectNode) evaluator {
	if s.value != nil {
		return c.expression(s.value)
	}
	if len(s.items) == 1 && isBareStar(s.items[0]) {
		return c.expression(s.items[0].expression)
	}
	steps := make([]step, len(s.items))
	for i, it := range s.items {
		steps[i] = c.item(it)
	}
	return func(ev *evaluation) Value {
		if !ev.charge(len(steps) * memberSize) {
			return Value{}
		}
		o := &object{members: make([]member, 0, len(steps))}
		for _, apply := range steps {
			apply(ev, o)
		}
		return objectValue(o)
	}
}

func isBareStar(it item) bool {
	_, star := it.expression.(*starNode)
	return star && it.alias == nil
}

// step adds one item to the object that SELECT builds. Later items win over
// earlier ones of the same name (unconfirmed).
type step func(*evaluation, *object)

func (c *compiler) item(it item) step {
	value := c.expression(it.expression)
	if isBareStar(it) {
		depth := len(c.aliases)
		return func(ev *evaluation, o *object) { spread(ev, o, value(ev), depth) }
	}
	path := it.alias
	if path == nil {
		path = []string{c.itemName(it.expression)}
	}
	if len(path) == 1 {
		return func(ev *evaluation, o *object) { o.set(path[0], value(ev)) }
	}
	return func(ev *evaluation, o *object) {
		v := value(ev)
		if v.kind != Undefined && ev.charge(len(path)*memberSize) {
			o.setPath(ev, o, path, v)
		}
	}
}

// spread adds all members of * among other items. A payload that is not JSON
// becomes the member payload in base64 (unconfirmed: AWS has described such a
// member without naming it); an empty payload adds nothing.
func spread(ev *evaluation, o *object, all Value, depth int) {
	switch {
	case all.kind == Object:
		from := all.nested.(*object)
		if ev.charge(len(from.members) * memberSize) {
			o.setAll(from)
		}
	case all.kind == Raw && depth == 0 && all.text != "":
		o.set("payload", ev.string(base64.StdEncoding.EncodeToString([]byte(all.text))))
	}
}

// itemName is the name of an item without AS: the last part of a path, a
// function, a variable, otherwise the expression as written (unconfirmed but for
// paths).
func (c *compiler) itemName(n node) string {
	switch n := n.(type) {
	case *nameNode:
		return n.name
	case *memberNode:
		return n.name
	case *variableNode:
		return n.name
	case *callNode:
		return n.name
	case *castNode:
		return "cast"
	}
	return c.source(n)
}

// subquery compiles (SELECT … FROM expression …): once per element of an Array,
// giving an Array; once for an Object, giving what the SELECT gives; otherwise
// Undefined (unconfirmed).
func (c *compiler) subquery(s *selectNode) evaluator {
	from, run := c.expression(s.from), c.pass(s)
	return func(ev *evaluation) Value {
		switch source := from(ev); source.kind {
		case Array:
			return run.all(ev, source.Elements())
		case Object:
			v, _ := run(ev, source)
			return v
		}
		return Value{}
	}
}

// exists compiles EXISTS (SELECT …); it stops at the first element found.
func (c *compiler) exists(s *selectNode) evaluator {
	from, run := c.expression(s.from), c.pass(s)
	return func(ev *evaluation) Value {
		source := from(ev)
		if source.kind == Object {
			_, matched := run(ev, source)
			return boolean(matched)
		}
		for _, element := range source.Elements() {
			if _, matched := run(ev, element); matched || ev.err != nil {
				return boolean(true)
			}
		}
		return boolean(false)
	}
}

// pass is WHERE and SELECT of a subquery for one element of its source, or for
// an Object as its source. SELECT VALUE of something Undefined is no match
// (unconfirmed).
type pass func(ev *evaluation, element Value) (v Value, matched bool)

// all collects what the elements of an Array give.
func (run pass) all(ev *evaluation, elements []Value) Value {
	results := []Value{}
	for _, element := range elements {
		if v, matched := run(ev, element); matched {
			results = append(results, v)
			ev.charge(valueSize)
		}
		if ev.err != nil {
			return Value{}
		}
	}
	return array(results)
}

func (c *compiler) pass(s *selectNode) pass {
	c.aliases = append(c.aliases, s.alias)
	where := constant(boolean(true))
	if s.where != nil {
		where = c.expression(s.where)
	}
	selection, isValue := c.selection(s), s.value != nil
	c.aliases = c.aliases[:len(c.aliases)-1]
	cost := 1 + s.nodes
	return func(ev *evaluation, element Value) (v Value, matched bool) {
		if isMissing(element) || !ev.spend(cost) {
			return Value{}, false
		}
		ev.elements = append(ev.elements, element)
		if truth, _ := toBool(where(ev)); truth {
			v = selection(ev)
			matched = !isValue || v.kind != Undefined
		}
		ev.elements = ev.elements[:len(ev.elements)-1]
		return v, matched
	}
}
