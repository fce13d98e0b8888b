package iotsql

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"thingd/internal/rules/iotsql/decimal"
)

// readJSON reads one JSON text (RFC 8259). Not ok: other text, invalid UTF-8, or
// nesting deeper than payloadDepth. Of members with one name the last counts.
//
// It is our own reader because numbers must keep their digits, members their
// order, and strings should share the memory of the text.
func readJSON(text string, version Version) (Value, bool) {
	return readMembers(text, version, nil)
}

// readMembers is readJSON that makes only the named members of the outermost
// object; the rest is checked and left out. No names (nil) are all.
func readMembers(text string, version Version, names []string) (Value, bool) {
	var room [8]member
	r := jsonReader{text: text, version: version, names: names, members: room[:0]}
	r.space()
	v, ok := r.value(0)
	r.space()
	return v, ok && r.at == len(text) && utf8.ValidString(text)
}

type jsonReader struct {
	text    string
	at      int
	version Version
	names   []string // the members wanted of the outermost object; nil: all
	blind   bool     // what is being read is not wanted
	members []member // of the objects being read, innermost last
	values  []Value  // of the arrays being read, innermost last
}

func (r *jsonReader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

func (r *jsonReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// accept skips white space and takes c if it comes next.
func (r *jsonReader) accept(c byte) bool {
	r.space()
	if r.peek() != c || r.at == len(r.text) {
		return false
	}
	r.at++
	return true
}

func (r *jsonReader) value(depth int) (Value, bool) {
	if depth > payloadDepth {
		return Value{}, false
	}
	switch c := r.peek(); {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"':
		text, ok := r.string()
		return NewString(text), ok
	case c == 't':
		return boolean(true), r.word("true")
	case c == 'f':
		return boolean(false), r.word("false")
	case c == 'n':
		return null(), r.word("null")
	}
	return r.number()
}

func (r *jsonReader) word(word string) bool {
	if !strings.HasPrefix(r.text[r.at:], word) {
		return false
	}
	r.at += len(word)
	return true
}

func (r *jsonReader) object(depth int) (Value, bool) {
	r.at++
	start := len(r.members)
	for first := true; !r.accept('}'); first = false {
		if !first && !r.accept(',') {
			return Value{}, false
		}
		m, ok := r.member(depth)
		if !ok {
			return Value{}, false
		}
		if !r.blind && m.value.kind != Undefined {
			r.members = append(r.members, m)
		}
	}
	if r.blind {
		return Value{}, true
	}
	return objectValue(r.takeMembers(start)), true
}

func (r *jsonReader) member(depth int) (member, bool) {
	r.space()
	if r.peek() != '"' {
		return member{}, false
	}
	key, ok := r.string()
	if !ok || !r.accept(':') {
		return member{}, false
	}
	r.space()
	if depth == 0 && r.names != nil && !slices.Contains(r.names, key) {
		r.blind = true
		_, ok = r.value(depth + 1)
		r.blind = false
		return member{}, ok
	}
	v, ok := r.value(depth + 1)
	return member{key, v}, ok
}

// takeMembers makes an object of the members collected since start.
func (r *jsonReader) takeMembers(start int) *object {
	collected := r.members[start:]
	o := &object{members: make([]member, 0, len(collected))}
	for _, m := range collected {
		o.set(m.key, m.value)
	}
	r.members = r.members[:start]
	return o
}

func (r *jsonReader) array(depth int) (Value, bool) {
	r.at++
	start := len(r.values)
	for first := true; !r.accept(']'); first = false {
		if !first && !r.accept(',') {
			return Value{}, false
		}
		r.space()
		v, ok := r.value(depth + 1)
		if !ok {
			return Value{}, false
		}
		if !r.blind {
			r.values = append(r.values, v)
		}
	}
	if r.blind {
		return Value{}, true
	}
	elements := append([]Value{}, r.values[start:]...)
	r.values = r.values[:start]
	return array(elements), true
}

// number reads a number. One that is out of range is Undefined (unconfirmed): it
// cannot be computed with, and the rest of the document is still good.
func (r *jsonReader) number() (Value, bool) {
	start := r.at
	if !r.numberSyntax() {
		return Value{}, false
	}
	if r.blind {
		return Value{}, true
	}
	d, integer, ok := decimal.Parse(r.text[start:r.at])
	switch {
	case !ok:
		return Value{}, true
	case integer:
		return Value{kind: Int, number: d}, true
	}
	return r.version.numberValue(d), true
}

func (r *jsonReader) numberSyntax() bool {
	if r.peek() == '-' {
		r.at++
	}
	if r.peek() == '0' {
		r.at++
	} else if !r.digits() {
		return false
	}
	if r.peek() == '.' {
		r.at++
		if !r.digits() {
			return false
		}
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		return r.digits()
	}
	return true
}

func (r *jsonReader) digits() bool {
	start := r.at
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.at++
	}
	return r.at > start
}

// string reads a string; without escapes it shares the memory of the text.
func (r *jsonReader) string() (string, bool) {
	r.at++
	start := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[start : r.at-1], true
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", false
		}
		r.at++
	}
	return "", false
}

func (r *jsonReader) escaped(start int) (string, bool) {
	out := append(make([]byte, 0, r.at-start+32), r.text[start:r.at]...)
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(out), true
		case c < ' ':
			return "", false
		case c != '\\':
			out = append(out, c)
			continue
		}
		char, ok := r.escape()
		if !ok {
			return "", false
		}
		out = utf8.AppendRune(out, char)
	}
	return "", false
}

func (r *jsonReader) escape() (rune, bool) {
	c := r.peek()
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return r.unicode()
	}
	return 0, false
}

// unicode reads four hex digits, and four more for a pair of surrogates. Half a
// pair becomes U+FFFD.
func (r *jsonReader) unicode() (rune, bool) {
	first, ok := r.hex()
	if !ok || !utf16.IsSurrogate(first) {
		return first, ok
	}
	before := r.at
	if !r.word(`\u`) {
		return utf8.RuneError, true
	}
	second, ok := r.hex()
	if pair := utf16.DecodeRune(first, second); ok && pair != utf8.RuneError {
		return pair, true
	}
	r.at = before
	return utf8.RuneError, true
}

func (r *jsonReader) hex() (rune, bool) {
	if len(r.text)-r.at < 4 {
		return 0, false
	}
	var n rune
	for _, c := range []byte(r.text[r.at : r.at+4]) {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	r.at += 4
	return n, true
}
