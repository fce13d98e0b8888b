package mqtt

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Publish carries a message. [MQTT 5.0 3.3]
//
// Its byte slices point into the frame it was decoded from. A lookup by topic
// needs no string of its own: m[string(p.Topic)] does not allocate.
//
// # U+0000 in a topic
//
// The standard forbids it [MQTT-1.5.4-2], but devices in the field send it: the
// AWS EduKit boards publish on their thing name, a slash and the zero byte that
// ends a string in C, and AWS IoT Core takes the message. Decode therefore lets
// U+0000 in a topic pass and leaves the choice to the broker: [Publish.TrimNUL]
// to forgive, or refuse the topic where it checks wildcards.
type Publish struct {
	Dup    bool
	QoS    QoS
	Retain bool

	// PacketID is 0 at QoS 0 and never 0 above. [MQTT-2.2.1-2, MQTT-2.2.1-3]
	PacketID uint16

	// Topic is empty only in 5.0 and only beside a TopicAlias.
	Topic   []byte
	Payload []byte

	// The rest is 5.0 only.

	// Properties belong to the message and travel with it.
	Properties MessageProperties

	// TopicAlias stands for the topic on this connection; 0 is absent.
	TopicAlias uint16

	// SubscriptionIDs say, to a client, which of its subscriptions matched. From
	// a client they are a protocol error. [MQTT-3.3.4-6]
	SubscriptionIDs []uint32

	// RawProperties are all properties as they stood in the decoded frame,
	// without their length. Append does not look at them.
	RawProperties []byte
}

// The flags of a PUBLISH. [MQTT 5.0 3.3.1]
const (
	dupFlag    = 0b1000
	qosShift   = 1
	retainFlag = 0b0001
)

func checkPublishFlags(flags byte) error {
	switch qos := flags >> qosShift & 3; {
	case qos == 3:
		return malformed("QoS of PUBLISH is 3") // [MQTT-3.3.1-4]
	case qos == 0 && flags&dupFlag != 0:
		return malformed("DUP is set at QoS 0") // [MQTT-3.3.1-2]
	}
	return nil
}

// Type gives TypePublish.
func (p *Publish) Type() PacketType { return TypePublish }

// Decode reads the packet from frame, into which p then points. The slices p
// already has are used again, so that decoding into the same Publish does not
// allocate.
func (p *Publish) Decode(v Version, frame []byte) error {
	p.reset()
	var d decoder
	d.open(v, frame, TypePublish)
	if d.err != nil {
		return d.err
	}
	flags := frame[0]
	p.Dup, p.Retain = flags&dupFlag != 0, flags&retainFlag != 0
	p.QoS = QoS(flags >> qosShift & 3)
	p.Topic = d.utf8("topic")
	if p.QoS != QoS0 {
		p.PacketID = d.packetID()
	}
	if v == V5 {
		p.decodeProperties(&d)
	}
	p.Payload = d.payload()
	if len(p.Topic) == 0 && p.TopicAlias == 0 && d.err == nil {
		d.fail(noTopic(v))
	}
	return d.finish()
}

// noTopic is a PUBLISH that does not say where to. [MQTT-4.7.3-1; MQTT 5.0
// 3.3.2.1]
func noTopic(v Version) *Error {
	if v == V5 {
		return protocolError("neither topic nor topic alias")
	}
	return malformed("topic is empty")
}

// reset empties p but for the memory of its slices.
func (p *Publish) reset() {
	*p = Publish{
		SubscriptionIDs: reuse(p.SubscriptionIDs),
		Properties:      MessageProperties{UserProperties: reuse(p.Properties.UserProperties)},
	}
}

// reuse empties s and keeps its memory, unless one greedy packet made that more
// than an idle connection should hold on to.
func reuse[T any](s []T) []T {
	const enough = 64 // elements
	if cap(s) > enough {
		return nil
	}
	return s[:0]
}

// payload takes all that is left; nil if that is nothing.
func (d *decoder) payload() []byte {
	if len(d.rest) == 0 {
		return nil
	}
	return d.take(len(d.rest))
}

