package gateway

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// spill lets goroutines write to a socket that must not wait for the other end: a
// reader with a few answers. What the network does not take at once is kept, and
// written by a goroutine that exists for as long as there is any. Only who writes
// although there is a lot already waits.
//
// It works below TLS, where half a record may be left over without harm.
type spill struct {
	sock *socket
	full atomic.Bool  // something is kept: see stalled
	late atomic.Int64 // the write deadline, Unix nanoseconds; 0: none

	// writeOnce writes what it can of rest; kept here so that writing allocates
	// nothing.
	writeOnce func(fd uintptr) bool
	rest      []byte
	err       error

	mu     sync.Mutex
	kept   []byte        // written to us, and not yet to the network
	drains bool          // drain runs
	room   chan struct{} // closed when there is room; nil when nobody waits
	broken error         // what the network said last
	closed bool
}

const (
	spillMax   = 32 << 10 // bytes kept, beyond those being written; a TLS record is half of it
	spillSmall = 256      // bytes; what is shorter, like a good-bye, is kept up to twice that
)

func newSpill(s *socket) *spill {
	w := &spill{sock: s}
	w.writeOnce = w.tryWrite
	return w
}

// stalled says whether the other end is slow to take what was written. While it is
// not, a write of up to half of spillMax returns at once.
func (w *spill) stalled() bool { return w.full.Load() }

// write takes p whole, or fails.
func (w *spill) write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.awaitRoom(len(p)); err != nil {
		return 0, err
	}
	rest := p
	if !w.drains {
		var err error
		if rest, err = w.attempt(p); err != nil {
			return 0, err
		}
	}
	w.keep(rest)
	return len(p), nil
}

// attempt gives the network what it takes without waiting, and returns the rest. The
// caller holds w.mu.
func (w *spill) attempt(p []byte) (rest []byte, err error) {
	w.rest, w.err = p, nil
	err = w.sock.raw.Write(w.writeOnce)
	rest, w.rest = w.rest, nil
	if err == nil {
		err = w.err
	}
	return rest, err
}

// tryWrite never asks the runtime to wait. A short write is the sign that there is
// no more room.
func (w *spill) tryWrite(fd uintptr) (done bool) {
	for {
		n, err := writeNow(fd, w.rest)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		case nil:
			w.rest = w.rest[max(n, 0):]
		default:
			w.err = &net.OpError{Op: "write", Net: "tcp", Addr: w.sock.RemoteAddr(), Err: err}
		}
		return true
	}
}

// keep keeps a copy of p until the network takes it. The caller holds w.mu.
func (w *spill) keep(p []byte) {
	if len(p) == 0 {
		return
	}
	w.kept = append(w.kept, p...)
	if !w.drains {
		w.drains = true
		w.full.Store(true)
		go w.drain()
	}
}

// drain writes what is kept until nothing is. It waits for as long as the other end
// likes, or until the socket is closed.
func (w *spill) drain() {
	for {
		batch := w.take()
		if len(batch) == 0 {
			return
		}
		if _, err := w.sock.TCPConn.Write(batch); err != nil {
			w.mu.Lock()
			w.broken = err
			w.mu.Unlock()
		}
	}
}

// take gives drain what is kept, or ends its turn.
func (w *spill) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := w.kept
	w.kept = nil
	w.wake()
	if len(batch) == 0 || w.broken != nil {
		w.drains = false
		w.full.Store(false)
		return nil
	}
	return batch
}

// awaitRoom waits until n bytes more may be kept. The caller holds w.mu.
func (w *spill) awaitRoom(n int) error {
	bound := spillMax
	if n <= spillSmall {
		bound *= 2
	}
	for w.drains && w.broken == nil && !w.closed && len(w.kept)+n > bound {
		if w.room == nil {
			w.room = make(chan struct{})
		}
		room := w.room
		w.mu.Unlock()
		err := w.await(room)
		w.mu.Lock()
		if err != nil {
			return err
		}
	}
	if w.closed {
		return net.ErrClosed
	}
	return w.broken
}

// await waits for room to be closed, or for the deadline as it was when the wait
// began.
func (w *spill) await(room <-chan struct{}) error {
	late := w.late.Load()
	if late == 0 {
		<-room
		return nil
	}
	patience := time.NewTimer(time.Until(time.Unix(0, late)))
	defer patience.Stop()
	select {
	case <-room:
		return nil
	case <-patience.C:
		return os.ErrDeadlineExceeded
	}
}

// wake lets go of those who wait. The caller holds w.mu.
func (w *spill) wake() {
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
}

// close takes no more. What is kept still goes out, if the other end takes it soon.
func (w *spill) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.wake()
}

func (w *spill) setDeadline(t time.Time) {
	if t.IsZero() {
		w.late.Store(0)
		return
	}
	w.late.Store(t.UnixNano())
}
