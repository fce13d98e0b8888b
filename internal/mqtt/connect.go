package mqtt

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Connect asks for a connection; it is a client's first packet and comes once.
// [MQTT 5.0 3.1]
type Connect struct {
	// Version is set by Decode; Append writes in the version it is told.
	Version Version

	// ClientID may be empty: the broker makes one up or refuses. [MQTT-3.1.3-6]
	// In 3.1.1 it may be empty with CleanStart only, which the broker answers with
	// ClientIdentifierNotValid rather than as malformed. [MQTT-3.1.3-8 in 3.1.1]
	ClientID string

	// CleanStart discards the session there may be. 3.1.1 calls it Clean Session
	// and lets it end the session with the connection, too.
	CleanStart bool

	// KeepAlive is the longest the client stays silent; 0 turns it off. Whole
	// seconds up to 65535.
	KeepAlive time.Duration

	Username Optional[string]
	Password []byte // nil is absent
	Will     *Will  // nil is absent

	// The rest is 5.0 only.

	SessionExpiry              Optional[time.Duration] // absent is 0, see NeverExpires
	ReceiveMaximum             uint16                  // QoS 1 and 2 in flight; 0 is absent: 65535
	MaximumPacketSize          uint32                  // bytes; 0 is absent: no limit
	TopicAliasMaximum          uint16                  // 0 is absent: no aliases
	RequestResponseInformation bool
	RequestProblemInformation  Optional[bool] // absent is true
	AuthenticationMethod       Optional[string]
	AuthenticationData         []byte // nil is absent
	UserProperties             []UserProperty
}

// Will is the message that is published when the connection is lost.
// [MQTT 5.0 3.1.2.5]
type Will struct {
	Topic   string
	Payload []byte // at most 65535 bytes
	QoS     QoS
	Retain  bool

	// The rest is 5.0 only.

	Delay      time.Duration // whole seconds to wait with it [MQTT 5.0 3.1.3.2.2]
	Properties MessageProperties
}

// The connect flags. [MQTT 5.0 3.1.2.3]
const (
	usernameFlag   = 0b1000_0000
	passwordFlag   = 0b0100_0000
	willRetainFlag = 0b0010_0000
	willQoSShift   = 3
	willFlag       = 0b0000_0100
	cleanStartFlag = 0b0000_0010
	reservedFlag   = 0b0000_0001
)

// Type gives TypeConnect.
func (c *Connect) Type() PacketType { return TypeConnect }

// Decode reads the packet in the version it announces itself; v is ignored.
// After an error Version is what the packet announced, 0 if that is unreadable
// or not supported, so that a broker knows in whose words to answer. A name and
// level nobody here speaks give UnsupportedProtocolVersion. [MQTT-3.1.2-2]
func (c *Connect) Decode(_ Version, frame []byte) error {
	*c = Connect{}
	var d decoder
	d.openAny(V4, frame, TypeConnect)
	c.Version = d.protocol()
	d.requireMinimal(c.Version)
	flags := d.connectFlags(c.Version)
	c.CleanStart = flags&cleanStartFlag != 0
	c.KeepAlive = d.seconds16()
	if c.Version == V5 {
		c.decodeProperties(&d)
	}
	c.decodePayload(&d, flags)
	return d.finish()
}

// protocol reads the protocol name and level. [MQTT-3.1.2-1]
func (d *decoder) protocol() Version {
	name, level := d.text("protocol name"), Version(d.uint8())
	switch {
	case d.err != nil:
	case string(name) == "MQTT" && (level == V4 || level == V5):
		return level
	case string(name) == "MQIsdp" && level == V3:
		return level
	default:
		d.fail(&Error{UnsupportedProtocolVersion, "protocol is not MQTT 3.1, 3.1.1 or 5.0"})
	}
	return 0
}

// connectFlags reads the connect flags and checks those that contradict one
// another. The clauses are numbered as in 5.0.
func (d *decoder) connectFlags(v Version) byte {
	flags := d.uint8()
	willQoS := flags >> willQoSShift & 3
	switch {
	case d.err != nil:
	case flags&reservedFlag != 0 && v != V3: // 3.1 leaves the bit unused, not 0
		d.fail(malformed("reserved connect flag is set")) // [MQTT-3.1.2-3]
	case flags&willFlag == 0 && willQoS != 0:
		d.fail(malformed("will QoS without a will")) // [MQTT-3.1.2-11]
	case flags&willFlag == 0 && flags&willRetainFlag != 0:
		d.fail(malformed("will retain without a will")) // [MQTT-3.1.2-13]
	case willQoS == 3:
		d.fail(malformed("will QoS is 3")) // [MQTT-3.1.2-12]
	case flags&(usernameFlag|passwordFlag) == passwordFlag && v != V5:
		d.fail(malformed("password without user name")) // [MQTT-3.1.2-22 in 3.1.1]
	}
	return flags
}

