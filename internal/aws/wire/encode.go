package wire

import (
	"encoding/base64"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// appendJSON writes a value of a generated type. Absent members are left out,
// never null: SDKs' parsers disagree about null.
func (sc *schema) appendJSON(b []byte, v reflect.Value) []byte {
	switch v.Type() {
	case timeType:
		return appendEpoch(b, v.Interface().(time.Time))
	case rawType:
		return append(b, v.Bytes()...)
	case bytesType:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes()), '"')
	}
	switch v.Kind() {
	case reflect.Pointer:
		return sc.appendJSON(b, v.Elem())
	case reflect.Struct:
		return sc.appendObject(b, v, everyMember)
	case reflect.Slice:
		return sc.appendList(b, v)
	case reflect.Map:
		return sc.appendMap(b, v)
	case reflect.String:
		return appendString(b, v.String())
	}
	if v.Kind() == reflect.Float64 && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
		// JSON has no such numbers; SDKs read "NaN" and "Infinity".
		return appendString(b, strings.Replace(strings.Trim(scalarText(v), "+"), "Inf", "Infinity", 1))
	}
	return append(b, scalarText(v)...)
}

// appendObject writes the members that of names and that are there.
func (sc *schema) appendObject(b []byte, v reflect.Value, of func(*member) bool) []byte {
	p := sc.plan(v.Type())
	b = append(b, '{')
	first := true
	for i := range p.members {
		m := &p.members[i]
		field := v.Field(m.index)
		if !of(m) || absent(field, m) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, m.name), ':')
		b = sc.appendJSON(b, field)
	}
	return append(b, '}')
}

func (sc *schema) appendList(b []byte, v reflect.Value) []byte {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = sc.appendJSON(b, v.Index(i))
	}
	return append(b, ']')
}

func (sc *schema) appendMap(b []byte, v reflect.Value) []byte {
	b = append(b, '{')
	for i, key := range mapKeys(v) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, key), ':')
		b = sc.appendJSON(b, v.MapIndex(reflect.ValueOf(key)))
	}
	return append(b, '}')
}

// mapKeys sorts, so that the same answer has the same bytes.
func mapKeys(v reflect.Value) []string {
	keys := make([]string, 0, v.Len())
	for _, key := range v.MapKeys() {
		keys = append(keys, key.String())
	}
	slices.Sort(keys)
	return keys
}

// absent says whether a member is left out: "", nil, the zero time. Required
// members are written even so, as far as they have an empty form.
func absent(v reflect.Value, m *member) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil()
	case reflect.Struct:
		return v.IsZero()
	case reflect.Slice, reflect.Map:
		return v.IsNil() && (!m.required || v.Type() == rawType)
	case reflect.String:
		return v.Len() == 0 && !m.required
	}
	return false
}

// appendEpoch writes seconds, with milliseconds where there are any.
func appendEpoch(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64)
}

// scalarText is the form of booleans and numbers, the same everywhere.
func scalarText(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return v.String()
}

// appendString writes a JSON string. Unlike encoding/json it leaves < > & as
// they are, as AWS does.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// restOutput is what a REST output makes of the answer: its status, headers and
// body.
func (sc *schema) restOutput(op *Operation, out reflect.Value) (status int, header map[string]string, body []byte) {
	status, header = op.Status, map[string]string{}
	if op.Out == nil {
		return status, header, nil
	}
	out = outputOf(op, out)
	p := sc.plan(out.Type())
	for i := range p.members {
		m := &p.members[i]
		v := out.Field(m.index)
		switch {
		case absent(v, m):
		case m.place == inStatus:
			status = int(reflect.Indirect(v).Int())
		case m.place == inHeader:
			header[m.wireName] = headerText(m, reflect.Indirect(v))
		}
	}
	if p.payload != nil {
		return status, header, sc.payloadBytes(out.Field(p.payload.index))
	}
	return status, header, sc.appendObject(nil, out, func(m *member) bool { return m.place == inBody })
}

// outputOf is the structure that an operation gave, the empty one for nil.
func outputOf(op *Operation, out reflect.Value) reflect.Value {
	if !out.IsValid() || out.IsNil() {
		return reflect.New(reflect.TypeOf(op.Out).Elem()).Elem()
	}
	return out.Elem()
}

func (sc *schema) payloadBytes(v reflect.Value) []byte {
	if v.Type() == bytesType {
		return v.Bytes()
	}
	if v.IsNil() {
		return []byte("{}")
	}
	return sc.appendJSON(nil, v)
}

func headerText(m *member, v reflect.Value) string {
	switch {
	case m.jsonValue:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case v.Type() == timeType:
		return v.Interface().(time.Time).UTC().Format(http.TimeFormat)
	case v.Type() == bytesType:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	}
	return scalarText(v)
}

// jsonOutput is the body of a JSON 1.1 answer.
func (sc *schema) jsonOutput(op *Operation, out reflect.Value) []byte {
	if op.Out == nil {
		return nil
	}
	return sc.appendObject(nil, outputOf(op, out), everyMember)
}
