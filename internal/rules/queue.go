package rules

import (
	"runtime"
	"sync"
	"time"

	"thingd/internal/message"
)

// queue holds the messages that wait for their rules: a line per rule, served in
// turns by a few goroutines. Serving never waits for anybody outside; what has to
// is a firing, a goroutine of which every line has a bounded number.
//
// A firing that must not be lost is put on disk when it would have to wait for
// somebody: when its line is stuck, or memory is full. In the latter case it
// waits on disk alone (spilled), with all that come after it, and is read again
// when the line has become short.
type queue struct {
	limits queueLimits
	serve  func(job) (firing func())
	keep   func(*ticket)                                                 // on disk
	lost   func([]job)                                                   // for want of room
	page   func(l *line, after int64, limit int) (some []job, err error) // of what is on disk alone

	mu       sync.Mutex
	lines    []*line // that ever had something
	ready    []*line // lines with work that may be served now
	messages int     // waiting in memory
	bytes    int     // of their payloads
	owed     load    // firings that must not be lost and have not ended
	number   int64   // of the newest of them
	workers  int     // goroutines that serve or are idle
	idle     int     // of these, wait for work
	work     *sync.Cond
	firings  int // running
	closed   bool

	running sync.WaitGroup // workers, firings, and what reads pages
}

// queueLimits bound a queue.
type queueLimits struct {
	memory  load // that waits in memory
	owed    load // firings that must not be lost
	firings int  // of one line
	all     int  // of all lines
}

// load is an amount of messages.
type load struct {
	messages, bytes int
}

func (a *load) add(messages, bytes int) { a.messages, a.bytes = a.messages+messages, a.bytes+bytes }

// line is the messages of one rule. Its fields belong to the queue's lock.
type line struct {
	state   *state
	known   bool // it is among the queue's lines
	jobs    []job
	bytes   int  // of their payloads
	serving bool // one at a time, so that order is kept
	ready   bool // it is in the queue's list
	firings int

	owed    load  // firings that must not be lost and wait, in memory or on disk
	loose   int   // of them, in memory alone: nobody has asked for them to be kept
	spilled int   // of them, wait on disk alone, behind those in memory
	read    int64 // number up to which those on disk alone were read
	written int64 // number up to which the disk has them
	loading bool  // somebody is reading
}

// job is a message for a rule, as the rule was when it came; rule is nil where
// the rule did not run any more when the message was read from disk.
type job struct {
	state   *state
	rule    *compiled
	message message.Message
	arrived time.Time
	ticket  *ticket // nil: QoS 0
}

func newQueue(limits queueLimits) *queue {
	q := &queue{limits: limits}
	q.work = sync.NewCond(&q.mu)
	return q
}

// put adds a message to the lines of its rules. It gives the jobs that were
// dropped: of QoS 0, because memory is full, and the oldest of those that must
// not be lost, because there are too many.
func (q *queue) put(jobs []job) (dropped []job) {
	q.mu.Lock()
	q.number++
	for i := range jobs {
		j := &jobs[i]
		switch {
		case j.ticket != nil:
			j.ticket.Number = q.number
			q.putOwed(j)
		case q.closed || q.full(&j.state.line):
			dropped = append(dropped, *j)
		default:
			q.push(&j.state.line, *j)
		}
		q.wake(&j.state.line)
	}
	lost := q.trim()
	q.mu.Unlock()
	if len(lost) > 0 {
		q.lost(lost)
	}
	return dropped
}

// putOwed adds a firing that must not be lost.
func (q *queue) putOwed(j *job) {
	l, t := &j.state.line, j.ticket
	q.know(l)
	q.owed.add(1, t.Bytes)
	l.owed.add(1, t.Bytes)
	if q.closed || l.spilled > 0 || q.full(l) {
		if l.spilled == 0 {
			l.read = t.Number - 1
		}
		l.spilled++
		t.spilled = true
		q.keep(t)
		return
	}
	q.push(l, *j)
	l.loose++
	if q.stuck(l) {
		q.keepAll(l)
	}
}

func (q *queue) know(l *line) {
	if !l.known {
		l.known = true
		q.lines = append(q.lines, l)
	}
}

// push puts a job into memory.
func (q *queue) push(l *line, j job) {
	l.jobs = append(l.jobs, j)
	l.bytes += len(j.message.Payload)
	q.messages++
	q.bytes += len(j.message.Payload)
}

// pop takes the first job out of memory.
func (q *queue) pop(l *line) job {
	j := l.jobs[0]
	l.jobs[0] = job{}
	l.jobs = l.jobs[1:]
	l.bytes -= len(j.message.Payload)
	q.messages--
	q.bytes -= len(j.message.Payload)
	if t := j.ticket; t != nil {
		l.owed.add(-1, -t.Bytes)
		if !t.asked {
			t.asked = true
			l.loose--
		}
	}
	return j
}

