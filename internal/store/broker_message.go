package store

import (
	"encoding/binary"
	"errors"
	"time"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// Messages stand in two columns: the payload as it is, and a head of a version
// byte and a few fields in binary. Numbers are varints; a text is its length and
// its bytes; a text that may be absent has its length plus one, and 0 for absent.

const (
	queuedVersion  = 1
	messageVersion = 1
)

// errHead says that a head was not written by appendMessage or appendQueued.
var errHead = errors.New("its row is damaged, or a newer thingd wrote it")

// The flags of a head. The two lowest bits are the QoS.
const (
	flagRetain     = 1 << 2
	flagExpires    = 1 << 3
	flagProperties = 1 << 4
	flagFormat     = 1 << 5
	flagExpiry     = 1 << 6
)

func flags(qos mqtt.QoS, retain bool) byte {
	f := byte(qos) & 3
	if retain {
		f |= flagRetain
	}
	return f
}

// appendQueued adds what one queue says about a message.
func appendQueued(dst []byte, m broker.StoredMessage) []byte {
	dst = append(dst, queuedVersion, flags(m.QoS, m.Retain))
	dst = binary.AppendUvarint(dst, uint64(len(m.SubscriptionIDs)))
	for _, id := range m.SubscriptionIDs {
		dst = binary.AppendUvarint(dst, uint64(id))
	}
	return dst
}

// readQueued gives what follows it, or a reader that has failed.
func readQueued(head []byte, m *broker.StoredMessage) reader {
	r := reader{bytes: head}
	r.version(queuedVersion)
	f := r.byte()
	m.QoS, m.Retain = mqtt.QoS(f&3), f&flagRetain != 0
	for range r.count() {
		m.SubscriptionIDs = append(m.SubscriptionIDs, uint32(r.number()))
	}
	return r
}

// appendMessage adds all of a message but its payload.
func appendMessage(dst []byte, m *message.Message) []byte {
	f := flags(m.QoS, m.Retain)
	if !m.Expires.IsZero() {
		f |= flagExpires
	}
	p := m.Properties
	if p != nil {
		f |= propertyFlags(p)
	}
	dst = appendText(append(dst, messageVersion, f, byte(m.Origin.Kind)), m.Topic)
	if !m.Expires.IsZero() {
		dst = binary.AppendVarint(dst, m.Expires.UnixMilli())
	}
	for _, text := range []string{m.Origin.ClientID, m.Origin.Principal, m.Origin.SourceIP, m.Origin.TraceID} {
		dst = appendText(dst, text)
	}
	dst = binary.AppendUvarint(dst, uint64(max(m.Origin.Rules, 0)))
	if p != nil {
		dst = appendProperties(dst, p)
	}
	return dst
}

// readMessage reads what appendMessage wrote. No payload and an empty one are the
// same, and come back as nil.
func readMessage(r *reader, payload []byte) (*message.Message, error) {
	r.version(messageVersion)
	f := r.byte()
	m := &message.Message{QoS: mqtt.QoS(f & 3), Retain: f&flagRetain != 0}
	m.Origin.Kind = message.Kind(r.byte())
	m.Topic = r.text()
	if f&flagExpires != 0 {
		m.Expires = time.UnixMilli(r.signed()).UTC()
	}
	for _, text := range []*string{&m.Origin.ClientID, &m.Origin.Principal, &m.Origin.SourceIP, &m.Origin.TraceID} {
		*text = r.text()
	}
	m.Origin.Rules = int(r.number())
	if f&flagProperties != 0 {
		m.Properties = readProperties(r, f)
	}
	if len(payload) > 0 {
		m.Payload = payload
	}
	if r.failed || len(r.bytes) > 0 {
		return nil, errHead
	}
	return m, nil
}

func propertyFlags(p *message.Properties) byte {
	f := byte(flagProperties)
	if p.PayloadFormat.Present {
		f |= flagFormat
	}
	if p.MessageExpiry.Present {
		f |= flagExpiry
	}
	return f
}

func appendProperties(dst []byte, p *message.Properties) []byte {
	if p.PayloadFormat.Present {
		dst = append(dst, byte(p.PayloadFormat.Value))
	}
	if p.MessageExpiry.Present {
		dst = binary.AppendUvarint(dst, uint64(max(p.MessageExpiry.Value/time.Second, 0)))
	}
	for _, value := range [][]byte{p.ContentType, p.ResponseTopic, p.CorrelationData} {
		dst = appendOptional(dst, value)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.UserProperties)))
	for _, u := range p.UserProperties {
		dst = appendText(appendText(dst, u.Name), u.Value)
	}
	return dst
}

func readProperties(r *reader, f byte) *message.Properties {
	p := &message.Properties{}
	if f&flagFormat != 0 {
		p.PayloadFormat = mqtt.Some(mqtt.PayloadFormat(r.byte()))
	}
	if f&flagExpiry != 0 {
		p.MessageExpiry = mqtt.Some(time.Duration(uint32(r.number())) * time.Second)
	}
	for _, value := range []*[]byte{&p.ContentType, &p.ResponseTopic, &p.CorrelationData} {
		*value = r.optional()
	}
	for range r.count() {
		p.UserProperties = append(p.UserProperties, message.UserProperty{Name: r.take(), Value: r.take()})
	}
	return p
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

func appendOptional(dst, value []byte) []byte {
	if value == nil {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(value))+1), value...)
}

// reader takes a head apart. After a failure it gives zeros; whoever reads looks
// at failed in the end.
type reader struct {
	bytes  []byte
	failed bool
}

func (r *reader) fail() { r.bytes, r.failed = nil, true }

func (r *reader) version(want byte) {
	if r.byte() != want {
		r.fail()
	}
}

func (r *reader) byte() byte {
	if len(r.bytes) == 0 {
		r.fail()
		return 0
	}
	b := r.bytes[0]
	r.bytes = r.bytes[1:]
	return b
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.bytes)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.bytes = r.bytes[size:]
	return n
}

func (r *reader) signed() int64 {
	n, size := binary.Varint(r.bytes)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.bytes = r.bytes[size:]
	return n
}

// count reads how many items follow, each of a byte or more.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.bytes)) {
		r.fail()
		return 0
	}
	return int(n)
}

// take gives a text's bytes, which are the head's.
func (r *reader) take() []byte {
	n := r.count()
	text := r.bytes[:n:n]
	r.bytes = r.bytes[n:]
	return text
}

func (r *reader) text() string { return string(r.take()) }

func (r *reader) optional() []byte {
	n := r.number()
	if n == 0 {
		return nil
	}
	if n-1 > uint64(len(r.bytes)) {
		r.fail()
		return nil
	}
	value := r.bytes[: n-1 : n-1]
	r.bytes = r.bytes[n-1:]
	return value
}
