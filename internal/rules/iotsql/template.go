package iotsql

import "strings"

// Template is a text with ${expression} in it, from a parameter of a rule's
// action. It is safe for concurrent use.
type Template struct {
	version Version
	members []string // of the payload that are asked for; nil: all
	pieces  []piece
}

// piece is literal text followed by an expression; the last has none.
type piece struct {
	literal string
	value   evaluator
}

// ParseTemplate reads a text for Render, by the rules of 2016-03-23. Errors are
// faults with fault.CodeSQLParse (unconfirmed: AWS does not say how it refuses a
// template), a *SyntaxError in their chain.
func ParseTemplate(text string) (*Template, error) {
	c := newCompiler(text, V20160323)
	return c.parseTemplate()
}

// ParseTemplate reads a text for an action of the rule q belongs to: by the
// rules of its version, and with its variables alone.
func (q *Query) ParseTemplate(text string) (*Template, error) {
	c := newCompiler(text, q.version)
	c.variables = make(map[string]int, len(q.names))
	for i, name := range q.names {
		c.variables[name] = i
	}
	return c.parseTemplate()
}

func (c *compiler) parseTemplate() (*Template, error) {
	c.template = true
	t := &Template{version: c.version}
	p := newParser(c.text, c.version, len(c.text))
	if !p.readable() {
		return nil, p.err.fault()
	}
	for at := 0; ; {
		next := strings.Index(c.text[at:], "${")
		if next < 0 {
			t.pieces = append(t.pieces, piece{literal: c.text[at:]})
			t.members = c.asked()
			return t, nil
		}
		literal := c.text[at : at+next]
		p.token = scanToken(c.text, at+next+2)
		tree := p.expression()
		if !p.token.symbol("}") {
			p.expected("an operator or `}`")
		}
		value := c.expression(tree)
		if err := firstError(p.err, c.err); err != nil {
			return nil, err.fault()
		}
		t.pieces = append(t.pieces, piece{literal, value})
		at = p.token.end
	}
}

func firstError(errs ...*SyntaxError) *SyntaxError {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Literal gives the text of a template that has no expressions in it.
func (t *Template) Literal() (string, bool) {
	if len(t.pieces) == 1 {
		return t.pieces[0].literal, true
	}
	return "", false
}

// Render writes the text for a message, which is the one the rule was run for,
// not what its SELECT made of it. Undefined and Null become nothing
// (unconfirmed). Errors are those of Query.Evaluate.
func (t *Template) Render(env *Env, message Message) (string, error) {
	if text, ok := t.Literal(); ok {
		return text, nil
	}
	ev := newEvaluation(env, &message, t.version, t.members)
	var out strings.Builder
	for _, p := range t.pieces {
		out.WriteString(p.literal)
		if p.value != nil {
			out.WriteString(ev.templateText(p.value(ev)))
		}
		if out.Len() > resultMax {
			ev.fail(tooLong("the text", resultMax))
		}
		if ev.err != nil {
			return "", ev.err
		}
	}
	return out.String(), nil
}

func (ev *evaluation) templateText(v Value) string {
	if v.kind == Raw {
		text, _ := ev.toText(encodeBase64(ev, v))
		return text
	}
	text, _ := ev.toText(v)
	return text
}
