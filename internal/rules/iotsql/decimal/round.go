package decimal

import (
	"math"
	"math/big"
)

// make64 is n * 10^exp, in range or not ok.
func make64(n int64, exp int) (Decimal, bool) {
	if n == math.MinInt64 {
		return fit(big.NewInt(n), exp)
	}
	if n == 0 {
		return Decimal{exp: int32(min(max(exp, -MaxExponent), MaxExponent))}, true
	}
	if exp >= -MaxExponent && exp <= MaxExponent-18 { // no int64 can leave the range from here
		return Decimal{small: n, exp: int32(exp)}, true
	}
	leading := exp + digits64(magnitude(n)) - 1
	switch {
	case leading > MaxExponent:
		return Decimal{}, false
	case leading < -MaxExponent:
		return Decimal{}, true
	}
	return Decimal{small: n, exp: int32(exp)}, true
}

// fit rounds n * 10^exp to Precision digits; not ok when it is too large. It
// may keep n.
func fit(n *big.Int, exp int) (Decimal, bool) {
	for excess := digits(n) - Precision; excess > 0; excess = digits(n) - Precision {
		n = divideHalfEven(n, pow10(excess))
		exp += excess
	}
	if n.IsInt64() && n.Int64() != math.MinInt64 {
		return make64(n.Int64(), exp)
	}
	leading := exp + digits(n) - 1
	switch {
	case leading > MaxExponent:
		return Decimal{}, false
	case leading < -MaxExponent:
		return Decimal{}, true
	}
	return Decimal{big: n, exp: int32(exp)}, true
}

func divideHalfEven(n, unit *big.Int) *big.Int {
	quotient, rest := new(big.Int).QuoRem(n, unit, new(big.Int))
	half := rest.Abs(rest).Lsh(rest, 1).Cmp(unit)
	if half > 0 || half == 0 && quotient.Bit(0) == 1 {
		awayFromZero(quotient, n.Sign())
	}
	return quotient
}

func awayFromZero(n *big.Int, sign int) { n.Add(n, big.NewInt(int64(sign))) }

// Rounding says which neighbor a fraction becomes.
type Rounding int

// The ways to round to an integer.
const (
	Truncate Rounding = iota // toward zero
	Floor                    // down
	Ceiling                  // up
	HalfAway                 // the nearer; a half goes away from zero
)

// Round gives d without its fraction. A d that is whole already is returned as
// it is, whatever its size.
func (d Decimal) Round(way Rounding) Decimal {
	if d.exp >= 0 {
		return d
	}
	quotient, half := d.split()
	if roundsAway(way, d.Sign(), half) {
		awayFromZero(quotient, d.Sign())
	}
	whole, _ := fit(quotient, 0)
	return whole
}

// fraction says where a cut off fraction lies, sign aside.
type fraction int

const (
	none fraction = iota
	belowHalf
	halfOrMore
)

// split gives the integer part of d, whose exponent is negative, and how large
// the rest is.
func (d Decimal) split() (*big.Int, fraction) {
	if int(-d.exp) > d.digits() { // below 0.1
		if d.Sign() == 0 {
			return new(big.Int), none
		}
		return new(big.Int), belowHalf
	}
	unit := pow10(int(-d.exp))
	quotient, rest := new(big.Int).QuoRem(d.coefficient(), unit, new(big.Int))
	switch {
	case rest.Sign() == 0:
		return quotient, none
	case rest.Abs(rest).Lsh(rest, 1).Cmp(unit) < 0:
		return quotient, belowHalf
	}
	return quotient, halfOrMore
}

func roundsAway(way Rounding, sign int, rest fraction) bool {
	switch way {
	case Floor:
		return rest != none && sign < 0
	case Ceiling:
		return rest != none && sign > 0
	case HalfAway:
		return rest == halfOrMore
	}
	return false
}

// TruncateTo cuts d to so many places after the point and drops the zeros at
// its end.
func (d Decimal) TruncateTo(places int) Decimal {
	if int(-d.exp) > places {
		shifted := Decimal{small: d.small, big: d.big, exp: d.exp + int32(places)}
		d = shifted.Round(Truncate)
		d.exp -= int32(places)
	}
	return d.strip(0)
}

// strip drops zeros at the end of the coefficient until the exponent reaches
// limit.
func (d Decimal) strip(limit int) Decimal {
	if d.Sign() == 0 {
		return Decimal{exp: int32(max(int(d.exp), min(limit, 0)))}
	}
	for int(d.exp) < limit {
		next, ok := d.dropZero()
		if !ok {
			return d
		}
		d = next
	}
	return d
}

func (d Decimal) dropZero() (Decimal, bool) {
	if d.big == nil {
		return Decimal{small: d.small / 10, exp: d.exp + 1}, d.small%10 == 0
	}
	quotient, rest := new(big.Int).QuoRem(d.big, big.NewInt(10), new(big.Int))
	if rest.Sign() != 0 {
		return d, false
	}
	return fit(quotient, int(d.exp)+1)
}
