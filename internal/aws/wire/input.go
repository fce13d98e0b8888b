package wire

import (
	"bytes"
	"net/http"
	"net/url"
	"reflect"
)

// restInput reads the operation's input from a REST request: labels, query, headers
// and body. The violations come back beside it, for after the authorization.
func (sc *schema) restInput(op *Operation, r *http.Request, labels map[string]string, body []byte) (reflect.Value, *violations, error) {
	in := newInput(op)
	d := &decoder{schema: sc}
	p := sc.plan(in.Elem().Type())
	outside, err := boundValues(p, r, labels)
	if err != nil {
		return in, nil, err
	}
	if err := d.members(in.Elem(), outside, nil, func(m *member) bool { return m.place != inBody && m.place != inPayload }); err != nil {
		return in, nil, err
	}
	if p.payload != nil {
		return in, &d.wrong, d.payload(in.Elem().Field(p.payload.index), p.payload, body)
	}
	return in, &d.wrong, d.body(in.Elem(), body, func(m *member) bool { return m.place == inBody })
}

func newInput(op *Operation) reflect.Value { return reflect.New(reflect.TypeOf(op.In).Elem()) }

// body reads a JSON body into the members that of names.
func (d *decoder) body(in reflect.Value, body []byte, of func(*member) bool) error {
	if !hasMembers(d.schema.plan(in.Type()), of) {
		return nil
	}
	node, err := parseJSON(body)
	if err != nil {
		return err
	}
	object, ok := node.(map[string]any)
	if !ok {
		return wrongType(node, "a structure", nil)
	}
	return d.members(in, object, nil, of)
}

// hasMembers says whether the body means anything to the operation. Where it
// does not, whatever a client sends there is not looked at.
func hasMembers(p *plan, of func(*member) bool) bool {
	for i := range p.members {
		if of(&p.members[i]) {
			return true
		}
	}
	return false
}

// payload reads a body that is one member: bytes as they are, or a structure.
func (d *decoder) payload(dst reflect.Value, m *member, body []byte) error {
	at := &path{nil, m.name}
	if dst.Type() == bytesType {
		if len(body) > 0 {
			dst.SetBytes(body)
		} else if m.required {
			d.wrong.missing(at)
		}
		return nil
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return d.member(dst, m, nil, at)
	}
	node, err := parseJSON(body)
	if err != nil {
		return err
	}
	return d.member(dst, m, node, at)
}

// boundValues collects the values that came outside the body, by member name.
func boundValues(p *plan, r *http.Request, labels map[string]string) (map[string]any, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, serialization("The query string cannot be read.")
	}
	values := map[string]any{}
	for i := range p.members {
		m := &p.members[i]
		switch m.place {
		case inURI:
			values[m.name] = text(labels[m.wireName])
		case inQuery:
			setText(values, m, query[m.wireName])
		case inHeader:
			setText(values, m, r.Header.Values(m.wireName))
		}
	}
	return values, nil
}

// setText takes the first value. A parameter without a value counts as absent:
// tools write "?nextToken=" and mean none.
func setText(values map[string]any, m *member, all []string) {
	if len(all) > 0 && all[0] != "" {
		values[m.name] = text(all[0])
	}
}

// jsonInput reads the input of a JSON 1.1 call: all members are in the body.
func (sc *schema) jsonInput(op *Operation, body []byte) (reflect.Value, *violations, error) {
	in := newInput(op)
	d := &decoder{schema: sc}
	return in, &d.wrong, d.body(in.Elem(), body, everyMember)
}
