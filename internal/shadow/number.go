package shadow

import (
	"math/big"
	"strings"
)

// equalNumbers compares two JSON numbers exactly: 1, 1.0 and 10e-1 are the
// same; 9007199254740993 and 9007199254740992 are not. Work and memory grow
// with the length of the text, never with the size of the number.
func equalNumbers(a, b string) bool {
	return a == b || canonical(a) == canonical(b)
}

// decimal is 0.DIGITS * 10^exponent in its one shortest form.
type decimal struct {
	negative bool
	digits   string // without leading or trailing zeros; "" is zero
	exponent string // in decimal; it may be larger than any machine integer
}

func canonical(text string) decimal {
	text, negative := strings.CutPrefix(text, "-")
	mantissa, power := text, "0"
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, power = text[:i], strings.TrimPrefix(text[i+1:], "+")
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return decimal{} // -0 is 0
	}
	leading := len(whole+fraction) - len(digits)
	exponent := new(big.Int)
	exponent.SetString(power, 10)
	exponent.Add(exponent, big.NewInt(int64(len(whole)-leading)))
	return decimal{negative, strings.TrimRight(digits, "0"), exponent.String()}
}
