package iotsql

import "strings"

// checkFilter says what is wrong with a topic filter.
func checkFilter(filter string) *SyntaxError {
	switch {
	case filter == "":
		return unexpected("a topic filter", "an empty string")
	case len(filter) > filterMax:
		return problem("the topic filter has %d bytes, the limit is %d", len(filter), filterMax)
	case strings.ContainsAny(filter, "'\x00"):
		return problem("the topic filter has a quote or a null character in it")
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case level == "#" && i < len(levels)-1:
			return problem("# must be the last level of the topic filter %s", quote(filter))
		case level != "#" && level != "+" && strings.ContainsAny(level, "#+"):
			return problem("# and + must be whole levels of the topic filter %s", quote(filter))
		}
	}
	return nil
}

// matchFilter says whether a rule with this filter sees a topic. It is MQTT's
// matching but for a/#, which does not match a itself, as AWS documents.
func matchFilter(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (filter[0] == '#' || filter[0] == '+') {
		return false // [MQTT-4.7.2-1] (unconfirmed for rules)
	}
	for {
		level, rest, more := strings.Cut(filter, "/")
		if level == "#" {
			return true
		}
		part, below, deeper := strings.Cut(topic, "/")
		if level != "+" && level != part || more != deeper {
			return false
		}
		if !more {
			return true
		}
		filter, topic = rest, below
	}
}
