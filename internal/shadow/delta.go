package shadow

// delta gives the part of desired that reported does not agree with, with its
// path from the root and desired's time stamps; none where they agree. Keys
// that only reported has do not matter (developer guide, "delta state").
func delta(desired, reported value) value {
	if desired.kind != object || reported.kind != object {
		if reported.kind != none && equal(desired, reported) {
			return value{}
		}
		return desired
	}
	var differing []member
	there := index(reported.members)
	for _, m := range desired.members {
		var is value
		if i := there.of(m.key); i >= 0 {
			is = reported.members[i].value
		}
		if d := delta(m.value, is); d.kind != none {
			differing = append(differing, member{m.key, d})
		}
	}
	if len(differing) == 0 {
		return value{}
	}
	return value{kind: object, members: differing}
}
