package policy

import (
	"testing"
)

// TestCondition has one key, k, with the given values, and other keys for
// substitution.
func TestCondition(t *testing.T) {
	tests := []struct {
		operator string
		want     []string // the policy's values
		got      []string // the context's; none: the key is missing
		holds    bool
	}{
		{"StringEquals", []string{"a", "b"}, []string{"b"}, true},
		{"StringEquals", []string{"a"}, []string{"A"}, false},
		{"StringEquals", []string{"a*"}, []string{"ab"}, false},
		{"StringEquals", []string{"a*"}, []string{"a*"}, true},
		{"StringEquals", []string{"a"}, nil, false},
		{"StringEqualsIfExists", []string{"a"}, nil, true},
		{"StringEqualsIfExists", []string{"a"}, []string{"b"}, false},
		{"StringEquals", []string{"${name}"}, []string{"lamp"}, true},
		{"StringEquals", []string{"x-${name}-${*}"}, []string{"x-lamp-*"}, true},
		{"StringEquals", []string{"${none}"}, []string{"${none}"}, false},
		{"StringEquals", []string{"${none, 'a'}"}, []string{"a"}, true},
		{"StringEquals", []string{"a"}, []string{"b", "a"}, true},
		{"StringNotEquals", []string{"a", "b"}, []string{"c"}, true},
		{"StringNotEquals", []string{"a", "b"}, []string{"b"}, false},
		{"StringNotEquals", []string{"a"}, []string{"c", "a"}, false},
		{"StringNotEquals", []string{"a"}, nil, true},
		{"StringNotEquals", []string{"${none}"}, []string{"c"}, false}, // an Allow does not grant
		{"StringEqualsIgnoreCase", []string{"${name}"}, []string{"LAMP"}, true},
		{"StringNotEqualsIgnoreCase", []string{"a"}, []string{"A"}, false},
		{"StringLike", []string{"a*c?"}, []string{"abbcd"}, true},
		{"StringLike", []string{"a*c?"}, []string{"abbc"}, false},
		{"StringLike", []string{"${name}*"}, []string{"lamp-7"}, true},
		{"StringNotLike", []string{"a*"}, []string{"ab"}, false},
		{"StringNotLike", []string{"a*"}, []string{"ba"}, true},

		{"NumericEquals", []string{"10"}, []string{"10.0"}, true},
		{"NumericEquals", []string{"10"}, []string{"ten"}, false},
		{"NumericNotEquals", []string{"10"}, []string{"11"}, true},
		{"NumericLessThan", []string{"10"}, []string{"9"}, true},
		{"NumericLessThan", []string{"10"}, []string{"10"}, false},
		{"NumericLessThanEquals", []string{"10"}, []string{"10"}, true},
		{"NumericGreaterThan", []string{"10"}, []string{"1e2"}, true},
		{"NumericGreaterThanEquals", []string{"-1.5"}, []string{"-1.5"}, true},
		{"NumericLessThan", []string{"${seven}"}, []string{"6"}, true},
		{"NumericLessThan", []string{"${name}"}, []string{"6"}, false},

		{"DateEquals", []string{"2026-01-31T12:00:00Z"}, []string{"2026-01-31T13:00:00+01:00"}, true},
		{"DateNotEquals", []string{"2026-01-31"}, []string{"2026-01-31T00:00:00Z"}, false},
		{"DateLessThan", []string{"2026-01-31T12:00:00Z"}, []string{"2026-01-31T11:59:59.999Z"}, true},
		{"DateLessThanEquals", []string{"1000000000"}, []string{"2001-09-09T01:46:40Z"}, true},
		{"DateGreaterThan", []string{"2026"}, []string{"2026-01-01T00:00Z"}, false},
		{"DateGreaterThanEquals", []string{"2026"}, []string{"2026-01-01T00:00Z"}, true},
		{"DateGreaterThan", []string{"2026"}, []string{"soon"}, false},

		{"Bool", []string{"true"}, []string{"True"}, true},
		{"Bool", []string{"false"}, []string{"true"}, false},
		{"Bool", []string{"false"}, nil, false},
		{"BoolIfExists", []string{"false"}, nil, true},

		{"BinaryEquals", []string{"aGk="}, []string{"aGk="}, true},
		{"BinaryEquals", []string{"aGk="}, []string{"aGo="}, false},

		{"IpAddress", []string{"198.51.100.0/24", "2001:db8::/32"}, []string{"198.51.100.9"}, true},
		{"IpAddress", []string{"198.51.100.7/24"}, []string{"198.51.100.9"}, true},
		{"IpAddress", []string{"2001:db8::/32"}, []string{"2001:db8::1%eth0"}, true},
		{"IpAddress", []string{"198.51.100.9"}, []string{"::ffff:198.51.100.9"}, true},
		{"IpAddress", []string{"198.51.100.9"}, []string{"198.51.100.90"}, false},
		{"IpAddress", []string{"0.0.0.0/0"}, []string{"2001:db8::1"}, false},
		{"IpAddress", []string{"0.0.0.0/0"}, []string{"not an address"}, false},
		{"NotIpAddress", []string{"198.51.100.0/24"}, []string{"198.51.100.9"}, false},
		{"NotIpAddress", []string{"198.51.100.0/24"}, nil, true},

		{"ArnEquals", []string{"arn:aws:iot:*:*:topic/w*"}, []string{region + "topic/w/x"}, true},
		{"ArnLike", []string{"arn:aws:iot:*:*:topic/w"}, []string{region + "x:topic/w"}, false},
		{"ArnEquals", []string{"${arn}"}, []string{region + "topic/w"}, true},
		{"ArnNotEquals", []string{region + "topic/w"}, []string{region + "topic/w"}, false},
		{"ArnNotLike", []string{region + "topic/w"}, []string{region + "topic/x"}, true},

		{"Null", []string{"true"}, nil, true},
		{"Null", []string{"true"}, []string{"a"}, false},
		{"Null", []string{"false"}, []string{"a"}, true},
		{"Null", []string{"false"}, nil, false},

		{"ForAllValues:StringEquals", []string{"a", "b"}, []string{"a", "b"}, true},
		{"ForAllValues:StringEquals", []string{"a"}, []string{"a", "b"}, false},
		{"ForAllValues:StringEquals", []string{"a"}, nil, true},
		{"ForAllValues:StringLike", []string{"a*"}, []string{"ab", "ac"}, true},
		{"ForAllValues:StringNotEquals", []string{"a"}, []string{"b", "a"}, false},
		{"ForAnyValue:StringEquals", []string{"a"}, []string{"b", "a"}, true},
		{"ForAnyValue:StringEquals", []string{"a"}, nil, false},
		{"ForAnyValue:StringNotEquals", []string{"a"}, []string{"b", "a"}, true},
		{"ForAnyValue:StringNotEquals", []string{"a"}, []string{"a"}, false},
		{"ForAnyValue:StringNotEquals", []string{"a"}, nil, false},
		{"ForAnyValue:StringEqualsIfExists", []string{"a"}, nil, true},
	}
	for _, test := range tests {
		name := map[bool]string{true: "holds/", false: "fails/"}[test.holds] + test.operator
		t.Run(name, func(t *testing.T) {
			c, err := compileCondition(Condition{Operator: test.operator, Key: "K", Values: test.want}, true)
			if err != nil {
				t.Fatal(err)
			}
			ctx := Values{"k": test.got, "name": {"lamp"}, "seven": {"7"}, "arn": {region + "topic/w"}}
			if got := c.holds(ctx, Allow); got != test.holds {
				t.Errorf("%s %q with %q: got %v, want %v", test.operator, test.want, test.got, got, test.holds)
			}
		})
	}
}

