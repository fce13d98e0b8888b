package policy

import (
	"bytes"
	"encoding/base64"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"thingd/internal/why"
)

// condition is a Condition ready to be tested.
type condition struct {
	operator   string // as written, for explanations
	name       string // of the key, as written
	key        string // canonical
	quantifier quantifier
	ifExists   bool // the condition holds where the key has no value
	null       bool // the operator Null; it asks for the key's absence only
	negated    bool // no value may match
	values     []operand
}

// operand is one value of a condition.
type operand struct {
	pattern pattern // as text, for explanations
	test    test
}

// test compares a value of the context with a value of the policy.
type test func(got string, ctx Context) verdict

// quantifier says how many of the context's values must pass.
type quantifier uint8

const (
	noQuantifier quantifier = iota
	forAll                  // ForAllValues:
	forAny                  // ForAnyValue:
)

// operator is a row of the table of operators.
type operator struct {
	negated bool
	compile func(text string, s syntax) (operand, error)
}

// operators are those of IAM. (IAM JSON policy elements: Condition operators.)
// Null is not among them, because it looks at no value.
var operators = map[string]operator{
	"StringEquals":              {false, comparing(asText, asText, same)},
	"StringNotEquals":           {true, comparing(asText, asText, same)},
	"StringEqualsIgnoreCase":    {false, comparing(asText, asText, strings.EqualFold)},
	"StringNotEqualsIgnoreCase": {true, comparing(asText, asText, strings.EqualFold)},
	"StringLike":                {false, compileGlob},
	"StringNotLike":             {true, compileGlob},

	"NumericEquals":            {false, comparing(asNumber, asNumber, same)},
	"NumericNotEquals":         {true, comparing(asNumber, asNumber, same)},
	"NumericLessThan":          {false, comparing(asNumber, asNumber, func(got, want float64) bool { return got < want })},
	"NumericLessThanEquals":    {false, comparing(asNumber, asNumber, func(got, want float64) bool { return got <= want })},
	"NumericGreaterThan":       {false, comparing(asNumber, asNumber, func(got, want float64) bool { return got > want })},
	"NumericGreaterThanEquals": {false, comparing(asNumber, asNumber, func(got, want float64) bool { return got >= want })},

	"DateEquals":            {false, comparing(asTime, asTime, time.Time.Equal)},
	"DateNotEquals":         {true, comparing(asTime, asTime, time.Time.Equal)},
	"DateLessThan":          {false, comparing(asTime, asTime, time.Time.Before)},
	"DateLessThanEquals":    {false, comparing(asTime, asTime, func(got, want time.Time) bool { return !got.After(want) })},
	"DateGreaterThan":       {false, comparing(asTime, asTime, time.Time.After)},
	"DateGreaterThanEquals": {false, comparing(asTime, asTime, func(got, want time.Time) bool { return !got.Before(want) })},

	"Bool":         {false, comparing(asBool, asBool, same)},
	"BinaryEquals": {false, comparing(asBytes, asBytes, bytes.Equal)},
	"IpAddress":    {false, comparing(asAddress, asNetwork, inNetwork)},
	"NotIpAddress": {true, comparing(asAddress, asNetwork, inNetwork)},

	"ArnEquals":    {false, compileARNTest},
	"ArnLike":      {false, compileARNTest},
	"ArnNotEquals": {true, compileARNTest},
	"ArnNotLike":   {true, compileARNTest},
}

// compileCondition checks a condition as written and makes it ready.
func compileCondition(written Condition, variables bool) (*condition, error) {
	if err := checkKey(written.Key); err != nil {
		return nil, why.Say("the condition key %q: %w", brief(written.Key), err)
	}
	c := &condition{operator: written.Operator, name: written.Key, key: CanonicalKey(written.Key)}
	row, err := c.parseOperator(written.Operator)
	if err != nil {
		return nil, err
	}
	for _, text := range written.Values {
		value, err := row.compile(text, syntax{variables: variables})
		if err != nil {
			return nil, why.Say("the value %q: %w", brief(text), err)
		}
		c.values = append(c.values, value)
	}
	return c, nil
}

// parseOperator takes a name such as ForAnyValue:StringEqualsIfExists apart.
func (c *condition) parseOperator(text string) (operator, error) {
	name := text
	if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		name, c.quantifier = rest, forAll
	} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		name, c.quantifier = rest, forAny
	}
	if name == "Null" && c.quantifier == noQuantifier {
		c.null = true
		return operator{compile: comparing(asBool, asBool, same)}, nil
	}
	name, c.ifExists = strings.CutSuffix(name, "IfExists")
	row, ok := operators[name]
	if !ok {
		return operator{}, why.Say("%q is no condition operator", brief(text))
	}
	c.negated = row.negated
	return row, nil
}

