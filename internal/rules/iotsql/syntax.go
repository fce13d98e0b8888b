package iotsql

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"thingd/internal/fault"
)

// SyntaxError says where a statement or template is wrong. Parse returns it
// inside of a fault with fault.CodeSQLParse (AWS's SqlParseException).
type SyntaxError struct {
	Line, Column int    // from 1; a column is a character
	Expected     string // what could have stood there; empty where Problem says more
	Problem      string
}

// Error gives place and problem in one line.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

func unexpected(expected, found string) *SyntaxError {
	return &SyntaxError{Expected: expected, Problem: "expected " + expected + ", found " + found}
}

func problem(format string, args ...any) *SyntaxError {
	return &SyntaxError{Problem: fmt.Sprintf(format, args...)}
}

// at fills in the place of a byte offset into text.
func (e *SyntaxError) at(text string, offset int) *SyntaxError {
	before := text[:min(offset, len(text))]
	e.Line = strings.Count(before, "\n") + 1
	e.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return e
}

func (e *SyntaxError) fault() error {
	return fault.New(fault.CodeSQLParse, "SQL parse error at %w", e)
}

// quote shows a piece of a statement in a message, cut where it is long.
func quote(text string) string {
	const shown = 40
	if utf8.RuneCountInString(text) > shown {
		text = string([]rune(text)[:shown]) + "…"
	}
	return "`" + text + "`"
}
