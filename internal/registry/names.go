package registry

import (
	"strings"
	"unicode/utf8"

	"thingd/internal/fault"
)

// Limits of AWS IoT's registry.
const (
	nameMax            = 128  // bytes; the names are ASCII
	attributeNameMax   = 128  // bytes
	attributeValueMax  = 800  // bytes
	attributesUntyped  = 3    // of a thing without type
	attributesMax      = 50   // of a thing with type, and of a group
	searchableMax      = 3    // per thing type
	descriptionMax     = 2028 // characters
	hierarchyDepthMax  = 7
	childrenMax        = 100 // direct children of a group
	groupsOfThingMax   = 10
	propagatingMax     = 20 // propagating attributes per thing type (unconfirmed)
	userPropertyKeyMax = 128
)

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

const (
	nameChars           = letters + ":_-"
	attributeNameChars  = letters + "_.,@/:#-"
	attributeValueChars = letters + "_.,@/:#=[]-"
	userPropertyChars   = letters + ":$."
)

// checkName refuses what cannot name a thing, type or group. member is what the
// caller calls it, such as thingName.
func checkName(member, name string) error {
	return checkText(member, name, nameMax, nameChars)
}

func checkText(member, text string, most int, chars string) error {
	switch {
	case text == "":
		return fault.InvalidRequest("%s must not be empty", member)
	case len(text) > most:
		return fault.InvalidRequest("%s is longer than %d characters", member, most)
	case !only(text, chars):
		return fault.InvalidRequest("%s %q has a character that is not allowed; allowed are %s", member, brief(text), chars)
	}
	return nil
}

// only says whether text is made of the given ASCII characters.
func only(text, chars string) bool {
	for i := range len(text) {
		if strings.IndexByte(chars, text[i]) < 0 {
			return false
		}
	}
	return true
}

// brief shortens text for a message.
func brief(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

func checkDescription(text string) error {
	if utf8.RuneCountInString(text) > descriptionMax {
		return fault.InvalidRequest("the description is longer than %d characters", descriptionMax)
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return fault.InvalidRequest("the description has a character that cannot be printed")
		}
	}
	return nil
}

// AttributePatch is a change of attributes. An empty value removes its key.
type AttributePatch struct {
	Values map[string]string
	Merge  bool // key by key; else Values replace all there were
}

// apply gives the attributes after the patch; a nil patch changes nothing.
func (p *AttributePatch) apply(before map[string]string) map[string]string {
	after := map[string]string{}
	if p == nil || p.Merge {
		for name, value := range before {
			after[name] = value
		}
	}
	if p == nil {
		return after
	}
	for name, value := range p.Values {
		if value == "" {
			delete(after, name)
			continue
		}
		after[name] = value
	}
	return after
}

// check refuses names and values that cannot be stored.
func (p *AttributePatch) check() error {
	if p == nil {
		return nil
	}
	for name, value := range p.Values {
		if err := checkText("attribute name", name, attributeNameMax, attributeNameChars); err != nil {
			return err
		}
		if value == "" {
			continue // removes
		}
		if err := checkText("value of attribute "+name, value, attributeValueMax, attributeValueChars); err != nil {
			return err
		}
	}
	return nil
}

// checkPrefix refuses a name filter that could be the beginning of no name.
func checkPrefix(member, prefix string) error {
	if prefix == "" {
		return nil
	}
	return checkName(member, prefix)
}
