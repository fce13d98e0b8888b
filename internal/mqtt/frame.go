package mqtt

// MaxFrame is the longest packet MQTT can express, in bytes: five of fixed
// header and 268,435,455 of the rest. [MQTT 5.0 2.1.4]
const MaxFrame = 5 + maxVarint

// fixedHeader gives, by packet type, the flags the standard wants in the lower
// half of the first byte. PUBLISH has flags of its own. [MQTT-2.1.3-1]
var fixedHeader = [16]byte{
	TypePubrel:      0b0010, // [MQTT-3.6.1-1]
	TypeSubscribe:   0b0010, // [MQTT-3.8.1-1]
	TypeUnsubscribe: 0b0010, // [MQTT-3.10.1-1]
}

// Frame looks at the first packet in buf, the bytes read so far. If its fixed
// header is there, ok is true and total is the packet's whole length; it may be
// more than buf holds yet. The error is an *[Error]: a type or flags that no
// version knows, a remaining length of more than four bytes, or a packet longer
// than limit bytes (PacketTooLarge). The limit counts the whole packet, as the
// property Maximum Packet Size does; zero or less means [MaxFrame].
//
// A wrong first byte is found as soon as it is there, so a stranger's HTTP or
// TLS is refused without waiting for more of it.
func Frame(buf []byte, limit int) (total int, ok bool, err error) {
	if len(buf) == 0 {
		return 0, false, nil
	}
	if err := checkHeader(V3, buf[0]); err != nil { // V3 allows what any version allows
		return 0, false, err
	}
	remaining, size := varint(buf[1:])
	if size < 0 {
		return 0, false, malformed("remaining length is longer than four bytes") // [MQTT 5.0 1.5.5]
	}
	if size == 0 {
		return 0, false, nil
	}
	total = 1 + size + remaining
	if limit > 0 && total > limit {
		return 0, false, &Error{PacketTooLarge, "packet is longer than the limit"}
	}
	return total, true, nil
}

// TypeOf gives the type of the packet that begins with frame's first byte; 0,
// which is no type, for an empty frame.
func TypeOf(frame []byte) PacketType {
	if len(frame) == 0 {
		return 0
	}
	return PacketType(frame[0] >> 4)
}

// checkHeader checks the first byte of a frame.
func checkHeader(v Version, first byte) error {
	t, flags := PacketType(first>>4), first&0x0F
	switch {
	case t == 0:
		return malformed("packet type 0 is reserved") // [MQTT 5.0 2.1.2]
	case t == TypePublish:
		return checkPublishFlags(flags)
	case v == V3 && fixedHeader[t] != 0:
		flags &^= dupFlag // MQTT 3.1 marks the repeats of these three with DUP
	}
	if flags != fixedHeader[t] {
		return malformed("reserved flags of %s are %04b", t, flags)
	}
	return nil
}

// Decode reads the packet that frame holds, from its first byte to its last.
// The version is what CONNECT agreed on; CONNECT itself brings its own and
// ignores it. The error is an *[Error].
func Decode(v Version, frame []byte) (Packet, error) {
	p := newPacket(TypeOf(frame))
	if p == nil {
		return nil, malformed("packet type 0 is reserved")
	}
	if err := p.Decode(v, frame); err != nil {
		return nil, err
	}
	return p, nil
}

func newPacket(t PacketType) Packet {
	switch t {
	case TypeConnect:
		return new(Connect)
	case TypeConnack:
		return new(Connack)
	case TypePublish:
		return new(Publish)
	case TypePuback:
		return new(Puback)
	case TypePubrec:
		return new(Pubrec)
	case TypePubrel:
		return new(Pubrel)
	case TypePubcomp:
		return new(Pubcomp)
	case TypeSubscribe:
		return new(Subscribe)
	case TypeSuback:
		return new(Suback)
	case TypeUnsubscribe:
		return new(Unsubscribe)
	case TypeUnsuback:
		return new(Unsuback)
	case TypePingreq:
		return new(Pingreq)
	case TypePingresp:
		return new(Pingresp)
	case TypeDisconnect:
		return new(Disconnect)
	case TypeAuth:
		return new(Auth)
	}
	return nil
}
