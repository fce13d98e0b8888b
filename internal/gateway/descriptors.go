package gateway

import (
	"net"
	"syscall"
)

// descriptorsKept is how many file descriptors connections leave to the rest of the
// server: the database opens files while it works, and without them nobody's rights
// can be read.
const descriptorsKept = 100

// descriptorsFor gives the number from which on a connection's file descriptor is one
// too many; 0 where there is no limit.
func descriptorsFor(limit uint64) int {
	const boundless = 1 << 30
	if limit > boundless {
		return 0
	}
	return max(int(limit)-descriptorsKept, int(limit)/2)
}

// descriptorLimit asks how many file descriptors the process may have.
func descriptorLimit() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return descriptorsFor(uint64(limit.Cur))
}

// isOneTooMany says whether a new connection leaves too few file descriptors. The
// system gives the lowest number that is free: a high one says how many are in use.
func isOneTooMany(conn *net.TCPConn, limit int) (tooMany bool) {
	raw, err := conn.SyscallConn()
	if err != nil || limit == 0 {
		return false
	}
	_ = raw.Control(func(fd uintptr) { tooMany = int(fd) >= limit }) // fails on a closed connection alone
	return tooMany
}