func (c *Connect) decodeProperties(d *decoder) {
	d.properties(TypeConnect)
	for d.next() {
		switch d.at.id {
		case PropSessionExpiryInterval:
			c.SessionExpiry = Some(d.at.seconds())
		case PropReceiveMaximum:
			c.ReceiveMaximum = uint16(d.at.number)
		case PropMaximumPacketSize:
			c.MaximumPacketSize = d.at.number
		case PropTopicAliasMaximum:
			c.TopicAliasMaximum = uint16(d.at.number)
		case PropRequestResponseInformation:
			c.RequestResponseInformation = d.at.flag()
		case PropRequestProblemInformation:
			c.RequestProblemInformation = Some(d.at.flag())
		case PropAuthenticationMethod:
			c.AuthenticationMethod = Some(string(d.at.text))
		case PropAuthenticationData:
			c.AuthenticationData = bytes.Clone(d.at.text)
		case PropUserProperty:
			c.UserProperties = append(c.UserProperties, d.at.user())
		}
	}
	d.requireMethod()
}

// requireMethod refuses authentication data without a method. [MQTT 5.0
// 3.1.2.11.10, 3.2.2.3.18]
func (d *decoder) requireMethod() {
	if d.has(PropAuthenticationData) && !d.has(PropAuthenticationMethod) && d.err == nil {
		d.fail(protocolError("authentication data without a method"))
	}
}

// decodePayload reads the fields that the flags announce, in the standard's
// order. [MQTT-3.1.3-1]
func (c *Connect) decodePayload(d *decoder, flags byte) {
	c.ClientID = d.string("client identifier")
	if flags&willFlag != 0 {
		c.Will = new(Will)
		c.Will.decode(d, c.Version)
		c.Will.QoS = QoS(flags >> willQoSShift & 3)
		c.Will.Retain = flags&willRetainFlag != 0
	}
	if flags&usernameFlag != 0 {
		c.Username = Some(d.string("user name"))
	}
	if flags&passwordFlag != 0 {
		c.Password = bytes.Clone(d.binary())
	}
}

func (w *Will) decode(d *decoder, v Version) {
	if v == V5 {
		w.decodeProperties(d)
	}
	w.Topic = d.string("will topic")
	w.Payload = bytes.Clone(d.binary())
}

func (w *Will) decodeProperties(d *decoder) {
	d.properties(inWill)
	for d.next() {
		if d.at.id == PropWillDelayInterval {
			w.Delay = d.at.seconds()
		} else {
			w.Properties.set(d)
		}
	}
	w.Properties = w.Properties.Clone()
}

// Append adds the packet to dst, see [Packet].
func (c *Connect) Append(dst []byte, v Version) []byte {
	dst, mark := beginFrame(dst, TypeConnect)
	name := "MQTT"
	if v == V3 {
		name = "MQIsdp"
	}
	dst = appendField(dst, name)
	dst = append(dst, byte(v), c.flags())
	dst = binary.BigEndian.AppendUint16(dst, uint16(seconds(c.KeepAlive, maxSeconds16)))
	if v == V5 {
		dst = c.appendProperties(dst)
	}
	return end(c.appendPayload(dst, v), mark)
}

func (c *Connect) flags() byte {
	flags := flag(c.CleanStart, cleanStartFlag) |
		flag(c.Username.Present, usernameFlag) |
		flag(c.Password != nil, passwordFlag)
	if w := c.Will; w != nil {
		flags |= willFlag | byte(w.QoS)<<willQoSShift | flag(w.Retain, willRetainFlag)
	}
	return flags
}

func (c *Connect) appendProperties(dst []byte) []byte {
	dst, mark := begin(dst)
	dst = appendSecondsProperty(dst, PropSessionExpiryInterval, c.SessionExpiry)
	dst = appendUint16Property(dst, PropReceiveMaximum, c.ReceiveMaximum)
	if c.MaximumPacketSize != 0 {
		dst = appendUint32Property(dst, PropMaximumPacketSize, c.MaximumPacketSize)
	}
	dst = appendUint16Property(dst, PropTopicAliasMaximum, c.TopicAliasMaximum)
	if c.RequestResponseInformation {
		dst = appendByteProperty(dst, PropRequestResponseInformation, 1)
	}
	dst = appendFlagProperty(dst, PropRequestProblemInformation, c.RequestProblemInformation)
	dst = appendUserProperties(dst, c.UserProperties)
	dst = appendMethod(dst, c.AuthenticationMethod)
	dst = appendBinaryProperty(dst, PropAuthenticationData, c.AuthenticationData)
	return end(dst, mark)
}

func appendMethod(dst []byte, method Optional[string]) []byte {
	if !method.Present {
		return dst
	}
	return appendField(append(dst, byte(PropAuthenticationMethod)), method.Value)
}

func (c *Connect) appendPayload(dst []byte, v Version) []byte {
	dst = appendField(dst, c.ClientID)
	if c.Will != nil {
		dst = c.Will.append(dst, v)
	}
	if c.Username.Present {
		dst = appendField(dst, c.Username.Value)
	}
	if c.Password != nil {
		dst = appendField(dst, c.Password)
	}
	return dst
}

func (w *Will) append(dst []byte, v Version) []byte {
	if v == V5 {
		var mark int
		dst, mark = begin(dst)
		if w.Delay > 0 {
			dst = appendSecondsProperty(dst, PropWillDelayInterval, Some(w.Delay))
		}
		dst = end(w.Properties.append(dst), mark)
	}
	return appendField(appendField(dst, w.Topic), w.Payload)
}
