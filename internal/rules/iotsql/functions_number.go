package iotsql

import (
	"math"
	"math/big"

	"thingd/internal/rules/iotsql/decimal"
)

func numberFunctions() []Function {
	return []Function{
		{
			Name: "abs", Arguments: "x", Min: 1, Max: 1, Since: V20151008, Group: GroupNumbers,
			Doc:      "The number without its sign. An Int stays an Int; a String that spells a number is converted.",
			Examples: []Example{example("abs(-4)", "4"), example(`abs("-2.5")`, "2.5"), example("abs(true)", "Undefined")},
			code:     absolute,
		},
		{
			Name: "ceil", Arguments: "x", Min: 1, Max: 1, Since: V20151008, Group: GroupNumbers,
			Doc:      "The smallest integer that is not below the number.",
			Examples: []Example{example("ceil(2.01)", "3"), example("ceil(-2.9)", "-2"), example("ceil('x')", "Undefined")},
			code:     rounding(decimal.Ceiling),
		},
		{
			Name: "floor", Arguments: "x", Min: 1, Max: 1, Since: V20151008, Group: GroupNumbers,
			Doc:      "The largest integer that is not above the number.",
			Examples: []Example{example("floor(-2.1)", "-3"), example(`floor("7.9")`, "7")},
			code:     rounding(decimal.Floor),
		},
		{
			Name: "round", Arguments: "x", Min: 1, Max: 1, Since: V20151008, Group: GroupNumbers,
			Doc:      "The nearest integer. A half goes away from zero.",
			Examples: []Example{example("round(2.5)", "3"), example("round(-2.5)", "-3"), example("round(2.49)", "2")},
			code:     rounding(decimal.HalfAway),
		},
		{
			Name: "trunc", Arguments: "x, places", Min: 2, Max: 2, Since: V20151008, Group: GroupNumbers,
			Doc: "The number cut off after so many decimal places, without zeros at its end. Places are rounded down and " +
				"kept between 0 and 34.",
			Examples: []Example{
				example("trunc(3.14159, 3)", "3.141"), example("trunc(9.99, -1)", "9"), example(`trunc("2.50", 5)`, "2.5"),
			},
			code: truncate,
		},
		{
			Name: "sign", Arguments: "x", Min: 1, Max: 1, Since: V20151008, Group: GroupNumbers,
			Doc:      "1 for positive numbers, -1 for negative ones, 0 for zero.",
			Examples: []Example{example("sign('-3')", "-1"), example("sign(0)", "0"), example("sign(0.1)", "1")},
			code:     onNumber(func(d decimal.Decimal) Value { return integer(int64(d.Sign())) }),
		},
		{
			Name: "mod", Arguments: "x, divisor", Min: 2, Max: 2, Since: V20151008, Group: GroupNumbers,
			Doc:      "What remains of the first number divided by the second, with the sign of the first: the operator %.",
			Examples: []Example{example("mod(17, 5)", "2"), example(`mod("7.5", 2)`, "1.5"), example("mod(1, 0)", "Undefined")},
			code:     remainder,
		},
		{
			Name: "remainder", Arguments: "x, divisor", Min: 2, Max: 2, Since: V20151008, Group: GroupNumbers,
			Doc:      "The same as mod.",
			Examples: []Example{example("remainder(-17, 5)", "-2"), example("remainder('7.5', 2)", "1.5")},
			code:     remainder,
		},
		{
			Name: "nanvl", Arguments: "x, other", Min: 2, Max: 2, Since: V20151008, Group: GroupNumbers,
			Doc:      "The first value, or the second where the first is Undefined or Null.",
			Examples: []Example{example(`nanvl(missing, "n/a")`, `"n/a"`), example("nanvl(NULL, 1)", "1"), example("nanvl(7, 1)", "7")},
			code: func(_ *evaluation, args []Value) Value {
				if isMissing(args[0]) || args[0].kind == Null {
					return args[1]
				}
				return args[0]
			},
		},
		{
			Name: "rand", Min: 0, Max: 0, Since: V20151008, Group: GroupNumbers,
			Doc:      "A random number from 0 up to but not including 1.",
			Examples: []Example{example("rand() >= 0 AND rand() < 1", "true")},
			code: func(ev *evaluation, _ []Value) Value {
				return ev.decimalResult(decimal.FromFloat(float64(ev.env.random()>>11) / (1 << 53)))
			},
		},
	}
}

// onNumber makes the code of a function of one number.
func onNumber(apply func(decimal.Decimal) Value) func(*evaluation, []Value) Value {
	return func(_ *evaluation, args []Value) Value {
		d, ok := toNumber(args[0])
		if !ok {
			return Value{}
		}
		return apply(d)
	}
}

func rounding(way decimal.Rounding) func(*evaluation, []Value) Value {
	return onNumber(func(d decimal.Decimal) Value { return wholeNumber(d.Round(way)) })
}

func absolute(ev *evaluation, args []Value) Value {
	d, ok := toNumber(args[0])
	switch {
	case !ok:
		return Value{}
	case args[0].kind == Int:
		return Value{kind: Int, number: d.Abs()}
	}
	return ev.version.numberValue(d.Abs())
}

func truncate(ev *evaluation, args []Value) Value {
	d, ok := toNumber(args[0])
	places, also := toNumber(args[1])
	if !ok || !also {
		return Value{}
	}
	n := min(max(clampInt(places.Round(decimal.Floor)), 0), decimal.Precision)
	return ev.version.numberValue(d.TruncateTo(n))
}

