package policy

import (
	"fmt"
	"strings"
)

// relations are the operators in words. The first row whose fragment is part of
// the operator's name counts.
var relations = []struct{ fragment, words string }{
	{"LessThanEquals", "to be at most"},
	{"LessThan", "to be below"},
	{"GreaterThanEquals", "to be at least"},
	{"GreaterThan", "to be above"},
	{"NotEquals", "not to be"},
	{"NotLike", "not to be like"},
	{"Like", "to be like"},
	{"NotIpAddress", "not to be in"},
	{"IpAddress", "to be in"},
	{"", "to be"},
}

func relationOf(operator string) string {
	for _, r := range relations {
		if strings.Contains(operator, r.fragment) {
			return r.words
		}
	}
	return ""
}

// words says what a condition wants and what there is.
func (c ConditionReport) words() string {
	got := "has no value"
	if len(c.Got) > 0 {
		got = "is " + brief(strings.Join(c.Got, ", "))
	}
	return fmt.Sprintf("%s wants %s, and it %s", c.Operator, c.wanted(), got)
}

func (c ConditionReport) wanted() string {
	key := c.Key
	switch {
	case c.Operator == "Null" && strings.EqualFold(strings.Join(c.Want, ""), "true"):
		return key + " to be absent"
	case c.Operator == "Null":
		return key + " to be present"
	case strings.HasPrefix(c.Operator, "ForAllValues:"):
		key = "every value of " + key
	case strings.HasPrefix(c.Operator, "ForAnyValue:"):
		key = "some value of " + key
	}
	return key + " " + relationOf(c.Operator) + " " + alternatives(c.Want)
}

func alternatives(values []string) string {
	if len(values) == 0 {
		return "one of an empty list"
	}
	return brief(strings.Join(values, " or "))
}
