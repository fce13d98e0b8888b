package mqtt

import (
	"encoding/binary"
	"strings"
)

// Subscribe asks for messages. [MQTT 5.0 3.8]
type Subscribe struct {
	PacketID      uint16
	Subscriptions []Subscription // one at least

	// The rest is 5.0 only.

	SubscriptionID uint32 // 1..268,435,455, sent along with what matches; 0 is absent
	UserProperties []UserProperty
}

// Subscription is a filter and how its messages are to come. Whether the filter
// is well formed is not checked here.
type Subscription struct {
	Filter string
	QoS    QoS // the highest the client wants

	// The rest is 5.0 only. [MQTT 5.0 3.8.3.1]

	NoLocal           bool // not what the client published itself
	RetainAsPublished bool // keep the RETAIN flag as the publisher set it
	RetainHandling    RetainHandling
}

// RetainHandling says when a subscription brings retained messages.
type RetainHandling byte

// The three choices; 3.1.1 knows SendRetained alone.
const (
	SendRetained      RetainHandling = 0 // at every SUBSCRIBE
	SendRetainedIfNew RetainHandling = 1 // if the subscription did not exist
	SendNoRetained    RetainHandling = 2
)

// The subscription options. [MQTT 5.0 3.8.3.1]
const (
	noLocalFlag           = 0b0000_0100
	retainAsPublishedFlag = 0b0000_1000
	retainHandlingShift   = 4
	reservedOptions       = 0b1100_0000
	reservedOptionsV4     = 0b1111_1100
)

// Type gives TypeSubscribe.
func (s *Subscribe) Type() PacketType { return TypeSubscribe }

// Decode reads the packet, see [Packet].
func (s *Subscribe) Decode(v Version, frame []byte) error {
	*s = Subscribe{}
	var d decoder
	d.open(v, frame, TypeSubscribe)
	s.PacketID = d.packetID()
	if v == V5 {
		s.decodeProperties(&d)
	}
	d.requireFilters()
	for len(d.rest) > 0 {
		s.Subscriptions = append(s.Subscriptions, d.subscription(v))
	}
	return d.finish()
}

func (s *Subscribe) decodeProperties(d *decoder) {
	d.properties(TypeSubscribe)
	for d.next() {
		switch d.at.id {
		case PropSubscriptionIdentifier:
			s.SubscriptionID = d.at.number
		case PropUserProperty:
			s.UserProperties = append(s.UserProperties, d.at.user())
		}
	}
}

// requireFilters refuses a packet that ends where its filters should begin.
// [MQTT-3.8.3-2, MQTT-3.10.3-2]
func (d *decoder) requireFilters() {
	if len(d.rest) == 0 && d.err == nil {
		d.fail(protocolError("no topic filter"))
	}
}

func (d *decoder) subscription(v Version) Subscription {
	filter, options := d.string("topic filter"), d.uint8()
	s := Subscription{
		Filter:            filter,
		QoS:               QoS(options & 3),
		NoLocal:           options&noLocalFlag != 0,
		RetainAsPublished: options&retainAsPublishedFlag != 0,
		RetainHandling:    RetainHandling(options >> retainHandlingShift & 3),
	}
	if d.err == nil {
		if err := s.check(v, options); err != nil {
			d.fail(err)
		}
	}
	return s
}

func (s *Subscription) check(v Version, options byte) *Error {
	switch {
	case v != V5 && options&reservedOptionsV4 != 0: // [MQTT-3-8.3-4 in 3.1.1]
		return malformed("reserved bits beside the requested QoS are set")
	case v != V5 && s.QoS == 3: // [MQTT-3-8.3-4 in 3.1.1]
		return malformed("requested QoS is 3")
	case options&reservedOptions != 0: // [MQTT-3.8.3-5]
		return malformed("reserved subscription options are set")
	case s.QoS == 3: // [MQTT 5.0 3.8.3.1]
		return protocolError("maximum QoS of a subscription is 3")
	case s.RetainHandling == 3: // [MQTT 5.0 3.8.3.1]
		return protocolError("retain handling is 3")
	case s.NoLocal && strings.HasPrefix(s.Filter, "$share/"): // [MQTT-3.8.3-4]
		return protocolError("no local on a shared subscription")
	}
	return nil
}

// Append adds the packet to dst, see [Packet].
func (s *Subscribe) Append(dst []byte, v Version) []byte {
	dst, mark := beginFrame(dst, TypeSubscribe)
	dst = binary.BigEndian.AppendUint16(dst, s.PacketID)
	if v == V5 {
		dst = s.appendProperties(dst)
	}
	for i := range s.Subscriptions {
		dst = appendField(dst, s.Subscriptions[i].Filter)
		dst = append(dst, s.Subscriptions[i].options(v))
	}
	return end(dst, mark)
}

func (s *Subscribe) appendProperties(dst []byte) []byte {
	dst, mark := begin(dst)
	if s.SubscriptionID != 0 {
		dst = append(dst, byte(PropSubscriptionIdentifier))
		dst = appendVarint(dst, int(s.SubscriptionID))
	}
	return end(appendUserProperties(dst, s.UserProperties), mark)
}

func (s *Subscription) options(v Version) byte {
	if v != V5 {
		return byte(s.QoS)
	}
	return byte(s.QoS) |
		flag(s.NoLocal, noLocalFlag) |
		flag(s.RetainAsPublished, retainAsPublishedFlag) |
		byte(s.RetainHandling)<<retainHandlingShift
}
