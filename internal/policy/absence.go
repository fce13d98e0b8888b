package policy

import (
	"strings"

	"thingd/internal/why"
)

// absence says why a variable or condition key has no value.
func (a *advisor) absence(name string) why.Phrase {
	key := CanonicalKey(name)
	switch values := lookup(a.q.Context, key); {
	case len(values) > 1:
		return why.Say("it has several values, so it serves as a condition key only")
	case len(values) == 1 && isCertificateAttribute(key):
		return why.Say("the certificate's value is too long or contains one of * $ + ? #, so it is not substituted")
	}
	if absence := a.thingAbsence(key); !absence.IsZero() {
		return absence
	}
	if s, ok := subjectOf(key); ok {
		return why.Say(s.absent)
	}
	return unknownName(key)
}

// thingAbsence answers for the thing's variables, which depend on whether there
// is a connection, and a thing.
func (a *advisor) thingAbsence(key string) why.Phrase {
	if !strings.HasPrefix(key, "iot:connection.thing.") {
		return why.Phrase{}
	}
	thing := lookup(a.q.Context, KeyThingName)
	attribute, isAttribute := strings.CutPrefix(key, KeyThingAttributes+"[")
	switch {
	case len(thing) == 0 && len(lookup(a.q.Context, KeyClientID)) == 0:
		return why.Say("only MQTT connections have a thing")
	case len(thing) == 0:
		return why.Phrase{}
	case isAttribute:
		return why.Say("the thing %s has no attribute %s", thing[0], strings.TrimSuffix(attribute, "]"))
	case key == KeyThingTypeName:
		return why.Say("the thing %s has no type", thing[0])
	}
	return why.Phrase{}
}

// unknownName answers for a name that thingd doesn't know, with the one that may
// have been meant.
func unknownName(key string) why.Phrase {
	const typo = 2 // edits
	best, name := typo+1, ""
	for _, s := range subjects {
		if n := edits(key, strings.ToLower(s.name)); n < best {
			best, name = n, s.name
		}
	}
	if name == "" {
		return why.Say("the request has no such value")
	}
	return why.Say("there is no such variable (did you mean %s?)", name)
}

// edits counts the bytes to insert, delete or replace to make a into b
// (Levenshtein distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, corner+1, row[j]+1)
		}
	}
	return row[len(b)]
}
