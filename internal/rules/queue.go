package rules

import (
	"runtime"
	"sync"

	"thingd/internal/message"
)

// queue holds the messages that wait for their rules: a line per rule, served in
// turns by a few goroutines. Serving never waits for anybody outside; what has to is a firing, a goroutine of which
// every line has a bounded number.
type queue struct {
	limits queueLimits
	serve  func(job) (firing func())

	mu       sync.Mutex
	ready    []*line // lines with work that may be served now
	messages int     // waiting
	bytes    int     // of their payloads
	workers  int     // goroutines that serve or are idle
	idle     int     // of these, wait for work
	work     *sync.Cond
	firings  int // running
	closed   bool

	running sync.WaitGroup // workers and firings
}

// queueLimits bound a queue. When it has messages or bytes as many, it is full.
type queueLimits struct {
	messages, bytes int
	firings         int // of one line
	all             int // of all lines
}

// line is the messages of one rule. Its fields belong to the queue's lock.
type line struct {
	jobs    []job
	bytes   int  // of their payloads
	serving bool // one at a time, so that order is kept
	ready   bool // it is in the queue's list
	firings int
}

// job is a message for a rule, as the rule was when it came.
type job struct {
	state    *state
	rule     *compiled
	message  message.Message
	done     message.Done
	withheld bool // done is still to be called
}

func newQueue(limits queueLimits, serve func(job) func()) *queue {
	q := &queue{limits: limits, serve: serve}
	q.work = sync.NewCond(&q.mu)
	return q
}

// verdict is what became of a message that was put.
type verdict int

const (
	queued   verdict = iota
	dropped          // QoS 0, and the queue is full
	withheld         // QoS 1, and the queue is full: it waits, done is called later
	refused          // QoS 1, and the queue is twice full, or closed
)

// put adds a message to a line.
func (q *queue) put(l *line, j job) verdict {
	q.mu.Lock()
	defer q.mu.Unlock()
	full := q.full(l, 1)
	switch {
	case (full || q.closed) && j.message.QoS == message.QoS0:
		return dropped
	case q.closed, q.full(l, 2):
		return refused
	}
	j.withheld = full
	l.jobs = append(l.jobs, j)
	l.bytes += len(j.message.Payload)
	q.messages++
	q.bytes += len(j.message.Payload)
	q.wake(l)
	if full {
		return withheld
	}
	return queued
}

// full says whether the queue holds so many times what it should. One line may
// have half of it: a rule whose target is away must not take all the room.
func (q *queue) full(l *line, times int) bool {
	messages, bytes := times*q.limits.messages, times*q.limits.bytes
	return q.messages >= messages || q.bytes >= bytes || len(l.jobs) >= (messages+1)/2 || l.bytes >= (bytes+1)/2
}

// wake lets a line be served if it can be.
func (q *queue) wake(l *line) {
	if !l.ready && !l.serving && len(l.jobs) > 0 && l.firings < q.limits.firings {
		l.ready = true
		q.ready = append(q.ready, l)
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
		if j.withheld {
			j.done(nil)
		}
		firing := q.serve(j)
		q.mu.Lock()
		l.serving = false
		if firing != nil {
			q.fire(l, firing)
		}
		q.wake(l)
	}
}

// next takes the first message of the line whose turn it is.
func (q *queue) next() (*line, job, bool) {
	if len(q.ready) == 0 || q.firings >= q.limits.all {
		return nil, job{}, false
	}
	l := q.ready[0]
	q.ready[0] = nil
	q.ready = q.ready[1:]
	j := l.jobs[0]
	l.jobs[0] = job{}
	l.jobs = l.jobs[1:]
	l.ready, l.serving = false, true
	l.bytes -= len(j.message.Payload)
	q.messages--
	q.bytes -= len(j.message.Payload)
	return l, j, true
}

// fire lets a firing run beside the line.
func (q *queue) fire(l *line, firing func()) {
	l.firings++
	q.firings++
	q.running.Go(func() {
		firing()
		q.mu.Lock()
		defer q.mu.Unlock()
		l.firings--
		q.firings--
		q.wake(l)
	})
}

// close lets nothing in any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.work.Broadcast()
}

// wait waits until the queue is empty and nothing runs.
func (q *queue) wait() { q.running.Wait() }

// giveUp drops what waits and says how much there was in work.
func (q *queue) giveUp() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.messages + q.firings
	for _, l := range q.ready {
		l.ready = false
	}
	q.ready, q.limits.firings = nil, 0
	return lost
}

// waiting gives how many messages wait.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages
}
