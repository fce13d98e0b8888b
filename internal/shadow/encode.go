package shadow

import (
	"strconv"
	"unicode/utf8"
)

// appendState writes v as compact JSON.
func appendState(out []byte, v value) []byte {
	switch v.kind {
	case object, array:
		return appendMembers(out, v, appendState)
	case text:
		return appendText(out, v.text)
	case null, none:
		return append(out, "null"...)
	}
	return append(out, v.text...)
}

// appendMetadata writes v's metadata: the same objects and arrays, with a time
// stamp for each leaf.
func appendMetadata(out []byte, v value) []byte {
	if !v.isLeaf() {
		return appendMembers(out, v, appendMetadata)
	}
	out = append(out, `{"timestamp":`...)
	return append(strconv.AppendInt(out, v.stamp, 10), '}')
}

// appendMembers writes an object or an array, each member with one. No value
// is an object without members.
func appendMembers(out []byte, v value, one func([]byte, value) []byte) []byte {
	begin, end := byte('{'), byte('}')
	if v.kind == array {
		begin, end = '[', ']'
	}
	out = append(out, begin)
	for i, m := range v.members {
		if i > 0 {
			out = append(out, ',')
		}
		if v.kind == object {
			out = append(appendText(out, m.key), ':')
		}
		out = one(out, m.value)
	}
	return append(out, end)
}

// appendText writes a string and escapes only what JSON demands: <, > and &
// stay as they are.
func appendText(out []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	out = append(out, '"')
	plain := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		out = append(out, s[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, '\\', 'b')
		case '\f':
			out = append(out, '\\', 'f')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(out, s[plain:]...), '"')
}

// cut shortens s to at most limit bytes without splitting a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
