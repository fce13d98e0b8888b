package shadow

import (
	"strings"

	"thingd/internal/fault"
)

// ID names a shadow. Name is "" for the thing's classic shadow.
type ID struct{ Thing, Name string }

// Package is the name of the one reserved shadow that AWS documents: the
// software packages that a thing has installed.
const Package = "$package"

// The longest names, in bytes (service model of iot-data).
const (
	thingNameMax  = 128
	shadowNameMax = 64
)

// check judges the names: [a-zA-Z0-9:_-]+, for shadows also $package. Other
// names that begin with $ are AWS's to give; no one has seen any.
func (id ID) check() error {
	if err := checkThing(id.Thing); err != nil {
		return err
	}
	if id.Name == "" || id.Name == Package {
		return nil
	}
	if len(id.Name) > shadowNameMax || !isName(id.Name) {
		return fault.InvalidRequest("Invalid shadow name: a shadow name has 1 to 64 of the characters a-z, A-Z, 0-9, colon, underscore and hyphen")
	}
	return nil
}

func checkThing(name string) error {
	if name == "" || len(name) > thingNameMax || !isName(name) {
		return fault.InvalidRequest("Invalid thing name: a thing name has 1 to 128 of the characters a-z, A-Z, 0-9, colon, underscore and hyphen")
	}
	return nil
}

func isName(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == ':' || r == '_' || r == '-')
	}) < 0
}
