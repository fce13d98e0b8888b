package mqtt

import "encoding/binary"

// Suback answers a SUBSCRIBE. [MQTT 5.0 3.9]
type Suback struct {
	PacketID uint16

	// Reasons are one for each filter, in the order of the SUBSCRIBE: the granted
	// QoS or a failure. 3.1.1 has one failure, which is UnspecifiedError here;
	// Append writes every failure as that. [MQTT-3.9.3-1]
	Reasons []ReasonCode

	ProblemInfo // 5.0 only
}

// Type gives TypeSuback.
func (s *Suback) Type() PacketType { return TypeSuback }

// Decode reads the packet, see [Packet].
func (s *Suback) Decode(v Version, frame []byte) error {
	*s = Suback{}
	var d decoder
	d.open(v, frame, TypeSuback)
	s.PacketID = d.packetID()
	if v == V5 {
		s.ProblemInfo.decode(&d, TypeSuback)
	}
	s.Reasons = d.reasons(v, TypeSuback)
	return d.finish()
}

// reasons reads one reason code for each filter, of which there was one at
// least.
func (d *decoder) reasons(v Version, t PacketType) []ReasonCode {
	if len(d.rest) == 0 && d.err == nil {
		d.fail(malformed("no reason code in %s", t))
	}
	reasons := make([]ReasonCode, 0, len(d.rest))
	for len(d.rest) > 0 {
		r := d.reason(t)
		if v != V5 && r.Failed() && r != UnspecifiedError && d.err == nil {
			d.fail(protocolError("return code 0x%02X in SUBACK", byte(r))) // [MQTT-3.9.3-2 in 3.1.1]
		}
		reasons = append(reasons, r)
	}
	return reasons
}

// Append adds the packet to dst, see [Packet].
func (s *Suback) Append(dst []byte, v Version) []byte {
	dst, mark := beginFrame(dst, TypeSuback)
	dst = binary.BigEndian.AppendUint16(dst, s.PacketID)
	if v == V5 {
		dst = s.ProblemInfo.appendBlock(dst)
	}
	for _, r := range s.Reasons {
		if v != V5 && r.Failed() {
			r = UnspecifiedError
		}
		dst = append(dst, byte(r))
	}
	return end(dst, mark)
}
