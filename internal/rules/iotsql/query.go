package iotsql

import (
	"fmt"
	"strings"
)

// Query is a compiled statement. It is safe for concurrent use.
type Query struct {
	version     Version
	members     []string // of the payload that are asked for; nil: all
	filter      string
	names       []string // of the SET variables
	assignments []evaluator
	where       []term // all must hold
	selection   evaluator
}

// Parse reads a statement. Errors are faults with fault.CodeSQLParse, a
// *SyntaxError in their chain.
func Parse(sql string, version Version) (*Query, error) {
	p := newParser(sql, version, 0)
	tree := p.statement()
	if p.err != nil {
		return nil, p.err.fault()
	}
	c := newCompiler(sql, version)
	q := c.query(tree)
	if c.err != nil {
		return nil, c.err.fault()
	}
	return q, nil
}

// Version is the version the query was parsed for.
func (q *Query) Version() Version { return q.version }

// Topic is the topic filter after FROM, empty where the statement has none: such
// a rule runs for Basic Ingest alone.
func (q *Query) Topic() string { return q.filter }

// Matches says whether a message published to topic reaches the rule by its
// filter. Basic Ingest names its rule and asks no filter.
func (q *Query) Matches(topic string) bool { return q.filter != "" && matchFilter(q.filter, topic) }

func (c *compiler) query(tree *statementNode) *Query {
	q := &Query{version: c.version, filter: tree.filter}
	c.assignments(q, tree.assignments)
	if tree.selection.where != nil {
		q.where = c.terms(tree.selection.where)
	}
	q.selection = c.selection(tree.selection)
	q.members = c.asked()
	return q
}

func (c *compiler) assignments(q *Query, list []assignment) {
	c.variables = make(map[string]int, len(list))
	if len(list) > setMax {
		c.fail(list[setMax], problem("more than %d variables", setMax))
	}
	for _, a := range list {
		c.needs(V20160323, a, "SET")
		if _, twice := c.variables[a.name]; twice {
			c.fail(a, problem("the variable @%s is assigned twice", a.name))
		}
		if len(a.name) > variableMax {
			c.fail(a, problem("a variable's name has more than %d characters", variableMax))
		}
		q.assignments = append(q.assignments, c.expression(a.value))
		q.names = append(q.names, a.name)
		c.variables[a.name] = len(c.variables)
	}
}

// term is one operand of the ANDs that WHERE is made of. A comparison is kept in
// its parts, so that a miss can show both sides.
type term struct {
	text         string
	line, column int
	test         evaluator
	left, right  evaluator
	compare      binary // nil: no comparison
	operator     string
}

// terms takes WHERE apart at its ANDs. Only all true is a match, so that the
// first operand that is not true decides, whatever the others are.
func (c *compiler) terms(n node) []term {
	both, is := n.(*binaryNode)
	if is && both.operator == "AND" {
		return append(c.terms(both.left), c.terms(both.right)...)
	}
	t := term{text: c.source(n)}
	where := (&SyntaxError{}).at(c.text, n.place().start)
	t.line, t.column = where.Line, where.Column
	if is && both.operator != "OR" {
		t.left, t.right = c.expression(both.left), c.expression(both.right)
		t.compare, t.operator = binaryOperator(both.operator), both.operator
	} else {
		t.test = c.expression(n)
	}
	return []term{t}
}

// Result is what a message made of a query.
type Result struct {
	Matched bool
	Unmet   Unmet // why not

	// Payload is what the actions of the rule get: compact JSON, or the bytes of
	// a payload that was not JSON and selected by *.
	Payload []byte
	JSON    bool  // Payload is JSON
	Value   Value // Payload as a value, for actions that look inside

	// Variables are the values of SET; put them in the Message for Render.
	Variables Variables

	// NotJSON says that a member was asked of a payload that is not JSON (the
	// metric ParseError).
	NotJSON bool
}

// Unmet is the first operand of WHERE that was not true.
type Unmet struct {
	Operand      string // as written
	Line, Column int
	Value        Value // what it was instead

	Operator    string // of a comparison or calculation, with the values of its sides
	Left, Right Value
}

// String explains the miss: "`t > 30` is false: 21 > 30".
func (u Unmet) String() string {
	out := fmt.Sprintf("%s is %s", quote(u.Operand), u.Value)
	if u.Operator != "" {
		out += fmt.Sprintf(": %s %s %s", quoteValue(u.Left), u.Operator, quoteValue(u.Right))
	}
	return out
}

func quoteValue(v Value) string {
	const shown = 60
	text := strings.ToValidUTF8(v.String(), "\uFFFD")
	if characters := []rune(text); len(characters) > shown {
		return string(characters[:shown]) + "…"
	}
	return text
}

// Variables are the SET variables of one evaluation. The zero value has none.
type Variables struct {
	names  []string
	values []Value
}

// Get gives a variable by its name without @; Undefined where there is none.
func (v Variables) Get(name string) Value {
	for i := range v.values {
		if v.names[i] == name {
			return v.values[i]
		}
	}
	return Value{}
}

// Evaluate runs the query for a message, whatever its topic. An error means that
// the rule stops here: a *LookupError, or ErrLimit in its chain.
func (q *Query) Evaluate(env *Env, message Message) (Result, error) {
	ev := newEvaluation(env, &message, q.version, q.members)
	q.assign(ev)
	unmet, matched := q.test(ev)
	result := Result{Matched: matched, Unmet: unmet}
	if matched {
		q.fill(ev, &result)
	}
	if ev.err != nil {
		return Result{}, ev.err
	}
	result.NotJSON = ev.wanted
	result.Variables = Variables{q.names, ev.variables}
	return result, nil
}

// assign runs SET. What cannot be stored is Undefined: a payload that is not
// JSON.
func (q *Query) assign(ev *evaluation) {
	total := 0
	for i, value := range q.assignments {
		v := value(ev)
		if v.kind == Raw {
			v = Value{}
		}
		text, ok := appendJSON(nil, v, setValueMax-total)
		total += len(text)
		if !ok {
			ev.fail(tooLong("the value of @"+q.names[i]+", or of all variables,", setValueMax))
			return
		}
		ev.variables = append(ev.variables, v)
	}
}

// test runs WHERE up to the first operand that is not true.
func (q *Query) test(ev *evaluation) (Unmet, bool) {
	if ev.err != nil {
		return Unmet{}, false
	}
	for i := range q.where {
		t := &q.where[i]
		var value, left, right Value
		if t.compare == nil {
			value = t.test(ev)
		} else {
			left, right = t.left(ev), t.right(ev)
			value = t.compare(ev, left, right)
		}
		if truth, _ := toBool(value); !truth {
			return Unmet{t.text, t.line, t.column, value, t.operator, left, right}, false
		}
	}
	return Unmet{}, ev.err == nil
}

// fill runs SELECT and writes its value.
func (q *Query) fill(ev *evaluation, result *Result) {
	result.Value = q.selection(ev)
	switch result.Value.kind {
	case Undefined:
		result.Payload = []byte{}
	case Raw:
		result.Payload = ev.message.Payload
	default:
		out, ok := appendJSON(make([]byte, 0, 256), result.Value, resultMax)
		if !ok {
			ev.fail(tooLong("the result", resultMax))
		}
		result.Payload, result.JSON = out, true
	}
}
