package gateway

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// lingering closes connections so that what was written last arrives. A connection
// that is closed with unread input, or gets more, is reset, and the other end may
// lose what it has not read: the DISCONNECT that says why. So writing ends first, and
// the rest is read and thrown away, until the other end closes too, or it takes too
// long or too much.
type lingering struct {
	mu   sync.Mutex
	now  int
	none chan struct{} // closed when there are none any more; nil when nobody waits
}

const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10 // read and thrown away
	lingerMax   = 5000      // connections at a time; others are closed at once
)

// begin counts one in, if there is room.
func (l *lingering) begin() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == lingerMax {
		return false
	}
	l.now++
	return true
}

func (l *lingering) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now--; l.now == 0 && l.none != nil {
		close(l.none)
		l.none = nil
	}
}

// wait waits until all are closed. Others may still be on their way to linger.
func (l *lingering) wait(ctx context.Context) {
	l.mu.Lock()
	if l.now > 0 && l.none == nil {
		l.none = make(chan struct{})
	}
	none := l.none
	l.mu.Unlock()
	if none == nil {
		return
	}
	select {
	case <-none:
	case <-ctx.Done():
	}
}

// linger closes the socket in good order; ended says that writing has. It looks now
// and then instead of waiting: whoever reads the socket may still be about to leave
// it.
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
