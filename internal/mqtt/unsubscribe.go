package mqtt

import "encoding/binary"

// Unsubscribe ends subscriptions. [MQTT 5.0 3.10]
type Unsubscribe struct {
	PacketID       uint16
	Filters        []string       // one at least, as they were subscribed
	UserProperties []UserProperty // 5.0 only
}

// Type gives TypeUnsubscribe.
func (u *Unsubscribe) Type() PacketType { return TypeUnsubscribe }

// Decode reads the packet, see [Packet].
func (u *Unsubscribe) Decode(v Version, frame []byte) error {
	*u = Unsubscribe{}
	var d decoder
	d.open(v, frame, TypeUnsubscribe)
	u.PacketID = d.packetID()
	if v == V5 {
		d.properties(TypeUnsubscribe)
		for d.next() {
			u.UserProperties = append(u.UserProperties, d.at.user())
		}
	}
	d.requireFilters()
	for len(d.rest) > 0 {
		u.Filters = append(u.Filters, d.string("topic filter"))
	}
	return d.finish()
}

// Append adds the packet to dst, see [Packet].
func (u *Unsubscribe) Append(dst []byte, v Version) []byte {
	dst, mark := beginFrame(dst, TypeUnsubscribe)
	dst = binary.BigEndian.AppendUint16(dst, u.PacketID)
	if v == V5 {
		var properties int
		dst, properties = begin(dst)
		dst = end(appendUserProperties(dst, u.UserProperties), properties)
	}
	for _, filter := range u.Filters {
		dst = appendField(dst, filter)
	}
	return end(dst, mark)
}
