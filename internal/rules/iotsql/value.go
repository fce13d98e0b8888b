package iotsql

import (
	"iter"

	"thingd/internal/rules/iotsql/decimal"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds.
const (
	Undefined Kind = iota // a missing value; JSON has no word for it
	Null
	Boolean
	Int     // an integer of at most 34 digits
	Decimal // 34 significant digits
	String
	Array
	Object
	// Raw is a payload that is not JSON. It can be encoded, decoded and passed
	// on; to operators and other functions it is as Undefined.
	Raw
)

// String is the kind's name in the AWS documentation.
func (k Kind) String() string {
	return [...]string{"Undefined", "Null", "Boolean", "Int", "Decimal", "String", "Array", "Object", "Raw"}[k]
}

// Value is a value of the language. The zero value is Undefined. Values share
// memory and are never modified once made.
type Value struct {
	kind   Kind
	truth  bool
	number decimal.Decimal
	text   string // of a String, or the bytes of a Raw
	nested any    // []Value of an Array, *Object of an Object
}

// Kind gives the type of v.
func (v Value) Kind() Kind { return v.kind }

// Text gives the text of a String and "" for anything else.
func (v Value) Text() string {
	if v.kind != String {
		return ""
	}
	return v.text
}

// Truth says whether v is the Boolean true.
func (v Value) Truth() bool { return v.kind == Boolean && v.truth }

// Number gives the number of an Int or Decimal.
func (v Value) Number() (decimal.Decimal, bool) {
	return v.number, v.kind == Int || v.kind == Decimal
}

// Elements gives the elements of an Array, nil for anything else. They are not
// to be modified.
func (v Value) Elements() []Value {
	elements, _ := v.nested.([]Value)
	return elements
}

// Members goes through the members of an Object in their order.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		object, _ := v.nested.(*object)
		if object == nil {
			return
		}
		for _, m := range object.members {
			if !yield(m.key, m.value) {
				return
			}
		}
	}
}

// Member gives a member of an Object; Undefined where there is none.
func (v Value) Member(name string) Value {
	if object, ok := v.nested.(*object); ok {
		return object.get(name)
	}
	return Value{}
}

// JSON is v as compact JSON: null for Undefined, base64 for Raw. Not ok where it
// has more than 1 MiB.
func (v Value) JSON() ([]byte, bool) { return appendJSON(nil, v, resultMax) }

// String is the JSON of v for logs, or the kind's name where JSON has no word.
func (v Value) String() string {
	if v.kind == Undefined {
		return "Undefined"
	}
	out, ok := v.JSON()
	if !ok {
		return v.kind.String()
	}
	return string(out)
}

// NewString is a String.
func NewString(text string) Value { return Value{kind: String, text: text} }

func null() Value { return Value{kind: Null} }

func boolean(truth bool) Value { return Value{kind: Boolean, truth: truth} }

func integer(n int64) Value { return Value{kind: Int, number: decimal.FromInt(n)} }

func array(elements []Value) Value { return Value{kind: Array, nested: elements} }

func objectValue(o *object) Value { return Value{kind: Object, nested: o} }

func raw(payload string) Value { return Value{kind: Raw, text: payload} }

// wholeNumber is a number known to be an integer: an Int, or a Decimal where it
// has more digits than an Int may have.
func wholeNumber(d decimal.Decimal) Value {
	if whole, ok := d.Whole(); ok {
		return Value{kind: Int, number: whole}
	}
	return Value{kind: Decimal, number: d}
}

// numberValue is a Decimal. Since 2016-03-23 a Decimal whose value is whole
// becomes an Int.
func (v Version) numberValue(d decimal.Decimal) Value {
	if v.isFirst() {
		return Value{kind: Decimal, number: d}
	}
	return wholeNumber(d)
}
