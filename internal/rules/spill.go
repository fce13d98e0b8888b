package rules

import "time"

// This file is where the queue meets what waits on disk alone.

const (
	// pageSize is how many firings of a rule are read at once.
	pageSize = 64
	// readAgain is the time between two tries to read where the store fails.
	readAgain = time.Second
)

// restore tells the queue what was on disk when the server started.
func (q *queue) restore(l *line, c FiringCount) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.know(l)
	l.owed.add(c.Firings, c.Bytes)
	l.spilled, l.written = c.Firings, c.Last
	q.wake(l)
}

// spilled hears that a firing is on disk, or could not be written.
func (q *queue) spilled(t *ticket, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := t.line
	if err == nil {
		l.written = max(l.written, t.Number)
	} else if t.Number > l.read {
		l.spilled--
		l.owed.add(-1, -t.Bytes)
		q.settle(t)
	}
	q.wake(l)
}

// load reads a page of a line.
func (q *queue) load(l *line) {
	q.mu.Lock()
	after, written, limit := l.read, l.written, q.room()
	q.mu.Unlock()
	page, err := q.page(l, after, limit)
	q.mu.Lock()
	l.loading = false
	if err != nil {
		q.mu.Unlock()
		time.AfterFunc(readAgain, func() { q.look(l) })
		return
	}
	if l.read == after && !q.closed { // nobody has emptied the line meanwhile
		q.admit(l, page, limit, written)
	}
	lost := q.trim()
	q.wake(l)
	q.mu.Unlock()
	if len(lost) > 0 {
		q.lost(lost)
	}
}

// short says whether a line should be read: a line that is empty may be even if
// memory is full, so that every line goes on.
func (q *queue) short(l *line) bool {
	return len(l.jobs) == 0 || len(l.jobs) < pageSize/2 && !q.full(l)
}

// room is how much may be read at once.
func (q *queue) room() int {
	if q.bytes >= q.limits.memory.bytes {
		return 1
	}
	return min(max(q.limits.memory.messages-q.messages, 1), pageSize)
}

func (q *queue) look(l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wake(l)
}

// admit puts a page into memory. After a short one nothing is left of what was
// written when it was read.
func (q *queue) admit(l *line, page []job, limit int, written int64) {
	for _, j := range page {
		l.read = j.ticket.Number
		l.spilled--
		q.push(l, j)
	}
	if len(page) < limit {
		l.read = max(l.read, written)
	}
}

// abandon empties a line whose rule is gone. It gives what was dropped: what was
// in memory, and how many firings are on disk alone, up to a number.
func (q *queue) abandon(l *line) (dropped []job, onDisk int, upTo int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(l.jobs) > 0 {
		j := q.pop(l)
		q.settle(j.ticket)
		dropped = append(dropped, j)
	}
	onDisk = l.spilled
	q.owed.add(-l.owed.messages, -l.owed.bytes)
	l.owed, l.spilled, l.read = load{}, 0, q.number
	return dropped, onDisk, q.number
}

// forget drops a line for good.
func (q *queue) forget(l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.lines {
		if other == l {
			q.lines, l.known = append(q.lines[:i:i], q.lines[i+1:]...), false
			return
		}
	}
}
