package decimal

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func parse(t interface{ Fatalf(string, ...any) }, text string) Decimal {
	d, _, ok := Parse(text)
	if !ok {
		t.Fatalf("Parse(%q) failed", text)
	}
	return d
}

func TestText(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"0", "0"}, {"-0", "0"}, {"0.0", "0.0"}, {"10.0", "10.0"}, {"-12.50", "-12.50"},
		{"007", "7"}, {"3e7", "3E+7"}, {"4E-6", "0.000004"}, {"4E-7", "4E-7"}, {"1.50E-8", "1.50E-8"},
		{"1234567890123456789012345678901234", "1234567890123456789012345678901234"},
		{"12345678901234567890123456789012345", "1.234567890123456789012345678901234E+34"},
		{"12345678901234567890123456789012335", "1.234567890123456789012345678901234E+34"},
		{"123456789012345678901234567890123350000000000000000000001", "1.234567890123456789012345678901234E+56"},
		{"99999999999999999999999999999999999", "1.000000000000000000000000000000000E+35"},
		{"9223372036854775808", "9223372036854775808"}, {"-9223372036854775808", "-9223372036854775808"},
		{"1e-2000", "0"}, {"9.9e999", "9.9E+999"},
	} {
		if got := parse(t, test.in).String(); got != test.want {
			t.Errorf("Parse(%q) = %s, want %s", test.in, got, test.want)
		}
	}
}

func TestNotANumber(t *testing.T) {
	for _, text := range []string{"", "-", "+5", ".5", "5.", "1e", "1e+", " 5", "5 ", "0x1", "1e1000", "1e99999999999999999999"} {
		if d, _, ok := Parse(text); ok {
			t.Errorf("Parse(%q) = %s, want a failure", text, d)
		}
	}
}

func TestArithmetic(t *testing.T) {
	type operation func(Decimal, Decimal) (Decimal, bool)
	for _, test := range []struct {
		name string
		do   operation
		a, b string
		want string // "" means not ok
	}{
		{"add/same scale", Decimal.Add, "1.5", "2.5", "4.0"},
		{"add/scales differ", Decimal.Add, "1", "0.25", "1.25"},
		{"add/int64 overflows", Decimal.Add, "9223372036854775807", "1", "9223372036854775808"},
		{"add/lost in rounding", Decimal.Add, "1e40", "1", "1.000000000000000000000000000000000E+40"},
		{"add/far below", Decimal.Add, "1e900", "1e-900", "1.000000000000000000000000000000000E+900"},
		{"add/far above", Decimal.Add, "-1e-900", "5e900", "5.000000000000000000000000000000000E+900"},
		{"add/zero and far below", Decimal.Add, "0", "1e-900", "1E-900"},
		{"add/half and a trace", Decimal.Add, "12345678901234567890123456789012345", "1e-90", "1.234567890123456789012345678901234E+34"},
		{"sub/to zero", Decimal.Sub, "2.50", "2.5", "0.00"},
		{"mul/scales add", Decimal.Mul, "1.20", "3", "3.60"},
		{"mul/int64 overflows", Decimal.Mul, "-9223372036854775807", "2", "-18446744073709551614"},
		{"mul/overflow", Decimal.Mul, "1e600", "1e600", ""},
		{"mul/underflow", Decimal.Mul, "1e-600", "1e-600", "0"},
		{"quo/exact", Decimal.Quo, "7.5", "2", "3.75"},
		{"quo/exact whole", Decimal.Quo, "10", "5", "2"},
		{"quo/thirds", Decimal.Quo, "1", "3", "0.3333333333333333333333333333333333"},
		{"quo/two thirds", Decimal.Quo, "-2", "3", "-0.6666666666666666666666666666666667"},
		{"quo/by zero", Decimal.Quo, "1", "0.0", ""},
		{"quo/of zero", Decimal.Quo, "0", "3", "0"},
		{"quo int/toward zero", Decimal.QuoInt, "-7", "2", "-3"},
		{"quo int/large", Decimal.QuoInt, "9999999999999999999999999", "10", "999999999999999999999999"},
		{"rem/sign of dividend", Decimal.Rem, "-7", "3", "-1"},
		{"rem/fraction", Decimal.Rem, "7.5", "2", "1.5"},
		{"rem/by zero", Decimal.Rem, "7", "0", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := test.do(parse(t, test.a), parse(t, test.b))
			if ok != (test.want != "") || ok && got.String() != test.want {
				t.Errorf("got %s, %v; want %q", got, ok, test.want)
			}
		})
	}
}

func TestRound(t *testing.T) {
	for _, test := range []struct {
		in                          string
		truncate, floor, ceil, near string
	}{
		{"2.5", "2", "2", "3", "3"},
		{"-2.5", "-2", "-3", "-2", "-3"},
		{"2.4", "2", "2", "3", "2"},
		{"-0.04", "0", "-1", "0", "0"},
		{"1e-900", "0", "0", "1", "0"},
		{"0.0", "0", "0", "0", "0"},
		{"12345678901234567890.5", "12345678901234567890", "12345678901234567890", "12345678901234567891", "12345678901234567891"},
		{"1e50", "1E+50", "1E+50", "1E+50", "1E+50"},
	} {
		d := parse(t, test.in)
		got := [4]string{d.Round(Truncate).String(), d.Round(Floor).String(), d.Round(Ceiling).String(), d.Round(HalfAway).String()}
		if want := [4]string{test.truncate, test.floor, test.ceil, test.near}; got != want {
			t.Errorf("%s: got %v, want %v", test.in, got, want)
		}
	}
}

