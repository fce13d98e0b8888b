package mqtt

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// wire reads bytes as the tests write them: hexadecimal digits, text in single
// quotes, spaces where they please.
//
//	30 09 0003 'a/b' 'honk'
func wire(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for _, word := range strings.Fields(s) {
		if text, ok := strings.CutPrefix(word, "'"); ok {
			out = append(out, strings.TrimSuffix(text, "'")...)
			continue
		}
		b, err := hex.DecodeString(word)
		if err != nil {
			t.Fatalf("wire %q: %v", s, err)
		}
		out = append(out, b...)
	}
	return out
}

// diff compares packets. RawProperties follow from the rest, in the order of
// whoever sent them.
func diff(want, got Packet) string {
	return cmp.Diff(want, got, cmpopts.IgnoreFields(Publish{}, "RawProperties"))
}
