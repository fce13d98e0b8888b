package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// lingering closes connections so that what was written last arrives. A connection
// that is closed with unread input, or gets more, is reset, and the other end may
// lose what it has not read: the DISCONNECT that says why. So writing ends first, and
// the rest is read and thrown away, until the other end closes too, or it takes too
// long or too much.
type lingering struct {
	now     atomic.Int64
	running sync.WaitGroup
}

const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10 // read and thrown away
	lingerMax   = 5000      // connections at a time; others are closed at once
)

// begin counts one in, if there is room.
func (l *lingering) begin() bool {
	if l == nil || l.now.Add(1) > lingerMax {
		if l != nil {
			l.now.Add(-1)
		}
		return false
	}
	l.running.Add(1)
	return true
}

func (l *lingering) end() {
	l.now.Add(-1)
	l.running.Done()
}

// wait waits for all to be closed.
func (l *lingering) wait(ctx context.Context) {
	done := make(chan struct{})
	go func() { l.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// linger closes the socket in good order; ended says that writing has. It looks now and then instead of waiting:
// whoever reads the socket may still be about to leave it.
func (s *socket) linger(ended bool) {
	defer s.lingering.end()
	defer s.TCPConn.Close()
	left := lingerBytes
	for pause, waited := time.Millisecond, time.Duration(0); waited < lingerTime; pause *= 2 {
		if s.discard(&left) {
			return
		}
		ended = ended || s.endWriting()
		time.Sleep(pause)
		waited += pause
	}
}

// discard throws away what there is to read, and says whether that was the end.
func (s *socket) discard(left *int) (over bool) {
	lent := socketBuffers.Get().(*[]byte)
	defer socketBuffers.Put(lent)
	err := s.raw.Control(func(fd uintptr) {
		for *left > 0 {
			n, err := readNow(fd, *lent)
			switch {
			case err == syscall.EINTR:
			case err == syscall.EAGAIN:
				return
			case n <= 0:
				over = true
				return
			}
			*left -= max(n, 0)
		}
		over = true
	})
	return over || err != nil
}