func remainder(ev *evaluation, args []Value) Value {
	return arithmetic(decimal.Decimal.Rem, decimal.Decimal.Rem)(ev, args[0], args[1])
}

// doubleFunctions are computed in IEEE 754 doubles, as AWS does. Results that
// are imaginary, infinite or not a number are Undefined.
func doubleFunctions() []Function {
	return []Function{
		double2("power", "x, exponent", "The first number raised to the power of the second.", math.Pow,
			example("power(2, 10)", "1024"), since2015("power(2, 10)", "1024.0"), example("power(-8, 0.5)", "Undefined")),
		double("sqrt", "The square root.", math.Sqrt, example("sqrt(2)", "1.4142135623730951"), example("sqrt(-1)", "Undefined")),
		double("exp", "e raised to the power of the number.", math.Exp, example("exp(0)", "1"), example("exp('x')", "Undefined")),
		double("ln", "The natural logarithm.", math.Log, example("ln(10)", "2.302585092994046"), example("ln(0)", "Undefined")),
		double("log", "The logarithm to base 10.", log10, example("log(1000)", "3"), since2015("log(1000)", "3.0"), example("log(0)", "Undefined")),
		double("sin", "The sine of an angle in radians.", math.Sin, example("sin(1)", "0.8414709848078965")),
		double("cos", "The cosine of an angle in radians.", math.Cos, example("cos(0)", "1")),
		double("tan", "The tangent of an angle in radians.", math.Tan, example("tan(0)", "0")),
		double("asin", "The angle in radians whose sine is the number.", math.Asin, example("asin(2)", "Undefined"), example("asin(0)", "0")),
		double("acos", "The angle in radians whose cosine is the number.", math.Acos, example("acos(2)", "Undefined"), example("acos(1)", "0")),
		double("atan", "The angle in radians whose tangent is the number.", math.Atan, example("atan(1)", "0.7853981633974483")),
		double("sinh", "The hyperbolic sine.", math.Sinh, example("sinh(0)", "0")),
		double("cosh", "The hyperbolic cosine.", math.Cosh, example("cosh(0)", "1")),
		double("tanh", "The hyperbolic tangent.", math.Tanh, example("tanh(0)", "0")),
		double2("atan2", "y, x", "The angle in radians between the positive x axis and the point (x, y).", math.Atan2,
			example("atan2(1, 1)", "0.7853981633974483")),
	}
}

func double(name, doc string, apply func(float64) float64, examples ...Example) Function {
	return Function{
		Name: name, Arguments: "x", Min: 1, Max: 1, Since: V20151008, Group: GroupNumbers, Doc: doc, Examples: examples,
		code: func(ev *evaluation, args []Value) Value {
			d, ok := toNumber(args[0])
			if !ok {
				return Value{}
			}
			return ev.decimalResult(decimal.FromFloat(apply(d.Float64())))
		},
	}
}

func double2(name, arguments, doc string, apply func(a, b float64) float64, examples ...Example) Function {
	return Function{
		Name: name, Arguments: arguments, Min: 2, Max: 2, Since: V20151008, Group: GroupNumbers, Doc: doc, Examples: examples,
		code: func(ev *evaluation, args []Value) Value {
			a, ok := toNumber(args[0])
			b, also := toNumber(args[1])
			if !ok || !also {
				return Value{}
			}
			return ev.decimalResult(decimal.FromFloat(apply(a.Float64(), b.Float64())))
		},
	}
}

// log10 is exact for powers of ten, where the quotient of logarithms is not.
func log10(x float64) float64 {
	result := math.Log10(x)
	if near := math.Round(result); math.Abs(near) <= 22 && math.Pow10(int(near)) == x {
		return near
	}
	return result
}

func bitFunctions() []Function {
	const integers = " Decimals and Strings that spell a number are rounded down first."
	return []Function{
		bits2("bitand", "The bits that are set in both integers."+integers, (*big.Int).And,
			example("bitand(12, 10)", "8"), example(`bitand(12.9, "10")`, "8"), example("bitand(1, true)", "Undefined")),
		bits2("bitor", "The bits that are set in either integer."+integers, (*big.Int).Or, example("bitor(12, 10)", "14")),
		bits2("bitxor", "The bits that are set in one integer and not in the other."+integers, (*big.Int).Xor,
			example("bitxor(12, 10)", "6")),
		{
			Name: "bitnot", Arguments: "x", Min: 1, Max: 1, Since: V20151008, Group: GroupNumbers,
			Doc:      "The integer with every bit turned over, in two's complement: -x - 1." + integers,
			Examples: []Example{example("bitnot(13)", "-14"), example("bitnot(-14)", "13")},
			code: func(_ *evaluation, args []Value) Value {
				n, ok := toBits(args[0])
				if !ok {
					return Value{}
				}
				return bitsValue(n.Not(n))
			},
		},
	}
}

func bits2(name, doc string, apply func(z, x, y *big.Int) *big.Int, examples ...Example) Function {
	return Function{
		Name: name, Arguments: "x, y", Min: 2, Max: 2, Since: V20151008, Group: GroupNumbers, Doc: doc, Examples: examples,
		code: func(_ *evaluation, args []Value) Value {
			a, ok := toBits(args[0])
			b, also := toBits(args[1])
			if !ok || !also {
				return Value{}
			}
			return bitsValue(apply(a, a, b))
		},
	}
}

func toBits(v Value) (*big.Int, bool) {
	d, ok := toNumber(v)
	if !ok {
		return nil, false
	}
	return d.Round(decimal.Floor).Big()
}

func bitsValue(n *big.Int) Value {
	d, ok := decimal.FromBig(n)
	return intResult(d, ok)
}
