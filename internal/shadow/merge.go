package shadow

// merge applies the patch of one section ("desired" or "reported") to what is
// there: null removes, objects merge, everything else replaces. No patch
// changes nothing; a section left without keys is none (developer guide,
// "Device Shadow service documents").
func merge(section, patch value) value {
	switch patch.kind {
	case none:
		return section
	case null:
		return value{}
	}
	merged := mergeObjects(section, patch)
	if len(merged.members) == 0 {
		return value{}
	}
	return merged
}

// mergeObjects merges patch into old; no value counts as {}. What a patch does
// not mention keeps its place and its time stamps.
func mergeObjects(old, patch value) value {
	next := make([]member, len(old.members), len(old.members)+len(patch.members))
	copy(next, old.members)
	there := index(old.members)
	for _, m := range patch.members {
		if i := there.of(m.key); i >= 0 {
			next[i].value = replace(next[i].value, m.value)
		} else {
			next = append(next, member{m.key, withoutNulls(m.value)})
		}
	}
	return value{kind: object, members: present(next)}
}

// replace gives the value of a key that exists, none to remove it.
//
// An object patched with {} stays as it is, like any merge of nothing. Whether
// the cloud does that is not known; nobody can lose data by it.
func replace(old, patch value) value {
	if old.kind == object && patch.kind == object {
		return mergeObjects(old, patch)
	}
	return withoutNulls(patch)
}

// withoutNulls gives a new value without the nulls that would have removed
// something, and none where nothing else was in it. A literally empty object
// stays. Arrays are taken as they are.
func withoutNulls(v value) value {
	if v.kind == null {
		return value{}
	}
	if v.kind != object || len(v.members) == 0 {
		return v
	}
	kept := make([]member, len(v.members))
	for i, m := range v.members {
		kept[i] = member{m.key, withoutNulls(m.value)}
	}
	if kept = present(kept); len(kept) == 0 {
		return value{}
	}
	return value{kind: object, members: kept}
}

// present drops, in place, the members that have no value.
func present(members []member) []member {
	kept := members[:0]
	for _, m := range members {
		if m.value.kind != none {
			kept = append(kept, m)
		}
	}
	return kept
}
