//go:build !linux

package gateway

// lot is where there is no epoll: every connection keeps its goroutine.
type lot struct{}

func newLot() *lot { return nil }

func (*lot) watch(*socket) bool { return false }
func (*lot) leave(*socket)      {}
func (*lot) close()             {}
