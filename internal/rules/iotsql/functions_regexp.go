package iotsql

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// regexpFunctions use RE2. AWS's are Java's: look-around and back-references are
// not to be had here, and a pattern with them is a bad pattern (Undefined).
// What we gain is time that grows with the text alone.
func regexpFunctions() []Function {
	return []Function{
		{
			Name: "regexp_matches", Arguments: "text, pattern", Min: 2, Max: 2, Since: V20151008, Group: GroupStrings,
			Doc: "Whether the pattern is found anywhere in the text. Patterns are RE2's: those of Java without look-around " +
				"and back-references. Undefined where the pattern is none.",
			Examples: []Example{
				example(`regexp_matches("room-12", "\d+")`, "true"), example("regexp_matches('room', '^o')", "false"),
				example("regexp_matches('a', '(')", "Undefined"), example("regexp_matches(12, '(1|9)2')", "true"),
			},
			special: onPattern(func(_ *evaluation, pattern *regexp.Regexp, text string, _ []Value) Value {
				return boolean(pattern.MatchString(text))
			}),
		},
		{
			Name: "regexp_substr", Arguments: "text, pattern", Min: 2, Max: 2, Since: V20151008, Group: GroupStrings,
			Doc: "The first part of the text that fits the pattern; Undefined where none does.",
			Examples: []Example{
				example(`regexp_substr("fw-2.10.3", "[0-9.]+")`, `"2.10.3"`), example("regexp_substr('fw', '[0-9]')", "Undefined"),
			},
			special: onPattern(func(_ *evaluation, pattern *regexp.Regexp, text string, _ []Value) Value {
				at := pattern.FindStringIndex(text)
				if at == nil {
					return Value{}
				}
				return NewString(text[at[0]:at[1]])
			}),
		},
		{
			Name: "regexp_replace", Arguments: "text, pattern, replacement", Min: 3, Max: 3, Since: V20151008, Group: GroupStrings,
			Doc: "The text with every part that fits the pattern replaced. In the replacement $1 stands for the first group, " +
				"${name} for a named one, and a backslash takes the meaning from what follows.",
			Examples: []Example{
				example(`regexp_replace("t=21;h=40", "(\w)=(\d+)", "$2$1")`, `"21t;40h"`),
				example("regexp_replace('abcd', 'b(.*)d', '<$1>')", `"a<c>"`), example("regexp_replace('a1', '[0-9]', '$9')", "Undefined"),
			},
			special: onPattern(replacePattern),
		},
	}
}

// onPattern makes a function whose second argument is a pattern. A pattern that
// is written out is compiled once.
func onPattern(apply func(ev *evaluation, pattern *regexp.Regexp, text string, args []Value) Value) func(*compiler, *Function, *callNode) evaluator {
	return func(c *compiler, f *Function, n *callNode) evaluator {
		find := findPattern
		if literal, is := n.arguments[1].(*literalNode); is {
			if text, ok := (&evaluation{}).toText(literal.value); ok {
				fixed := compilePattern(text)
				find = func(*evaluation, Value) pattern { return fixed }
			}
		}
		code := func(ev *evaluation, args []Value) Value {
			text, ok := ev.toText(args[0])
			p := find(ev, args[1])
			if !ok || p.Regexp == nil || !ev.spend(len(text)*p.states>>4) {
				return Value{}
			}
			return apply(ev, p.Regexp, text, args)
		}
		return invoke(code, c.arguments(f, n))
	}
}

// pattern is a compiled regular expression; the zero value stands for a bad one.
type pattern struct {
	*regexp.Regexp
	states int // about how many of them a character of the text may visit
}

// patternSteps is about what compiling a pattern costs.
const patternSteps = 1000

func findPattern(ev *evaluation, v Value) pattern {
	text, ok := ev.toText(v)
	if !ok || !ev.spend(patternSteps+16*len(text)) {
		return pattern{}
	}
	return compilePattern(text)
}

