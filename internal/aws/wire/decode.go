package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
)

// Whatever the protocol, an input is first a tree of nil, bool, json.Number,
// string, []any and map[string]any, as JSON has it. Values that came as text
// (labels, query, headers, forms) are of type text and take the type they are
// wanted in. A decoder binds the tree to an input structure and notes on the
// way what fails its constraints: only here is known what was absent and what
// was empty.

// text is a value that came without a type.
type text string

// codeSerialization is an input that does not have the form of its shape.
const codeSerialization fault.Code = "Serialization"

func serialization(format string, args ...any) error {
	return fault.New(codeSerialization, format, args...)
}

type decoder struct {
	schema *schema
	wrong  violations
}

// members binds the members of a structure that node has, and tells of those it
// must have and has not.
func (d *decoder) members(dst reflect.Value, node map[string]any, at *path, of func(*member) bool) error {
	p := d.schema.plan(dst.Type())
	for i := range p.members {
		m := &p.members[i]
		if !of(m) {
			continue
		}
		if err := d.member(dst.Field(m.index), m, node[m.name], &path{at, m.name}); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) member(dst reflect.Value, m *member, node any, at *path) error {
	if node == nil {
		if m.required {
			d.wrong.missing(at)
		}
		return nil
	}
	if m.jsonValue {
		return d.jsonHeader(dst, node, at)
	}
	return d.value(dst, node, at, m.shape)
}

func everyMember(*member) bool { return true }

// value binds a node that is there, then checks it.
func (d *decoder) value(dst reflect.Value, node any, at *path, shape string) error {
	if dst.Kind() == reflect.Pointer {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	r := d.schema.rules[shape]
	if err := d.bind(dst, node, at, r); err != nil {
		return err
	}
	if r == nil {
		return nil
	}
	for _, constraint := range r.failing(dst) {
		d.wrong.add(at, quoted(node, r.Sensitive), constraint)
	}
	return nil
}

// bind writes node into dst, whose type says what node must be.
func (d *decoder) bind(dst reflect.Value, node any, at *path, r *rule) error {
	switch dst.Type() {
	case timeType:
		return setTime(dst, node, at)
	case rawType:
		return setRaw(dst, node, at)
	case bytesType:
		return setBytes(dst, node, at)
	}
	switch dst.Kind() {
	case reflect.Struct:
		return d.structure(dst, node, at)
	case reflect.Slice:
		return d.list(dst, node, at, r)
	case reflect.Map:
		return d.dictionary(dst, node, at, r)
	}
	return setScalar(dst, node, at)
}

func (d *decoder) structure(dst reflect.Value, node any, at *path) error {
	object, ok := node.(map[string]any)
	if !ok {
		return wrongType(node, "a structure", at)
	}
	return d.members(dst, object, at, everyMember)
}

func (d *decoder) list(dst reflect.Value, node any, at *path, r *rule) error {
	elements, ok := node.([]any)
	if !ok {
		return wrongType(node, "a list", at)
	}
	shape := ""
	if r != nil {
		shape = r.Of
	}
	dst.Set(reflect.MakeSlice(dst.Type(), len(elements), len(elements)))
	for i, element := range elements {
		if err := d.held(dst.Index(i), element, at, at.element(i+1), shape, node, "Member must satisfy constraint: [%s]"); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) dictionary(dst reflect.Value, node any, at *path, r *rule) error {
	object, ok := node.(map[string]any)
	if !ok {
		return wrongType(node, "a map", at)
	}
	keyShape, valueShape := "", ""
	if r != nil {
		keyShape, valueShape = r.Key, r.Value
	}
	dst.Set(reflect.MakeMapWithSize(dst.Type(), len(object)))
	for _, key := range sortedKeys(object) {
		d.heldString(reflect.ValueOf(key), at, keyShape, node, "Map keys must satisfy constraint: [%s]")
		value := reflect.New(dst.Type().Elem()).Elem()
		// A null value is as good as none: AWS's maps hold no nulls.
		if object[key] == nil {
			continue
		}
		if err := d.held(value, object[key], at, &path{at, key}, valueShape, node, "Map value must satisfy constraint: [%s]"); err != nil {
			return err
		}
		dst.SetMapIndex(reflect.ValueOf(key), value)
	}
	return nil
}

// held binds what a list or map holds. Strings in there are reported as AWS
// does, with the whole collection and all constraints; everything else at its
// own path.
func (d *decoder) held(dst reflect.Value, node any, whole, at *path, shape string, collection any, form string) error {
	if node == nil {
		d.wrong.missing(at)
		return nil
	}
	if dst.Kind() != reflect.String {
		return d.value(dst, node, at, shape)
	}
	if err := setScalar(dst, node, at); err != nil {
		return err
	}
	d.heldString(dst, whole, shape, collection, form)
	return nil
}

func (d *decoder) heldString(v reflect.Value, whole *path, shape string, collection any, form string) {
	r := d.schema.rules[shape]
	if r == nil || len(r.failing(v)) == 0 {
		return
	}
	d.wrong.add(whole, quoted(collection, r.Sensitive), fmt.Sprintf(form, strings.Join(r.all(), ", ")))
}

// setScalar writes strings, booleans and numbers.
func setScalar(dst reflect.Value, node any, at *path) error {
	switch dst.Kind() {
	case reflect.String:
		return setString(dst, node, at)
	case reflect.Bool:
		return setBool(dst, node, at)
	case reflect.Int, reflect.Int64:
		return setInteger(dst, node, at)
	case reflect.Float64:
		return setFloat(dst, node, at)
	}
	return fmt.Errorf("wire: a member of type %v cannot be bound", dst.Type())
}

func setString(dst reflect.Value, node any, at *path) error {
	switch node := node.(type) {
	case string:
		dst.SetString(node)
	case text:
		dst.SetString(string(node))
	default:
		return wrongType(node, "a String", at)
	}
	return nil
}

// setBool takes text in any case: clients write true, True and TRUE.
func setBool(dst reflect.Value, node any, at *path) error {
	switch node := node.(type) {
	case bool:
		dst.SetBool(node)
		return nil
	case text:
		if lower := strings.ToLower(string(node)); lower == "true" || lower == "false" {
			dst.SetBool(lower == "true")
			return nil
		}
	}
	return wrongType(node, "a Boolean", at)
}

// setInteger takes 5 and 5.0, and nothing that the model's 32 or 64 bits do not
// hold.
func setInteger(dst reflect.Value, node any, at *path) error {
	digits, ok := number(node)
	if !ok {
		return wrongType(node, "an Integer", at)
	}
	bits := 64
	if dst.Kind() == reflect.Int {
		bits = 32
	}
	n, err := strconv.ParseInt(digits, 10, bits)
	if err == nil {
		dst.SetInt(n)
		return nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= math.Ldexp(1, bits-1) {
		return wrongType(node, "an Integer", at)
	}
	dst.SetInt(int64(f))
	return nil
}

func setFloat(dst reflect.Value, node any, at *path) error {
	digits, ok := number(node)
	if !ok {
		return wrongType(node, "a Double", at)
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return wrongType(node, "a Double", at)
	}
	dst.SetFloat(f)
	return nil
}

func number(node any) (string, bool) {
	switch node := node.(type) {
	case json.Number:
		return node.String(), true
	case text:
		return string(node), true
	}
	return "", false
}

// setTime takes epoch seconds and ISO 8601 wherever they come, and the date
// form of HTTP headers. Times beyond the years 1 to 9999 have no ISO form.
func setTime(dst reflect.Value, node any, at *path) error {
	if digits, ok := number(node); ok {
		if seconds, err := strconv.ParseFloat(digits, 64); err == nil {
			if !(seconds > -62e9 && seconds < 253e9) {
				return wrongType(node, "a Timestamp", at)
			}
			dst.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()))
			return nil
		}
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", http.TimeFormat} {
		if t, err := time.Parse(form, plainText(node)); err == nil {
			dst.Set(reflect.ValueOf(t.UTC()))
			return nil
		}
	}
	return wrongType(node, "a Timestamp", at)
}

func plainText(node any) string {
	switch node := node.(type) {
	case string:
		return node
	case text:
		return string(node)
	}
	return ""
}

// setBytes reads base64.
func setBytes(dst reflect.Value, node any, at *path) error {
	if _, ok := node.(json.Number); ok || !isText(node) {
		return wrongType(node, "a Blob", at)
	}
	data, err := base64.StdEncoding.DecodeString(plainText(node))
	if err != nil {
		return serialization("The value at '%s' is not valid base64.", at)
	}
	dst.SetBytes(data)
	return nil
}

func isText(node any) bool {
	switch node.(type) {
	case string, text:
		return true
	}
	return false
}

// setRaw keeps a value as JSON.
func setRaw(dst reflect.Value, node any, at *path) error {
	if t, ok := node.(text); ok {
		node = string(t)
	}
	data, err := json.Marshal(node)
	if err != nil {
		return serialization("The value at '%s' is not valid JSON.", at)
	}
	dst.SetBytes(data)
	return nil
}

// jsonHeader reads JSON that came as base64 in a header. Some SDKs encode the
// text that the caller already wrote as JSON once more, as a JSON string.
func (d *decoder) jsonHeader(dst reflect.Value, node any, at *path) error {
	data, err := base64.StdEncoding.DecodeString(plainText(node))
	if err != nil {
		return serialization("The value at '%s' is not valid base64.", at)
	}
	var inner string
	if json.Unmarshal(data, &inner) == nil && json.Valid([]byte(inner)) {
		data = []byte(inner)
	}
	if !json.Valid(data) {
		return serialization("The value at '%s' is not valid JSON.", at)
	}
	dst.SetBytes(data)
	return nil
}

func wrongType(node any, want string, at *path) error {
	return serialization("%s can not be converted to %s at '%s'", nodeName(node), want, at)
}

// nodeName is what came, in the words of AWS's own parser.
func nodeName(node any) string {
	switch node := node.(type) {
	case bool:
		return strings.ToUpper(strconv.FormatBool(node)) + "_VALUE"
	case json.Number:
		return "NUMBER_VALUE"
	case string, text:
		return "STRING_VALUE"
	case []any:
		return "START_ARRAY"
	case map[string]any:
		return "START_OBJECT"
	}
	return "NULL_VALUE"
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// depthMax bounds how deep inputs nest; the deepest shape has nine levels.
const depthMax = 64

// parseJSON reads one JSON value, all of body; an empty body is an object
// without members, because SDKs send none where there is nothing to say.
func parseJSON(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	if depth(body) > depthMax {
		return nil, serialization("The request body nests deeper than %d levels.", depthMax)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var node any
	if err := dec.Decode(&node); err != nil {
		return nil, serialization("The request body is not valid JSON: %v.", syntaxOf(err))
	}
	if dec.More() || len(bytes.TrimSpace(body[dec.InputOffset():])) > 0 {
		return nil, serialization("The request body goes on after its JSON value.")
	}
	return node, nil
}

// syntaxOf is what the caller may read of a decoder's error.
func syntaxOf(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("%v at byte %d", syntax, syntax.Offset)
	}
	return "it ends too early"
}

// depth counts the brackets that are open at once, without building anything.
func depth(body []byte) int {
	deepest, open, inString := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			open++
			deepest = max(deepest, open)
		case c == ']' || c == '}':
			open--
		}
	}
	return deepest
}
