package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// position is a place in a text that somebody edits, counted from 1. The zero
// value is no place.
type position struct{ Line, Column int }

// positionAt gives the place of a byte.
func positionAt(text string, offset int) position {
	before := text[:max(0, min(offset, len(text)))]
	line := strings.LastIndexByte(before, '\n') + 1
	return position{strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[line:]) + 1}
}

// jsonMistake finds the first place where a text is not JSON, and what is wrong
// there; nil where it is JSON.
func jsonMistake(text string) (position, error) {
	var raw json.RawMessage
	err := json.Unmarshal([]byte(text), &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return positionAt(text, int(syntax.Offset)-1), err
	}
	return position{}, err
}

// inStatement finds the number of a statement in a message of package policy.
var inStatement = regexp.MustCompile(`\bstatement (\d+)\b`)

// mistakeIn finds the place that an error about a policy document is about: of
// what is not JSON, or of the statement that it names.
func mistakeIn(document string, problem error) position {
	if at, err := jsonMistake(document); err != nil {
		return at
	}
	match := inStatement.FindStringSubmatch(serviceSays(problem))
	if match == nil {
		return position{}
	}
	number, _ := strconv.Atoi(match[1])
	starts := statementStarts(document)
	if number < 1 || number > len(starts) {
		return position{}
	}
	return positionAt(document, starts[number-1])
}

// statementStarts gives the offsets at which the statements of a document begin.
func statementStarts(document string) []int {
	members, err := membersOf([]byte(document))
	if err != nil {
		return nil
	}
	for _, m := range members {
		if m.name != "Statement" {
			continue
		}
		items, err := itemsOf(m.value)
		if err != nil {
			return []int{m.offset}
		}
		starts := make([]int, len(items))
		for i, item := range items {
			starts[i] = m.offset + item.offset
		}
		return starts
	}
	return nil
}

// member is one member of a JSON object as it stands there.
type member struct {
	name   string
	value  json.RawMessage
	offset int // of the value
}

var errNotThis = errors.New("not of this form")

// membersOf takes an object apart and keeps the order, and names that come
// twice. What it gives can be written again without loss.
func membersOf(text []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := expect(d, '{'); err != nil {
		return nil, err
	}
	var all []member
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: token.(string)} // in an object these are names
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		m.offset = int(d.InputOffset()) - len(m.value)
		all = append(all, m)
	}
	return all, atEnd(d)
}

// itemsOf takes an array apart.
func itemsOf(text []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := expect(d, '['); err != nil {
		return nil, err
	}
	var all []member
	for d.More() {
		var m member
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		m.offset = int(d.InputOffset()) - len(m.value)
		all = append(all, m)
	}
	return all, atEnd(d)
}

func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err == nil && token != want {
		err = errNotThis
	}
	return err
}

// atEnd reads the closing bracket, after which there is nothing.
func atEnd(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errNotThis
	}
	return nil
}

// objectOf writes members as an object.
func objectOf(members []member) json.RawMessage {
	out := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(m.name) // a string always encodes
		out = append(append(append(out, name...), ':'), m.value...)
	}
	return append(out, '}')
}

// plainLines ends lines as we count them; browsers send forms with CRLF.
func plainLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// mistake is the part of a page that says what is wrong with a text, and where.
type mistake struct {
	*view
	Field string
	Wrong told
	At    position
}

// Mistake gives it for the text in a field.
func (v *view) Mistake(field string, wrong told, at position) mistake {
	return mistake{v, field, wrong, at}
}
