package mqtt

import (
	"encoding/binary"
	"slices"
)

// Fanout is a PUBLISH encoded once for a version and a QoS, to be sent to many:
// only packet identifier, DUP and RETAIN differ from one subscriber to the next.
// Append only reads it, so that connections may share it until Encode is called
// again; a copy of a Fanout shares its memory. The zero Fanout is no packet.
type Fanout struct {
	frame []byte
	idAt  int // where the packet identifier stands; 0 at QoS 0, which has none
}

// Fanout encodes p, at p's QoS. It owns its memory: p and the frame p points
// into may be used again.
func (p *Publish) Fanout(v Version) Fanout {
	var f Fanout
	f.Encode(p, v)
	return f
}

// Encode is [Publish.Fanout] into memory that f may have from before, for a
// broker that encodes message after message. It overwrites what f and its copies
// held: nobody may be using them.
func (f *Fanout) Encode(p *Publish, v Version) {
	f.frame, f.idAt = p.appendHeader(slices.Grow(f.frame[:0], p.Size(v)), v)
	if p.QoS == QoS0 {
		f.idAt = 0
	}
	f.frame = append(f.frame, p.Payload...)
}

// Size is the number of bytes Append adds.
func (f Fanout) Size() int { return len(f.frame) }

// Append adds the packet to dst as one subscriber gets it. At QoS 0 there is
// neither packet identifier nor DUP, and id and dup are ignored.
func (f Fanout) Append(dst []byte, id uint16, dup, retain bool) []byte {
	start := len(dst)
	dst = append(dst, f.frame...)
	first := f.frame[0] &^ (dupFlag | retainFlag)
	if f.idAt > 0 {
		first |= flag(dup, dupFlag)
		binary.BigEndian.PutUint16(dst[start+f.idAt:], id)
	}
	dst[start] = first | flag(retain, retainFlag)
	return dst
}
