package mqtt

import "fmt"

// Error says what is wrong with a packet. Reason is what a 5.0 peer may be told
// in CONNACK or DISCONNECT: MalformedPacket, ProtocolError, PacketTooLarge,
// UnsupportedProtocolVersion or TopicAliasInvalid. To 3.1.1 clients the only
// answer is to close, but for an unsupported version (CONNACK 0x01).
type Error struct {
	Reason ReasonCode
	Text   string // for the log
}

// Error gives the text with the reason's name before it.
func (e *Error) Error() string { return e.Reason.String() + ": " + e.Text }

// malformed is a packet that cannot be parsed, or breaks a rule of form.
// [MQTT 5.0 4.13.1]
func malformed(format string, args ...any) *Error {
	return &Error{MalformedPacket, fmt.Sprintf(format, args...)}
}

// protocolError is a packet that parses and says what it may not.
func protocolError(format string, args ...any) *Error {
	return &Error{ProtocolError, fmt.Sprintf(format, args...)}
}
