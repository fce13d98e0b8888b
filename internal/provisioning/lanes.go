package provisioning

import "sync"

const (
	laneMax  = 16   // requests of one client that wait
	lanesMax = 1024 // requests of all clients that wait
)

// lanes run the requests of each client one after another, because answers carry
// nothing that would tell which request they answer, and those of different
// clients side by side. A lane is a goroutine that exists while its client has
// requests. The zero value is ready.
type lanes struct {
	mu      sync.Mutex
	waiting map[string][]func() // by client ID; the one under way included
	total   int
	closed  bool
	under   sync.WaitGroup
}

// add puts a request at the end of its client's lane. It says false where there
// is no room: the client must be told, and come again.
func (l *lanes) add(client string, request func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane := l.waiting[client]
	if l.closed || len(lane) >= laneMax || l.total >= lanesMax {
		return false
	}
	if l.waiting == nil {
		l.waiting = map[string][]func(){}
	}
	l.waiting[client] = append(lane, request)
	l.total++
	if len(lane) == 0 {
		l.under.Go(func() { l.run(client) })
	}
	return true
}

func (l *lanes) run(client string) {
	for request := l.first(client); request != nil; request = l.next(client) {
		request()
	}
}

func (l *lanes) first(client string) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting[client][0]
}

// next drops the request that is done and gives the one behind it; nil at the
// end of the lane.
func (l *lanes) next(client string) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	lane := l.waiting[client][1:]
	if len(lane) == 0 {
		delete(l.waiting, client)
		return nil
	}
	l.waiting[client] = lane
	return lane[0]
}

// close takes no more requests and waits for those there are.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.under.Wait()
}
