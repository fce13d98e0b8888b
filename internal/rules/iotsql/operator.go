package iotsql

import (
	"fmt"
	"strings"

	"thingd/internal/rules/iotsql/decimal"
)

// binary is an operator between two values.
type binary func(ev *evaluation, a, b Value) Value

// binaryOperator gives the code of an operator as the statement spells it, in
// upper case.
func binaryOperator(symbol string) binary {
	switch symbol {
	case "AND":
		return logical(func(a, b bool) bool { return a && b })
	case "OR":
		return logical(func(a, b bool) bool { return a || b })
	case "=":
		return (*evaluation).equals
	case "<>", "!=":
		return (*evaluation).differs
	case "<":
		return ordering(func(order int) bool { return order < 0 })
	case "<=":
		return ordering(func(order int) bool { return order <= 0 })
	case ">":
		return ordering(func(order int) bool { return order > 0 })
	case ">=":
		return ordering(func(order int) bool { return order >= 0 })
	case "IN":
		return (*evaluation).in
	case "+":
		return (*evaluation).plus
	case "-":
		return arithmetic(decimal.Decimal.Sub, decimal.Decimal.Sub)
	case "*":
		return arithmetic(decimal.Decimal.Mul, decimal.Decimal.Mul)
	case "/":
		return (*evaluation).divide
	case "%":
		return arithmetic(decimal.Decimal.Rem, decimal.Decimal.Rem)
	}
	return nil
}

// logical makes AND and OR: both sides are looked at, and one that is no Boolean
// makes the whole Undefined (unconfirmed; AWS's table has no short cut).
func logical(join func(a, b bool) bool) binary {
	return func(_ *evaluation, a, b Value) Value {
		left, ok := toBool(a)
		right, also := toBool(b)
		if !ok || !also {
			return Value{}
		}
		return boolean(join(left, right))
	}
}

func not(v Value) Value {
	truth, ok := toBool(v)
	if !ok {
		return Value{}
	}
	return boolean(!truth)
}

// ordering makes the comparisons of numbers. Strings are compared as the numbers
// they spell, never by alphabet.
func ordering(holds func(order int) bool) binary {
	return func(_ *evaluation, a, b Value) Value {
		left, ok := toNumber(a)
		right, also := toNumber(b)
		if !ok || !also {
			return Value{}
		}
		return boolean(holds(left.Cmp(right)))
	}
}

func (ev *evaluation) equals(a, b Value) Value {
	if isMissing(a) || isMissing(b) {
		return Value{}
	}
	return boolean(ev.same(a, b))
}

func (ev *evaluation) differs(a, b Value) Value {
	if isMissing(a) || isMissing(b) {
		return Value{}
	}
	return boolean(!ev.same(a, b))
}

func isMissing(v Value) bool { return v.kind == Undefined || v.kind == Raw }

// same compares two values without converting either; 5 and 5.0 are the same.
func (ev *evaluation) same(a, b Value) bool {
	if !ev.spend(1) {
		return false
	}
	left, number := a.Number()
	right, alsoNumber := b.Number()
	if number && alsoNumber {
		return left.Cmp(right) == 0
	}
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case Boolean:
		return a.truth == b.truth
	case String:
		return ev.spend(len(a.text)>>6) && a.text == b.text
	case Array:
		return ev.sameElements(a.Elements(), b.Elements())
	case Object:
		return ev.sameMembers(a.nested.(*object), b.nested.(*object))
	}
	return true // Null and Null, or two Undefined elements
}

