package iotsql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenVariable // @name
	tokenNumber
	tokenString
	tokenSymbol
	tokenBad
)

// token is a word of a statement. Its text is as written; value is a string's
// content, or what is wrong with a bad token.
type token struct {
	kind       tokenKind
	start, end int
	text       string
	value      string
}

// is says whether the token is this keyword.
func (t token) is(keyword string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, keyword)
}

// symbol says whether the token is this punctuation or operator.
func (t token) symbol(symbol string) bool { return t.kind == tokenSymbol && t.text == symbol }

// found names the token in a message.
func (t token) found() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenBad:
		return t.value
	}
	return quote(t.text)
}

// scanToken reads the token at or after an offset.
func scanToken(text string, at int) token {
	for at < len(text) && strings.IndexByte(" \t\r\n\f", text[at]) >= 0 {
		at++
	}
	t := token{start: at, end: at}
	if at == len(text) {
		return t
	}
	rest := text[at:]
	switch c, _ := utf8.DecodeRuneInString(rest); {
	case isWordStart(c):
		t.kind, t.end = tokenWord, at+wordLength(rest)
	case c >= '0' && c <= '9':
		t.kind, t.end = scanNumber(rest, at)
		t.value = "a number that runs into a word"
	case c == '\'' || c == '"':
		scanString(&t, rest)
	case c == '@':
		scanVariable(&t, rest)
	default:
		scanSymbol(&t, rest)
	}
	t.text = text[at:t.end]
	return t
}

func isWordStart(c rune) bool { return c == '_' || unicode.IsLetter(c) }

func isWordPart(c rune) bool {
	return isWordStart(c) || c >= '0' && c <= '9' || unicode.Is(unicode.Mn, c)
}

func wordLength(text string) int {
	end := strings.IndexFunc(text, func(c rune) bool { return !isWordPart(c) })
	if end < 0 {
		return len(text)
	}
	return end
}

// scanNumber reads digits, a fraction and an exponent.
func scanNumber(text string, at int) (tokenKind, int) {
	n := digitCount(text)
	if strings.HasPrefix(text[n:], ".") && digitCount(text[n+1:]) > 0 {
		n += 1 + digitCount(text[n+1:])
	}
	if n < len(text) && text[n]|0x20 == 'e' {
		sign := 1
		if n+1 < len(text) && (text[n+1] == '+' || text[n+1] == '-') {
			sign = 2
		}
		if exponent := digitCount(text[n+sign:]); exponent > 0 {
			n += sign + exponent
		}
	}
	if c, _ := utf8.DecodeRuneInString(text[n:]); isWordPart(c) {
		return tokenBad, at + n
	}
	return tokenNumber, at + n
}

func digitCount(text string) int { return len(text) - len(strings.TrimLeft(text, "0123456789")) }

// scanString reads a string in either kind of quotes. The quote itself is
// written twice inside; a backslash is a character like others (both
// unconfirmed).
func scanString(t *token, text string) {
	mark := text[:1]
	var out strings.Builder
	for i := 1; ; {
		next := strings.Index(text[i:], mark)
		if next < 0 {
			t.kind, t.end, t.value = tokenBad, t.start+len(text), "a string without its closing "+mark
			return
		}
		out.WriteString(text[i : i+next])
		i += next + 1
		if !strings.HasPrefix(text[i:], mark) {
			t.kind, t.end, t.value = tokenString, t.start+i, out.String()
			return
		}
		out.WriteString(mark)
		i++
	}
}

// scanVariable reads @name; a name may begin with a digit.
func scanVariable(t *token, text string) {
	end := 1
	for end < len(text) && isVariablePart(text[end]) {
		end++
	}
	t.kind, t.end, t.value = tokenVariable, t.start+end, text[1:end]
	if end == 1 {
		t.kind, t.value = tokenBad, "@ without a name"
	}
}

func isVariablePart(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func scanSymbol(t *token, text string) {
	t.kind = tokenSymbol
	for _, double := range [...]string{"<>", "<=", ">=", "!="} {
		if strings.HasPrefix(text, double) {
			t.end = t.start + 2
			return
		}
	}
	_, size := utf8.DecodeRuneInString(text)
	t.end = t.start + size
	if strings.IndexByte(",.()[]{}:+-*/%=<>", text[0]) < 0 {
		t.kind, t.value = tokenBad, quote(text[:size])
	}
}

// isReserved says whether a word is no field name where it stands alone. After a
// dot and after AS every word is a name.
func isReserved(word string) bool {
	switch strings.ToUpper(word) {
	case "SELECT", "FROM", "WHERE", "AS", "AND", "OR", "NOT", "IN", "CASE", "WHEN", "THEN", "ELSE", "END":
		return true
	}
	return false
}
