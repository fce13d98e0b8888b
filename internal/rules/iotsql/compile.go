package iotsql

import (
	"slices"
	"strings"
)

// compiler turns trees into evaluators. It keeps the first error.
type compiler struct {
	text      string
	version   Version
	functions map[string]*Function
	aliases   []string       // of the subqueries around, outermost first; "" for none
	variables map[string]int // those assigned so far; nil where they are found by name when run
	template  bool
	fallback  bool     // inside the second argument of get_or_default
	names     []string // the members of the payload that are asked for
	whole     bool     // so is all of it
	err       *SyntaxError
}

func newCompiler(text string, version Version) *compiler {
	return &compiler{text: text, version: version, functions: functionsByName()}
}

// fail notes an error at a node; what it returns is never run.
func (c *compiler) fail(at node, err *SyntaxError) evaluator {
	if c.err == nil {
		c.err = err.at(c.text, at.place().start)
	}
	return undefined
}

func undefined(*evaluation) Value { return Value{} }

func constant(v Value) evaluator { return func(*evaluation) Value { return v } }

// needs refuses what 2015-10-08 does not have.
func (c *compiler) needs(since Version, at node, what string) {
	if c.version.isFirst() && since == V20160323 {
		c.fail(at, problem("%s needs awsIotSqlVersion 2016-03-23", what))
	}
}

// source is a node as the statement spells it.
func (c *compiler) source(n node) string {
	place := n.place()
	return strings.TrimSpace(c.text[place.start:max(place.start, place.end)])
}

func (c *compiler) expression(n node) evaluator {
	switch n := n.(type) {
	case *literalNode:
		return constant(n.value)
	case *starNode:
		depth := len(c.aliases)
		c.whole = c.whole || depth == 0
		return func(ev *evaluation) Value { return ev.star(depth) }
	case *nameNode:
		return c.name(n.name)
	case *variableNode:
		return c.variable(n)
	case *memberNode:
		of, name := c.expression(n.of), n.name
		return func(ev *evaluation) Value { return of(ev).Member(name) }
	case *indexNode:
		of, index := c.expression(n.of), c.expression(n.index)
		return func(ev *evaluation) Value { return ev.element(of(ev), index(ev)) }
	case *callNode:
		return c.call(n)
	case *castNode:
		return c.cast(n)
	case *caseNode:
		return c.caseOf(n)
	}
	return c.compound(n)
}

func (c *compiler) compound(n node) evaluator {
	switch n := n.(type) {
	case *queryNode:
		c.needs(V20160323, n, "a subquery")
		return c.subquery(n.query)
	case *existsNode:
		c.needs(V20160323, n, "a subquery")
		return c.exists(n.query)
	case *arrayNode:
		return c.array(n)
	case *objectNode:
		return c.object(n)
	case *unaryNode:
		return c.unary(n)
	case *binaryNode:
		left, right := c.expression(n.left), c.expression(n.right)
		apply := binaryOperator(n.operator)
		return func(ev *evaluation) Value { return apply(ev, left(ev), right(ev)) }
	}
	panic("iotsql: a node without code")
}

// name is the alias of a subquery around, or a member of the innermost element;
// members of elements further out are hidden (unconfirmed).
func (c *compiler) name(name string) evaluator {
	for i := len(c.aliases) - 1; i >= 0; i-- {
		if c.aliases[i] == name {
			return func(ev *evaluation) Value { return ev.elements[i] }
		}
	}
	depth := len(c.aliases)
	if depth == 0 && !slices.Contains(c.names, name) {
		c.names = append(c.names, name)
	}
	return func(ev *evaluation) Value { return ev.member(depth, name) }
}

// namesMax is how many members of a payload are picked out; more are not worth
// the search.
const namesMax = 16

// asked gives the members of the payload that the expressions compiled so far
// ask for; nil stands for all.
func (c *compiler) asked() []string {
	if c.whole || len(c.names) > namesMax {
		return nil
	}
	return append([]string{}, c.names...)
}

func (c *compiler) variable(n *variableNode) evaluator {
	if c.variables == nil {
		return func(ev *evaluation) Value { return ev.message.Variables.Get(n.name) }
	}
	i, known := c.variables[n.name]
	if !known {
		return c.fail(n, problem("the variable @%s is used before SET assigns it", n.name))
	}
	if c.template {
		return func(ev *evaluation) Value { return ev.message.Variables.Get(n.name) }
	}
	return func(ev *evaluation) Value { return ev.variables[i] }
}

func (c *compiler) unary(n *unaryNode) evaluator {
	of := c.expression(n.of)
	apply := positive
	switch n.operator {
	case "NOT":
		apply = not
	case "-":
		apply = negate
	}
	if literal, is := n.of.(*literalNode); is {
		return constant(apply(literal.value))
	}
	return func(ev *evaluation) Value { return apply(of(ev)) }
}