// full says whether memory holds what it should. One line may have half of it: a
// rule whose target is away must not take all the room.
func (q *queue) full(l *line) bool {
	most := q.limits.memory
	return q.messages >= most.messages || q.bytes >= most.bytes || len(l.jobs) >= (most.messages+1)/2 || l.bytes >= (most.bytes+1)/2
}

// stuck says whether what waits in a line waits for somebody outside.
func (q *queue) stuck(l *line) bool {
	return l.firings >= q.limits.firings || q.firings >= q.limits.all
}

// trim makes room where more firings than allowed must not be lost: the rule that
// has most of them loses its oldest.
func (q *queue) trim() (lost []job) {
	for {
		bytes := q.owed.bytes > q.limits.owed.bytes
		if !bytes && q.owed.messages <= q.limits.owed.messages {
			return lost
		}
		l := q.longest(bytes)
		if l == nil || len(l.jobs) == 0 { // nothing waits, or it is being read
			return lost
		}
		j := q.pop(l)
		if j.ticket != nil {
			q.owed.add(-1, -j.ticket.Bytes)
		}
		lost = append(lost, j)
		q.wake(l)
	}
}

// longest gives the line with most that waits and must not be lost.
func (q *queue) longest(bytes bool) (longest *line) {
	most := 0
	for _, l := range q.lines {
		n := l.owed.messages
		if bytes {
			n = l.owed.bytes
		}
		if n > most {
			most, longest = n, l
		}
	}
	return longest
}

// wake lets a line be served if it can be, and read if it is short.
func (q *queue) wake(l *line) {
	if !l.ready && !l.serving && len(l.jobs) > 0 && l.firings < q.limits.firings {
		l.ready = true
		q.ready = append(q.ready, l)
	}
	if l.spilled > 0 && l.written > l.read && !l.loading && q.short(l) && !q.closed {
		l.loading = true
		q.running.Go(func() { q.load(l) })
	}
	switch {
	case len(q.ready) == 0 || q.firings >= q.limits.all:
	case q.idle > 0:
		q.work.Signal()
	case q.workers < runtime.GOMAXPROCS(0):
		q.workers++
		q.running.Go(q.run)
	}
}

// run serves lines, and waits for more until the queue is closed.
func (q *queue) run() {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer func() { q.workers-- }()
	for {
		l, j, ok := q.next()
		if !ok && q.closed {
			return // what is held up by firings starts somebody else
		}
		if !ok {
			q.idle++
			q.work.Wait()
			q.idle--
			continue
		}
		q.mu.Unlock()
		firing := q.serve(j)
		q.mu.Lock()
		l.serving = false
		if firing != nil {
			q.fire(l, j.ticket, firing)
		} else {
			q.settle(j.ticket)
		}
		q.wake(l)
	}
}

// next takes the first message of the line whose turn it is.
func (q *queue) next() (*line, job, bool) {
	for len(q.ready) > 0 && q.firings < q.limits.all {
		l := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		l.ready = false
		if len(l.jobs) == 0 { // it was trimmed meanwhile
			continue
		}
		l.serving = true
		return l, q.pop(l), true
	}
	return nil, job{}, false
}

// settle counts a firing that has ended.
func (q *queue) settle(t *ticket) {
	if t != nil {
		q.owed.add(-1, -t.Bytes)
	}
}

// fire lets a firing run beside the line. What waits behind it may now wait for
// long, and goes to disk.
func (q *queue) fire(l *line, t *ticket, firing func()) {
	l.firings++
	q.firings++
	if l.firings == q.limits.firings {
		q.keepAll(l)
	}
	if q.firings == q.limits.all {
		for _, other := range q.lines {
			q.keepAll(other)
		}
	}
	q.running.Go(func() {
		firing()
		q.mu.Lock()
		defer q.mu.Unlock()
		q.settle(t)
		l.firings--
		q.firings--
		q.wake(l)
	})
}

// keepAll puts on disk what waits in a line. What is loose came last, but for
// what has been read from disk.
func (q *queue) keepAll(l *line) {
	for i := len(l.jobs) - 1; i >= 0 && l.loose > 0; i-- {
		if t := l.jobs[i].ticket; t != nil && !t.asked {
			t.asked = true
			l.loose--
			q.keep(t)
		}
	}
}

// close lets nothing into memory any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.work.Broadcast()
}

// wait waits until memory is empty and nothing runs.
func (q *queue) wait() { q.running.Wait() }

// giveUp ends the serving. It says how many messages of QoS 0 are lost by that;
// the others wait on disk.
func (q *queue) giveUp() (lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lines {
		for len(l.jobs) > 0 {
			if j := q.pop(l); j.ticket == nil {
				lost++
			} else {
				q.keep(j.ticket)
			}
		}
	}
	return lost
}

// waiting gives how many messages wait in memory, and what must not be lost.
func (q *queue) waiting() (inMemory int, owed load) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages, q.owed
}

// waitingFor gives how many messages wait for a rule, in memory and on disk.
func (q *queue) waitingFor(l *line) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(l.jobs) + l.spilled
}
