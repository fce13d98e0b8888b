package wire

import (
	"regexp"
	"strconv"
	"strings"
)

// javaClasses are the character classes that Java has and RE2 has not, as they
// stand inside brackets. Java means ASCII by them.
var javaClasses = map[string]string{
	"Graph": "!-~", "Alnum": "a-zA-Z0-9", "Alpha": "a-zA-Z", "Upper": "A-Z", "Lower": "a-z",
	"Digit": "0-9", "Punct": "!-/:-@[-`{-~", "Print": " -~", "Cntrl": `\x00-\x1F\x7F`, "XDigit": "0-9a-fA-F",
	"ASCII": `\x00-\x7F`, "Space": `\t\n\x0B\f\r `, "Blank": ` \t`,
}

var (
	javaClass   = regexp.MustCompile(`\\p\{(Graph|Alnum|Alpha|Upper|Lower|Digit|Punct|Print|Cntrl|XDigit|ASCII|Space|Blank)\}`)
	javaUnicode = regexp.MustCompile(`\\u([0-9A-Fa-f]{4,6})`)
	repetition  = regexp.MustCompile(`\{(\d+),(\d+)\}`)
)

// compilePattern makes a model's pattern, which is Java's, one of Go's. Like
// AWS's services it asks that the whole value match.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`\A(?:` + translatePattern(pattern) + `)\z`)
}

func translatePattern(pattern string) string {
	pattern = javaUnicode.ReplaceAllString(pattern, `\x{$1}`)
	pattern = repetition.ReplaceAllStringFunc(pattern, shortRepetition)
	return replaceClasses(pattern)
}

// shortRepetition replaces counts beyond RE2's 1000. The shapes that have them
// also have a maximum length.
func shortRepetition(text string) string {
	counts := repetition.FindStringSubmatch(text)
	if most, err := strconv.Atoi(counts[2]); err == nil && most <= 1000 {
		return text
	}
	if counts[1] == "0" {
		return "*"
	}
	return "+"
}

// replaceClasses writes Java's classes as ranges, in brackets of their own where
// they stand outside brackets.
func replaceClasses(pattern string) string {
	var b strings.Builder
	done := 0
	for _, at := range javaClass.FindAllStringSubmatchIndex(pattern, -1) {
		b.WriteString(pattern[done:at[0]])
		ranges := javaClasses[pattern[at[2]:at[3]]]
		if !insideBrackets(pattern[:at[0]]) {
			ranges = "[" + ranges + "]"
		}
		b.WriteString(ranges)
		done = at[1]
	}
	return b.String() + pattern[done:]
}

// insideBrackets says whether a bracket is open at the end of text.
func insideBrackets(text string) bool {
	open := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '[':
			open = true
		case ']':
			open = false
		}
	}
	return open
}
