package mqtt

import (
	"encoding/binary"
	"fmt"
	"time"
)

// PropertyID names a property of a 5.0 packet. [MQTT 5.0 2.2.2.2]
type PropertyID byte

// The properties, by the standard's names.
const (
	PropPayloadFormatIndicator          PropertyID = 0x01
	PropMessageExpiryInterval           PropertyID = 0x02
	PropContentType                     PropertyID = 0x03
	PropResponseTopic                   PropertyID = 0x08
	PropCorrelationData                 PropertyID = 0x09
	PropSubscriptionIdentifier          PropertyID = 0x0B
	PropSessionExpiryInterval           PropertyID = 0x11
	PropAssignedClientIdentifier        PropertyID = 0x12
	PropServerKeepAlive                 PropertyID = 0x13
	PropAuthenticationMethod            PropertyID = 0x15
	PropAuthenticationData              PropertyID = 0x16
	PropRequestProblemInformation       PropertyID = 0x17
	PropWillDelayInterval               PropertyID = 0x18
	PropRequestResponseInformation      PropertyID = 0x19
	PropResponseInformation             PropertyID = 0x1A
	PropServerReference                 PropertyID = 0x1C
	PropReasonString                    PropertyID = 0x1F
	PropReceiveMaximum                  PropertyID = 0x21
	PropTopicAliasMaximum               PropertyID = 0x22
	PropTopicAlias                      PropertyID = 0x23
	PropMaximumQoS                      PropertyID = 0x24
	PropRetainAvailable                 PropertyID = 0x25
	PropUserProperty                    PropertyID = 0x26
	PropMaximumPacketSize               PropertyID = 0x27
	PropWildcardSubscriptionAvailable   PropertyID = 0x28
	PropSubscriptionIdentifierAvailable PropertyID = 0x29
	PropSharedSubscriptionAvailable     PropertyID = 0x2A
)

// kind is how a property's value stands on the wire.
type kind byte

const (
	kindByte kind = iota + 1
	kindUint16
	kindUint32
	kindVarint
	kindText
	kindBinary
	kindPair // two texts
)

// inWill stands for the Will Properties of CONNECT beside the packet types,
// in the place of the forbidden type 0.
const inWill PacketType = 0

// propertyRow is what the standard says about a property.
type propertyRow struct {
	name     string
	kind     kind
	in       carriers
	repeats  carriers // where it may stand more than once
	min, max uint32   // of a number; a max of 0 is none
}

// The groups of packets that share properties.
var (
	inMessage = in(TypePublish, inWill)
	inOpening = in(TypeConnect, TypeConnack)
	inReplies = in(TypeConnack, TypePuback, TypePubrec, TypePubrel, TypePubcomp,
		TypeSuback, TypeUnsuback, TypeDisconnect, TypeAuth)
	inAny = inMessage | inOpening | inReplies | in(TypeSubscribe, TypeUnsubscribe)
)

