package decimal

import (
	"math"
	"math/big"
	"strconv"
)

// Parse reads digits with an optional sign, fraction and exponent
// ("-12", "0.50", "3e7"). It says whether the text was written as an integer of
// at most Precision digits. Not ok: other text, or a number out of range.
func Parse(text string) (d Decimal, integer, ok bool) {
	s := scanner{text: text}
	if !s.scan() {
		return Decimal{}, false, false
	}
	d, ok = s.decimal()
	return d, s.integer && ok && d.exp == 0, ok
}

// kept is how many digits the scanner collects: enough to round correctly once
// the sticky digit says whether anything but zeros follows.
const kept = Precision + 4

// maxScannedExponent keeps exponents of any length from overflowing an int.
const maxScannedExponent = 1 << 24

type scanner struct {
	text     string
	at       int
	negative bool
	integer  bool
	more     bool // a digit other than zero was left out
	digits   [kept]byte
	count    int
	exp      int
}

func (s *scanner) scan() bool {
	s.integer = true
	s.negative = s.accept('-')
	if !s.run(false) {
		return false
	}
	if s.accept('.') {
		s.integer = false
		if !s.run(true) {
			return false
		}
	}
	if s.accept('e') || s.accept('E') {
		s.integer = false
		if !s.exponent() {
			return false
		}
	}
	return s.at == len(s.text)
}

func (s *scanner) accept(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digit() (byte, bool) {
	if s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
		return s.text[s.at-1], true
	}
	return 0, false
}

// run reads one or more digits.
func (s *scanner) run(fraction bool) bool {
	start := s.at
	for {
		c, ok := s.digit()
		if !ok {
			return s.at > start
		}
		s.collect(c, fraction)
	}
}

func (s *scanner) collect(c byte, fraction bool) {
	if s.count == kept {
		s.more = s.more || c != '0'
		if !fraction {
			s.exp++
		}
		return
	}
	if s.count > 0 || c != '0' {
		s.digits[s.count] = c
		s.count++
	}
	if fraction {
		s.exp--
	}
}

func (s *scanner) exponent() bool {
	negative := s.accept('-')
	if !negative {
		s.accept('+')
	}
	start, exp := s.at, 0
	for {
		c, ok := s.digit()
		if !ok {
			break
		}
		exp = min(exp*10+int(c-'0'), maxScannedExponent)
	}
	if negative {
		exp = -exp
	}
	s.exp += exp
	return s.at > start
}

func (s *scanner) decimal() (Decimal, bool) {
	if s.count <= 18 {
		n, _ := strconv.ParseInt(string(s.digits[:s.count]), 10, 64) // no digits: zero
		return make64(s.signed(n), s.exp)
	}
	n, _ := new(big.Int).SetString(string(s.digits[:s.count]), 10)
	if s.more {
		n, s.exp = sticky(n, 1), s.exp-1
	}
	if s.negative {
		n.Neg(n)
	}
	return fit(n, s.exp)
}

func (s *scanner) signed(n int64) int64 {
	if s.negative {
		return -n
	}
	return n
}

// FromFloat is the shortest decimal that reads back as f; a whole number gets
// one zero after the point. Not ok: NaN, infinities, out of range.
func FromFloat(f float64) (Decimal, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Decimal{}, false
	}
	d, _, ok := Parse(strconv.FormatFloat(f, 'e', -1, 64))
	if whole, isWhole := d.Whole(); ok && isWhole && whole.digits() < Precision {
		return whole.tenths()
	}
	return d, ok
}

func (d Decimal) tenths() (Decimal, bool) {
	return fit(new(big.Int).Mul(d.coefficient(), big.NewInt(10)), int(d.exp)-1)
}

// Float64 is the double nearest to d.
func (d Decimal) Float64() float64 {
	if d.big == nil && d.exp == 0 {
		return float64(d.small)
	}
	f, _ := strconv.ParseFloat(d.String(), 64) // out of range is ±Inf or 0, as wanted
	return f
}

// String writes d as Java's BigDecimal does: plainly where the exponent is not
// positive and the first digit is at most six places after the point, otherwise
// as 1.5E+20.
func (d Decimal) String() string {
	var room [48]byte
	return string(d.Append(room[:0]))
}

// Append adds the text of d to out.
func (d Decimal) Append(out []byte) []byte {
	if d.exp == 0 && d.big == nil {
		return strconv.AppendInt(out, d.small, 10)
	}
	if d.Sign() < 0 {
		out = append(out, '-')
	}
	var room [Precision + 8]byte
	digits := d.appendMagnitude(room[:0])
	leading := int(d.exp) + len(digits) - 1
	if d.exp <= 0 && leading >= -6 {
		return appendPlain(out, digits, int(-d.exp))
	}
	return appendScientific(out, digits, leading)
}

func (d Decimal) appendMagnitude(out []byte) []byte {
	if d.big != nil {
		return new(big.Int).Abs(d.big).Append(out, 10)
	}
	return strconv.AppendUint(out, magnitude(d.small), 10)
}

func appendPlain(out, digits []byte, places int) []byte {
	point := len(digits) - places
	if point > 0 {
		out = append(out, digits[:point]...)
		if places == 0 {
			return out
		}
		out = append(out, '.')
		return append(out, digits[point:]...)
	}
	out = append(out, '0', '.')
	for ; point < 0; point++ {
		out = append(out, '0')
	}
	return append(out, digits...)
}

func appendScientific(out, digits []byte, leading int) []byte {
	out = append(out, digits[0])
	if len(digits) > 1 {
		out = append(out, '.')
		out = append(out, digits[1:]...)
	}
	out = append(out, 'E')
	if leading >= 0 {
		out = append(out, '+')
	}
	return strconv.AppendInt(out, int64(leading), 10)
}
