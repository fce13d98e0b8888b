package gateway

import (
	"io"
	"net"
	"sync"
	"syscall"
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
}

// socketBuffers lends the sockets their memory.
var socketBuffers = sync.Pool{New: func() any { b := make([]byte, socketBuffer); return &b }}

const socketBuffer = 32 << 10 // bytes

func newSocket(conn *net.TCPConn) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{TCPConn: conn, raw: raw}
	s.readOnce = s.tryRead
	return s, nil
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
		return err
	}
	if s.err != nil {
		s.giveBack()
		return s.err
	}
	if s.n == 0 {
		s.giveBack()
		return io.EOF
	}
	s.rest = s.buf[:s.n]
	return nil
}

// tryRead reads without waiting; false asks the runtime to call it again when
// there is something.
func (s *socket) tryRead(fd uintptr) (done bool) {
	if s.buf == nil {
		s.buf = *socketBuffers.Get().(*[]byte)
	}
	for {
		n, err := syscall.Read(int(fd), s.buf)
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
