package journal

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"thingd/internal/why"
)

func TestSourceOf(t *testing.T) {
	for source, want := range map[string]string{
		"10.0.0.7:5000":              "10.0.0.7",
		"[::ffff:10.0.0.7]:5000":     "10.0.0.7",
		"[2001:db8:1:2:3:4:5:6]:1":   "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":           "fe80::/64",
		"@":                          "@",
		"":                           "",
		"[2001:db8:1:2:ffff::1]:443": "2001:db8:1:2::/64",
	} {
		if got := sourceOf(source); got != want {
			t.Errorf("%q: got %q, want %q", source, got, want)
		}
	}
}

func TestClipBoundsWhatStrangersSay(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	e := why.Event{ClientID: "a\x00b\xff" + long, Server: long, Detail: long, Statement: long, Resource: long}
	for range 100 {
		e.Variables = append(e.Variables, why.Variable{Name: long, Value: long})
	}
	got := clip(e)
	size := len(got.ClientID) + len(got.Server) + len(got.Detail) + len(got.Statement) + len(got.Resource)
	for _, v := range got.Variables {
		size += len(v.Name) + len(v.Value)
	}
	if size > 25_000 {
		t.Errorf("%d bytes are left", size)
	}
	if !strings.HasPrefix(got.ClientID, "a\uFFFDb\uFFFDé") {
		t.Errorf("client ID %q", got.ClientID[:10])
	}
	if len(e.Variables[0].Name) != len(long) {
		t.Error("the caller's event was changed")
	}
}

func TestClipText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "text"))
		if rapid.Bool().Draw(t, "proper") {
			text = rapid.StringN(0, 40, -1).Draw(t, "string")
		}
		got := clipText(text, 20)
		if !utf8.ValidString(got) || strings.Contains(got, "\x00") {
			t.Errorf("%q becomes %q", text, got)
		}
		if utf8.ValidString(text) && !strings.Contains(text, "\x00") {
			if len(got) > 20 || len(text) <= 20 && got != text {
				t.Errorf("%q becomes %q", text, got)
			}
		}
		if clipText(got, 60) != got {
			t.Errorf("%q is not stable", got)
		}
	})
}
