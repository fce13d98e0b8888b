package mqtt

import "encoding/binary"

// Puback answers a PUBLISH of QoS 1. [MQTT 5.0 3.4]
type Puback Ack

// Pubrec answers a PUBLISH of QoS 2: received. [MQTT 5.0 3.5]
type Pubrec Ack

// Pubrel answers a PUBREC: the sender has let go of the message. [MQTT 5.0 3.6]
type Pubrel Ack

// Pubcomp answers a PUBREL and ends the exchange. [MQTT 5.0 3.7]
type Pubcomp Ack

// Ack is what the four acknowledgements of a PUBLISH have in common: which one
// they speak of and, in 5.0, how it went. 3.1.1 knows success alone: a refusal
// is lost there, and the broker closes the connection instead.
type Ack struct {
	PacketID uint16

	// The rest is 5.0 only.

	Reason ReasonCode
	ProblemInfo
}

// Type gives TypePuback.
func (p *Puback) Type() PacketType { return TypePuback }

// Type gives TypePubrec.
func (p *Pubrec) Type() PacketType { return TypePubrec }

// Type gives TypePubrel.
func (p *Pubrel) Type() PacketType { return TypePubrel }

// Type gives TypePubcomp.
func (p *Pubcomp) Type() PacketType { return TypePubcomp }

// Append adds the packet to dst, see [Packet].
func (p *Puback) Append(dst []byte, v Version) []byte { return (*Ack)(p).append(dst, v, TypePuback) }

// Append adds the packet to dst, see [Packet].
func (p *Pubrec) Append(dst []byte, v Version) []byte { return (*Ack)(p).append(dst, v, TypePubrec) }

// Append adds the packet to dst, see [Packet].
func (p *Pubrel) Append(dst []byte, v Version) []byte { return (*Ack)(p).append(dst, v, TypePubrel) }

// Append adds the packet to dst, see [Packet].
func (p *Pubcomp) Append(dst []byte, v Version) []byte { return (*Ack)(p).append(dst, v, TypePubcomp) }

// Decode reads the packet, see [Packet].
func (p *Puback) Decode(v Version, frame []byte) error { return (*Ack)(p).decode(v, frame, TypePuback) }

// Decode reads the packet, see [Packet].
func (p *Pubrec) Decode(v Version, frame []byte) error { return (*Ack)(p).decode(v, frame, TypePubrec) }

// Decode reads the packet, see [Packet].
func (p *Pubrel) Decode(v Version, frame []byte) error { return (*Ack)(p).decode(v, frame, TypePubrel) }

// Decode reads the packet, see [Packet].
func (p *Pubcomp) Decode(v Version, frame []byte) error {
	return (*Ack)(p).decode(v, frame, TypePubcomp)
}

// decode knows three lengths in 5.0: without a reason, which is success,
// without properties, and whole. [MQTT 5.0 3.4.2.1, 3.4.2.2.1]
func (a *Ack) decode(v Version, frame []byte, t PacketType) error {
	*a = Ack{}
	var d decoder
	d.open(v, frame, t)
	a.PacketID = d.packetID()
	if v == V5 && len(d.rest) > 0 {
		a.Reason = d.reason(t)
		a.ProblemInfo.decode(&d, t)
	}
	return d.finish()
}

// decode reads the properties, of which even the length may be missing where
// the packet ends.
func (i *ProblemInfo) decode(d *decoder, t PacketType) {
	if len(d.rest) == 0 {
		return
	}
	d.properties(t)
	for d.next() {
		i.set(&d.at)
	}
}

// append writes the shortest form there is: four bytes for a plain success.
func (a *Ack) append(dst []byte, v Version, t PacketType) []byte {
	if v != V5 || a.Reason == Success && a.ProblemInfo.empty() {
		dst = append(dst, byte(t)<<4|fixedHeader[t], 2)
		return binary.BigEndian.AppendUint16(dst, a.PacketID)
	}
	dst, mark := beginFrame(dst, t)
	dst = binary.BigEndian.AppendUint16(dst, a.PacketID)
	dst = append(dst, byte(a.Reason))
	if !a.ProblemInfo.empty() {
		dst = a.ProblemInfo.appendBlock(dst)
	}
	return end(dst, mark)
}

// appendBlock writes the properties with their length.
func (i *ProblemInfo) appendBlock(dst []byte) []byte {
	dst, mark := begin(dst)
	return end(i.append(dst), mark)
}
