package shadow

// kind is what a value is. The zero kind is no value at all: a section that a
// shadow does not have, a member that was not sent.
type kind uint8

const (
	none kind = iota
	null
	boolean
	number
	text
	array
	object
)

// value is a JSON value that is never changed once it is built, so that the
// versions of a document share what they have in common.
type value struct {
	kind    kind
	stamp   int64    // leaves only: when it was last set, seconds since 1970
	text    string   // boolean and number: as received; text: the characters
	members []member // object: in order of insertion, keys unique; array: keys empty
}

type member struct {
	key   string
	value value
}

// isLeaf says whether v has a time stamp of its own: everything that holds no
// other values.
func (v value) isLeaf() bool { return v.kind != array && v.kind != object && v.kind != none }

// get gives the member of an object, or no value.
func (v value) get(key string) value {
	if v.kind != object {
		return value{}
	}
	if i := positions(v.members).of(key); i >= 0 {
		return v.members[i].value
	}
	return value{}
}

// depth counts the levels of objects and arrays: 0 for a leaf, 1 for {"a":1}.
func (v value) depth() int {
	if v.kind != object && v.kind != array {
		return 0
	}
	deepest := 0
	for _, m := range v.members {
		deepest = max(deepest, m.value.depth())
	}
	return deepest + 1
}

// hasNullInArray says whether some array below v holds a null, which shadows
// do not take.
func (v value) hasNullInArray() bool {
	for _, m := range v.members {
		if v.kind == array && m.value.kind == null || m.value.hasNullInArray() {
			return true
		}
	}
	return false
}

// equal compares content: numbers by value, arrays in order, objects in any
// order. Time stamps do not count.
func equal(a, b value) bool {
	if a.kind != b.kind || len(a.members) != len(b.members) {
		return false
	}
	switch a.kind {
	case number:
		return equalNumbers(a.text, b.text)
	case array:
		for i := range a.members {
			if !equal(a.members[i].value, b.members[i].value) {
				return false
			}
		}
		return true
	case object:
		there := index(b.members)
		for _, m := range a.members {
			i := there.of(m.key)
			if i < 0 || !equal(m.value, b.members[i].value) {
				return false
			}
		}
		return true
	}
	return a.text == b.text
}