// TestUnresolvedNegation shows that in doubt nobody gets in: a negated value that
// can't be known holds for a Deny and fails for an Allow.
func TestUnresolvedNegation(t *testing.T) {
	const condition = `{"StringNotEquals":{"iot:ClientId":"${iot:Connection.Thing.ThingName}"}}`
	const not = `{"Effect":"Allow","Action":"iot:Publish","NotResource":"R/topic/${iot:Connection.Thing.ThingName}"}`
	notDeny := `{"Effect":"Deny","Action":"iot:Publish","NotResource":"R/topic/${iot:Connection.Thing.ThingName}"}`
	lost, lamp := device{clientID: "lamp-7"}, device{clientID: "lamp-7", attached: "lamp-7"}

	denying := set(t, statements(allow("iot:*", "*"), denyIf("iot:Connect", "*", condition), notDeny))
	run(t, "deny without thing", denying, lost, row{"CONNECT lamp-7", X}, row{"PUBLISH lamp-7", X})
	run(t, "deny with thing", denying, lamp, row{"CONNECT lamp-7", A}, row{"PUBLISH lamp-7", A}, row{"PUBLISH x", X})

	allowing := set(t, statements(allowIf("iot:Connect", "*", condition), not))
	run(t, "allow without thing", allowing, lost, row{"CONNECT lamp-7", I}, row{"PUBLISH x", I})
	run(t, "allow with thing", allowing, lamp, row{"CONNECT lamp-7", I}, row{"PUBLISH x", A}, row{"PUBLISH lamp-7", I})
}
