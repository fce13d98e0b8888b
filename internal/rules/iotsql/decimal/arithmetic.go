package decimal

import "math/big"

// Add is d + e; not ok on overflow, as with all arithmetic here.
func (d Decimal) Add(e Decimal) (Decimal, bool) {
	if d.big == nil && e.big == nil && d.exp == e.exp {
		if sum := d.small + e.small; (sum > d.small) == (e.small > 0) {
			return make64(sum, int(d.exp))
		}
	}
	a, b, exp := align(d, e)
	return fit(new(big.Int).Add(a, b), exp)
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
	if d.big == nil && e.big == nil && d.exp == e.exp {
		return Decimal{small: d.small / e.small}, true
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
	if d.big == nil && e.big == nil && d.exp == e.exp {
		return make64(d.small%e.small, int(d.exp))
	}
	a, b, exp := align(d, e)
	return fit(new(big.Int).Rem(a, b), exp)
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
