package bridge

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"thingd/internal/fault"
	"thingd/internal/topic"
)

// join puts what the local filter selected behind the prefix. Slashes at the end
// of the prefix are not doubled.
func join(prefix, rest string) string {
	base := strings.TrimRight(prefix, "/")
	switch {
	case prefix == "":
		return rest
	case rest == "":
		return base
	}
	return base + "/" + rest
}

// overlaps says whether a message published below prefix could come back on the
// subscribed topic, and go round for ever.
func overlaps(prefix, subscribe string) bool {
	if subscribe == "" {
		return false
	}
	base := strings.TrimRight(prefix, "/")
	return prefix == "" || strings.TrimRight(subscribe, "/") == base || strings.HasPrefix(subscribe, base+"/")
}

// selected gives what the wildcards of filter stand for in name, which it
// matches: the module of modules/+/up. Without wildcards that is all of name.
func selected(filter, name string) string {
	if !topic.HasWildcard(filter) {
		return name
	}
	want, have := strings.Split(filter, "/"), strings.Split(name, "/")
	var rest []string
	for i, level := range want {
		if level == "#" {
			return strings.Join(append(rest, have[min(i, len(have)):]...), "/")
		}
		if level == "+" && i < len(have) {
			rest = append(rest, have[i])
		}
	}
	return strings.Join(rest, "/")
}

// modulePlace is what a local topic says for the module of a downlink.
const modulePlace = "{module}"

// moduleMax bounds a module's name, bytes. sakura.io's have 12.
const moduleMax = 128

// expand gives the local topic of a downlink. The error says what its payload
// lacks.
func expand(template string, payload []byte) (string, error) {
	if !strings.Contains(template, modulePlace) {
		return template, nil
	}
	var envelope struct {
		Module string `json:"module"`
	}
	if err := json.Unmarshal(payload, &envelope); err != nil {
		return "", fault.InvalidRequest("it is not a JSON object with a member \"module\"")
	}
	m := envelope.Module
	if m == "" || len(m) > moduleMax || !utf8.ValidString(m) || strings.ContainsAny(m, "/+#\x00") {
		return "", fault.InvalidRequest("its \"module\" is missing or cannot stand in a topic")
	}
	return strings.ReplaceAll(template, modulePlace, m), nil
}

// DownlinkTopic is the local topic on which a module hears what the far side has
// for it.
func (in Integration) DownlinkTopic(module string) string {
	return strings.ReplaceAll(in.LocalTopic, modulePlace, module)
}

// UplinkTopic is the local topic on which a module sends, if the local filter
// leaves one level to it, as modules/+/up does.
func (in Integration) UplinkTopic(module string) string {
	return strings.Replace(strings.Replace(in.LocalFilter, "+", module, 1), "#", module, 1)
}
