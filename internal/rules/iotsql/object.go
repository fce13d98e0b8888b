package iotsql

// object is an ordered set of members. It is filled by whoever makes it and not
// modified afterwards.
type object struct {
	members []member
	index   map[string]int // from indexFrom members on
	owner   *object        // the object whose dotted names made this one
}

type member struct {
	key   string
	value Value
}

// indexFrom is the size from which a map finds members faster than a walk.
const indexFrom = 16

// memberSize is what a member is charged for, in bytes, besides its texts.
const memberSize = 96

func (o *object) get(key string) Value {
	if i := o.find(key); i >= 0 {
		return o.members[i].value
	}
	return Value{}
}

func (o *object) find(key string) int {
	if o.index != nil {
		if i, found := o.index[key]; found {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].key == key {
			return i
		}
	}
	return -1
}

// set adds a member or replaces the value of one; Undefined adds nothing and
// replaces nothing.
func (o *object) set(key string, value Value) {
	if value.kind == Undefined {
		return
	}
	if i := o.find(key); i >= 0 {
		o.members[i].value = value
		return
	}
	o.members = append(o.members, member{key, value})
	switch {
	case o.index != nil:
		o.index[key] = len(o.members) - 1
	case len(o.members) == indexFrom:
		o.buildIndex()
	}
}

func (o *object) buildIndex() {
	o.index = make(map[string]int, 2*len(o.members))
	for i := range o.members {
		o.index[o.members[i].key] = i
	}
}

// setPath sets a member of a member …, making the objects on the way. What is in
// the way and no object is replaced; objects that root did not make are copied,
// for they may be shared with the payload.
func (o *object) setPath(ev *evaluation, root *object, path []string, value Value) {
	if len(path) == 1 {
		o.set(path[0], value)
		return
	}
	inner, _ := o.get(path[0]).nested.(*object)
	if inner == nil || inner.owner != root {
		shared := inner
		inner = &object{owner: root}
		if shared != nil && ev.charge(len(shared.members)*memberSize) {
			inner.setAll(shared)
		}
		o.set(path[0], objectValue(inner))
	}
	inner.setPath(ev, root, path[1:], value)
}

func (o *object) setAll(from *object) {
	if o.members == nil {
		o.members = make([]member, 0, len(from.members)+1)
	}
	for _, m := range from.members {
		o.set(m.key, m.value)
	}
}
