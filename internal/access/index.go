package access

// links hold a Subject in a list.
type links struct{ next, prev *Subject }

// enter puts a new Subject into the index, before it loads: what changes while it
// loads must reach it.
func (l *live) enter(s *Subject) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.indexed = s.conn.claimed()
	push(l.byPrincipal, s.conn.principal(), s, principalLinks)
	push(l.byThing, s.indexed, s, thingLinks)
}

// leave takes a Subject out of the index.
func (l *live) leave(s *Subject) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.left = true
	drop(l.byPrincipal, s.conn.principal(), s, principalLinks)
	drop(l.byThing, s.indexed, s, thingLinks)
}

// index sees to it that the Subject is in the list of its thing, "" for none. It
// gives false if it was not: what changed in between may have missed it.
func (l *live) index(s *Subject, thing string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if thing == "" || thing == s.indexed {
		return true
	}
	drop(l.byThing, s.indexed, s, thingLinks)
	push(l.byThing, thing, s, thingLinks)
	s.indexed = thing
	return false
}

func principalLinks(s *Subject) *links { return &s.ofPrincipal }
func thingLinks(s *Subject) *links     { return &s.ofThing }

// push puts a Subject at the head of the list of key; "" has no list.
func push(heads map[string]*Subject, key string, s *Subject, of func(*Subject) *links) {
	if key == "" {
		return
	}
	head := heads[key]
	*of(s) = links{next: head}
	if head != nil {
		of(head).prev = s
	}
	heads[key] = s
}

func drop(heads map[string]*Subject, key string, s *Subject, of func(*Subject) *links) {
	if key == "" {
		return
	}
	l := *of(s)
	if l.next != nil {
		of(l.next).prev = l.prev
	}
	switch {
	case l.prev != nil:
		of(l.prev).next = l.next
	case l.next != nil:
		heads[key] = l.next
	default:
		delete(heads, key)
	}
	*of(s) = links{}
}

// markPrincipal makes the Subjects of a principal stale.
func (s *Service) markPrincipal(principal string) {
	s.mark(s.live.byPrincipal, principal, principalLinks)
}

// markThing makes the Subjects stale that are a thing or claim to be it.
func (s *Service) markThing(thing string) {
	s.mark(s.live.byThing, thing, thingLinks)
}

func (s *Service) mark(heads map[string]*Subject, key string, of func(*Subject) *links) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	now := s.clock.Add(1)
	for subject := heads[key]; subject != nil; subject = of(subject).next {
		raise(&subject.moved, now)
	}
}
