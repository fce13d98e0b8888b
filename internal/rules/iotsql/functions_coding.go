package iotsql

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"thingd/internal/rules/iotsql/protobuf"
)

func codingFunctions() []Function {
	return []Function{
		{
			Name: "encode", Arguments: "x, 'base64'", Min: 2, Max: 2, Since: V20160323, Group: GroupTypes,
			Doc: "The value in base64. For * these are the bytes of the payload as they were received, JSON or not; other " +
				"values are converted to String first.",
			Examples: []Example{
				example("encode('OFF', 'base64')", `"T0ZG"`), example("encode(*, 'base64')", `"e30="`), example("encode(1, 'rot13')", "Undefined"),
			},
			bytes:    true,
			literals: []int{1},
			code: func(ev *evaluation, args []Value) Value {
				if !strings.EqualFold(args[1].text, "base64") {
					return Value{}
				}
				return encodeBase64(ev, args[0])
			},
		},
		{
			Name: "decode", Arguments: "x, 'base64' | x, 'proto', bucket, key, file, message", Min: 2, Max: 6, Since: V20160323, Group: GroupTypes,
			Doc: "With 'base64': the value of the JSON text, or the String, that is encoded; Null where it is no base64. With " +
				"'proto': a protocol buffers message, from * or in base64, as an Object. Its type is the message of a .proto file in " +
				"a FileDescriptorSet, which is an object of at most 32 KiB in a bucket. A statement may decode two such messages, a " +
				"template none; a message that cannot be decoded aborts the rule.",
			Examples: []Example{
				example("decode('eyJ0IjoyMX0=', 'base64').t", "21"), example("decode('YWJj', 'base64')", `"abc"`),
				example("decode('***', 'base64')", "null"), example("decode(missing, 'base64')", "Undefined"),
				example("decode('CAc=', 'proto', 'schemas', 'car.desc', 'car', 'Car').doors", "7"),
			},
			bytes:    true,
			literals: []int{1},
			special:  decode,
		},
	}
}

// encodeBase64 is the base64 of a Raw's bytes or of a value's text.
func encodeBase64(ev *evaluation, v Value) Value {
	text, ok := v.text, true
	if v.kind != Raw {
		text, ok = ev.toText(v)
	}
	if !ok || !ev.charge(base64.StdEncoding.EncodedLen(len(text))) {
		return Value{}
	}
	return NewString(base64.StdEncoding.EncodeToString([]byte(text)))
}

func decode(c *compiler, f *Function, n *callNode) evaluator {
	arguments := c.arguments(f, n)
	scheme := ""
	if literal, is := n.arguments[1].(*literalNode); is {
		scheme = strings.ToLower(literal.value.text)
	}
	switch {
	case scheme == "base64" && len(arguments) == 2:
		return invoke(decodeBase64, arguments)
	case scheme == "proto" && len(arguments) == 6:
		if c.fallback || c.template {
			return c.fail(n, problem("decode with 'proto' is not allowed here"))
		}
		return invoke((&protobufCall{}).decode, arguments)
	}
	return undefined
}

func decodeBase64(ev *evaluation, args []Value) Value {
	text, ok := args[0].text, true
	if args[0].kind != Raw {
		text, ok = ev.toText(args[0])
	}
	if !ok || !ev.charge(len(text)) {
		return Value{}
	}
	data, ok := fromBase64(text)
	if !ok {
		return null()
	}
	decoded := string(data)
	if v, ok := ev.readJSON(decoded); ok {
		return v
	}
	return NewString(strings.ToValidUTF8(decoded, "\uFFFD"))
}

// fromBase64 takes base64 with its padding or without.
func fromBase64(text string) ([]byte, bool) {
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if padding := len(text) - len(strings.TrimRight(text, "=")); padding > 2 || padding > 0 && len(text)%4 != 0 {
		return nil, false
	}
	return data, err == nil
}

// jsonCost is how many bytes of values a byte of JSON may become.
const jsonCost = 32

// readJSON reads a text that came up on the way.
func (ev *evaluation) readJSON(text string) (Value, bool) {
	if !ev.charge(len(text) * jsonCost) {
		return Value{}, false
	}
	return readJSON(strings.Trim(text, " \t\r\n"), ev.version)
}

// protobufCall remembers the descriptor set it saw last: making sense of one
// takes much longer than reading a message by it.
type protobufCall struct {
	last atomic.Pointer[protobufSchema]
}

type protobufSchema struct {
	descriptors, file, message string
	decoder                    *protobuf.Decoder
}

// protobufSteps is about what reading a message costs.
const protobufSteps = 1000

// decode is decode(x, 'proto', bucket, key, file, message).
func (call *protobufCall) decode(ev *evaluation, args []Value) Value {
	data, ok := protobufBytes(args[0])
	if !ok {
		return Value{}
	}
	var words [4]string
	for i := range words {
		if words[i], ok = ev.toText(args[2+i]); !ok {
			return Value{}
		}
	}
	if !ev.callAllowed(callProtobuf, protobufCallsMax, "decode") || !ev.spend(protobufSteps+len(data)) {
		return Value{}
	}
	schema, err := call.schema(ev, words)
	if err != nil {
		ev.fail(&LookupError{"decode", err})
		return Value{}
	}
	text, err := schema.decoder.JSON(data)
	if err != nil {
		ev.fail(&LookupError{"decode", err})
		return Value{}
	}
	return ev.document("decode", text)
}

func protobufBytes(v Value) ([]byte, bool) {
	switch v.kind {
	case Raw:
		return []byte(v.text), true
	case String:
		return fromBase64(v.text)
	}
	return nil, false
}

func (call *protobufCall) schema(ev *evaluation, words [4]string) (*protobufSchema, error) {
	bucket, key, file, message := words[0], words[1], words[2], words[3]
	descriptors, err := ev.env.lookups().Object(ev.env.context(), bucket, key)
	if err != nil {
		return nil, fmt.Errorf("fetch the descriptor set %s/%s: %w", bucket, key, err)
	}
	last := call.last.Load()
	if last != nil && last.descriptors == string(descriptors) && last.file == file && last.message == message {
		return last, nil
	}
	decoder, err := protobuf.NewDecoder(descriptors, file, message)
	if err != nil {
		return nil, err
	}
	schema := &protobufSchema{string(descriptors), file, message, decoder}
	call.last.Store(schema)
	return schema, nil
}

// callAllowed counts the calls of a function that may be called only so often.
func (ev *evaluation) callAllowed(function, limit int, name string) bool {
	if ev.err != nil {
		return false
	}
	ev.calls[function]++
	if ev.calls[function] > limit {
		ev.fail(&LookupError{name, fmt.Errorf("called more than %d times in one statement", limit)})
	}
	return ev.err == nil
}

var errNotJSON = errors.New("the answer is not JSON")

// document is a JSON text that a lookup gave.
func (ev *evaluation) document(function string, text []byte) Value {
	v, ok := ev.readJSON(string(text))
	if !ok {
		ev.fail(&LookupError{function, errNotJSON})
		return Value{}
	}
	return v
}
