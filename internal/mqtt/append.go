package mqtt

import (
	"encoding/binary"
	"unicode/utf8"
)

const (
	maxVarint = 1<<28 - 1 // the largest variable byte integer [MQTT 5.0 1.5.5]
	maxField  = 1<<16 - 1 // bytes in a text or binary field [MQTT 5.0 1.5.4]
)

// varint reads the variable byte integer that b begins with and says how many
// bytes it took: 0 if b ends before it does, -1 if it has no end within four.
func varint(b []byte) (n, size int) {
	for i := 0; i < 4; i++ {
		if i == len(b) {
			return 0, 0
		}
		n |= int(b[i]&0x7F) << (7 * i)
		if b[i] < 0x80 {
			return n, i + 1
		}
	}
	return 0, -1
}

// varintSize is the number of bytes n takes as a variable byte integer.
func varintSize(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	case n < 1<<28:
		return 4
	}
	// Whoever lets messages of 256 MiB in has given up every limit before.
	panic("mqtt: packet longer than MQTT can express")
}

func appendVarint(dst []byte, n int) []byte {
	for range varintSize(n) - 1 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// fit cuts what is too long for a field, between two characters if it is text.
func fit[T string | []byte](s T) T {
	if len(s) <= maxField {
		return s
	}
	end := maxField
	for end > maxField-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// appendField adds a text or binary field: two bytes of length and the bytes.
func appendField[T string | []byte](dst []byte, s T) []byte {
	s = fit(s)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

// fieldSize is the number of bytes appendField adds.
func fieldSize[T string | []byte](s T) int { return 2 + len(fit(s)) }

// begin leaves a byte for the length of what follows, until end knows it. The
// mark is where.
func begin(dst []byte) (opened []byte, mark int) { return append(dst, 0), len(dst) }

// beginFrame writes a fixed header whose remaining length end fills in.
func beginFrame(dst []byte, t PacketType) (opened []byte, mark int) {
	return begin(append(dst, byte(t)<<4|fixedHeader[t]))
}

// end writes the length of what was added since mark. Most packets have fewer
// than 128 bytes, and the byte left by begin is enough; others move over.
func end(dst []byte, mark int) []byte {
	n := len(dst) - mark - 1
	if extra := varintSize(n) - 1; extra > 0 {
		dst = append(dst, 0, 0, 0)[:len(dst)+extra]
		copy(dst[mark+1+extra:], dst[mark+1:])
	}
	appendVarint(dst[:mark], n)
	return dst
}
