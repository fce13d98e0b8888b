package iotsql

import (
	"strings"

	"thingd/internal/rules/iotsql/decimal"
)

// expression reads an expression, from the weakest operator to the strongest:
// OR, AND, NOT, comparisons and IN, + and -, * / and %, signs, dots and brackets
// (unconfirmed; AWS documents no precedence).
func (p *parser) expression() node {
	if p.depth == nestingMax {
		p.fail(p.token.start, problem("more than %d expressions inside each other", nestingMax))
	}
	p.depth++
	defer func() { p.depth-- }()
	left := p.conjunction()
	for p.token.is("OR") {
		left = p.binary(left, p.conjunction)
	}
	return left
}

func (p *parser) conjunction() node {
	left := p.negation()
	for p.token.is("AND") {
		left = p.binary(left, p.negation)
	}
	return left
}

// binary takes the operator that is next and the operand on its right.
func (p *parser) binary(left node, operand func() node) node {
	operator := strings.ToUpper(p.advance().text)
	right := operand()
	return p.grow(&binaryNode{span{left.place().start, right.place().end}, operator, left, right})
}

// grow counts a node.
func (p *parser) grow(n node) node {
	p.nodes++
	if p.nodes > nodesMax {
		p.fail(n.place().start, problem("more than %d operators and operands", nodesMax))
	}
	return n
}

func (p *parser) negation() node {
	var marks []token
	for p.token.is("NOT") {
		marks = append(marks, p.advance())
	}
	return p.prefix(marks, p.comparison())
}

// prefix wraps an operand into the operators before it, the nearest first.
func (p *parser) prefix(marks []token, of node) node {
	for i := len(marks) - 1; i >= 0; i-- {
		of = p.grow(&unaryNode{span{marks[i].start, of.place().end}, strings.ToUpper(marks[i].text), of})
	}
	return of
}

// comparison reads one comparison; they do not chain.
func (p *parser) comparison() node {
	left := p.sum()
	if p.token.is("IN") || p.atSymbol("=", "<>", "!=", "<", "<=", ">", ">=") {
		return p.binary(left, p.sum)
	}
	return left
}

func (p *parser) atSymbol(symbols ...string) bool {
	for _, symbol := range symbols {
		if p.token.symbol(symbol) {
			return true
		}
	}
	return false
}

func (p *parser) sum() node {
	left := p.product()
	for p.atSymbol("+", "-") {
		left = p.binary(left, p.product)
	}
	return left
}

func (p *parser) product() node {
	left := p.signed()
	for p.atSymbol("*", "/", "%") {
		left = p.binary(left, p.signed)
	}
	return left
}

func (p *parser) signed() node {
	var marks []token
	for p.atSymbol("-", "+") {
		marks = append(marks, p.advance())
	}
	return p.prefix(marks, p.path())
}

// path reads a primary and the members and elements taken of it.
func (p *parser) path() node {
	of := p.primary()
	for {
		start := of.place().start
		switch {
		case p.accept("."):
			end := p.token.end
			of = p.grow(&memberNode{span{start, end}, of, p.name("a member's name after the dot")})
		case p.accept("["):
			index := p.expression()
			end := p.token.end
			p.require("]", "after the index")
			of = p.grow(&indexNode{span{start, end}, of, index})
		default:
			return of
		}
	}
}

func (p *parser) primary() node {
	t := p.token
	here := span{t.start, t.end}
	switch {
	case t.kind == tokenNumber:
		p.advance()
		return p.grow(&literalNode{here, p.number(t)})
	case t.kind == tokenString:
		p.advance()
		return p.grow(&literalNode{here, NewString(t.value)})
	case t.kind == tokenVariable:
		p.advance()
		return p.grow(&variableNode{here, t.value})
	case t.kind == tokenWord:
		return p.grow(p.word())
	case t.symbol("*"):
		p.advance()
		return p.grow(&starNode{here})
	case t.symbol("("):
		return p.group()
	case t.symbol("["):
		return p.grow(p.array())
	case t.symbol("{"):
		return p.grow(p.object())
	}
	p.expected("an expression")
	return &literalNode{span: here}
}

func (p *parser) number(t token) Value {
	d, isInt, ok := decimal.Parse(t.text)
	switch {
	case !ok:
		p.fail(t.start, problem("the number %s is out of range", quote(t.text)))
		return Value{}
	case isInt:
		return Value{kind: Int, number: d}
	}
	return p.version.numberValue(d)
}

