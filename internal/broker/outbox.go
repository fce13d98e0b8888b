package broker

import (
	"errors"
	"os"
	"sync"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

const (
	// writeTimeout bounds one write to the network. A client that takes nothing
	// for so long is gone.
	writeTimeout = 30 * time.Second
	// lastWords bounds what is spent on telling a client why it is cut.
	lastWords = time.Second
)

// outbox is what waits to be written to one connection. Anybody may add to it;
// at most one goroutine writes it.
type outbox struct {
	mu       sync.Mutex
	waiting  *buffer // nil when nothing waits
	spare    *buffer // the one written last, to be used again
	flushing bool
	sealed   bool          // the last words are in: nothing more is added
	closed   bool          // what waits is dropped
	idle     chan struct{} // closed when nobody flushes any more; nil when nobody asked
	rate     bucket        // of messages
	told     time.Time     // when the journal last heard of those dropped
}

// admission is what a message finds at an outbox.
type admission uint8

const (
	room         admission = iota
	tooSlow                // the client reads too slowly, or is going
	tooMany                // for this second, to this client
	tooManyInAll           // for this second
)

// beginMessage is begin for a message, which the client's rate and the account's bound
// too. A caller that got room must call end.
func (c *conn) beginMessage(now time.Time) (buf []byte, got admission) {
	buf, ok := c.out.begin(c.b.Limits.OutboxBytes)
	if !ok {
		return nil, tooSlow
	}
	if !c.out.rate.take(now, c.b.Limits.SendRate, 1) {
		c.out.end(buf)
		return nil, tooMany
	}
	if b := c.b; !b.quotas.take(&b.quotas.sends, now, b.Limits.AccountSendRate) {
		c.out.rate.give(1)
		c.out.end(buf)
		return nil, tooManyInAll
	}
	return buf, room
}

// dropped counts a QoS 0 message that does not reach the client, and tells the journal
// once a second at most.
func (c *conn) dropped(because admission, d *delivery) {
	l, end := &c.b.Limits, (*ending)(nil)
	switch because {
	case tooSlow:
		c.b.stats.DroppedSlow.Add(1)
		end = clientError(why.StepReceive, mqtt.QuotaExceeded, why.SlowReader, "QoS 0 messages are dropped while more than %d bytes wait, as from %s", l.OutboxBytes, d.m.Topic)
	case tooMany:
		c.b.stats.SendThrottled.Add(1)
		end = clientError(why.StepReceive, mqtt.QuotaExceeded, why.TooFast, "more than %d messages a second to this client, as from %s", l.SendRate, d.m.Topic)
	case tooManyInAll:
		c.b.stats.SendThrottled.Add(1)
		end = clientError(why.StepReceive, mqtt.QuotaExceeded, why.TooFast, "more than %d messages a second to all clients, as from %s", l.AccountSendRate, d.m.Topic)
	}
	if c.out.tells(d.now) {
		c.record(*end, true)
	}
}

// tells says whether the journal shall hear of a message that was dropped. Nobody
// minds those to a connection that is ending.
func (o *outbox) tells(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed || o.closed || now.Sub(o.told) < time.Second {
		return false
	}
	o.told = now
	return true
}

// buffer is memory that goes from hand to hand.
type buffer struct{ bytes []byte }

// An outbox fills buffers of these sizes, the next when one is nearly full, so that
// all of them can be used again. What is longer still comes from Go's append, and
// is not kept.
const (
	leastBuffer   = 4 << 10 // bytes
	bufferStep    = 4       // the factor between two sizes
	bufferSizes   = 5       // 4 KiB to 1 MiB
	bufferReserve = 2 << 10 // that a buffer should have left
)

// buffers lends outboxes their memory, by size, so that an idle connection holds
// none.
var buffers [bufferSizes]sync.Pool

func bufferSize(class int) int {
	size := leastBuffer
	for range class {
		size *= bufferStep
	}
	return size
}

func lendBuffer(class int) *buffer {
	if b, ok := buffers[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{make([]byte, 0, bufferSize(class))}
}

// grown gives a buffer of the next size with the same bytes, or the same buffer if
// it has room or there is no larger size.
func (b *buffer) grown() *buffer {
	if cap(b.bytes)-len(b.bytes) >= bufferReserve {
		return b
	}
	for class := range bufferSizes {
		if bufferSize(class) > cap(b.bytes) {
			next := lendBuffer(class)
			next.bytes = append(next.bytes, b.bytes...)
			b.release()
			return next
		}
	}
	return b
}

// begin locks the outbox and gives the bytes to append to, or says that they
// would be for nothing: the connection is ending, or holds more than limit
// already. A caller that got ok must call end.
func (o *outbox) begin(limit int) (buf []byte, ok bool) {
	o.mu.Lock()
	if o.sealed || o.closed || o.waiting != nil && len(o.waiting.bytes) > limit {
		o.mu.Unlock()
		return nil, false
	}
	if o.waiting == nil {
		o.waiting = lendBuffer(0)
	} else {
		o.waiting = o.waiting.grown()
	}
	return o.waiting.bytes, true
}

// end keeps what was appended, unlocks, and says whether somebody must flush.
func (o *outbox) end(buf []byte) (needsFlush bool) {
	o.waiting.bytes = buf
	needsFlush = !o.flushing && len(buf) > 0
	o.mu.Unlock()
	return needsFlush
}

// ending says whether the outbox takes no more, whatever its size.
func (o *outbox) ending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sealed || o.closed
}

// claim makes the caller the one who flushes.
func (o *outbox) claim() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.flushing || o.closed || o.waiting == nil || len(o.waiting.bytes) == 0 {
		return false
	}
	o.flushing = true
	return true
}

