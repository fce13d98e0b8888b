package gateway

import (
	"syscall"
	"unsafe"
)

// readNow and writeNow call the kernel for a socket that never waits, without
// telling the scheduler of Go: it would prepare for a call that takes long, and
// a thread of its own would look after that every 20 microseconds.

func readNow(fd uintptr, p []byte) (int, error) { return call(syscall.SYS_READ, fd, p) }

func writeNow(fd uintptr, p []byte) (int, error) { return call(syscall.SYS_WRITE, fd, p) }

func call(trap, fd uintptr, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