// word reads what begins with a word: a constant, CASE, a call or a name.
func (p *parser) word() node {
	t := p.token
	here := span{t.start, t.end}
	called := scanToken(p.text, t.end).symbol("(")
	switch {
	case t.is("CASE"):
		return p.caseOf()
	case isReserved(t.text):
		p.expected("an expression")
		return &literalNode{span: here}
	case called && t.is("EXISTS"):
		return p.exists()
	case called && t.is("CAST"):
		return p.cast()
	case called:
		return p.call()
	}
	p.advance()
	switch {
	case t.is("TRUE"), t.is("FALSE"):
		return &literalNode{here, boolean(t.is("TRUE"))}
	case t.is("NULL"):
		return &literalNode{here, null()}
	}
	return &nameNode{here, t.text}
}

// group reads a parenthesis: a subquery or an expression.
func (p *parser) group() node {
	start := p.advance().start
	if p.token.is("SELECT") {
		query := p.nested(p.subquery)
		return p.grow(&queryNode{span{start, p.lastEnd(start)}, query})
	}
	inner := p.expression()
	p.require(")", "after the expression")
	return inner
}

// nested reads a subquery one level deeper; its own expressions count from there.
func (p *parser) nested(read func() *selectNode) *selectNode {
	if p.depth == nestingMax {
		p.fail(p.token.start, problem("more than %d expressions inside each other", nestingMax))
	}
	p.depth++
	defer func() { p.depth-- }()
	return read()
}

// lastEnd is the end of the text before the current token, without white space.
func (p *parser) lastEnd(start int) int {
	return start + len(strings.TrimRight(p.text[start:max(p.token.start, start)], " \t\r\n\f"))
}

func (p *parser) exists() node {
	start := p.advance().start
	p.require("(", "after EXISTS")
	query := p.nested(p.subquery)
	return &existsNode{span{start, p.lastEnd(start)}, query}
}

func (p *parser) cast() node {
	start := p.advance().start
	p.require("(", "after cast")
	of := p.expression()
	p.requireKeyword("AS")
	word := p.token
	p.name("a type after AS")
	to, _ := castTypeOf(word.text)
	if to == castNone {
		p.fail(word.start, unexpected("a type (String, Int, Double, Decimal, Boolean)", word.found()))
	}
	p.require(")", "after the type")
	return &castNode{span{start, p.lastEnd(start)}, of, to, word.text}
}

func (p *parser) call() node {
	name := p.advance()
	p.advance()
	arguments := p.list(")", "`,` or `)` in the arguments")
	if len(arguments) > functionArgs {
		p.fail(name.start, problem("more than %d arguments", functionArgs))
	}
	return &callNode{span{name.start, p.lastEnd(name.start)}, name.text, arguments}
}

// list reads expressions with commas between them, and the closing symbol.
func (p *parser) list(closing, expected string) []node {
	var list []node
	if p.accept(closing) {
		return nil
	}
	for {
		list = append(list, p.expression())
		if p.accept(closing) {
			return list
		}
		if !p.accept(",") {
			p.expected(expected)
			return list
		}
	}
}

func (p *parser) array() node {
	start := p.advance().start
	elements := p.list("]", "`,` or `]` in the array")
	return &arrayNode{span{start, p.lastEnd(start)}, elements}
}

func (p *parser) object() node {
	start := p.advance().start
	n := &objectNode{}
	for !p.accept("}") {
		if len(n.pairs) > 0 && !p.accept(",") {
			p.expected("`,` or `}` in the object")
		}
		key := p.token
		if key.kind != tokenString {
			p.expected("a member's name in quotes")
			break
		}
		p.advance()
		p.require(":", "after the member's name")
		n.pairs = append(n.pairs, pair{key.value, p.expression()})
	}
	n.span = span{start, p.lastEnd(start)}
	return n
}

func (p *parser) caseOf() node {
	start := p.advance().start
	if p.token.is("WHEN") {
		p.expected("the value to compare after CASE") // there is no CASE WHEN condition
	}
	n := &caseNode{subject: p.expression()}
	for p.keyword("WHEN") {
		when := p.expression()
		p.requireKeyword("THEN")
		n.arms = append(n.arms, caseArm{when, p.expression()})
	}
	if len(n.arms) == 0 {
		p.expected("WHEN")
	}
	if p.keyword("ELSE") {
		n.otherwise = p.expression()
	}
	p.requireKeyword("END")
	n.span = span{start, p.lastEnd(start)}
	return n
}
