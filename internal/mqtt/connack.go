package mqtt

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Connack answers a CONNECT; it is the server's first packet. [MQTT 5.0 3.2]
type Connack struct {
	// SessionPresent says that the client's session was found. Append writes it
	// only beside Success. [MQTT-3.2.2-6]
	SessionPresent bool

	// Reason is Success or why the connection was refused. 3.1.1 has five
	// refusals; Append writes the nearest. Decode of a 3.1.1 packet gives
	// UnsupportedProtocolVersion, ClientIdentifierNotValid, ServerUnavailable,
	// BadUserNameOrPassword or NotAuthorized.
	Reason ReasonCode

	// The rest is 5.0 only. Absent, a limit or a feature is as the comment says.

	SessionExpiry                    Optional[time.Duration] // absent: as the client asked
	ReceiveMaximum                   uint16                  // 0 is absent: 65535
	MaximumQoS                       Optional[QoS]           // QoS0 or QoS1; absent: QoS2
	RetainAvailable                  Optional[bool]          // absent: true
	MaximumPacketSize                uint32                  // bytes; 0 is absent: no limit
	AssignedClientID                 string                  // "" is absent: the client's own
	TopicAliasMaximum                uint16                  // 0 is absent: no aliases
	WildcardSubscriptionAvailable    Optional[bool]          // absent: true
	SubscriptionIdentifiersAvailable Optional[bool]          // absent: true
	SharedSubscriptionAvailable      Optional[bool]          // absent: true
	ServerKeepAlive                  Optional[time.Duration] // whole seconds; absent: as the client asked
	ResponseInformation              string                  // "" is absent
	ServerReference                  string                  // "" is absent
	AuthenticationMethod             Optional[string]
	AuthenticationData               []byte // nil is absent
	ProblemInfo
}

// connectReturn gives the reason for each return code of 3.1.1. [MQTT 3.1.1
// table 3.1]
var connectReturn = [...]ReasonCode{
	0: Success,
	1: UnsupportedProtocolVersion,
	2: ClientIdentifierNotValid,
	3: ServerUnavailable,
	4: BadUserNameOrPassword,
	5: NotAuthorized,
}

// awsNotAuthorized is a return code that 3.1.1 reserves. AWS IoT Core is
// documented to send it in place of 5, and a client of ours may talk to AWS.
const awsNotAuthorized = 7

// Type gives TypeConnack.
func (c *Connack) Type() PacketType { return TypeConnack }

// Decode reads the packet, see [Packet].
func (c *Connack) Decode(v Version, frame []byte) error {
	*c = Connack{}
	var d decoder
	d.open(v, frame, TypeConnack)
	flags := d.uint8()
	if v == V3 {
		flags = 0 // 3.1 reserves the byte and does not say for what
	}
	c.SessionPresent = flags&1 != 0
	if v == V5 {
		c.Reason = d.reason(TypeConnack)
		c.decodeProperties(&d)
	} else {
		c.Reason = d.connectReturn()
	}
	switch {
	case d.err != nil:
	case flags > 1:
		d.fail(malformed("reserved acknowledge flags are set")) // [MQTT-3.2.2-1]
	case c.SessionPresent && c.Reason != Success:
		d.fail(protocolError("a session is present but the connection refused")) // [MQTT-3.2.2-6]
	}
	return d.finish()
}

func (d *decoder) connectReturn() ReasonCode {
	code := d.uint8()
	switch {
	case int(code) < len(connectReturn):
		return connectReturn[code]
	case code == awsNotAuthorized:
		return NotAuthorized
	}
	d.fail(protocolError("return code %d in CONNACK", code))
	return 0
}