// take gives what waits to the flusher, or ends its turn. last says that these
// are the last words.
func (o *outbox) take() (batch *buffer, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.waiting == nil || len(o.waiting.bytes) == 0 {
		o.rest()
		return nil, false
	}
	batch = o.waiting
	o.waiting, o.spare = o.spare, nil
	return batch, o.sealed
}

// rest ends the flusher's turn. The caller holds o.mu.
func (o *outbox) rest() {
	o.flushing = false
	o.waiting.release()
	o.spare.release()
	o.waiting, o.spare = nil, nil
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// done gives back what take gave.
func (o *outbox) done(batch *buffer) {
	batch.bytes = batch.bytes[:0]
	o.mu.Lock()
	o.spare = batch
	o.mu.Unlock()
}

// release gives a buffer back, to those of the largest size that it has.
func (b *buffer) release() {
	if b == nil || cap(b.bytes) >= bufferStep*bufferSize(bufferSizes-1) {
		return
	}
	for class := bufferSizes - 1; class >= 0; class-- {
		if cap(b.bytes) >= bufferSize(class) {
			b.bytes = b.bytes[:0]
			buffers[class].Put(b)
			return
		}
	}
}

// seal takes no more from now on.
func (o *outbox) seal() {
	o.mu.Lock()
	o.sealed = true
	o.mu.Unlock()
}

func (o *outbox) isFlushing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.flushing
}

// rested gives a channel that is closed when nobody flushes any more.
func (o *outbox) rested() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	idle := o.idle
	if idle == nil {
		idle = make(chan struct{})
		if o.flushing {
			o.idle = idle
		} else {
			close(idle)
		}
	}
	return idle
}

// size is how many bytes wait.
func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		return 0
	}
	return len(o.waiting.bytes)
}

// close drops what waits; nothing is added any more.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
}

// flush writes until nothing waits. The caller has claimed it.
func (c *conn) flush() {
	for {
		if c.out.size() == 0 {
			// Others write too, without a deadline of their own: a WebSocket's answer to
			// a ping.
			_ = c.net.SetWriteDeadline(time.Time{})
		}
		batch, last := c.out.take()
		if batch == nil {
			return
		}
		timeout := writeTimeout
		if last {
			timeout = lastWords
		}
		_ = c.net.SetWriteDeadline(time.Now().Add(timeout)) // fails only on a closed connection, as Write then does
		if _, err := c.net.Write(batch.bytes); err != nil {
			c.out.close()
			c.fail(writeFailed(err))
			c.net.Close()
		}
		c.out.done(batch)
	}
}

// writeFailed tells a client that took nothing for too long from a broken link.
func writeFailed(err error) ending {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		e := slowly("the client took nothing for %v", writeTimeout)
		e.silent = true
		return e
	}
	return connectionLost.because(err)
}

// finalFlush writes what waits, as far as the client takes it at once.
func (c *conn) finalFlush() {
	c.out.seal()
	_ = c.net.SetWriteDeadline(time.Now().Add(lastWords))
	if c.out.claim() {
		c.flush()
		return
	}
	if !c.out.isFlushing() {
		return
	}
	patience := time.NewTimer(lastWords)
	defer patience.Stop()
	select {
	case <-c.out.rested():
	case <-patience.C:
	}
}

// batch gathers the outboxes that one reader has filled, until it has used up
// its input and starts writing them.
type batch struct {
	dirty []*conn
}

// dirtyMax bounds a batch: a wide fan-out starts writing before all its input is
// used up.
const dirtyMax = 1024

// add notes that c's outbox must be flushed.
func (b *batch) add(c *conn) {
	switch {
	case b == nil:
		if c.out.claim() {
			go c.flusher()
		}
	case len(b.dirty) > 0 && b.dirty[len(b.dirty)-1] == c:
	default:
		if len(b.dirty) >= dirtyMax {
			b.write(nil)
		}
		b.dirty = append(b.dirty, c)
	}
}

// ownWrite is what a reader writes to its own client itself, in bytes: a few answers
// go so, without a goroutine. More is left to a flusher, and so is everything where
// writing may wait for the client: it may read only when it is done sending, and
// would wait for the server while the server waits for it.
const ownWrite = 4 << 10

// write starts writing.
func (b *batch) write(own *conn) {
	mine := false
	for i, c := range b.dirty {
		b.dirty[i] = nil
		if c == own {
			mine = true
		} else if c.out.claim() {
			go c.flusher()
		}
	}
	b.dirty = b.dirty[:0]
	if !mine || !own.out.claim() {
		return
	}
	if own.out.size() > ownWrite || own.mayWait() {
		go own.flusher()
		return
	}
	own.flush()
}

// mayWait says whether a short write may wait for the client.
func (c *conn) mayWait() bool { return c.peer.Stalled == nil || c.peer.Stalled() }
