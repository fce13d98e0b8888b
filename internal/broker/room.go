package broker

// roomKept bounds the memory that an empty list keeps while its client is busy, in
// entries.
const roomKept = 1024

// lineUp appends to a list that is taken from at its front. room is all the memory
// that the list has moved through: when its end is reached, the list moves back to
// the beginning, instead of to new memory for every few messages.
func lineUp(list, room []entry, e entry) (longer, roomNow []entry) {
	if len(list) == cap(list) {
		if cap(room) < 2*len(list)+1 {
			room = make([]entry, 0, max(16, 4*len(list)))
		}
		all := room[:cap(room)]
		n := copy(all, list)
		clear(all[n:]) // what was there must not be kept alive
		list = all[:n]
	}
	return append(list, e), room
}

// trim ends a list's hold on memory that is not worth keeping.
func trim(list, room []entry) (emptied, roomNow []entry) {
	if len(list) > 0 {
		return list, room
	}
	if cap(room) > roomKept {
		room = nil
	}
	return room[:0], room
}

// shed gives back what an idle session needs not.
func (s *session) shed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.shed()
}

// shed is for callers that hold session.mu.
func (q *queue) shed() {
	if len(q.flight) == 0 {
		q.flight, q.flightRoom = nil, nil
	}
	if len(q.waiting) == 0 {
		q.waiting, q.waitingRoom = nil, nil
	}
}
