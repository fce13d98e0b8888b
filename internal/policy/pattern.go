package policy

import (
	"strings"
	"unicode/utf8"
)

// tokenKind says what a piece of a pattern stands for.
type tokenKind uint8

const (
	literal tokenKind = iota // its text
	anyOne                   // ?: exactly one character
	anyRun                   // *: any characters, or none
	hole                     // a variable: its value, as literal text
)

// token is a piece of a pattern.
type token struct {
	kind     tokenKind
	text     string    // of a literal
	variable *variable // of a hole
}

// pattern is text with wildcards and variables, cut into tokens once so that
// matching does no more work than it must.
type pattern struct {
	source string // as written
	tokens []token
	holes  bool // some token is a variable
}

// syntax says which characters of a text are special.
type syntax struct {
	wildcards bool // * and ?
	variables bool // ${...}
}

// compilePattern cuts text into tokens. The error, for the policy's author, says
// what is wrong with a variable.
func compilePattern(text string, s syntax) (pattern, error) {
	p := pattern{source: text}
	for rest := text; rest != ""; {
		var err error
		if rest, err = p.take(rest, s); err != nil {
			return pattern{}, err
		}
	}
	return p, nil
}

// take moves one piece from the front of rest into the pattern.
func (p *pattern) take(rest string, s syntax) (string, error) {
	switch {
	case s.wildcards && rest[0] == '*':
		p.addRun()
		return rest[1:], nil
	case s.wildcards && rest[0] == '?':
		p.tokens = append(p.tokens, token{kind: anyOne})
		return rest[1:], nil
	case s.variables && strings.HasPrefix(rest, "${"):
		return p.takeVariable(rest)
	default:
		n := literalLen(rest, s)
		p.addLiteral(rest[:n])
		return rest[n:], nil
	}
}

// literalLen gives the length of the plain text at the front of rest, which is
// at least 1.
func literalLen(rest string, s syntax) int {
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case s.wildcards && (c == '*' || c == '?'):
			return i
		case s.variables && c == '$' && strings.HasPrefix(rest[i:], "${"):
			return i
		}
	}
	return len(rest)
}

func (p *pattern) takeVariable(rest string) (string, error) {
	v, n, err := parseVariable(rest)
	if err != nil {
		return "", err
	}
	if v.escape != "" {
		p.addLiteral(v.escape)
		return rest[n:], nil
	}
	p.tokens = append(p.tokens, token{kind: hole, variable: &v})
	p.holes = true
	return rest[n:], nil
}

// addLiteral appends text, joined to a literal before it.
func (p *pattern) addLiteral(text string) {
	if last := len(p.tokens) - 1; last >= 0 && p.tokens[last].kind == literal {
		p.tokens[last].text += text
		return
	}
	p.tokens = append(p.tokens, token{kind: literal, text: text})
}

// addRun appends a *; a second one in a row says nothing new.
func (p *pattern) addRun() {
	if last := len(p.tokens) - 1; last >= 0 && p.tokens[last].kind == anyRun {
		return
	}
	p.tokens = append(p.tokens, token{kind: anyRun})
}

// text gives what the pattern says where it has no wildcards; ok is false if a
// variable has no value.
func (p *pattern) text(ctx Context) (text string, ok bool) {
	if len(p.tokens) == 1 && p.tokens[0].kind == literal {
		return p.tokens[0].text, true
	}
	var b strings.Builder
	for _, t := range p.tokens {
		value, ok := t.value(ctx)
		if !ok {
			return "", false
		}
		b.WriteString(value)
	}
	return b.String(), true
}

// value gives the text of a literal, or of a variable that has a value.
func (t token) value(ctx Context) (string, bool) {
	if t.kind == hole {
		return t.variable.value(ctx)
	}
	return t.text, true
}

// verdict is the answer of one pattern.
type verdict uint8

const (
	miss       verdict = iota
	hit                // matched
	unresolved         // a variable has no value: a miss that must not be negated
)

// verdictOf turns a plain answer into a verdict.
func verdictOf(matched bool) verdict {
	if matched {
		return hit
	}
	return miss
}

// resolvedMax is how many tokens a pattern with variables may have before
// matching it needs the heap.
const resolvedMax = 16

// match compares the whole of s.
func (p *pattern) match(s string, ctx Context) verdict {
	if !p.holes {
		return verdictOf(matchTokens(p.tokens, s, exact))
	}
	var room [resolvedMax]token
	tokens, ok := p.resolve(room[:0], ctx)
	if !ok {
		return unresolved
	}
	return verdictOf(matchTokens(tokens, s, exact))
}

// resolve appends the tokens to dst with each variable replaced by its value.
func (p *pattern) resolve(dst []token, ctx Context) ([]token, bool) {
	for _, t := range p.tokens {
		if t.kind == hole {
			value, ok := t.variable.value(ctx)
			if !ok {
				return dst, false
			}
			t = token{kind: literal, text: value}
		}
		dst = append(dst, t)
	}
	return dst, true
}

// letterCase says whether A and a are the same.
type letterCase bool

const (
	exact  letterCase = false
	folded letterCase = true
)

// matchTokens compares the whole of s with tokens that have no variables.
//
// On a mismatch only the latest * is tried again, further on: whatever an earlier
// * could still take, the latest one can take as well. So the work is at most
// len(tokens) times len(s), however many * there are.
func matchTokens(tokens []token, s string, fold letterCase) bool {
	next, at := 0, 0     // token to match, and where in s
	retry, from := -1, 0 // first token after the latest *, and where it was tried
	for next < len(tokens) || at < len(s) {
		if next < len(tokens) && tokens[next].kind == anyRun {
			if next++; next == len(tokens) {
				return true
			}
			retry, from = next, at
			continue
		}
		if n := matchOne(tokens[next:], s[at:], fold); n >= 0 {
			next, at = next+1, at+n
			continue
		}
		if from = retryFrom(tokens, retry, s, from, fold); from < 0 {
			return false
		}
		next, at = retry, from
	}
	return true
}

// matchOne gives how many bytes at the front of s the first token takes, or -1.
func matchOne(tokens []token, s string, fold letterCase) int {
	switch {
	case len(tokens) == 0:
		return -1
	case tokens[0].kind == literal:
		if hasPrefix(s, tokens[0].text, fold) {
			return len(tokens[0].text)
		}
		return -1
	case s == "":
		return -1
	default: // anyOne
		_, n := utf8.DecodeRuneInString(s)
		return n
	}
}

func hasPrefix(s, prefix string, fold letterCase) bool {
	if !fold {
		return strings.HasPrefix(s, prefix)
	}
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// retryFrom gives the next place after from at which the tokens behind the
// latest * may match, or -1.
func retryFrom(tokens []token, retry int, s string, from int, fold letterCase) int {
	if retry < 0 || from >= len(s) {
		return -1
	}
	_, n := utf8.DecodeRuneInString(s[from:])
	from += n
	if fold || tokens[retry].kind != literal {
		return from
	}
	text := tokens[retry].text
	if retry == len(tokens)-1 { // the last piece can only stand at the end
		return lastPlace(s, from, text)
	}
	if i := strings.Index(s[from:], text); i >= 0 {
		return from + i
	}
	return -1
}

// lastPlace gives where text stands at the end of s, at or after from, or -1.
func lastPlace(s string, from int, text string) int {
	if !strings.HasSuffix(s[from:], text) {
		return -1
	}
	return len(s) - len(text)
}