func (c *Connack) decodeProperties(d *decoder) {
	d.properties(TypeConnack)
	for d.next() {
		switch d.at.id {
		case PropSessionExpiryInterval:
			c.SessionExpiry = Some(d.at.seconds())
		case PropReceiveMaximum:
			c.ReceiveMaximum = uint16(d.at.number)
		case PropMaximumQoS:
			c.MaximumQoS = Some(QoS(d.at.number))
		case PropRetainAvailable:
			c.RetainAvailable = Some(d.at.flag())
		case PropMaximumPacketSize:
			c.MaximumPacketSize = d.at.number
		case PropAssignedClientIdentifier:
			c.AssignedClientID = string(d.at.text)
		case PropTopicAliasMaximum:
			c.TopicAliasMaximum = uint16(d.at.number)
		case PropWildcardSubscriptionAvailable:
			c.WildcardSubscriptionAvailable = Some(d.at.flag())
		case PropSubscriptionIdentifierAvailable:
			c.SubscriptionIdentifiersAvailable = Some(d.at.flag())
		case PropSharedSubscriptionAvailable:
			c.SharedSubscriptionAvailable = Some(d.at.flag())
		case PropServerKeepAlive:
			c.ServerKeepAlive = Some(d.at.seconds())
		case PropResponseInformation:
			c.ResponseInformation = string(d.at.text)
		case PropServerReference:
			c.ServerReference = string(d.at.text)
		case PropAuthenticationMethod:
			c.AuthenticationMethod = Some(string(d.at.text))
		case PropAuthenticationData:
			c.AuthenticationData = bytes.Clone(d.at.text)
		default:
			c.ProblemInfo.set(&d.at)
		}
	}
	d.requireMethod()
}

// Append adds the packet to dst, see [Packet]. In 3.1.1 it is exactly four
// bytes; small clients wait for just those.
func (c *Connack) Append(dst []byte, v Version) []byte {
	present := flag(c.SessionPresent && c.Reason == Success, 1)
	switch v {
	case V3: // the byte of flags is reserved, and 0
		return append(dst, byte(TypeConnack)<<4, 2, 0, c.returnCode())
	case V4:
		return append(dst, byte(TypeConnack)<<4, 2, present, c.returnCode())
	}
	dst, mark := beginFrame(dst, TypeConnack)
	dst = append(dst, present, byte(c.Reason))
	return end(c.appendProperties(dst), mark)
}

// returnCode gives the 3.1.1 return code that says most nearly what Reason says:
// a bad request and a forbidden one are not authorized, the rest is a server
// that cannot serve, so that the client may come back.
func (c *Connack) returnCode() byte {
	for code, reason := range connectReturn {
		if c.Reason == reason {
			return byte(code)
		}
	}
	switch c.Reason {
	case Banned, BadAuthenticationMethod, TopicNameInvalid, QoSNotSupported, RetainNotSupported,
		MalformedPacket, ProtocolError, PacketTooLarge, PayloadFormatInvalid:
		return 5
	}
	return 3
}

// appendProperties writes in the standard's order.
func (c *Connack) appendProperties(dst []byte) []byte {
	dst, mark := begin(dst)
	dst = appendSecondsProperty(dst, PropSessionExpiryInterval, c.SessionExpiry)
	dst = appendUint16Property(dst, PropReceiveMaximum, c.ReceiveMaximum)
	if c.MaximumQoS.Present {
		dst = appendByteProperty(dst, PropMaximumQoS, byte(c.MaximumQoS.Value))
	}
	dst = appendFlagProperty(dst, PropRetainAvailable, c.RetainAvailable)
	if c.MaximumPacketSize != 0 {
		dst = appendUint32Property(dst, PropMaximumPacketSize, c.MaximumPacketSize)
	}
	dst = appendTextProperty(dst, PropAssignedClientIdentifier, c.AssignedClientID)
	dst = appendUint16Property(dst, PropTopicAliasMaximum, c.TopicAliasMaximum)
	dst = c.ProblemInfo.append(dst)
	dst = appendFlagProperty(dst, PropWildcardSubscriptionAvailable, c.WildcardSubscriptionAvailable)
	dst = appendFlagProperty(dst, PropSubscriptionIdentifierAvailable, c.SubscriptionIdentifiersAvailable)
	dst = appendFlagProperty(dst, PropSharedSubscriptionAvailable, c.SharedSubscriptionAvailable)
	if c.ServerKeepAlive.Present {
		dst = append(dst, byte(PropServerKeepAlive))
		dst = binary.BigEndian.AppendUint16(dst, uint16(seconds(c.ServerKeepAlive.Value, maxSeconds16)))
	}
	dst = appendTextProperty(dst, PropResponseInformation, c.ResponseInformation)
	dst = appendTextProperty(dst, PropServerReference, c.ServerReference)
	dst = appendMethod(dst, c.AuthenticationMethod)
	dst = appendBinaryProperty(dst, PropAuthenticationData, c.AuthenticationData)
	return end(dst, mark)
}
