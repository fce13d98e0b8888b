package gateway

import (
	"os"
	"sync"
	"syscall"
)

// lot watches parked sockets, with one goroutine for all of them: the kernel's
// epoll tells which have something to read.
type lot struct {
	epoll *os.File // itself watched by Go's poller
	fd    int
	begin sync.Once

	mu      sync.Mutex
	sockets []*socket // by file descriptor; nil where none is
	closed  bool
	done    chan struct{} // closed when attend has ended
}

// newLot gives nil where there is none to be had.
func newLot() *lot {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	_ = syscall.SetNonblock(fd, true) // so that Go's poller takes it
	return &lot{epoll: os.NewFile(uintptr(fd), "parked connections"), fd: fd, done: make(chan struct{})}
}

// watch has s.rouse called when there is something to read. What there is already
// counts. It says whether that will be.
func (l *lot) watch(s *socket) bool {
	l.begin.Do(func() { go l.attend() })
	var armed bool
	err := s.raw.Control(func(fd uintptr) { armed = l.arm(s, int(fd)) })
	return err == nil && armed
}

func (l *lot) arm(s *socket, fd int) bool {
	known, ok := l.enter(s, fd)
	if !ok {
		return false
	}
	how := syscall.EPOLL_CTL_ADD
	if known {
		how = syscall.EPOLL_CTL_MOD
	}
	// One event and no more, until it is armed again.
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(fd)}
	return syscall.EpollCtl(l.fd, how, fd, &event) == nil
}

// enter notes whose descriptor it is, and says whether that was known.
func (l *lot) enter(s *socket, fd int) (known, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false, false
	}
	if fd >= len(l.sockets) {
		l.sockets = append(l.sockets, make([]*socket, fd+1-len(l.sockets))...)
	}
	known = l.sockets[fd] == s
	l.sockets[fd], s.place = s, fd
	return known, true
}

// leave forgets a socket, before its descriptor is closed and may be another's. The
// kernel forgets it by itself.
func (l *lot) leave(s *socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.place < len(l.sockets) && l.sockets[s.place] == s {
		l.sockets[s.place] = nil
	}
}

// attend rouses sockets until the lot is closed.
func (l *lot) attend() {
	defer close(l.done)
	raw, err := l.epoll.SyscallConn()
	if err != nil {
		return
	}
	events := make([]syscall.EpollEvent, 128)
	for err == nil {
		var n int
		err = raw.Read(func(fd uintptr) bool {
			n, _ = syscall.EpollWait(int(fd), events, 0) // never waits; interrupted is nothing
			return n > 0
		})
		for _, e := range events[:max(n, 0)] {
			if s := l.at(int(e.Fd)); s != nil {
				s.rouse()
			}
		}
	}
}

func (l *lot) at(fd int) *socket {
	l.mu.Lock()
	defer l.mu.Unlock()
	if fd >= len(l.sockets) {
		return nil
	}
	return l.sockets[fd]
}

// close rouses everybody and watches nobody any more.
func (l *lot) close() {
	l.mu.Lock()
	l.closed = true
	all := l.sockets
	l.sockets = nil
	l.mu.Unlock()
	l.begin.Do(func() { close(l.done) })
	l.epoll.Close()
	<-l.done
	for _, s := range all {
		if s != nil {
			s.rouse()
		}
	}
}
