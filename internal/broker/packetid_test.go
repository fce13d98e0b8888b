package broker

import (
	"testing"

	"pgregory.net/rapid"
)

// Identifiers are never given out while they are in flight, never zero, and run out
// only when all are in use.
func TestPacketIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		q.packet = rapid.Uint16().Draw(t, "start")
		used := map[uint16]bool{}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if len(q.flight) > 0 && rapid.Bool().Draw(t, "acknowledge") {
				i := rapid.IntRange(0, len(q.flight)-1).Draw(t, "which")
				delete(used, q.flight[i].packetID)
				q.remove(i)
				continue
			}
			if rapid.IntRange(0, 9).Draw(t, "recall") == 0 { // as resume does after a restart
				id := uint16(rapid.IntRange(1, packetIDs).Draw(t, "id"))
				if !used[id] {
					used[id], q.free = true, 0
					q.flight = append(q.flight, entry{packetID: id, state: inFlight})
				}
				continue
			}
			if !q.nextPacketID() || q.packet == 0 || used[q.packet] {
				t.Fatalf("identifier %d, in flight: %v", q.packet, used)
			}
			used[q.packet] = true
			q.flight = append(q.flight, entry{packetID: q.packet, state: inFlight})
		}
	})
}

func TestPacketIDsRunOut(t *testing.T) {
	var q queue
	for range packetIDs {
		if !q.nextPacketID() {
			t.Fatal("too early")
		}
		q.flight = append(q.flight, entry{packetID: q.packet, state: inFlight})
		if len(q.flight) == 1 { // so that the rest need not be searched again and again
			q.free = packetIDs - 1
		}
	}
	if q.nextPacketID() {
		t.Fatalf("%d is in use", q.packet)
	}
	freed := q.flight[1000].packetID
	q.remove(1000)
	if !q.nextPacketID() || q.packet != freed {
		t.Fatalf("identifier %d, wanted %d", q.packet, freed)
	}
}
