package policy

import (
	"strings"

	"thingd/internal/why"
)

// relations are the operators in words. The first row whose fragment is part of
// the operator's name counts.
var relations = []struct{ fragment, form string }{
	{"LessThanEquals", "%s to be at most %s"},
	{"LessThan", "%s to be below %s"},
	{"GreaterThanEquals", "%s to be at least %s"},
	{"GreaterThan", "%s to be above %s"},
	{"NotEquals", "%s not to be %s"},
	{"NotLike", "%s not to be like %s"},
	{"Like", "%s to be like %s"},
	{"NotIpAddress", "%s not to be in %s"},
	{"IpAddress", "%s to be in %s"},
	{"", "%s to be %s"},
}

func relationOf(operator string) string {
	for _, r := range relations {
		if strings.Contains(operator, r.fragment) {
			return r.form
		}
	}
	return ""
}

// words says what a condition wants and what there is.
func (c ConditionReport) words() why.Phrase {
	if len(c.Got) == 0 {
		return why.Say("%s wants %s, and it has no value", c.Operator, c.wanted())
	}
	return why.Say("%s wants %s, and it is %s", c.Operator, c.wanted(), brief(strings.Join(c.Got, ", ")))
}

func (c ConditionReport) wanted() why.Phrase {
	key := why.Words(c.Key)
	switch {
	case c.Operator == "Null" && strings.EqualFold(strings.Join(c.Want, ""), "true"):
		return why.Say("%s to be absent", key)
	case c.Operator == "Null":
		return why.Say("%s to be present", key)
	case strings.HasPrefix(c.Operator, "ForAllValues:"):
		key = why.Say("every value of %s", key)
	case strings.HasPrefix(c.Operator, "ForAnyValue:"):
		key = why.Say("some value of %s", key)
	}
	return why.Say(relationOf(c.Operator), key, alternatives(c.Want))
}

func alternatives(values []string) why.Phrase {
	switch {
	case len(values) == 0:
		return why.Say("one of an empty list")
	case len(values) > listMax:
		return why.Words(brief(strings.Join(values, " | ")))
	}
	all := make([]why.Phrase, len(values))
	for i, value := range values {
		all[i] = why.Words(brief(value))
	}
	return why.Join("%s or %s", all)
}