var propertyTable = [...]propertyRow{
	PropPayloadFormatIndicator:          {name: "Payload Format Indicator", kind: kindByte, in: inMessage, max: 1},
	PropMessageExpiryInterval:           {name: "Message Expiry Interval", kind: kindUint32, in: inMessage},
	PropContentType:                     {name: "Content Type", kind: kindText, in: inMessage},
	PropResponseTopic:                   {name: "Response Topic", kind: kindText, in: inMessage},
	PropCorrelationData:                 {name: "Correlation Data", kind: kindBinary, in: inMessage},
	PropSubscriptionIdentifier:          {name: "Subscription Identifier", kind: kindVarint, in: in(TypePublish, TypeSubscribe), repeats: in(TypePublish), min: 1},
	PropSessionExpiryInterval:           {name: "Session Expiry Interval", kind: kindUint32, in: inOpening | in(TypeDisconnect)},
	PropAssignedClientIdentifier:        {name: "Assigned Client Identifier", kind: kindText, in: in(TypeConnack)},
	PropServerKeepAlive:                 {name: "Server Keep Alive", kind: kindUint16, in: in(TypeConnack)},
	PropAuthenticationMethod:            {name: "Authentication Method", kind: kindText, in: inOpening | in(TypeAuth)},
	PropAuthenticationData:              {name: "Authentication Data", kind: kindBinary, in: inOpening | in(TypeAuth)},
	PropRequestProblemInformation:       {name: "Request Problem Information", kind: kindByte, in: in(TypeConnect), max: 1},
	PropWillDelayInterval:               {name: "Will Delay Interval", kind: kindUint32, in: in(inWill)},
	PropRequestResponseInformation:      {name: "Request Response Information", kind: kindByte, in: in(TypeConnect), max: 1},
	PropResponseInformation:             {name: "Response Information", kind: kindText, in: in(TypeConnack)},
	PropServerReference:                 {name: "Server Reference", kind: kindText, in: in(TypeConnack, TypeDisconnect)},
	PropReasonString:                    {name: "Reason String", kind: kindText, in: inReplies},
	PropReceiveMaximum:                  {name: "Receive Maximum", kind: kindUint16, in: inOpening, min: 1},
	PropTopicAliasMaximum:               {name: "Topic Alias Maximum", kind: kindUint16, in: inOpening},
	PropTopicAlias:                      {name: "Topic Alias", kind: kindUint16, in: in(TypePublish), min: 1},
	PropMaximumQoS:                      {name: "Maximum QoS", kind: kindByte, in: in(TypeConnack), max: 1},
	PropRetainAvailable:                 {name: "Retain Available", kind: kindByte, in: in(TypeConnack), max: 1},
	PropUserProperty:                    {name: "User Property", kind: kindPair, in: inAny, repeats: inAny},
	PropMaximumPacketSize:               {name: "Maximum Packet Size", kind: kindUint32, in: inOpening, min: 1},
	PropWildcardSubscriptionAvailable:   {name: "Wildcard Subscription Available", kind: kindByte, in: in(TypeConnack), max: 1},
	PropSubscriptionIdentifierAvailable: {name: "Subscription Identifier Available", kind: kindByte, in: in(TypeConnack), max: 1},
	PropSharedSubscriptionAvailable:     {name: "Shared Subscription Available", kind: kindByte, in: in(TypeConnack), max: 1},
}

// row gives what the table says about id; a row without a name if nothing.
func (id PropertyID) row() *propertyRow {
	if int(id) >= len(propertyTable) {
		id = 0
	}
	return &propertyTable[id]
}

// String gives the standard's name, e.g. "Topic Alias".
func (id PropertyID) String() string {
	if name := id.row().name; name != "" {
		return name
	}
	return fmt.Sprintf("PropertyID(0x%02X)", byte(id))
}

// UserProperty is a name and value of the application's own. Names may repeat,
// and the order is kept. [MQTT-3.1.3-10]
type UserProperty struct {
	Name, Value string
}

// ProblemInfo is what a reply may say beyond its reason code. A client that
// sends Request Problem Information 0 gets it in CONNACK and DISCONNECT alone.
// [MQTT-3.1.2-29]
type ProblemInfo struct {
	ReasonString   string // for people and logs; "" is absent
	UserProperties []UserProperty
}

// empty says whether there is nothing to write.
func (i *ProblemInfo) empty() bool { return i.ReasonString == "" && len(i.UserProperties) == 0 }

// set takes p, if it is one of the two.
func (i *ProblemInfo) set(p *property) {
	switch p.id {
	case PropReasonString:
		i.ReasonString = string(p.text)
	case PropUserProperty:
		i.UserProperties = append(i.UserProperties, p.user())
	}
}

func (i *ProblemInfo) append(dst []byte) []byte {
	dst = appendTextProperty(dst, PropReasonString, i.ReasonString)
	return appendUserProperties(dst, i.UserProperties)
}

// property is one property as it was read: its value is in number, in text, or
// in text and value for a pair. Text and value alias the frame.
type property struct {
	id     PropertyID
	number uint32
	text   []byte
	value  []byte
}

func (p *property) seconds() time.Duration { return time.Duration(p.number) * time.Second }

func (p *property) flag() bool { return p.number == 1 }

func (p *property) user() UserProperty {
	return UserProperty{Name: string(p.text), Value: string(p.value)}
}

// properties reads the property length; what follows is walked with next, which
// checks each property against the table and leaves it in at:
//
//	d.properties(TypeSuback)
//	for d.next() {
//		switch d.at.id { … }
//	}
//
// The walk is part of the decoder, not a type that points to one: that would
// move every decoder to the heap.
func (d *decoder) properties(in PacketType) {
	n := d.varint()
	if n > len(d.rest) {
		d.fail(malformed("properties are longer than the packet"))
		n = 0
	}
	d.in, d.after, d.seen = in, len(d.rest)-n, 0
}

