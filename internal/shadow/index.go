package shadow

// finder finds the place of a key among members, -1 where it is not.
type finder interface{ of(key string) int }

// indexFrom is the number of members from which on a map beats looking at each.
const indexFrom = 16

// index prepares for many look-ups, so that an object of thousands of keys
// merged with another does not take the product of their sizes.
func index(members []member) finder {
	if len(members) < indexFrom {
		return positions(members)
	}
	places := make(places, len(members))
	for i, m := range members {
		places[m.key] = i
	}
	return places
}

type positions []member

func (p positions) of(key string) int {
	for i := range p {
		if p[i].key == key {
			return i
		}
	}
	return -1
}

type places map[string]int

func (p places) of(key string) int {
	if i, ok := p[key]; ok {
		return i
	}
	return -1
}
