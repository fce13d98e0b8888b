package access

import (
	"thingd/internal/policy"
)

// A connect reads no policies where a Subject of the same principal knows them
// already: one that is connected, or one that stayed behind for this when the
// last connection of its principal ended. Such a Subject is in the index like any
// other, so that what changes reaches it before the verb that changed it returns,
// and then it knows nothing any more.

// dormantMax bounds the Subjects without a connection. One takes about 700 bytes.
const dormantMax = 8192

// askedMax bounds how many Subjects of the same principal are asked.
const askedMax = 4

// borrow gives the state of another Subject that has what this one would read from
// the store; false where there is none. The Subject is in the index already.
func (s *Subject) borrow() (*state, bool) {
	if s.conn.Decider != nil || s.conn.principal() == "" {
		return nil, false
	}
	l := &s.service.live
	seen := s.moved.Load()
	lender, have := l.lender(s)
	if lender == nil {
		return nil, false
	}
	l.index(s, have.thing.Name)
	// Now this Subject is in every list that the lender is in: what changes from
	// here on reaches both.
	if !l.share(lender, have) {
		return nil, false
	}
	st := s.denied(seen)
	st.take(have)
	return st, true
}

// take copies what was read from the store.
func (st *state) take(of *state) {
	st.thing, st.isThing, st.anyClaim, st.grants = of.thing, of.isThing, of.anyClaim, of.grants
}

// lender finds a Subject whose state would be the same. Dormant ones that know
// nothing any more end here.
func (l *live) lender(s *Subject) (lender *Subject, have *state) {
	var useless []*Subject
	l.mu.Lock()
	asked := 0
	for other := l.byPrincipal[s.conn.principal()]; other != nil && asked < askedMax; other = other.ofPrincipal.next {
		if other == s {
			continue
		}
		asked++
		st := other.state.Load()
		if other.fresh(st) && st.suits(&s.conn) {
			lender, have = other, st
			break
		}
		if other.dormant {
			useless = append(useless, other)
		}
	}
	l.mu.Unlock()
	for _, d := range useless {
		l.wake(d)
	}
	return lender, have
}

// suits says whether another connection of the same principal is the same thing.
func (st *state) suits(c *Connection) bool {
	of := st.conn
	if st.grants == nothing || of.Decider != nil || of.MQTT != c.MQTT {
		return false
	}
	return of.claimed() == c.claimed() || st.anyClaim && of.claimed() != "" && c.claimed() != ""
}

// share adds a Subject to those of another one's grants, if that one is in the index
// and knows of no change.
func (l *live) share(lender *Subject, have *state) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := have.grants
	if lender.left || !lender.fresh(have) || l.grants[g.key] != g {
		return false
	}
	g.refs++
	delete(l.idle, g.key)
	return true
}

// stayBehind leaves a dormant Subject in the place of one that ends, if that is the
// last of its principal.
func (s *Subject) stayBehind() {
	l, st := &s.service.live, s.state.Load()
	if s.dormant || s.conn.Decider != nil || s.conn.principal() == "" || st == nil || !l.isLast(s) {
		return
	}
	d := &Subject{service: s.service, dormant: true, conn: Connection{
		Principal: policy.Principal{Kind: policy.ByCertificate, ARN: s.conn.Principal.ARN},
		MQTT:      s.conn.MQTT, ClientID: s.conn.ClientID, ThingName: s.conn.ThingName,
	}}
	l.enter(d)
	l.index(d, st.thing.Name)
	if !l.share(s, st) { // something changed, perhaps before d was in the index
		l.leave(d)
		return
	}
	kept := d.denied(0)
	kept.take(st)
	d.state.Store(kept)
	l.keep(d)
}

// isLast says whether the Subject is the only one of its principal.
func (l *live) isLast(s *Subject) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byPrincipal[s.conn.principal()] == s && s.ofPrincipal.next == nil
}

// keep bounds the dormant Subjects: some other makes place.
func (l *live) keep(d *Subject) {
	var over *Subject
	l.mu.Lock()
	if len(l.dormant) >= dormantMax {
		for over = range l.dormant {
			break
		}
	}
	l.dormant[d] = struct{}{}
	l.mu.Unlock()
	if over != nil {
		l.wake(over)
	}
}

// wake ends a dormant Subject.
func (l *live) wake(d *Subject) {
	l.mu.Lock()
	delete(l.dormant, d)
	l.mu.Unlock()
	d.Close()
}
