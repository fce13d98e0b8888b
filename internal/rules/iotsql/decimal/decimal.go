// Package decimal is the arithmetic of AWS IoT SQL: decimal floating point with
// 34 significant digits (the size of IEEE 754 decimal128), rounded half to even,
// with a decimal exponent between -999 and 999.
//
// A Decimal remembers its scale, as Java's BigDecimal does: 10.0 and 10 are
// equal and print differently, which is what SQL version 2015-10-08 shows.
// Coefficients that fit an int64 (nearly all) cost no allocation.
package decimal

import (
	"math/big"
	"math/bits"
)

const (
	// Precision is how many significant digits a Decimal keeps.
	Precision = 34
	// MaxExponent bounds the exponent of the leading digit, either way. A larger
	// result is an overflow; a smaller one becomes zero (unconfirmed: AWS names
	// the range and not what happens outside it).
	MaxExponent = 999
)

// Decimal is coefficient * 10^exponent. The zero value is 0. Values are never
// modified and may be shared.
type Decimal struct {
	small int64    // the coefficient, never math.MinInt64
	big   *big.Int // the coefficient where it does not fit small
	exp   int32
}

// FromInt is n with exponent 0.
func FromInt(n int64) Decimal {
	d, _ := make64(n, 0)
	return d
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.big != nil:
		return d.big.Sign()
	case d.small < 0:
		return -1
	case d.small > 0:
		return 1
	}
	return 0
}

// Neg is -d.
func (d Decimal) Neg() Decimal {
	if d.big != nil {
		return Decimal{big: new(big.Int).Neg(d.big), exp: d.exp}
	}
	return Decimal{small: -d.small, exp: d.exp}
}

// Abs is d without its sign.
func (d Decimal) Abs() Decimal {
	if d.Sign() < 0 {
		return d.Neg()
	}
	return d
}

// Cmp is -1, 0 or 1 as a is less than, equal to or greater than b.
func (d Decimal) Cmp(e Decimal) int {
	if a, b, _, ok := align64(d, e); ok {
		return cmp64(a, b)
	}
	if d.Sign() != e.Sign() {
		return cmp64(int64(d.Sign()), int64(e.Sign()))
	}
	if d.Sign() == 0 {
		return 0
	}
	if far := cmp64(int64(d.leading()), int64(e.leading())); far != 0 {
		return far * d.Sign()
	}
	a, b, _ := align(d, e)
	return a.Cmp(b)
}

func cmp64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Int64 gives a whole d as an int64.
func (d Decimal) Int64() (int64, bool) {
	whole, ok := d.Whole()
	return whole.small, ok && whole.big == nil
}

// Big gives a whole d as a new big integer.
func (d Decimal) Big() (*big.Int, bool) {
	whole, ok := d.Whole()
	if !ok {
		return nil, false
	}
	return new(big.Int).Set(whole.coefficient()), true
}

// FromBig is n; not ok where n has more than Precision digits.
func FromBig(n *big.Int) (Decimal, bool) {
	if digits(n) > Precision {
		return Decimal{}, false
	}
	return fit(new(big.Int).Set(n), 0)
}

// Whole gives a d that is an integer of at most Precision digits with exponent
// zero; not ok for fractions and larger numbers.
func (d Decimal) Whole() (Decimal, bool) {
	switch {
	case d.exp == 0:
		return d, true
	case d.Sign() == 0:
		return Decimal{}, true
	case d.exp > 0:
		return d.scaleUp()
	}
	return d.scaleDown()
}

func (d Decimal) scaleUp() (Decimal, bool) {
	if d.digits()+int(d.exp) > Precision {
		return Decimal{}, false
	}
	return fit(new(big.Int).Mul(d.coefficient(), pow10(int(d.exp))), 0)
}

func (d Decimal) scaleDown() (Decimal, bool) {
	if int(-d.exp) >= d.digits() { // below 1
		return Decimal{}, false
	}
	if d.big == nil {
		unit := pow64(int(-d.exp))
		if d.small%unit != 0 {
			return Decimal{}, false
		}
		return Decimal{small: d.small / unit}, true
	}
	quotient, rest := new(big.Int).QuoRem(d.big, pow10(int(-d.exp)), new(big.Int))
	if rest.Sign() != 0 {
		return Decimal{}, false
	}
	return fit(quotient, 0)
}

// leading is the exponent of the leading digit.
func (d Decimal) leading() int { return int(d.exp) + d.digits() - 1 }

func (d Decimal) digits() int {
	if d.big != nil {
		return digits(d.big)
	}
	return digits64(magnitude(d.small))
}

func (d Decimal) coefficient() *big.Int {
	if d.big != nil {
		return d.big
	}
	return big.NewInt(d.small)
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return uint64(-n)
	}
	return uint64(n)
}

// digits64 counts the decimal digits of n; zero has one.
func digits64(n uint64) int {
	count := 1
	for n >= 10 {
		n /= 10
		count++
	}
	return count
}

// digits counts the decimal digits of n; zero has one.
func digits(n *big.Int) int {
	if n.Sign() == 0 {
		return 1
	}
	// 1233/4096 is just above log10(2); the guess is exact or one too small.
	guess := (n.BitLen()-1)*1233>>12 + 1
	for n.CmpAbs(pow10(guess)) >= 0 {
		guess++
	}
	for guess > 1 && n.CmpAbs(pow10(guess-1)) < 0 {
		guess--
	}
	return guess
}

func pow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// pow64 is 10^n for 0 <= n <= 18.
func pow64(n int) int64 {
	power := int64(1)
	for range n {
		power *= 10
	}
	return power
}

// mul64 is a*b where that fits.
func mul64(a, b int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if high != 0 || low > 1<<63-1 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(low), true
	}
	return int64(low), true
}
