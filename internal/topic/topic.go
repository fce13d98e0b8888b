// Package topic is the language of MQTT topics: names, filters, matching, the
// tree that finds who wants a message, and the reserved topics under $aws/.
//
// A name says where a message goes ("site/pump7/pressure"); a filter says what
// somebody wants to hear and may hold the wildcards + (one level) and # (all
// further levels). Levels are separated by slashes and may be empty.
package topic

import (
	"strings"
	"unicode/utf8"

	"thingd/internal/fault"
)

// Rules are what differs between the broker profiles.
type Rules struct {
	MaxBytes    int  // of a name or filter, UTF-8; 0 means 65535, the protocol's own limit
	MaxSlashes  int  // in a name or filter; negative means no limit
	MatchParent bool // whether "sensor/#" matches "sensor" (the standard: yes; AWS: no)
}

// The two sets of rules. AWS's are AWS IoT Core's quotas; the other is
// what the OASIS standard says.
var (
	AWS  = Rules{MaxBytes: 256, MaxSlashes: 7}
	MQTT = Rules{MaxSlashes: -1, MatchParent: true}
)

// protocolMax is the length of the longest string MQTT can carry, in bytes.
const protocolMax = 65535

// CheckName says whether a message may be published to name. A NUL is let
// through: boards in the field end their topics with one, and brokers in the
// cloud take it. The error is a fault in the caller's words.
func (r Rules) CheckName(name string) error {
	if err := r.check(name, uncounted(name)); err != nil {
		return err
	}
	if strings.ContainsAny(name, "+#") {
		return fault.InvalidRequest("topic %q contains a wildcard; + and # are for filters", name) // [MQTT-3.3.2-2]
	}
	return nil
}

// CheckFilter says whether filter is well formed, a shared subscription's
// ($share/group/filter) included.
func (r Rules) CheckFilter(filter string) error {
	if _, inner, shared := Share(filter); shared {
		filter = inner
	} else if strings.HasPrefix(filter, "$share/") {
		return fault.InvalidRequest("shared subscription %q is not of the form $share/group/filter", filter) // [MQTT-4.8.2-1]
	}
	if err := r.check(filter, 0); err != nil {
		return err
	}
	if strings.IndexByte(filter, 0) >= 0 {
		return fault.InvalidRequest("filter %q contains U+0000", filter) // [MQTT-4.7.3-2]
	}
	rest, last := filter, false
	for !last {
		var level string
		level, rest, last = next(rest)
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return fault.InvalidRequest("filter %q: a wildcard must be a whole level", filter) // [MQTT-4.7.1-2] [MQTT-4.7.1-1]
		}
		if level == "#" && !last {
			return fault.InvalidRequest("filter %q: # must be the last level", filter) // [MQTT-4.7.1-1]
		}
	}
	return nil
}

// check is what names and filters have in common; free is the number of
// slashes that do not count.
func (r Rules) check(text string, free int) error {
	limit := r.MaxBytes
	if limit == 0 {
		limit = protocolMax
	}
	switch {
	case text == "":
		return fault.InvalidRequest("a topic must have at least one character") // [MQTT-4.7.3-1]
	case len(text) > limit && free == 0:
		return fault.InvalidRequest("topic is %d bytes long; at most %d are allowed", len(text), limit)
	case len(text) > limit+basicIngestMax:
		return fault.InvalidRequest("topic is %d bytes long; at most %d are allowed", len(text), limit)
	case !utf8.ValidString(text):
		return fault.InvalidRequest("topic %q is not UTF-8", text) // [MQTT-1.5.4-1]
	case r.MaxSlashes >= 0 && strings.Count(text, "/")-free > r.MaxSlashes:
		return fault.InvalidRequest("topic %q has more than %d slashes", text, r.MaxSlashes)
	}
	return nil
}

// basicIngestMax is the room for $aws/rules/<rule>/ with a rule name of 128.
const basicIngestMax = len("$aws/rules/") + 128 + 1

// uncounted gives the number of slashes that AWS does not count: those of the
// Basic Ingest prefix $aws/rules/<rule>/.
func uncounted(name string) int {
	if !strings.HasPrefix(name, "$aws/rules/") {
		return 0
	}
	return min(3, strings.Count(name, "/"))
}

// Share takes a shared subscription apart: "$share/g/a/+" is group "g" of the
// filter "a/+". ok is false for any other filter.
func Share(filter string) (group, inner string, ok bool) {
	rest, ok := strings.CutPrefix(filter, "$share/")
	if !ok {
		return "", "", false
	}
	group, inner, ok = strings.Cut(rest, "/")
	if !ok || group == "" || inner == "" || len(group) > 128 || strings.ContainsAny(group, "+#") {
		return "", "", false
	}
	return group, inner, true
}

// Match says whether filter (not a shared one) selects name. A wildcard in
// the first level never selects a name that begins with $ [MQTT-4.7.2-1].
func (r Rules) Match(filter, name string) bool {
	if name != "" && name[0] == '$' && filter != "" && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	for {
		want, moreFilter, lastFilter := next(filter)
		if want == "#" {
			return true
		}
		have, moreName, lastName := next(name)
		if want != "+" && want != have {
			return false
		}
		if lastName {
			return lastFilter || (r.MatchParent && moreFilter == "#")
		}
		if lastFilter {
			return false
		}
		filter, name = moreFilter, moreName
	}
}

// next cuts the first level off.
func next(text string) (level, rest string, last bool) {
	if i := strings.IndexByte(text, '/'); i >= 0 {
		return text[:i], text[i+1:], false
	}
	return text, "", true
}

// HasWildcard says whether filter holds + or #.
func HasWildcard(filter string) bool { return strings.ContainsAny(filter, "+#") }
