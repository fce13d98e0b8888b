package broker

import (
	"sync"
	"time"
)

// writeTimeout bounds one write to the network. A client that takes nothing for
// so long is gone.
const writeTimeout = 30 * time.Second

// outbox is what waits to be written to one connection. Anybody may add to it;
// at most one goroutine writes it.
type outbox struct {
	mu       sync.Mutex
	waiting  []byte
	spare    []byte // the slice written last, to be used again
	flushing bool
	closed   bool
}

// buffers lends outboxes their memory, so that an idle connection holds none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// keepBuffer is the largest buffer that goes back to the pool, in bytes.
const keepBuffer = 64 << 10

// begin locks the outbox and gives the bytes to append to, or says that they
// would be for nothing: the connection is closed, or holds more than limit
// already. A caller that got ok must call end.
func (o *outbox) begin(limit int) (buf []byte, ok bool) {
	o.mu.Lock()
	if o.closed || len(o.waiting) > limit {
		o.mu.Unlock()
		return nil, false
	}
	if o.waiting == nil {
		o.waiting = (*buffers.Get().(*[]byte))[:0]
	}
	return o.waiting, true
}

// end keeps what was appended, unlocks, and says whether somebody must flush.
func (o *outbox) end(buf []byte) (needsFlush bool) {
	o.waiting = buf
	needsFlush = !o.flushing && len(buf) > 0
	o.mu.Unlock()
	return needsFlush
}

// claim makes the caller the one who flushes.
func (o *outbox) claim() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.flushing || o.closed || len(o.waiting) == 0 {
		return false
	}
	o.flushing = true
	return true
}

// take gives what waits to the flusher, or ends its turn.
func (o *outbox) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 || o.closed {
		o.flushing = false
		o.release(o.waiting)
		o.release(o.spare)
		o.waiting, o.spare = nil, nil
		return nil
	}
	batch := o.waiting
	o.waiting, o.spare = o.spare[:0], nil
	if o.waiting == nil {
		o.waiting = (*buffers.Get().(*[]byte))[:0]
	}
	return batch
}

// done gives back what take gave.
func (o *outbox) done(batch []byte) {
	o.mu.Lock()
	o.spare = batch[:0]
	o.mu.Unlock()
}

func (o *outbox) release(b []byte) {
	if b != nil && cap(b) <= keepBuffer {
		b = b[:0]
		buffers.Put(&b)
	}
}

// close drops what waits; nothing is added any more.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
}

// flush writes until nothing waits. The caller has claimed it.
func (c *conn) flush() {
	for batch := c.out.take(); batch != nil; batch = c.out.take() {
		_ = c.net.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails only on a closed connection, as Write then does
		if _, err := c.net.Write(batch); err != nil {
			c.out.close()
			c.fail(connectionLost.because(err))
			c.net.Close()
		}
		c.out.done(batch)
	}
}

// batch gathers the outboxes that one reader has filled, until it has used up
// its input and starts writing them.
type batch struct {
	dirty []*conn
}

// add notes that c's outbox must be flushed.
func (b *batch) add(c *conn) {
	if b == nil {
		if c.out.claim() {
			go c.flush()
		}
		return
	}
	b.dirty = append(b.dirty, c)
}

// write starts writing. own, the reader's own connection, is written by the
// reader itself: if its client doesn't read, it need not be read from either.
func (b *batch) write(own *conn) {
	mine := false
	for i, c := range b.dirty {
		b.dirty[i] = nil
		if c == own {
			mine = true
		} else if c.out.claim() {
			go c.flush()
		}
	}
	b.dirty = b.dirty[:0]
	if mine && own.out.claim() {
		own.flush()
	}
}