func TestTruncateTo(t *testing.T) {
	for _, test := range []struct {
		in     string
		places int
		want   string
	}{
		{"3.14159", 3, "3.141"}, {"9.99", 0, "9"}, {"2.50", 5, "2.5"}, {"-1.999", 1, "-1.9"}, {"0.00", 1, "0"},
		{"1.000000000000000000000000000000001", 32, "1"}, {"1200", 3, "1200"},
	} {
		if got := parse(t, test.in).TruncateTo(test.places).String(); got != test.want {
			t.Errorf("%s to %d places: got %s, want %s", test.in, test.places, got, test.want)
		}
	}
}

func TestFromFloat(t *testing.T) {
	for _, test := range []struct {
		in   float64
		want string
	}{
		{3, "3.0"}, {1024, "1024.0"}, {0.1, "0.1"}, {-1.5, "-1.5"}, {1.4142135623730951, "1.4142135623730951"}, {1e300, "1E+300"},
	} {
		d, ok := FromFloat(test.in)
		if !ok || d.String() != test.want {
			t.Errorf("FromFloat(%v) = %s, %v; want %s", test.in, d, ok, test.want)
		}
	}
}

func TestIntegers(t *testing.T) {
	for _, test := range []struct {
		in    string
		whole string // "" for none
		fits  bool   // an int64
	}{
		{"10.0", "10", true}, {"1e3", "1000", true}, {"0.00", "0", true}, {"10.5", "", false}, {"0.5", "", false},
		{"1e30", "1000000000000000000000000000000", false}, {"1e34", "", false},
		{"12345678901234567890.0", "12345678901234567890", false}, {"12345678901234567890.1", "", false},
	} {
		d := parse(t, test.in)
		got := ""
		if whole, ok := d.Whole(); ok {
			got = whole.String()
		}
		_, fits := d.Int64()
		if got != test.whole || fits != test.fits {
			t.Errorf("%s: got %q, %v; want %q, %v", test.in, got, fits, test.whole, test.fits)
		}
		n, ok := d.Big()
		if ok != (test.whole != "") || ok && n.String() != test.whole {
			t.Errorf("%s: Big gives %s, %v", test.in, n, ok)
		}
	}
}

func TestFromBig(t *testing.T) {
	for text, want := range map[string]bool{"-5": true, "1234567890123456789012345678901234": true, "12345678901234567890123456789012345": false} {
		n, _ := new(big.Int).SetString(text, 10)
		if d, ok := FromBig(n); ok != want || ok && d.String() != text {
			t.Errorf("%s: got %s, %v", text, d, ok)
		}
	}
}

func TestFloat64(t *testing.T) {
	for text, want := range map[string]float64{"7": 7, "-0.1": -0.1, "1e400": math.Inf(1), "1e-400": 0, "9007199254740993": 9007199254740992} {
		if got := parse(t, text).Float64(); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

// number draws numbers of every size, small exponents mostly.
func number(t *rapid.T, label string) Decimal {
	text := rapid.OneOf(
		rapid.StringMatching(`-?[0-9]{1,6}(\.[0-9]{1,4})?`),
		rapid.StringMatching(`-?[0-9]{15,40}(\.[0-9]{1,20})?`),
		rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,20})?E-?[0-9]{1,2}`),
		rapid.StringMatching(`-?[1-9](\.[0-9]{1,33})?E-?[0-4][0-9]{2}`),
	).Draw(t, label)
	return parse(t, text)
}

func rational(d Decimal) *big.Rat {
	r, _ := new(big.Rat).SetString(d.String())
	return r
}

func TestTextReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := number(t, "d")
		if back := parse(t, d.String()); back.Cmp(d) != 0 || back.String() != d.String() {
			t.Fatalf("%s reads back as %s", d, back)
		}
	})
}

func TestComparisonIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := number(t, "a"), number(t, "b")
		if got, want := a.Cmp(b), rational(a).Cmp(rational(b)); got != want {
			t.Fatalf("Cmp(%s, %s) = %d, want %d", a, b, got, want)
		}
	})
}

func TestArithmeticIsCorrectlyRounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := number(t, "a"), number(t, "b")
		check := func(name string, exact *big.Rat, got Decimal, ok bool) {
			if !ok {
				t.Fatalf("%s(%s, %s) overflowed", name, a, b)
			}
			if !nearest(exact, got) {
				t.Fatalf("%s(%s, %s) = %s is not the nearest", name, a, b, got)
			}
		}
		sum, ok := a.Add(b)
		check("add", new(big.Rat).Add(rational(a), rational(b)), sum, ok)
		product, ok := a.Mul(b)
		check("mul", new(big.Rat).Mul(rational(a), rational(b)), product, ok)
		if b.Sign() == 0 {
			return
		}
		quotient, ok := a.Quo(b)
		check("quo", new(big.Rat).Quo(rational(a), rational(b)), quotient, ok)
	})
}

// nearest says whether got is within half a unit of its 34th digit.
func nearest(exact *big.Rat, got Decimal) bool {
	off := new(big.Rat).Sub(exact, rational(got))
	unit := rational(Decimal{small: 1, exp: int32(got.leading() - Precision + 1)})
	return off.Abs(off).Cmp(unit.Mul(unit, big.NewRat(1, 2))) <= 0
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"0", "-1.5e3", "1e999", "99999999999999999999999999999999999999.9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, _, ok := Parse(text)
		if !ok {
			return
		}
		back, _, ok := Parse(d.String())
		if !ok || back.String() != d.String() {
			t.Fatalf("%q gives %s, which reads back as %s", text, d, back)
		}
	})
}
