package module

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestEncode(t *testing.T) {
	at := time.Date(2030, 1, 1, 9, 0, 0, 0, time.FixedZone("JST", 9*3600))
	const channels = `{"channel":%,"type":"@","value":$,"datetime":"2030-01-01T00:00:00.000000000Z"}`
	one := func(channel, kind, value string) string {
		return strings.NewReplacer("%", channel, "@", kind, "$", value).Replace(channels)
	}
	for _, test := range []struct {
		text string
		want []string
	}{
		{"0:I:1", []string{one("0", "I", "1")}},
		{"0:i:007", []string{one("0", "i", "7")}},
		{"0:i:-1, 127:L:18446744073709551615", []string{one("0", "i", "-1"), one("127", "L", "18446744073709551615")}},
		{"1:d:20.5,2:f:-0.25", []string{one("1", "d", "20.5"), one("2", "f", "-0.25")}},
		{"3:b:0123456789ABCDEF", []string{one("3", "b", `"0123456789abcdef"`)}},
		{"0:I:n,1:b:n,2:d:n", []string{one("0", "I", "7"), one("1", "b", `"0000000000000007"`), one("2", "d", "7")}},
	} {
		values, err := Parse(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		got, err := Encode("u01234567890", values, 7, at)
		want := `{"module":"u01234567890","type":"channels","datetime":"2030-01-01T00:00:00.000000000Z","payload":{"channels":[` + strings.Join(test.want, ",") + `]}}`
		if err != nil || string(got) != want {
			t.Errorf("%s becomes\n%s, %v, want\n%s", test.text, got, err, want)
		}
	}
}

func TestBadChannels(t *testing.T) {
	for _, text := range []string{
		"", "0", "0:I", "0:I:", "0:x:1", "128:I:1", "-1:I:1", "0:I:-1", "0:i:2147483648", "0:I:1.5", "0:d:NaN", "0:d:Inf", "0:f:1e39",
		"0:b:01", "0:II:1", "0:I:1,", "0::1", strings.Repeat("0:I:1,", 16) + "0:I:1",
	} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	for name, ok := range map[string]bool{"u01234567890": true, "": false, "a/b": false, "+": false, "a b": false, "ü": false, strings.Repeat("x", 129): false} {
		if (CheckName(name) == nil) != ok {
			t.Errorf("%q", name)
		}
	}
}

// FuzzParse holds what is read against what is written.
func FuzzParse(f *testing.F) {
	f.Add("0:I:1,1:d:20.5,2:b:0123456789abcdef", uint64(3))
	f.Add("0:i:n", uint64(1<<63))
	f.Fuzz(func(t *testing.T, text string, n uint64) {
		values, err := Parse(text)
		if err != nil {
			return
		}
		got, err := Encode("u", values, n, time.Unix(0, 0))
		if err != nil || !json.Valid(got) {
			t.Fatalf("%q becomes %s, %v", text, got, err)
		}
	})
}