// holds says whether the condition is met, for a statement of this effect.
func (c *condition) holds(ctx Context, effect Effect) bool {
	got := lookup(ctx, c.key)
	switch {
	case c.null:
		return c.holdsNull(len(got) == 0, ctx)
	case len(got) == 0:
		return c.holdsWithout()
	case c.quantifier == forAll, c.quantifier == noQuantifier && c.negated:
		return c.allPass(got, ctx, effect)
	default:
		// Without a quantifier a key with several values counts as ForAnyValue:
		// its negation, above, is then that none may match. AWS leaves it open.
		return c.anyPasses(got, ctx, effect)
	}
}

// holdsWithout answers for a key that has no value.
func (c *condition) holdsWithout() bool {
	switch {
	case c.ifExists, c.quantifier == forAll:
		return true
	case c.quantifier == forAny:
		return false
	default:
		return c.negated
	}
}

func (c *condition) holdsNull(absent bool, ctx Context) bool {
	return c.matchesAny(strconv.FormatBool(absent), ctx) == hit
}

func (c *condition) allPass(got []string, ctx Context, effect Effect) bool {
	for _, value := range got {
		if !c.passes(value, ctx, effect) {
			return false
		}
	}
	return true
}

func (c *condition) anyPasses(got []string, ctx Context, effect Effect) bool {
	for _, value := range got {
		if c.passes(value, ctx, effect) {
			return true
		}
	}
	return false
}

// passes says whether one value of the context is as the condition wants it.
func (c *condition) passes(got string, ctx Context, effect Effect) bool {
	v := c.matchesAny(got, ctx)
	if !c.negated {
		return v == hit
	}
	return v == miss || v == unresolved && effect == Deny
}

// matchesAny compares a value of the context with those of the policy.
func (c *condition) matchesAny(got string, ctx Context) verdict {
	answer := miss
	for i := range c.values {
		switch c.values[i].test(got, ctx) {
		case hit:
			return hit
		case unresolved:
			answer = unresolved
		}
	}
	return answer
}

// comparing makes the compiler for values that are read before they are compared,
// the policy's values once.
func comparing[G, W any](readGot func(string) (G, error), readWant func(string) (W, error), holds func(G, W) bool) func(string, syntax) (operand, error) {
	compare := func(got string, want W) verdict {
		value, err := readGot(got)
		return verdictOf(err == nil && holds(value, want))
	}
	return func(text string, s syntax) (operand, error) {
		p, err := compilePattern(text, s)
		if err != nil {
			return operand{}, err
		}
		if p.holes {
			return operand{p, comparingLater(p, readWant, compare)}, nil
		}
		plain, _ := p.text(nil)
		want, err := readWant(plain)
		return operand{p, func(got string, _ Context) verdict { return compare(got, want) }}, err
	}
}

// comparingLater reads a value with variables each time it is needed.
func comparingLater[W any](p pattern, readWant func(string) (W, error), compare func(string, W) verdict) test {
	return func(got string, ctx Context) verdict {
		text, ok := p.text(ctx)
		if !ok {
			return unresolved
		}
		want, err := readWant(text)
		if err != nil {
			return unresolved
		}
		return compare(got, want)
	}
}

func compileGlob(text string, s syntax) (operand, error) {
	s.wildcards = true
	p, err := compilePattern(text, s)
	return operand{p, p.match}, err
}

func compileARNTest(text string, s syntax) (operand, error) {
	s.wildcards = true
	a, err := compileARN(text, s)
	if err == nil && !a.all && len(a.fields) == 0 && !a.whole.holes {
		err = errNoARN
	}
	return operand{a.whole, func(got string, ctx Context) verdict { return a.match(newResource(got), ctx) }}, err
}

func same[T comparable](a, b T) bool { return a == b }

func asText(text string) (string, error) { return text, nil }

// asNumber reads a decimal number. ParseFloat alone would also take hexadecimal,
// underscores, infinities and NaN.
func asNumber(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "xX_nNiI") || math.IsInf(n, 0) {
		return 0, why.Say("it must be a number")
	}
	return n, nil
}

// dateForms are the forms of ISO 8601 that the W3C allows in dates; fractions of
// a second are read without being named.
var dateForms = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"}

// asTime reads an ISO 8601 date or, as IAM allows, seconds since 1970. Four
// digits are a year.
func asTime(text string) (time.Time, error) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, why.Say("it must be a date such as 2026-01-31T12:00:00Z, or seconds since 1970")
	}
	return time.Unix(seconds, 0), nil
}

func asBool(text string) (bool, error) {
	switch {
	case strings.EqualFold(text, "true"):
		return true, nil
	case strings.EqualFold(text, "false"):
		return false, nil
	}
	return false, why.Say("it must be true or false")
}

func asBytes(text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, why.Say("it must be base64")
	}
	return b, nil
}

// asAddress reads an IP address. An IPv4 address in IPv6 clothing, as a dual
// listener reports it, is the IPv4 address.
func asAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err
}

func asNetwork(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := asAddress(text)
	if err != nil {
		return netip.Prefix{}, why.Say("it must be an IP address or a network such as 198.51.100.0/24")
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func inNetwork(got netip.Addr, want netip.Prefix) bool { return want.Contains(got) }