func (ev *evaluation) sameElements(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !ev.same(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (ev *evaluation) sameMembers(a, b *object) bool {
	if len(a.members) != len(b.members) {
		return false
	}
	for _, m := range a.members {
		if !ev.same(m.value, b.get(m.key)) {
			return false
		}
	}
	return true
}

func (ev *evaluation) in(v, list Value) Value {
	if isMissing(v) || list.kind != Array {
		return Value{}
	}
	for _, element := range list.Elements() {
		if !ev.spend(1) {
			return Value{}
		}
		if ev.same(v, element) {
			return boolean(true)
		}
	}
	return boolean(false)
}

// plus joins texts when a String is on either side and adds otherwise.
func (ev *evaluation) plus(a, b Value) Value {
	if a.kind != String && b.kind != String {
		return arithmetic(decimal.Decimal.Add, decimal.Decimal.Add)(ev, a, b)
	}
	left, ok := ev.toText(a)
	right, also := ev.toText(b)
	if !ok || !also || !ev.charge(len(left)+len(right)) {
		return Value{}
	}
	return NewString(left + right)
}

// operation is arithmetic that may overflow or divide by zero.
type operation func(a, b decimal.Decimal) (decimal.Decimal, bool)

// arithmetic makes an operator between numbers: Int and Int give an Int, other
// numbers and Strings that spell one give a Decimal.
func arithmetic(ints, decimals operation) binary {
	return func(ev *evaluation, a, b Value) Value {
		if a.kind == Int && b.kind == Int {
			return intResult(ints(a.number, b.number))
		}
		left, ok := toNumber(a)
		right, also := toNumber(b)
		if !ok || !also {
			return Value{}
		}
		return ev.decimalResult(decimals(left, right))
	}
}

// intResult is Undefined where the result has more than 34 digits.
func intResult(d decimal.Decimal, ok bool) Value {
	whole, fits := d.Whole()
	if !ok || !fits {
		return Value{}
	}
	return Value{kind: Int, number: whole}
}

func (ev *evaluation) decimalResult(d decimal.Decimal, ok bool) Value {
	if !ok {
		return Value{}
	}
	return ev.version.numberValue(d)
}

func (ev *evaluation) divide(a, b Value) Value {
	if a.kind == Int && b.kind == Int && ev.env.DecimalDivision {
		d, ok := a.number.Quo(b.number)
		if whole, is := d.Whole(); ok && is {
			return Value{kind: Int, number: whole}
		}
		return ev.decimalResult(d, ok)
	}
	return arithmetic(decimal.Decimal.QuoInt, decimal.Decimal.Quo)(ev, a, b)
}

func negate(v Value) Value {
	if d, ok := v.Number(); ok {
		return Value{kind: v.kind, number: d.Neg()}
	}
	return Value{}
}

func positive(v Value) Value {
	if v.kind == Int || v.kind == Decimal {
		return v
	}
	return Value{}
}

func tooLong(what string, limit int) error {
	return fmt.Errorf("%w: %s has more than %d bytes", ErrLimit, what, limit)
}

// cast is cast(v AS type); the type words have been checked.
func (ev *evaluation) cast(v Value, to castType) Value {
	switch to {
	case castString:
		text, ok := ev.toText(v)
		if !ok {
			return Value{}
		}
		return NewString(text)
	case castBoolean:
		return castToBoolean(v)
	}
	d, ok := castNumber(v)
	switch {
	case !ok:
		return Value{}
	case to == castInt:
		return wholeNumber(d.Round(decimal.Floor)) // "rounded down"; floor for negatives is unconfirmed
	case to == castDouble && v.kind != Int:
		return ev.decimalResult(decimal.FromFloat(d.Float64()))
	case v.kind == Int:
		return v
	}
	return ev.version.numberValue(d)
}

func castToBoolean(v Value) Value {
	if d, ok := v.Number(); ok {
		return boolean(d.Sign() != 0)
	}
	truth, ok := toBool(v)
	if !ok {
		return Value{}
	}
	return boolean(truth)
}

func castNumber(v Value) (decimal.Decimal, bool) {
	if v.kind != Boolean {
		return toNumber(v)
	}
	if v.truth {
		return decimal.FromInt(1), true
	}
	return decimal.Decimal{}, true
}

type castType int

const (
	castNone castType = iota
	castString
	castInt
	castDouble
	castDecimal
	castBoolean
)

// castTypeOf knows the type words; the newer ones need 2016-03-23.
func castTypeOf(word string) (to castType, since Version) {
	switch strings.ToLower(word) {
	case "string", "nvarchar", "text", "ntext", "varchar":
		return castString, V20151008
	case "int", "integer":
		return castInt, V20151008
	case "double":
		return castDouble, V20151008
	case "decimal":
		return castDecimal, V20160323
	case "bool", "boolean":
		return castBoolean, V20160323
	}
	return castNone, ""
}