// next reads a property, and says false at their end and at the first failure.
func (d *decoder) next() bool {
	if len(d.rest) <= d.after || d.err != nil {
		return false
	}
	// The identifier is a variable byte integer, but all there are fit one byte,
	// and 5.0 allows no longer form for them.
	d.at.id = PropertyID(d.uint8())
	row := d.at.id.row()
	if d.admit(row) {
		d.read(row)
	}
	if d.err == nil && len(d.rest) < d.after {
		d.fail(malformed("%s runs over the property length", row.name))
	}
	return d.err == nil
}

// admit checks that the property may stand here, and once more if it did before.
func (d *decoder) admit(row *propertyRow) bool {
	switch {
	case row.name == "":
		d.fail(malformed("unknown property 0x%02X", byte(d.at.id)))
	case !row.in.has(d.in):
		d.fail(malformed("%s does not belong in this packet", row.name)) // [MQTT 5.0 2.2.2.2]
	case d.has(d.at.id) && !row.repeats.has(d.in):
		d.fail(protocolError("%s stands twice", row.name))
	}
	d.seen |= 1 << (d.at.id & 63)
	return d.err == nil
}

// has says whether the property stood among those read so far.
func (d *decoder) has(id PropertyID) bool { return d.seen>>id&1 == 1 }

func (d *decoder) read(row *propertyRow) {
	switch row.kind {
	case kindByte:
		d.at.number = uint32(d.uint8())
	case kindUint16:
		d.at.number = uint32(d.uint16())
	case kindUint32:
		d.at.number = d.uint32()
	case kindVarint:
		d.at.number = uint32(d.varint())
	case kindText:
		d.at.text = d.text(row.name)
	case kindBinary:
		d.at.text = d.binary()
	case kindPair:
		d.at.text, d.at.value = d.text(row.name), d.text(row.name)
	}
	if row.kind <= kindVarint {
		d.checkRange(row)
	}
}

// checkRange refuses numbers that the standard calls a protocol error.
func (d *decoder) checkRange(row *propertyRow) {
	sound := d.at.number >= row.min && (row.max == 0 || d.at.number <= row.max)
	if sound || d.err != nil {
		return
	}
	err := protocolError("%s is %d", row.name, d.at.number)
	if d.at.id == PropTopicAlias {
		err.Reason = TopicAliasInvalid // [MQTT-3.3.2-8]
	}
	d.fail(err)
}

// The functions below add one property each, or nothing if it is absent.

func appendByteProperty(dst []byte, id PropertyID, value byte) []byte {
	return append(dst, byte(id), value)
}

func appendFlagProperty(dst []byte, id PropertyID, value Optional[bool]) []byte {
	if !value.Present {
		return dst
	}
	return appendByteProperty(dst, id, flag(value.Value, 1))
}

// appendUint16Property takes 0 for absent: it is illegal or the default for
// every property it is used with.
func appendUint16Property(dst []byte, id PropertyID, value uint16) []byte {
	if value == 0 {
		return dst
	}
	return binary.BigEndian.AppendUint16(append(dst, byte(id)), value)
}

func appendUint32Property(dst []byte, id PropertyID, value uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(id)), value)
}

func appendSecondsProperty(dst []byte, id PropertyID, value Optional[time.Duration]) []byte {
	if !value.Present {
		return dst
	}
	return appendUint32Property(dst, id, seconds(value.Value, maxSeconds32))
}

func appendTextProperty(dst []byte, id PropertyID, value string) []byte {
	if value == "" {
		return dst
	}
	return appendField(append(dst, byte(id)), value)
}

// appendBinaryProperty takes nil for absent; an empty value is written.
func appendBinaryProperty(dst []byte, id PropertyID, value []byte) []byte {
	if value == nil {
		return dst
	}
	return appendField(append(dst, byte(id)), value)
}

func appendUserProperties(dst []byte, properties []UserProperty) []byte {
	for _, u := range properties {
		dst = appendField(append(dst, byte(PropUserProperty)), u.Name)
		dst = appendField(dst, u.Value)
	}
	return dst
}

// flag gives bit if on, else 0.
func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}
