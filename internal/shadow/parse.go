package shadow

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// parseDepth bounds the levels of any JSON text, whatever it is for: the
// parser calls itself once per level. It leaves ample room above what a state
// may have.
const parseDepth = 64

// parse reads one JSON text (RFC 8259). Each leaf gets the stamp. Of members
// with the same key the last wins. A \u escape that is half a surrogate pair
// becomes U+FFFD, as no UTF-8 can carry it.
func parse(data []byte, stamp int64) (value, error) {
	if !utf8.Valid(data) {
		return value{}, errEncoding()
	}
	p := parser{rest: data, stamp: stamp}
	p.space()
	v, err := p.value(parseDepth)
	if err != nil {
		return value{}, err
	}
	p.space()
	if len(p.rest) > 0 {
		return value{}, errJSON()
	}
	return v, nil
}

// parser holds what is left to read.
type parser struct {
	rest  []byte
	stamp int64
}

func (p *parser) space() {
	for len(p.rest) > 0 {
		switch p.rest[0] {
		case ' ', '\t', '\r', '\n':
			p.rest = p.rest[1:]
		default:
			return
		}
	}
}

// take reads one expected character.
func (p *parser) take(c byte) bool {
	if len(p.rest) == 0 || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// value reads a value that may be levels deep.
func (p *parser) value(levels int) (value, error) {
	if len(p.rest) == 0 {
		return value{}, errJSON()
	}
	switch p.rest[0] {
	case '{':
		return p.object(levels)
	case '[':
		return p.array(levels)
	case '"':
		s, err := p.text()
		return value{kind: text, text: s, stamp: p.stamp}, err
	case 't':
		return p.word("true", boolean)
	case 'f':
		return p.word("false", boolean)
	case 'n':
		return p.word("null", null)
	}
	return p.number()
}

func (p *parser) word(word string, k kind) (value, error) {
	rest, ok := bytes.CutPrefix(p.rest, []byte(word))
	if !ok {
		return value{}, errJSON()
	}
	p.rest = rest
	if k == null {
		word = ""
	}
	return value{kind: k, text: word, stamp: p.stamp}, nil
}

func (p *parser) object(levels int) (value, error) {
	if levels == 0 {
		return value{}, errDepth()
	}
	p.rest = p.rest[1:]
	var members []member
	for p.space(); !p.take('}'); p.space() {
		if len(members) > 0 {
			if !p.take(',') {
				return value{}, errJSON()
			}
			p.space()
		}
		m, err := p.member(levels)
		if err != nil {
			return value{}, err
		}
		members = append(members, m)
	}
	return value{kind: object, members: unique(members)}, nil
}

func (p *parser) member(levels int) (member, error) {
	if len(p.rest) == 0 || p.rest[0] != '"' {
		return member{}, errJSON()
	}
	key, err := p.text()
	if err != nil {
		return member{}, err
	}
	if p.space(); !p.take(':') {
		return member{}, errJSON()
	}
	p.space()
	v, err := p.value(levels - 1)
	return member{key, v}, err
}

// unique lets the last of several members with one key win, in the place of
// the first.
func unique(members []member) []member {
	var far places
	if len(members) >= indexFrom {
		far = make(places, len(members))
	}
	kept := members[:0]
	for _, m := range members {
		i := -1
		if far != nil {
			i = far.of(m.key)
		} else {
			i = positions(kept).of(m.key)
		}
		if i >= 0 {
			kept[i].value = m.value
			continue
		}
		if far != nil {
			far[m.key] = len(kept)
		}
		kept = append(kept, m)
	}
	return kept
}

func (p *parser) array(levels int) (value, error) {
	if levels == 0 {
		return value{}, errDepth()
	}
	p.rest = p.rest[1:]
	var elements []member
	for p.space(); !p.take(']'); p.space() {
		if len(elements) > 0 {
			if !p.take(',') {
				return value{}, errJSON()
			}
			p.space()
		}
		v, err := p.value(levels - 1)
		if err != nil {
			return value{}, err
		}
		elements = append(elements, member{value: v})
	}
	return value{kind: array, members: elements}, nil
}

// number reads a number and keeps its text: it never passes through floating
// point, which would change it.
func (p *parser) number() (value, error) {
	n := numberLen(p.rest)
	if n == 0 {
		return value{}, errJSON()
	}
	v := value{kind: number, text: string(p.rest[:n]), stamp: p.stamp}
	p.rest = p.rest[n:]
	return v, nil
}

// numberLen gives the length of the number at the start of b, 0 where there is
// none (RFC 8259 section 6).
func numberLen(b []byte) int {
	n := 0
	if n < len(b) && b[n] == '-' {
		n++
	}
	whole := digits(b[n:])
	if whole == 0 || whole > 1 && b[n] == '0' {
		return 0
	}
	n += whole
	if n < len(b) && b[n] == '.' {
		fraction := digits(b[n+1:])
		if fraction == 0 {
			return 0
		}
		n += 1 + fraction
	}
	if n < len(b) && (b[n] == 'e' || b[n] == 'E') {
		n++
		if n < len(b) && (b[n] == '+' || b[n] == '-') {
			n++
		}
		power := digits(b[n:])
		if power == 0 {
			return 0
		}
		n += power
	}
	return n
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// text reads a string. The result is a copy: a document must not hold on to
// every request that ever touched it.
func (p *parser) text() (string, error) {
	b := p.rest[1:]
	for i, c := range b {
		switch {
		case c == '"':
			p.rest = b[i+1:]
			return string(b[:i]), nil
		case c == '\\':
			return p.escaped(i)
		case c < 0x20:
			return "", errJSON()
		}
	}
	return "", errJSON()
}

// escaped reads a string whose first escape is after plain characters.
func (p *parser) escaped(plain int) (string, error) {
	b := p.rest[1:]
	out := append(make([]byte, 0, plain+16), b[:plain]...)
	for b = b[plain:]; len(b) > 0; {
		switch c := b[0]; {
		case c == '"':
			p.rest = b[1:]
			return string(out), nil
		case c < 0x20:
			return "", errJSON()
		case c != '\\':
			out, b = append(out, c), b[1:]
		default:
			char, n := unescape(b)
			if n == 0 {
				return "", errJSON()
			}
			out, b = utf8.AppendRune(out, char), b[n:]
		}
	}
	return "", errJSON()
}

// unescape reads the escape at the start of b and gives its length, 0 where it
// is none.
func unescape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	first, ok := hex(b)
	if !ok {
		return 0, 0
	}
	if second, ok := hex(b[6:]); ok && utf16.IsSurrogate(first) {
		if char := utf16.DecodeRune(first, second); char != utf8.RuneError {
			return char, 12
		}
	}
	return first, 6 // AppendRune turns half a pair into U+FFFD
}

// hex reads \uXXXX.
func hex(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] { // ParseUint would take signs and underscores
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 32)
	return rune(n), err == nil
}
