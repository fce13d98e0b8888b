package broker

import (
	"sync"
	"time"

	"thingd/internal/mqtt"
)

// Parking lets a quiet connection wait without a goroutine: most devices say
// something once in a while, and a stack for each is most of what they cost.
type Parking interface {
	// Interrupt makes the Read that waits now, or else the next one that would
	// wait, fail with ErrQuiet.
	Interrupt()
	// Park calls wake, once and in a goroutine of its own, when there is something
	// to read or the connection was closed here. false: it does not, and reading
	// is the way to go on.
	Park(wake func()) bool
}

// ErrQuiet is the error of a Read that was interrupted. No byte is lost, and
// reading may go on. TLS takes a temporary net.Error so, and remembers any other.
var ErrQuiet error = quietError{}

type quietError struct{}

func (quietError) Error() string { return "nothing to read, and a wish to wait elsewhere" }

// Timeout implements net.Error.
func (quietError) Timeout() bool { return false }

// Temporary implements net.Error.
func (quietError) Temporary() bool { return true }

// quietAfter is how long a client says nothing before its reader goes. Whoever
// publishes every second keeps it.
const quietAfter = 2 * time.Second

// rest interrupts the reader of a client that has been quiet for a while.
func (c *conn) rest(now time.Time) {
	quiet := now.UnixNano()-c.heard.Load() >= int64(quietAfter)
	if quiet && c.peer.Parking != nil && !c.parked.Load() {
		c.peer.Parking.Interrupt()
	}
}

// park gives the connection to whoever wakes it; the caller must not touch it any
// more. false: the caller goes on reading.
func (c *conn) park() bool {
	c.leaveDesk()
	c.session.shed()
	c.parked.Store(true)
	c.b.stats.Parked.Add(1)
	if c.peer.Parking.Park(c.wake) {
		return true
	}
	c.unpark()
	return false
}

// wake goes on where park left off.
func (c *conn) wake() {
	c.unpark()
	c.run()
}

func (c *conn) unpark() {
	c.b.stats.Parked.Add(-1)
	c.parked.Store(false)
	c.takeDesk()
}

// desk is what a reader needs while it is at work.
type desk struct {
	publish  mqtt.Publish // decoded into, again and again
	puback   mqtt.Puback
	incoming Message  // the message of publish
	delivery delivery // and its way to everybody
	frames   frames
	work     batch
}

// desks lends the readers theirs.
var desks = sync.Pool{New: func() any { return new(desk) }}

func (c *conn) takeDesk() { c.desk = desks.Get().(*desk) }

// leaveDesk leaves nothing on it: it would keep payloads and connections alive.
func (c *conn) leaveDesk() {
	d := c.desk
	c.desk, *d = nil, desk{}
	desks.Put(d)
}
