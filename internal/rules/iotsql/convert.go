package iotsql

import (
	"strings"

	"thingd/internal/rules/iotsql/decimal"
)

// toNumber is the implicit conversion to Decimal: numbers, and Strings that look
// like one.
func toNumber(v Value) (decimal.Decimal, bool) {
	switch v.kind {
	case Int, Decimal:
		return v.number, true
	case String:
		return numericString(v.text)
	}
	return decimal.Decimal{}, false
}

// numericString reads -?\d+(\.\d+)?(E-?\d+)?, with an e of either case. Any number
// in range can be written within numericMax.
func numericString(text string) (decimal.Decimal, bool) {
	if len(text) > numericMax || strings.IndexByte(text, '+') >= 0 {
		return decimal.Decimal{}, false
	}
	d, _, ok := decimal.Parse(text)
	return d, ok
}

// toInt is the implicit conversion to Int: a Decimal goes to the nearest, a
// String loses its fraction.
func toInt(v Value) (decimal.Decimal, bool) {
	d, ok := toNumber(v)
	if v.kind == String {
		return d.Round(decimal.Truncate), ok
	}
	return d.Round(decimal.HalfAway), ok
}

// toIndex is toInt for positions, with what lies outside of an int pulled to its
// ends.
func toIndex(v Value) (int, bool) {
	d, ok := toInt(v)
	return clampInt(d), ok
}

// indexMax is beyond any position in a text or array that can exist here.
const indexMax = 1 << 30

func clampInt(d decimal.Decimal) int {
	switch n, fits := d.Int64(); {
	case !fits && d.Sign() < 0 || fits && n < -indexMax:
		return -indexMax
	case !fits || n > indexMax:
		return indexMax
	default:
		return int(n)
	}
}

// toBool is the implicit conversion to Boolean.
func toBool(v Value) (truth, ok bool) {
	switch v.kind {
	case Boolean:
		return v.truth, true
	case String:
		truth = strings.EqualFold(v.text, "true")
		return truth, truth || strings.EqualFold(v.text, "false")
	}
	return false, false
}

// toText is the implicit conversion to String. Null, Undefined and Raw have
// none.
func (ev *evaluation) toText(v Value) (string, bool) {
	switch v.kind {
	case String:
		return v.text, true
	case Int, Decimal:
		return v.number.String(), true
	case Boolean:
		return truthText(v.truth), true
	case Array, Object:
		return ev.jsonText(v)
	}
	return "", false
}

// jsonText is the JSON of v, made on the way.
func (ev *evaluation) jsonText(v Value) (string, bool) {
	out, ok := appendJSON(nil, v, min(resultMax, memoryMax-ev.memory))
	ev.charge(len(out))
	if !ok {
		ev.fail(tooLong("a value's JSON text", resultMax))
	}
	return string(out), ok
}
