package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"thingd/internal/why"
)

// nodeKind is the JSON type of a node.
type nodeKind uint8

const (
	nullNode nodeKind = iota
	textNode
	numberNode
	boolNode
	arrayNode
	objectNode
)

// says names the kind in messages.
func (k nodeKind) says() why.Phrase {
	return [...]why.Phrase{
		why.Say("null"), why.Say("a string"), why.Say("a number"), why.Say("a boolean"), why.Say("an array"), why.Say("an object"),
	}[k]
}

// node is a JSON value. encoding/json alone won't do: it keeps the last of two
// members with one name, and the reader of a policy may have believed the first.
type node struct {
	kind    nodeKind
	text    string   // of a string, number or boolean
	items   []node   // of an array
	members []member // of an object, in order
}

type member struct {
	name  string
	value node
}

// readTree reads a JSON document. The size of text is the caller's to bound.
func readTree(text string) (node, error) {
	if !utf8.ValidString(text) {
		return node{}, why.Say("the document is not UTF-8")
	}
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return node{}, notJSON(err)
	}
	r := reader{json.NewDecoder(bytes.NewReader(raw))}
	r.UseNumber()
	return r.value("the document", 0)
}

// notJSON says where the syntax is wrong.
func notJSON(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return why.Say("the document is not JSON: %w (at byte %d)", err, syntax.Offset)
	}
	return why.Say("the document is not JSON: %w", err)
}

// reader makes nodes of tokens.
type reader struct{ *json.Decoder }

// value reads one value, which stands at the place named at, depth levels down.
func (r reader) value(at string, depth int) (node, error) {
	token, err := r.Token()
	if err != nil {
		return node{}, notJSON(noEOF(err))
	}
	switch t := token.(type) {
	case string:
		return node{kind: textNode, text: t}, nil
	case json.Number:
		return node{kind: numberNode, text: t.String()}, nil
	case bool:
		return node{kind: boolNode, text: fmt.Sprint(t)}, nil
	case json.Delim:
		return r.container(t, at, depth+1)
	default:
		return node{kind: nullNode}, nil
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r reader) container(open json.Delim, at string, depth int) (node, error) {
	if depth > depthMax {
		return node{}, why.Say("the document is nested more than %d levels deep", depthMax)
	}
	if open == '[' {
		return r.array(at, depth)
	}
	return r.object(at, depth)
}

func (r reader) array(at string, depth int) (node, error) {
	n := node{kind: arrayNode}
	for r.More() {
		item, err := r.value(at, depth)
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
	}
	_, err := r.Token() // the closing bracket
	return n, err
}

func (r reader) object(at string, depth int) (node, error) {
	n := node{kind: objectNode}
	seen := map[string]bool{}
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return node{}, notJSON(noEOF(err))
		}
		name, _ := token.(string)
		if seen[name] {
			return node{}, why.Say("%s: the member %q appears twice", at, brief(name))
		}
		seen[name] = true
		value, err := r.value(brief(name), depth)
		if err != nil {
			return node{}, err
		}
		n.members = append(n.members, member{name, value})
	}
	_, err := r.Token() // the closing brace
	return n, err
}

// list gives the items of an array, and a single value as the only item.
func (n node) list() []node {
	if n.kind == arrayNode {
		return n.items
	}
	return []node{n}
}

// briefMax is how much of a stranger's text a message repeats, in bytes.
const briefMax = 120

// brief shortens a stranger's text for a message.
func brief(text string) string {
	if len(text) <= briefMax {
		return text
	}
	cut := briefMax
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}