func (p *Publish) decodeProperties(d *decoder) {
	d.properties(TypePublish)
	if n := len(d.rest) - d.after; n > 0 {
		p.RawProperties = d.rest[:n:n]
	}
	for d.next() {
		switch d.at.id {
		case PropTopicAlias:
			p.TopicAlias = uint16(d.at.number)
		case PropSubscriptionIdentifier:
			p.SubscriptionIDs = append(p.SubscriptionIDs, d.at.number)
		default:
			p.Properties.set(d)
		}
	}
}

// TrimNUL cuts the zero bytes that end the topic, and says whether there were
// any. See [Publish] for the devices that need it.
func (p *Publish) TrimNUL() bool {
	n := len(p.Topic)
	for n > 0 && p.Topic[n-1] == 0 {
		n--
	}
	trimmed := n < len(p.Topic)
	p.Topic = p.Topic[:n]
	return trimmed
}

// HasNUL says whether U+0000 is anywhere in the topic.
func (p *Publish) HasNUL() bool { return bytes.IndexByte(p.Topic, 0) >= 0 }

// Clone copies p and all that it points to.
func (p *Publish) Clone() *Publish {
	c := *p
	c.Topic = bytes.Clone(p.Topic)
	c.Payload = bytes.Clone(p.Payload)
	c.RawProperties = bytes.Clone(p.RawProperties)
	c.SubscriptionIDs = slices.Clone(p.SubscriptionIDs)
	c.Properties = p.Properties.Clone()
	return &c
}

// Append adds the packet to dst, see [Packet]. It allocates only if dst grows.
func (p *Publish) Append(dst []byte, v Version) []byte {
	dst, _ = p.appendHeader(dst, v)
	return append(dst, p.Payload...)
}

// Size is the number of bytes Append adds: what a client's Maximum Packet Size
// limits.
func (p *Publish) Size(v Version) int {
	remaining, _ := p.remaining(v)
	return 1 + varintSize(remaining) + remaining
}

// remaining gives the remaining length and, within it, the property length.
func (p *Publish) remaining(v Version) (length, properties int) {
	length = fieldSize(p.Topic) + len(p.Payload)
	if p.QoS != QoS0 {
		length += 2
	}
	if v == V5 {
		properties = p.propertiesSize()
		length += varintSize(properties) + properties
	}
	return length, properties
}

// appendHeader adds all but the payload and says where the packet identifier
// stands or would stand.
func (p *Publish) appendHeader(dst []byte, v Version) (out []byte, idAt int) {
	length, properties := p.remaining(v)
	dst = append(dst, byte(TypePublish)<<4|p.flags())
	dst = appendVarint(dst, length)
	dst = appendField(dst, p.Topic)
	idAt = len(dst)
	if p.QoS != QoS0 {
		dst = binary.BigEndian.AppendUint16(dst, p.PacketID)
	}
	if v == V5 {
		dst = appendVarint(dst, properties)
		dst = p.appendProperties(dst)
	}
	return dst, idAt
}

// flags leaves DUP out at QoS 0, where it is forbidden. [MQTT-3.3.1-2]
func (p *Publish) flags() byte {
	return flag(p.Dup && p.QoS != QoS0, dupFlag) | byte(p.QoS)<<qosShift | flag(p.Retain, retainFlag)
}

func (p *Publish) appendProperties(dst []byte) []byte {
	dst = appendUint16Property(dst, PropTopicAlias, p.TopicAlias)
	dst = p.Properties.append(dst)
	for _, id := range p.SubscriptionIDs {
		dst = appendVarint(append(dst, byte(PropSubscriptionIdentifier)), int(id))
	}
	return dst
}

func (p *Publish) propertiesSize() int {
	n := p.Properties.size()
	if p.TopicAlias != 0 {
		n += 3
	}
	for _, id := range p.SubscriptionIDs {
		n += 1 + varintSize(int(id))
	}
	return n
}
