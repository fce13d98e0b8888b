package mqtt

import (
	"bytes"
	"encoding/binary"
	"time"
	"unicode/utf8"
)

// decoder reads the data types of MQTT 5.0 section 1.5 from a frame's rest. The
// first failure stays: later reads give zero values, so that a packet's Decode
// reads straight down and asks once, at the end, with finish.
type decoder struct {
	rest   []byte
	err    error
	padded bool // the remaining length took more bytes than it needs

	// The walk through 5.0 properties, see properties.
	at    property
	in    PacketType // the packet they are in
	after int        // how many bytes of it follow them
	seen  uint64     // one bit for each property that stood there
}

// open checks that frame is one whole packet of type t and stands d at what
// follows the fixed header. A decoder is opened in place, not returned: copying
// it would cost as much as decoding a small packet.
func (d *decoder) open(v Version, frame []byte, t PacketType) {
	if v < V3 || v > V5 {
		d.fail(protocolError("%s before any CONNECT", t)) // [MQTT-3.1.0-1]
		return
	}
	d.openAny(v, frame, t)
	d.requireMinimal(v)
}

// openAny is open before the version is known.
func (d *decoder) openAny(v Version, frame []byte, t PacketType) {
	if TypeOf(frame) != t {
		d.fail(malformed("not a %s", t))
		return
	}
	if err := checkHeader(v, frame[0]); err != nil {
		d.err = err
		return
	}
	remaining, size := varint(frame[1:])
	if size <= 0 || len(frame) != 1+size+remaining {
		d.fail(malformed("frame is not one whole packet"))
		return
	}
	d.rest, d.padded = frame[1+size:], size > varintSize(remaining)
}

// requireMinimal refuses a remaining length that is written longer than it need
// be. 3.1.1 has no such rule. [MQTT-1.5.5-1]
func (d *decoder) requireMinimal(v Version) {
	if d.padded && v == V5 {
		d.fail(malformed("remaining length is padded"))
	}
}

// fail keeps the first error and ends all reading.
func (d *decoder) fail(err *Error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

// finish says whether the packet was sound and used its bytes to the last.
func (d *decoder) finish() error {
	if len(d.rest) > 0 {
		d.fail(malformed("%d bytes too many", len(d.rest)))
	}
	return d.err
}

// take gives the next n bytes. They are capped, so that a caller's append cannot
// write over what follows them.
func (d *decoder) take(n int) []byte {
	if n > len(d.rest) {
		d.fail(malformed("packet ends too early"))
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uint8() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// varint reads a variable byte integer, which 5.0 wants as short as can be.
// [MQTT-1.5.5-1]
func (d *decoder) varint() int {
	n, size := varint(d.rest)
	if size <= 0 || size > varintSize(n) {
		d.fail(malformed("variable byte integer is cut off, too long or padded"))
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// binary reads binary data: two bytes of length and the bytes, never nil but
// after a failure. They alias the frame.
func (d *decoder) binary() []byte {
	return d.take(int(d.uint16()))
}

// text reads a UTF-8 string and checks it; what names the field for the log.
// The bytes alias the frame.
func (d *decoder) text(what string) []byte {
	b := d.utf8(what)
	if bytes.IndexByte(b, 0) >= 0 {
		d.fail(malformed("%s contains U+0000", what)) // [MQTT-1.5.4-2]
		return nil
	}
	return b
}

// utf8 reads a UTF-8 string that may contain U+0000. Go's idea of valid is the
// standard's: no surrogates, no overlong forms. A byte order mark stays.
// [MQTT-1.5.4-1, MQTT-1.5.4-3]
func (d *decoder) utf8(what string) []byte {
	b := d.binary()
	if !utf8.Valid(b) {
		d.fail(malformed("%s is not UTF-8", what))
		return nil
	}
	return b
}

// string reads a UTF-8 string into memory of its own.
func (d *decoder) string(what string) string { return string(d.text(what)) }

// seconds16 reads a two byte number of seconds.
func (d *decoder) seconds16() time.Duration {
	return time.Duration(d.uint16()) * time.Second
}

// packetID reads a packet identifier, which is never 0. [MQTT-2.2.1-3]
func (d *decoder) packetID() uint16 {
	id := d.uint16()
	if id == 0 && d.err == nil {
		d.fail(protocolError("packet identifier is 0"))
	}
	return id
}

// reason reads a reason code that a packet of type t may carry.
func (d *decoder) reason(t PacketType) ReasonCode {
	r := ReasonCode(d.uint8())
	if d.err == nil && !r.ValidIn(t) {
		d.fail(protocolError("reason code 0x%02X in %s", byte(r), t))
	}
	return r
}
