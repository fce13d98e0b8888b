package iotsql

import (
	"strings"
	"unicode/utf8"
)

// parser reads a statement by recursive descent. After the first error every
// token is the end, so that all loops stop by themselves.
type parser struct {
	text    string
	version Version
	token   token
	depth   int
	nodes   int
	err     *SyntaxError
}

func newParser(text string, version Version, at int) *parser {
	p := &parser{text: text, version: version}
	p.token = scanToken(text, at)
	return p
}

func (p *parser) advance() token {
	taken := p.token
	if p.err == nil {
		p.token = scanToken(p.text, taken.end)
	}
	return taken
}

func (p *parser) fail(offset int, err *SyntaxError) {
	if p.err == nil {
		p.err = err.at(p.text, offset)
	}
	p.token = token{start: offset, end: offset}
}

func (p *parser) expected(what string) {
	p.fail(p.token.start, unexpected(what, p.token.found()))
}

// accept takes a symbol if it is next.
func (p *parser) accept(symbol string) bool {
	if !p.token.symbol(symbol) {
		return false
	}
	p.advance()
	return true
}

// keyword takes a keyword if it is next.
func (p *parser) keyword(word string) bool {
	if !p.token.is(word) {
		return false
	}
	p.advance()
	return true
}

// require takes a symbol or reports what follows instead.
func (p *parser) require(symbol, after string) {
	if !p.accept(symbol) {
		p.expected(quote(symbol) + " " + after)
	}
}

func (p *parser) requireKeyword(word string) {
	if !p.keyword(word) {
		p.expected(word)
	}
}

// statement reads [SET …] SELECT … to the end of the text.
func (p *parser) statement() *statementNode {
	if !p.readable() {
		return nil
	}
	s := &statementNode{}
	if p.token.is("SET") {
		s.assignments = p.assignments()
	}
	p.requireKeyword("SELECT")
	s.selection = p.selection()
	if p.keyword("FROM") {
		s.filter = p.filter()
	}
	if p.keyword("WHERE") {
		s.selection.where = p.expression()
	}
	if p.token.kind != tokenEnd {
		p.expected(p.afterStatement(s))
	}
	s.selection.nodes = p.nodes
	return s
}

// readable checks the text as a whole.
func (p *parser) readable() bool {
	switch {
	case len(p.text) > statementMax:
		p.fail(0, problem("the text has %d bytes, the limit is %d", len(p.text), statementMax))
	case !utf8.ValidString(p.text):
		p.fail(0, problem("the text is not UTF-8"))
	}
	return p.err == nil
}

func (p *parser) afterStatement(s *statementNode) string {
	switch {
	case s.selection.where != nil:
		return "an operator or the end"
	case s.filter != "":
		return "WHERE or the end"
	case s.selection.value != nil:
		return "an operator, FROM, WHERE or the end"
	}
	return "`,`, AS, FROM, WHERE or the end"
}

func (p *parser) assignments() []assignment {
	p.advance()
	var list []assignment
	for {
		list = append(list, p.assignment())
		if !p.accept(",") {
			return list
		}
	}
}

func (p *parser) assignment() assignment {
	name := p.token
	if name.kind != tokenVariable {
		p.expected("a variable (@name)")
		return assignment{}
	}
	p.advance()
	p.require("=", "after the variable")
	value := p.expression()
	return assignment{span{name.start, name.end}, name.value, value}
}

// selection reads what follows SELECT, up to FROM.
func (p *parser) selection() *selectNode {
	s := &selectNode{span: span{start: p.token.start}}
	if p.atValue() {
		p.advance()
		s.value = p.expression()
		return s
	}
	for {
		s.items = append(s.items, p.item())
		if !p.accept(",") {
			return s
		}
	}
}

// atValue says whether the next token is the keyword VALUE. It is one where an
// expression follows; SELECT value FROM … selects a field. Where tokens alone
// cannot tell (unconfirmed): a sign that stands at its operand is a sign, as in
// VALUE -1, others calculate with the field, as in value - 1; and VALUE * is the
// whole payload where nothing to multiply with follows.
func (p *parser) atValue() bool {
	if !p.token.is("VALUE") {
		return false
	}
	next := scanToken(p.text, p.token.end)
	switch {
	case next.symbol("*"):
		after := scanToken(p.text, next.end)
		return after.kind == tokenEnd || after.is("FROM") || after.is("WHERE") || after.symbol(")")
	case next.symbol("-") || next.symbol("+"):
		return next.start > p.token.end && scanToken(p.text, next.end).start == next.end
	case next.kind == tokenSymbol:
		return next.text == "(" || next.text == "[" || next.text == "{"
	case next.kind == tokenWord:
		return !isReserved(next.text) || next.is("CASE") || next.is("NOT")
	}
	return next.kind != tokenEnd
}

func (p *parser) item() item {
	it := item{expression: p.expression()}
	if p.keyword("AS") {
		it.alias = p.alias()
	}
	return it
}

// alias reads name, name.name … (members of members) or a string.
func (p *parser) alias() []string {
	if p.token.kind == tokenString {
		return []string{p.advance().value}
	}
	var path []string
	for {
		path = append(path, p.name("a name after AS"))
		if !p.accept(".") {
			return path
		}
		if len(path) >= nestingMax {
			p.fail(p.token.start, problem("an alias has more than %d parts", nestingMax))
		}
	}
}

// name takes any word, keywords included.
func (p *parser) name(what string) string {
	if p.token.kind != tokenWord {
		p.expected(what)
		return ""
	}
	return p.advance().text
}

// filter reads the topic filter after FROM. It stands in single quotes and has
// none inside.
func (p *parser) filter() string {
	t := p.token
	if t.kind != tokenString || !strings.HasPrefix(t.text, "'") {
		p.expected("a topic filter in single quotes")
		return ""
	}
	if problem := checkFilter(t.value); problem != nil {
		p.fail(t.start+1, problem)
		return ""
	}
	p.advance()
	return t.value
}

// subquery reads SELECT … FROM expression [AS name] [WHERE …]; the parenthesis
// before it has been taken.
func (p *parser) subquery() *selectNode {
	before := p.nodes
	p.requireKeyword("SELECT")
	s := p.selection()
	p.requireKeyword("FROM")
	s.from = p.expression()
	if p.keyword("AS") {
		s.alias = p.name("a name after AS")
	}
	if p.keyword("WHERE") {
		s.where = p.expression()
	}
	s.end = p.token.start
	s.nodes = p.nodes - before
	p.require(")", "after the subquery")
	return s
}
