package mqtt

import "encoding/binary"

// Unsuback answers an UNSUBSCRIBE. [MQTT 5.0 3.11]
type Unsuback struct {
	PacketID uint16

	// The rest is 5.0 only.

	Reasons []ReasonCode // one for each filter, in the order of the UNSUBSCRIBE
	ProblemInfo
}

// Type gives TypeUnsuback.
func (u *Unsuback) Type() PacketType { return TypeUnsuback }

// Decode reads the packet, see [Packet].
func (u *Unsuback) Decode(v Version, frame []byte) error {
	*u = Unsuback{}
	var d decoder
	d.open(v, frame, TypeUnsuback)
	u.PacketID = d.packetID()
	if v == V5 {
		u.ProblemInfo.decode(&d, TypeUnsuback)
		u.Reasons = d.reasons(v, TypeUnsuback)
	}
	return d.finish()
}

// Append adds the packet to dst, see [Packet]. In 3.1.1 it is four bytes.
func (u *Unsuback) Append(dst []byte, v Version) []byte {
	dst, mark := beginFrame(dst, TypeUnsuback)
	dst = binary.BigEndian.AppendUint16(dst, u.PacketID)
	if v == V5 {
		dst = u.ProblemInfo.appendBlock(dst)
		for _, r := range u.Reasons {
			dst = append(dst, byte(r))
		}
	}
	return end(dst, mark)
}
