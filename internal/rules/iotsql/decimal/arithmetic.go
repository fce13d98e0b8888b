package decimal

import "math/big"

// Add is d + e; not ok on overflow, as with all arithmetic here.
func (d Decimal) Add(e Decimal) (Decimal, bool) {
	if a, b, exp, ok := align64(d, e); ok {
		if sum := a + b; (sum > a) == (b > 0) {
			return make64(sum, exp)
		}
	}
	if gap := d.leading() - e.leading(); d.Sign() != 0 && e.Sign() != 0 {
		switch {
		case gap > farApart:
			return d.addTrace(e.Sign())
		case gap < -farApart:
			return e.addTrace(d.Sign())
		}
	}
	a, b, exp := align(d, e)
	return fit(new(big.Int).Add(a, b), exp)
}

// farApart is a distance of leading digits from which the smaller number can
// only decide how the larger is rounded.
const farApart = 3 * Precision

// addTrace adds something of that sign, far below the last digit kept, to a d
// that is not zero.
func (d Decimal) addTrace(sign int) (Decimal, bool) {
	n := new(big.Int).Mul(d.coefficient(), pow10(Precision+1))
	n, exp := sticky(n, sign), int(d.exp)-Precision-2
	return fit(n, exp)
}

// Sub is d - e.
func (d Decimal) Sub(e Decimal) (Decimal, bool) { return d.Add(e.Neg()) }

// Mul is d * e.
func (d Decimal) Mul(e Decimal) (Decimal, bool) {
	if d.big == nil && e.big == nil {
		if product, ok := mul64(d.small, e.small); ok {
			return make64(product, int(d.exp)+int(e.exp))
		}
	}
	return fit(new(big.Int).Mul(d.coefficient(), e.coefficient()), int(d.exp)+int(e.exp))
}

// Quo is d / e to Precision digits; not ok where e is zero. An exact quotient
// has the scale of d less that of e where that is enough, as in Java.
func (d Decimal) Quo(e Decimal) (Decimal, bool) {
	if e.Sign() == 0 {
		return Decimal{}, false
	}
	preferred := int(d.exp) - int(e.exp)
	if d.big == nil && e.big == nil && d.small%e.small == 0 {
		return make64(d.small/e.small, preferred)
	}
	shift := max(Precision+1+e.digits()-d.digits(), 0)
	shifted := new(big.Int).Mul(d.coefficient(), pow10(shift))
	quotient, rest := shifted.QuoRem(shifted, e.coefficient(), new(big.Int))
	exp := preferred - shift
	if rest.Sign() != 0 {
		quotient, exp = sticky(quotient, d.Sign()*e.Sign()), exp-1
	}
	result, ok := fit(quotient, exp)
	return result.strip(preferred), ok
}

// sticky adds a digit that says "and something more", so that what looks like
// a half is rounded as the larger number it is.
func sticky(n *big.Int, sign int) *big.Int {
	n.Mul(n, big.NewInt(10))
	return n.Add(n, big.NewInt(int64(sign)))
}

// QuoInt is d / e cut to an integer, for whole numbers; not ok where e is zero.
func (d Decimal) QuoInt(e Decimal) (Decimal, bool) {
	if e.Sign() == 0 {
		return Decimal{}, false
	}
	if a, b, _, ok := align64(d, e); ok {
		return Decimal{small: a / b}, true
	}
	a, b, _ := align(d, e)
	return fit(new(big.Int).Quo(a, b), 0)
}

// Rem is what d leaves when divided by e, with the sign of d; not ok where e is
// zero.
func (d Decimal) Rem(e Decimal) (Decimal, bool) {
	if e.Sign() == 0 {
		return Decimal{}, false
	}
	if a, b, exp, ok := align64(d, e); ok {
		return make64(a%b, exp)
	}
	a, b, exp := align(d, e)
	return fit(new(big.Int).Rem(a, b), exp)
}

// align64 is align for coefficients that stay small, which nearly all do.
func align64(d, e Decimal) (a, b int64, exp int, ok bool) {
	if d.big != nil || e.big != nil {
		return 0, 0, 0, false
	}
	shift := int(d.exp) - int(e.exp)
	switch {
	case shift == 0:
		return d.small, e.small, int(d.exp), true
	case shift > 0 && shift <= 18:
		a, ok = mul64(d.small, pow64(shift))
		return a, e.small, int(e.exp), ok
	case shift < 0 && shift >= -18:
		b, ok = mul64(e.small, pow64(-shift))
		return d.small, b, int(d.exp), ok
	}
	return 0, 0, 0, false
}

// align gives both coefficients at the smaller exponent. Exponents are bounded,
// so neither grows beyond some 2,000 digits.
func align(d, e Decimal) (a, b *big.Int, exp int) {
	a, b = d.coefficient(), e.coefficient()
	switch {
	case d.exp > e.exp:
		return new(big.Int).Mul(a, pow10(int(d.exp-e.exp))), b, int(e.exp)
	case e.exp > d.exp:
		return a, new(big.Int).Mul(b, pow10(int(e.exp-d.exp))), int(d.exp)
	}
	return a, b, int(d.exp)
}
