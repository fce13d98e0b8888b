package mqtt

import (
	"bytes"
	"slices"
	"time"
)

// MessageProperties are the 5.0 properties that belong to a message, not to the
// connection it came over: a broker hands them on unaltered and in order, but
// for the time left to live. PUBLISH and wills have them. [MQTT-3.3.2-4,
// MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-18, MQTT-3.3.2-20]
//
// A nil slice is an absent property; an empty one is present and empty.
type MessageProperties struct {
	PayloadFormat   Optional[PayloadFormat]
	MessageExpiry   Optional[time.Duration] // whole seconds; absent: does not expire
	ContentType     []byte                  // UTF-8
	ResponseTopic   []byte                  // UTF-8, no wildcards
	CorrelationData []byte
	UserProperties  []UserPropertyBytes
}

// PayloadFormat says what the payload's bytes are. Nobody here checks them.
type PayloadFormat byte

// The payload formats. [MQTT 5.0 3.3.2.3.2]
const (
	UnspecifiedBytes PayloadFormat = 0
	UTF8Data         PayloadFormat = 1
)

// UserPropertyBytes is a [UserProperty] of a message: bytes, so that a PUBLISH
// is decoded without allocating.
type UserPropertyBytes struct {
	Name, Value []byte // UTF-8
}

// Clone copies m and all that it points to.
func (m MessageProperties) Clone() MessageProperties {
	m.ContentType = bytes.Clone(m.ContentType)
	m.ResponseTopic = bytes.Clone(m.ResponseTopic)
	m.CorrelationData = bytes.Clone(m.CorrelationData)
	m.UserProperties = slices.Clone(m.UserProperties)
	for i, u := range m.UserProperties {
		m.UserProperties[i] = UserPropertyBytes{bytes.Clone(u.Name), bytes.Clone(u.Value)}
	}
	return m
}

// set takes the property that d stands at.
func (m *MessageProperties) set(d *decoder) {
	switch at := &d.at; at.id {
	case PropPayloadFormatIndicator:
		m.PayloadFormat = Some(PayloadFormat(at.number))
	case PropMessageExpiryInterval:
		m.MessageExpiry = Some(at.seconds())
	case PropContentType:
		m.ContentType = at.text
	case PropResponseTopic:
		m.ResponseTopic = at.text
		if bytes.ContainsAny(at.text, "+#") {
			d.fail(protocolError("response topic contains a wildcard")) // [MQTT-3.3.2-14]
		}
	case PropCorrelationData:
		m.CorrelationData = at.text
	case PropUserProperty:
		m.UserProperties = append(m.UserProperties, UserPropertyBytes{at.text, at.value})
	}
}

func (m *MessageProperties) append(dst []byte) []byte {
	if m.PayloadFormat.Present {
		dst = appendByteProperty(dst, PropPayloadFormatIndicator, byte(m.PayloadFormat.Value))
	}
	dst = appendSecondsProperty(dst, PropMessageExpiryInterval, m.MessageExpiry)
	dst = appendBinaryProperty(dst, PropContentType, m.ContentType)
	dst = appendBinaryProperty(dst, PropResponseTopic, m.ResponseTopic)
	dst = appendBinaryProperty(dst, PropCorrelationData, m.CorrelationData)
	for _, u := range m.UserProperties {
		dst = appendField(append(dst, byte(PropUserProperty)), u.Name)
		dst = appendField(dst, u.Value)
	}
	return dst
}

// size is the number of bytes append adds.
func (m *MessageProperties) size() int {
	n := 0
	if m.PayloadFormat.Present {
		n += 2
	}
	if m.MessageExpiry.Present {
		n += 5
	}
	for _, field := range [...][]byte{m.ContentType, m.ResponseTopic, m.CorrelationData} {
		if field != nil {
			n += 1 + fieldSize(field)
		}
	}
	for _, u := range m.UserProperties {
		n += 1 + fieldSize(u.Name) + fieldSize(u.Value)
	}
	return n
}
