package gateway

// packets finds the ends of MQTT packets in a stream of them, given in pieces
// that need not end where packets do.
type packets struct {
	inHead bool // a fixed header has begun and not ended
	size   int  // the remaining length, as far as it is read [MQTT-2.2.3]
	shift  uint
	left   int // bytes of the packet's body that are still to come
}

// next says how many bytes at the beginning of p, which is not empty, belong to
// the packet under way.
func (k *packets) next(p []byte) int {
	n := 0
	for k.left == 0 && n < len(p) {
		if ended := k.head(p[n]); ended {
			n++
			break
		}
		n++
	}
	body := min(k.left, len(p)-n)
	k.left -= body
	return n + body
}

// head takes one byte of a fixed header and says whether it was the last.
func (k *packets) head(b byte) bool {
	if !k.inHead {
		k.inHead, k.size, k.shift = true, 0, 0
		return false
	}
	k.size |= int(b&0x7f) << k.shift
	k.shift += 7
	if b&0x80 != 0 {
		return false
	}
	k.inHead, k.left = false, k.size
	return true
}