// compilePattern refuses patterns that grow: a{500}{2} is short and slow.
func compilePattern(text string) pattern {
	if len(text) > patternMax {
		return pattern{}
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return pattern{}
	}
	states := countStates(tree)
	if states > patternStatesMax {
		return pattern{}
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return pattern{}
	}
	return pattern{compiled, states}
}

// countStates is about how many instructions an expression becomes. The parser
// bounds its nesting.
func countStates(tree *syntax.Regexp) int {
	states := 1 + len(tree.Rune)
	for _, sub := range tree.Sub {
		states += countStates(sub)
	}
	if tree.Op == syntax.OpRepeat {
		states *= max(tree.Min, tree.Max, 1)
	}
	return min(states, patternStatesMax+1)
}

func replacePattern(ev *evaluation, pattern *regexp.Regexp, text string, args []Value) Value {
	written, ok := ev.toText(args[2])
	if !ok {
		return Value{}
	}
	replacement, ok := parseReplacement(pattern, written)
	if !ok {
		return Value{}
	}
	matches, ok := ev.allMatches(pattern, text)
	if !ok {
		return Value{}
	}
	var out strings.Builder
	last := 0
	for _, match := range matches {
		size := out.Len()
		out.WriteString(text[last:match[0]])
		for _, part := range replacement {
			out.WriteString(part.text(text, match))
		}
		if !ev.charge(out.Len() - size) {
			return Value{}
		}
		last = match[1]
	}
	ev.charge(len(text) - last)
	out.WriteString(text[last:])
	return NewString(out.String())
}

// allMatches finds the matches that there is memory for.
func (ev *evaluation) allMatches(pattern *regexp.Regexp, text string) ([][]int, bool) {
	size := 24 + 16*(pattern.NumSubexp()+1) // bytes of a slice with two ints per group
	matches := pattern.FindAllStringSubmatchIndex(text, max(memoryMax-ev.memory, 0)/size+1)
	return matches, ev.charge(len(matches) * size)
}

// replacementPart is literal text or, where group is not negative, a group.
type replacementPart struct {
	literal string
	group   int
}

func (p replacementPart) text(text string, match []int) string {
	if p.group < 0 {
		return p.literal
	}
	if start := match[2*p.group]; start >= 0 {
		return text[start:match[2*p.group+1]]
	}
	return ""
}

// parseReplacement reads a replacement as Java's Matcher does: $ and digits (as
// many as still name a group), ${name}, and \ before a character that stands for
// itself.
func parseReplacement(pattern *regexp.Regexp, written string) ([]replacementPart, bool) {
	var parts []replacementPart
	for written != "" {
		next := strings.IndexAny(written, `$\`)
		if next < 0 {
			return append(parts, replacementPart{written, -1}), true
		}
		if next > 0 {
			parts = append(parts, replacementPart{written[:next], -1})
		}
		mark, rest := written[next], written[next+1:]
		switch {
		case rest == "":
			return nil, false
		case mark == '\\':
			size := byteOffset(rest, 1)
			parts = append(parts, replacementPart{rest[:size], -1})
			written = rest[size:]
		default:
			group, size := readGroup(pattern, rest)
			if group < 0 {
				return nil, false
			}
			parts = append(parts, replacementPart{group: group})
			written = rest[size:]
		}
	}
	return parts, true
}

// readGroup reads the group after a $; negative where there is none.
func readGroup(pattern *regexp.Regexp, text string) (group, size int) {
	if name, braced := strings.CutPrefix(text, "{"); braced {
		name, _, closed := strings.Cut(name, "}")
		if !closed || name == "" {
			return -1, 0
		}
		return pattern.SubexpIndex(name), len(name) + 2
	}
	if digitCount(text) == 0 || int(text[0]-'0') > pattern.NumSubexp() {
		return -1, 0
	}
	group, size = int(text[0]-'0'), 1
	for size < digitCount(text) {
		longer := group*10 + int(text[size]-'0')
		if longer > pattern.NumSubexp() {
			break
		}
		group, size = longer, size+1
	}
	return group, size
}
