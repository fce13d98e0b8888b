package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"thingd/internal/broker"
)

// socket is a TCP connection below TLS. It reads as much as the network has at
// once, and says when reading is about to wait: until then, whoever uses the
// connection lets its answers gather. While it waits it holds no buffer.
//
// A socket is read by one goroutine.
type socket struct {
	*net.TCPConn
	raw syscall.RawConn

	buf        []byte // lent, or nil
	rest       []byte // read and not handed out, inside buf
	beforeWait func()

	// readOnce reads into a lent buffer; kept here so that reading allocates
	// nothing.
	readOnce func(fd uintptr) bool
	n        int
	err      error

	lot   *lot // nil: it is not parked
	place int  // in the lot

	spill     *spill      // nil: writing waits for the other end
	lingering *lingering  // nil: it is closed at once
	left      atomic.Bool // the other end has closed, or the link is broken

	mu          sync.Mutex
	interrupted bool        // the reader shall come away, and its deadline is over
	wake        func()      // of a parked connection
	closed      atomic.Bool // set under mu
}

var _ broker.Parking = (*socket)(nil)

// socketBuffers lends the sockets their memory.
var socketBuffers = sync.Pool{New: func() any { b := make([]byte, socketBuffer); return &b }}

const socketBuffer = 32 << 10 // bytes

func newSocket(conn *net.TCPConn, lot *lot, lingering *lingering) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{TCPConn: conn, raw: raw, lot: lot, lingering: lingering}
	s.readOnce = s.tryRead
	return s, nil
}

func (s *socket) tellBeforeWait(fn func()) { s.beforeWait = fn }

// spare lets whoever writes go on where the other end is slow; see spill. It is
// called before the socket is written to by more than one goroutine, and gives what
// tells whether it is.
func (s *socket) spare() (stalled func() bool) {
	s.spill = newSpill(s)
	return s.spill.stalled
}

// Write implements net.Conn.
func (s *socket) Write(p []byte) (int, error) {
	if s.spill == nil {
		return s.TCPConn.Write(p)
	}
	return s.spill.write(p)
}

// SetWriteDeadline implements net.Conn. With a spill it bounds the waits that begin
// later.
func (s *socket) SetWriteDeadline(t time.Time) error {
	if s.spill == nil {
		return s.TCPConn.SetWriteDeadline(t)
	}
	s.spill.setDeadline(t)
	return nil
}

// SetDeadline implements net.Conn.
func (s *socket) SetDeadline(t time.Time) error {
	_ = s.SetWriteDeadline(t) // fails as the next does
	return s.SetReadDeadline(t)
}

// Read gives what is at hand, and otherwise waits for the network.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	if len(s.rest) == 0 {
		s.giveBack()
	}
	return n, nil
}

// fill reads from the network. The runtime calls tryRead at once, and again
// whenever there is something to read.
func (s *socket) fill() error {
	if s.beforeWait != nil {
		s.beforeWait()
	}
	s.n, s.err = 0, nil
	if err := s.raw.Read(s.readOnce); err != nil {
		return s.asked(err)
	}
	if s.err != nil {
		s.left.Store(true)
		s.giveBack()
		return s.err
	}
	if s.n == 0 {
		s.left.Store(true)
		s.giveBack()
		return io.EOF
	}
	s.rest = s.buf[:s.n]
	return nil
}

// tryRead reads without waiting; false asks the runtime to call it again when
// there is something.
func (s *socket) tryRead(fd uintptr) (done bool) {
	if s.closed.Load() {
		s.err = net.ErrClosed
		return true
	}
	if s.buf == nil {
		s.buf = *socketBuffers.Get().(*[]byte)
	}
	for {
		n, err := readNow(fd, s.buf)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			s.giveBack()
			return false
		case nil:
			s.n = max(n, 0)
		default:
			s.err = &net.OpError{Op: "read", Net: "tcp", Addr: s.RemoteAddr(), Err: err}
		}
		return true
	}
}

func (s *socket) giveBack() {
	if s.buf != nil {
		b := s.buf
		s.buf, s.rest = nil, nil
		socketBuffers.Put(&b)
	}
}

// longAgo is a deadline that ends a wait.
var longAgo = time.Unix(1, 0)

// Interrupt implements broker.Parking.
func (s *socket) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupted = true
	_ = s.SetReadDeadline(longAgo) // fails only on a closed connection, as reading then does
}

// asked tells a wait that was interrupted from one that failed.
func (s *socket) asked(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return net.ErrClosed
	}
	if !s.interrupted {
		return err
	}
	s.interrupted = false
	_ = s.SetReadDeadline(time.Time{})
	return broker.ErrQuiet
}

// Park implements broker.Parking.
func (s *socket) Park(wake func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() || !s.lot.watch(s) {
		return false
	}
	s.wake = wake
	return true
}

// rouse lets a parked connection go on.
func (s *socket) rouse() {
	s.mu.Lock()
	wake := s.wake
	s.wake = nil
	s.mu.Unlock()
	if wake != nil {
		go wake()
	}
}

// Close implements net.Conn. It does not wait: what was written last arrives while
// the socket lingers. A parked connection would not hear of it otherwise.
func (s *socket) Close() error {
	s.mu.Lock()
	again := s.closed.Swap(true)
	s.mu.Unlock()
	if s.lot != nil {
		s.lot.leave(s)
	}
	defer s.rouse()
	if again {
		return net.ErrClosed
	}
	if s.spill != nil {
		s.spill.close()
	}
	if s.left.Load() || !s.lingering.begin() {
		return s.TCPConn.Close()
	}
	ended := s.endWriting()
	_ = s.SetReadDeadline(longAgo) // fails only on a broken link; nobody reads any more
	go s.linger(ended)
	return nil
}

// endWriting ends writing once the network has all that was written, and says
// whether it has. What does not go out while the socket lingers is lost.
func (s *socket) endWriting() bool {
	if s.spill != nil && s.spill.stalled() {
		return false
	}
	_ = s.CloseWrite()                      // fails only on a broken link,
	_ = s.TCPConn.SetWriteDeadline(longAgo) // or a closed one; nobody writes any more
	return true
}
