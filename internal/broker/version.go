package broker

import (
	"context"
	"time"

	"thingd/internal/why"
)

// versions gives the version numbers of clients' lifecycle events: they grow with
// each connection, and begin anew when the client was away for an hour, or for
// longer than its session waits. They may skip. (AWS IoT Core: lifecycle events)
//
// The store knows one number above all that were given out, not every client's. The
// clients of whom nothing is known any more go on from there: after a restart, and
// when there are too many to remember. Broker.mu guards it.
type versions struct {
	clients  map[string]version
	reserved int64 // in the store: above all that were given out
	resumed  int64 // what was reserved when the server started
	floor    int64 // whom nothing is known of begins here,
	until    time.Time
}

// version is one client's.
type version struct {
	next int64     // of the next connection
	left time.Time // zero while connected

	// How the last connection ended, for GetConnection.
	why   why.Disconnect
	clean bool // its session ended with it
}

const (
	versionKept   = time.Hour
	versionsMax   = 200_000 // client IDs remembered
	versionsBlock = 1000    // numbers reserved at once
)

// restoreVersions goes on above what was given out.
func (b *Broker) restoreVersions(ctx context.Context) error {
	reserved, err := b.Store.Versions(ctx)
	if err != nil {
		return err
	}
	v := &b.versions
	v.clients = map[string]version{}
	v.resumed, v.floor, v.until = reserved, reserved, b.Now().Add(versionKept)
	v.reserved = reserved + versionsBlock
	return b.Store.Update(ctx, func(tx StoreTx) error { return tx.PutVersions(v.reserved) })
}

// nextVersion gives the number of a client's new connection.
func (b *Broker) nextVersion(clientID string) int64 {
	b.mu.Lock()
	v := &b.versions
	known, ok := v.clients[clientID]
	if !ok {
		v.makeRoom(b.Now())
		known.next = v.first(b.sessions[clientID], b.Now())
	}
	number := known.next
	v.clients[clientID] = version{next: number + 1}
	more := number >= v.reserved-versionsBlock/2
	if more {
		v.reserved += versionsBlock
	}
	reserved := v.reserved
	b.mu.Unlock()
	if more { // half a block before it is needed
		b.submit("reserve version numbers", func(tx StoreTx) error { return tx.PutVersions(reserved) }, nil)
	}
	return number
}

// first gives the number of a client of whom nothing is known.
func (v *versions) first(s *session, now time.Time) int64 {
	switch {
	case now.Before(v.until):
		return v.floor
	case s != nil && s.restored:
		return v.resumed
	}
	return 0
}

// leave notes when a client's connection ended, and how.
func (v *versions) leave(c *conn, how why.Disconnect, now time.Time) {
	v.clients[c.clientID] = version{c.number + 1, now, how, !c.session.persistent.Load()}
}

// LeftKept is how long it is known when and why a client went away. (AWS IoT Core:
// GetConnection)
const LeftKept = 30 * time.Minute

// left describes a client without a session that went away not long ago.
func (v *versions) left(clientID string, now time.Time) (Connection, bool) {
	c, ok := v.clients[clientID]
	if !ok || c.left.IsZero() || now.Sub(c.left) > LeftKept {
		return Connection{}, false
	}
	return Connection{ClientID: clientID, CleanSession: c.clean, Left: c.left, DisconnectReason: string(c.why)}, true
}

// expire forgets a client that was away for long; one whose session waits still
// keeps its number.
func (v *versions) expire(sessions map[string]*session, now time.Time) {
	for id, c := range v.clients {
		if !c.left.IsZero() && now.Sub(c.left) > versionKept && sessions[id] == nil {
			delete(v.clients, id)
		}
	}
}

// makeRoom forgets some client that is away, if it finds one soon.
func (v *versions) makeRoom(now time.Time) {
	if len(v.clients) < versionsMax {
		return
	}
	tries := 0
	for id, old := range v.clients {
		if tries++; !old.left.IsZero() || tries > 32 {
			delete(v.clients, id)
			v.floor, v.until = max(v.floor, old.next), now.Add(versionKept)
			return
		}
	}
}