func (c *compiler) cast(n *castNode) evaluator {
	_, since := castTypeOf(n.word)
	c.needs(since, n, "cast as "+n.word)
	of, to := c.expression(n.of), n.to
	return func(ev *evaluation) Value { return ev.cast(of(ev), to) }
}

func (c *compiler) caseOf(n *caseNode) evaluator {
	type arm struct{ when, then evaluator }
	subject, otherwise := c.expression(n.subject), evaluator(undefined)
	arms := make([]arm, len(n.arms))
	for i, a := range n.arms {
		arms[i] = arm{c.expression(a.when), c.expression(a.then)}
	}
	if n.otherwise != nil {
		otherwise = c.expression(n.otherwise)
	}
	return func(ev *evaluation) Value {
		value := subject(ev)
		if isMissing(value) {
			return Value{} // even where there is an ELSE
		}
		for _, a := range arms {
			if ev.same(value, a.when(ev)) {
				return a.then(ev)
			}
		}
		return otherwise(ev)
	}
}

func (c *compiler) array(n *arrayNode) evaluator {
	c.needs(V20160323, n, "an array literal")
	elements := c.expressions(n.elements)
	return func(ev *evaluation) Value {
		values := make([]Value, len(elements))
		for i, element := range elements {
			values[i] = element(ev)
		}
		return ev.array(values)
	}
}

func (c *compiler) expressions(nodes []node) []evaluator {
	list := make([]evaluator, len(nodes))
	for i, n := range nodes {
		list[i] = c.expression(n)
	}
	return list
}

func (c *compiler) object(n *objectNode) evaluator {
	c.needs(V20160323, n, "an object literal")
	values := make([]evaluator, len(n.pairs))
	for i, p := range n.pairs {
		values[i] = c.expression(p.value)
	}
	return func(ev *evaluation) Value {
		if !ev.charge(len(values) * memberSize) {
			return Value{}
		}
		o := &object{members: make([]member, 0, len(values))}
		for i, value := range values {
			o.set(n.pairs[i].key, value(ev))
		}
		return objectValue(o)
	}
}

// call compiles the call of a function. One that gets the wrong number of
// arguments is legal and Undefined.
func (c *compiler) call(n *callNode) evaluator {
	f, known := c.functions[strings.ToLower(n.name)]
	if !known {
		return c.fail(n, unexpected("the name of a function", quote(n.name)+suggestion(n.name)))
	}
	c.needs(f.Since, n, "the function "+f.Name)
	if f.External && c.fallback {
		return c.fail(n, problem("%s is not allowed in the default of get_or_default", f.Name))
	}
	c.checkLiterals(f, n)
	if count := len(n.arguments); count < f.Min || f.Max >= 0 && count > f.Max {
		c.expressions(n.arguments) // for their errors
		return undefined
	}
	if f.special != nil {
		return f.special(c, f, n)
	}
	return invoke(f.code, c.arguments(f, n))
}

// checkLiterals refuses anything but constants where AWS wants them: roles and
// words that switch what a function does.
func (c *compiler) checkLiterals(f *Function, n *callNode) {
	for i, argument := range n.arguments {
		if !slices.Contains(f.literals, i) && !(f.roleLast && i == len(n.arguments)-1 && i > 0) {
			continue
		}
		if literal, is := argument.(*literalNode); !is || literal.value.kind != String {
			c.fail(argument, problem("argument %d of %s must be a string in quotes", i+1, f.Name))
		}
	}
}

// arguments compiles the arguments of a call. To functions that work on bytes, *
// is the payload as it was received.
func (c *compiler) arguments(f *Function, n *callNode) []evaluator {
	list := c.expressions(n.arguments)
	if !f.bytes || len(list) == 0 || len(c.aliases) > 0 {
		return list
	}
	if _, star := n.arguments[0].(*starNode); star {
		list[0] = func(ev *evaluation) Value { return raw(string(ev.message.Payload)) }
	}
	return list
}

// invoke runs the arguments and then the code. Arguments live on a stack of the
// evaluation; the code must not keep the slice.
func invoke(code func(*evaluation, []Value) Value, arguments []evaluator) evaluator {
	return func(ev *evaluation) Value {
		base := len(ev.arguments)
		for _, argument := range arguments {
			v := argument(ev) // may itself use the stack
			ev.arguments = append(ev.arguments, v)
		}
		var result Value
		if ev.spend(1 + weight(ev.arguments[base:])) {
			result = code(ev, ev.arguments[base:])
		}
		ev.arguments = ev.arguments[:base]
		return result
	}
}

// weight is how long the texts of arguments are, in steps.
func weight(arguments []Value) int {
	bytes := 0
	for i := range arguments {
		bytes += len(arguments[i].text)
	}
	return bytes >> 6
}
