// Package mqtt turns the packets of MQTT 3.1.1 and MQTT 5.0 into bytes and
// back. It knows the wire and nothing else: no connection, no session, no clock.
//
// # A packet's life
//
// A frame is one whole packet as it stands on the wire: a byte of type and
// flags, the remaining length, the rest. A connection reads as many bytes as
// the network has and asks [Frame] where the first packet ends; one read may
// hold many packets, and a packet may need several reads:
//
//	total, ok, err := mqtt.Frame(buf, limit)
//	switch {
//	case err != nil: // answer err's Reason to a 5.0 client, close
//	case !ok || total > len(buf): // read more
//	default:
//		packet, err := mqtt.Decode(version, buf[:total])
//	}
//
// Each packet is a struct with the methods Decode and Append. [Decode] picks
// the struct by the type in the first byte; a broker whose traffic is mostly
// PUBLISH looks at [TypeOf] first and calls [Publish.Decode] on a struct it
// keeps, which allocates nothing. Append adds the packet's bytes to a slice, so
// that many packets leave in one write.
//
// # Who owns the bytes
//
// A decoded PUBLISH points into its frame: topic, payload and properties are
// good until the buffer is read into again, and whoever keeps them copies them
// ([Publish.Clone]). Every other packet owns its memory.
//
// # Versions
//
// CONNECT says which [Version] a connection speaks; all later packets are read
// and written in it. Fields that exist in 5.0 only are left zero by a 3.1.1
// Decode and ignored by a 3.1.1 Append, so one piece of broker code serves both.
// Reasons are 5.0's everywhere: CONNACK and SUBACK translate for 3.1.1.
//
// # What is checked here, and what is not
//
// Decode refuses what the standard calls malformed, and those protocol errors
// that show in one packet alone. The rest is the broker's, because it needs the
// connection's state or the grammar of topics: the order of packets, whether a
// wildcard stands in a PUBLISH topic or a filter is well formed, topic aliases
// above the maximum, a subscription identifier from a client, QoS above what the
// broker offers. And one breach is let through on purpose: U+0000 in a PUBLISH
// topic, see [Publish].
//
// Clauses in brackets are numbered as in the MQTT 5.0 standard, or as in 3.1.1
// where the text says so.
package mqtt

import (
	"fmt"
	"time"
)

// Version is the protocol level a CONNECT announces.
type Version byte

// V3 is what old control panels and boards speak; its packets are read and written
// as V4's, but for CONNECT.
const (
	V3 Version = 3 // MQTT 3.1, protocol name MQIsdp
	V4 Version = 4 // MQTT 3.1.1
	V5 Version = 5 // MQTT 5.0
)

// String gives the name people know the version by.
func (v Version) String() string {
	switch v {
	case V3:
		return "3.1"
	case V4:
		return "3.1.1"
	case V5:
		return "5.0"
	}
	return fmt.Sprintf("Version(%d)", byte(v))
}

// PacketType is the upper half of a frame's first byte.
type PacketType byte

// The packet types. 0 is forbidden; AUTH exists in 5.0 only. [MQTT 5.0 2.1.2]
const (
	TypeConnect     PacketType = 1
	TypeConnack     PacketType = 2
	TypePublish     PacketType = 3
	TypePuback      PacketType = 4
	TypePubrec      PacketType = 5
	TypePubrel      PacketType = 6
	TypePubcomp     PacketType = 7
	TypeSubscribe   PacketType = 8
	TypeSuback      PacketType = 9
	TypeUnsubscribe PacketType = 10
	TypeUnsuback    PacketType = 11
	TypePingreq     PacketType = 12
	TypePingresp    PacketType = 13
	TypeDisconnect  PacketType = 14
	TypeAuth        PacketType = 15
)

var typeNames = [16]string{
	"RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
	"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String gives the standard's name, e.g. "PUBLISH".
func (t PacketType) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("PacketType(%d)", byte(t))
}

// Packet is any MQTT control packet: *Connect, *Connack, *Publish, *Puback,
// *Pubrec, *Pubrel, *Pubcomp, *Subscribe, *Suback, *Unsubscribe, *Unsuback,
// *Pingreq, *Pingresp, *Disconnect or *Auth.
type Packet interface {
	// Type says which packet it is.
	Type() PacketType

	// Append adds the packet's frame in version v to dst. It writes what it is
	// given: a text or binary field longer than the 65535 bytes the wire can
	// hold is cut, a duration is rounded down to whole seconds and held within
	// its field's range, so that the frame is well formed in any case.
	Append(dst []byte, v Version) []byte

	// Decode reads the packet from frame, exactly one whole packet. The error is
	// an *[Error]. After an error the packet's content is undefined.
	Decode(v Version, frame []byte) error
}

// QoS is the promise made for a message's delivery.
type QoS byte

// The three promises. 3 is malformed on the wire. [MQTT-3.3.1-4]
const (
	QoS0 QoS = 0 // at most once
	QoS1 QoS = 1 // at least once
	QoS2 QoS = 2 // exactly once
)

// NeverExpires as a session expiry keeps the session until it is discarded by
// a clean start. [MQTT 5.0 3.1.2.11.2]
const NeverExpires = maxSeconds32 * time.Second

const (
	maxSeconds16 = 1<<16 - 1
	maxSeconds32 = 1<<32 - 1
)

// seconds gives d in whole seconds within 0..limit.
func seconds(d time.Duration, limit int64) uint32 {
	return uint32(min(max(int64(d/time.Second), 0), limit))
}
