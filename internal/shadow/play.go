package shadow

import "time"

// tombstoneLife is how long a deleted shadow's version is remembered, so that
// one created anew goes on counting (developer guide, "Deleting a shadow").
const tombstoneLife = 48 * time.Hour

// shadow is a shadow at one of its versions: live, deleted, or never there.
type shadow struct {
	Revision
	deleted int64 // when, in milliseconds since 1970; 0 for a live shadow
	document
}

func (s shadow) live() bool { return s.Version > 0 && s.deleted == 0 }

// before gives what an update builds on: s itself, or a blank shadow that
// begins to count where nothing is remembered any more.
func (s shadow) before(now time.Time) shadow {
	if s.live() || s.Version > 0 && now.UnixMilli() < s.deleted+tombstoneLife.Milliseconds() {
		return s
	}
	return shadow{Revision: Revision{Created: now.UnixMilli()}}
}

// expects says whether version is the one that a client may name. Where there
// is nothing yet, 0 and 1 are both what clients send.
func (s shadow) expects(version int64) bool {
	return version == s.Version || s.Version == 0 && version == 1
}

// outcome is what a request came to.
type outcome struct {
	err     error  // why it was refused; the rest is then empty
	version int64  // of the shadow, where the request changed it
	reply   []byte // the accepted document

	delta, documents []byte // what else is announced; nil for nothing
}

// play performs one request. It is pure: a write that lost its race is simply
// played again on the newer shadow.
func (l Limits) play(id ID, s shadow, r request) (shadow, outcome) {
	switch {
	case r.verb == updating:
		return l.update(s, r)
	case !s.live():
		return s, outcome{err: errAbsent(id)}
	case r.verb == deleting:
		return s.tombstone(r.now), outcome{version: s.Version + 1, reply: deleted(s, r)}
	}
	return s, outcome{reply: got(s, r)}
}

func (l Limits) update(s shadow, r request) (shadow, outcome) {
	old := s.before(r.now)
	if r.version != nil && !old.expects(*r.version) {
		return s, outcome{err: errConflict()}
	}
	next := shadow{
		Revision: Revision{old.Created, old.Version + 1},
		document: old.document.merge(r.desired, r.reported),
	}
	if next.size() > l.DocumentBytes {
		return s, outcome{err: errTooLarge()}
	}
	return next, outcome{
		version:   next.Version,
		reply:     updated(next, r),
		delta:     differs(next, r),
		documents: changed(s, next, r),
	}
}

// tombstone is s deleted. That takes a version number of its own, so that a
// client which still expects the deleted version is told of the conflict.
func (s shadow) tombstone(now time.Time) shadow {
	return shadow{Revision: Revision{s.Created, s.Version + 1}, deleted: now.UnixMilli()}
}
