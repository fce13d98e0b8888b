package mqtt

// Pingreq asks whether the server is there, and says that the client is.
// [MQTT 5.0 3.12]
type Pingreq struct{}

// Pingresp answers a PINGREQ. [MQTT 5.0 3.13]
type Pingresp struct{}

// Type gives TypePingreq.
func (*Pingreq) Type() PacketType { return TypePingreq }

// Type gives TypePingresp.
func (*Pingresp) Type() PacketType { return TypePingresp }

// Append adds the packet to dst: two bytes in every version.
func (*Pingreq) Append(dst []byte, _ Version) []byte { return append(dst, byte(TypePingreq)<<4, 0) }

// Append adds the packet to dst: two bytes in every version.
func (*Pingresp) Append(dst []byte, _ Version) []byte { return append(dst, byte(TypePingresp)<<4, 0) }

// Decode checks the packet, which says nothing but its type.
func (*Pingreq) Decode(v Version, frame []byte) error { return decodeEmpty(v, frame, TypePingreq) }

// Decode checks the packet, which says nothing but its type.
func (*Pingresp) Decode(v Version, frame []byte) error { return decodeEmpty(v, frame, TypePingresp) }

func decodeEmpty(v Version, frame []byte, t PacketType) error {
	var d decoder
	d.open(v, frame, t)
	return d.finish()
}
