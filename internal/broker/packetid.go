package broker

// packetIDs is how many packet identifiers there are: 1 to 65535. [MQTT-2.2.1-3]
const packetIDs = 65535

// nextPacketID takes the next free packet identifier; false when all are in use.
// They are given out in a circle, so that one is not used again soon.
func (q *queue) nextPacketID() bool {
	if q.free == 0 && !q.findFree() {
		return false
	}
	q.free--
	q.packet = following(q.packet)
	return true
}

func following(id uint16) uint16 {
	if id == packetIDs {
		return 1
	}
	return id + 1
}

// findFree counts the unused identifiers that follow, up to the next one that is
// in flight, and steps over those that are. It is called once in a long while.
func (q *queue) findFree() bool {
	if len(q.flight) >= packetIDs {
		return false
	}
	for {
		nearest := packetIDs + 1
		for i := range q.flight {
			nearest = min(nearest, distance(q.packet, q.flight[i].packetID))
		}
		if nearest > 1 {
			q.free = nearest - 1
			return true
		}
		q.packet = following(q.packet)
	}
}

// distance is how many steps lead around the circle from one identifier to the
// next occurrence of another.
func distance(from, to uint16) int {
	d := (int(to) - int(from) + packetIDs) % packetIDs
	if d == 0 {
		return packetIDs
	}
	return d
}
