package iotsql

import (
	"encoding/base64"
	"unicode/utf8"
)

// appendJSON writes v as compact JSON; not ok where out would grow beyond limit
// bytes. Undefined is left out of objects and is null in arrays (unconfirmed:
// AWS says nothing of arrays). Raw bytes become a String in base64.
//
// The check is made as the text grows: values share memory, so a small one may
// have a very long text.
func appendJSON(out []byte, v Value, limit int) ([]byte, bool) {
	switch v.kind {
	case Boolean:
		out = append(out, truthText(v.truth)...)
	case Int, Decimal:
		out = v.number.Append(out)
	case String:
		out = appendString(out, v.text)
	case Array:
		return appendArray(out, v.Elements(), limit)
	case Object:
		return appendObject(out, v.nested.(*object), limit)
	case Raw:
		out = append(out, '"')
		out = base64.StdEncoding.AppendEncode(out, []byte(v.text))
		out = append(out, '"')
	default:
		out = append(out, "null"...)
	}
	return out, len(out) <= limit
}

func truthText(truth bool) string {
	if truth {
		return "true"
	}
	return "false"
}

func appendArray(out []byte, elements []Value, limit int) (_ []byte, ok bool) {
	out = append(out, '[')
	for i, element := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		if out, ok = appendJSON(out, element, limit); !ok {
			return out, false
		}
	}
	return append(out, ']'), len(out) < limit
}

func appendObject(out []byte, o *object, limit int) (_ []byte, ok bool) {
	out = append(out, '{')
	for i := range o.members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, o.members[i].key), ':')
		if out, ok = appendJSON(out, o.members[i].value, limit); !ok {
			return out, false
		}
	}
	return append(out, '}'), len(out) < limit
}

// appendString writes a string with the escapes JSON asks for and no others.
// Bytes that are not UTF-8 become U+FFFD.
func appendString(out []byte, text string) []byte {
	out = append(out, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var char rune
			if char, size = utf8.DecodeRuneInString(text[i:]); char != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		out = append(out, text[start:i]...)
		out = appendEscape(out, c)
		i += size
		start = i
	}
	out = append(out, text[start:]...)
	return append(out, '"')
}

func appendEscape(out []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(out, '\\', c)
	case '\b':
		return append(out, `\b`...)
	case '\f':
		return append(out, `\f`...)
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	}
	if c >= utf8.RuneSelf {
		return utf8.AppendRune(out, utf8.RuneError)
	}
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
