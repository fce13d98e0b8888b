package shadow

// section is one half of a document and its text, which is needed far more
// often than it changes.
type section struct {
	value value
	text  string // compact JSON; "" where there is no such section
}

func newSection(v value) section {
	if v.kind == none {
		return section{}
	}
	return section{v, string(appendState(nil, v))}
}

func (s section) merge(patch value) section {
	if patch.kind == none {
		return s
	}
	return newSection(merge(s.value, patch))
}

// document is what a thing should be and what it says it is.
type document struct{ desired, reported section }

func (d document) merge(desired, reported value) document {
	return document{d.desired.merge(desired), d.reported.merge(reported)}
}

// size is what counts toward the limit, in bytes: both sections as compact
// JSON. Metadata, version and token do not count.
func (d document) size() int { return len(d.desired.text) + len(d.reported.text) }

func (d document) delta() value { return delta(d.desired.value, d.reported.value) }

// weight estimates the memory that a document takes, in bytes.
func (d document) weight() int {
	return d.size() + weight(d.desired.value) + weight(d.reported.value)
}

func weight(v value) int {
	const perMember = 96 // the member itself, and what the allocator rounds up
	sum := len(v.text)
	for _, m := range v.members {
		sum += perMember + len(m.key) + weight(m.value)
	}
	return sum
}
