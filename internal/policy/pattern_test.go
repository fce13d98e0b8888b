package policy

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var wild = syntax{wildcards: true, variables: true}

func compile(t testing.TB, text string, s syntax) pattern {
	t.Helper()
	p, err := compilePattern(text, s)
	if err != nil {
		t.Fatalf("compilePattern(%q): %v", text, err)
	}
	return p
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"a/*", "a/b/c", true},
		{"a/*", "a/", true},
		{"a/*", "a", false},
		{"a/*", "a/#", true},
		{"*/c", "a/b/c", true},
		{"a/?/c", "a/b/c", true},
		{"a/?/c", "a/bb/c", false},
		{"a/?/c", "a///c", true},
		{"a/?/c", "a/é/c", true},
		{"a/?????/c", "a/room1/c", true},
		{"a/+/c", "a/b/c", false},
		{"a/+/c", "a/+/c", true},
		{"a/#", "a/b", false},
		{"a/#", "a/#", true},
		{"A/b", "a/b", false},
		{"*", "$aws/things/x/shadow/update", true},
		{"", "", true},
		{"", "a", false},
		{"**", "", true},
		{"?*", "", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"*ab", "aab", true},
		{"*a?", "aaab", true},
		{"${*}/${?}/${$}{x}", "*/?/${x}", true},
		{"${*}", "a", false},
		{"${none, 'a*'}", "a*", true},
		{"${none, 'a*'}", "ab", false},
		{"${none, '}'}", "}", true},
		{"$aws/$x", "$aws/$x", true},
		{"t/${iot:ClientId}/x", "t/*/x", true},
		{"t/${iot:ClientId}/x", "t/lamp/x", false},
		{"t/${IOT:CLIENTID}/x", "t/*/x", true},
		{"${none}", "${none}", false},
		{"${many}", "a", false},
	}
	ctx := Values{KeyClientID: {"*"}, "many": {"a", "b"}}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%v/%s ~ %s", test.want, test.pattern, test.text), func(t *testing.T) {
			p := compile(t, test.pattern, wild)
			if got := p.match(test.text, ctx) == hit; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestMatchWithoutVariables(t *testing.T) {
	p := compile(t, "t/${iot:ClientId}/*", syntax{wildcards: true})
	if p.match("t/${iot:ClientId}/x", Values{KeyClientID: {"c"}}) != hit {
		t.Error("in a document without variables ${ is plain text")
	}
}

// TestMatchHardPattern would not end before the sun burns out if every * were
// tried again.
func TestMatchHardPattern(t *testing.T) {
	p := compile(t, strings.Repeat("a*", 500)+"b", wild)
	if p.match(strings.Repeat("a", 2000), nil) != miss {
		t.Error("matched")
	}
}

// TestMatchARN shows that a * in the head of an ARN stays in its field.
func TestMatchARN(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"*", "anything", true},
		{"arn:aws:iot:*:*:topic/a", region + "topic/a", true},
		{"arn:aws:iot:*:*:topic/a", region + "topicfilter/x:topic/a", false},
		{"arn:aws:iot:*:*:*", region + "topicfilter/x:topic/a", true},
		{"arn:aws:iot:us-*-1:11112222????:topic/a:b", region + "topic/a:b", true},
		{"arn:aws:iot:eu-*-1:*:topic/a", region + "topic/a", false},
		{"arn:aws:iot:*:*:topic/a", "topic/a", false},
		{region + "*", "*", false},
		{"arn:aws:iot:us-east-1:111122223333:${iot:ClientId}", region + "client/c", true},
		{"arn:aws:iot:${iot:ClientId}:*:*", region + "client/c", false},
	}
	ctx := Values{KeyClientID: {"client/c"}}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%v/%s ~ %s", test.want, test.pattern, test.text), func(t *testing.T) {
			a, err := compileARN(test.pattern, wild)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.match(newResource(test.text), ctx) == hit; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// reference is matching as one would explain it: slow, and hard to get wrong.
func reference(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	_, n := utf8.DecodeRuneInString(text)
	switch {
	case pattern[0] == '*':
		return reference(pattern[1:], text) || text != "" && reference(pattern, text[n:])
	case pattern[0] == '?':
		return text != "" && reference(pattern[1:], text[n:])
	default:
		return text != "" && pattern[0] == text[0] && reference(pattern[1:], text[1:])
	}
}

func TestMatchAgreesWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[abé/]{0,12}`).Draw(t, "text")
		source := rapid.StringMatching(`[abé/*?]{0,8}`).Draw(t, "pattern")
		p, err := compilePattern(source, wild)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := p.match(text, nil) == hit, reference(source, text); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// TestMatchSubstitutesLiterally checks that a value, whatever it contains, matches
// as itself and as nothing else.
func TestMatchSubstitutesLiterally(t *testing.T) {
	p := compile(t, "a/${iot:ClientId}/*", wild)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[ab*?$+#{}/]{0,6}`).Draw(t, "value")
		text := rapid.StringMatching(`a/[ab*?/]{0,6}/[ab]?`).Draw(t, "text")
		want := strings.HasPrefix(text, "a/"+value+"/")
		if got := p.match(text, Values{KeyClientID: {value}}) == hit; got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("a/*/${iot:ClientId}/?", "a/b/*/c", "*")
	f.Add("*a*a*a*b", "aaaaaaaa", "")
	f.Add("${x, '}'}${*}", "}*", "v")
	f.Fuzz(func(t *testing.T, source, text, value string) {
		p, err := compilePattern(source, wild)
		if err != nil {
			return
		}
		got := p.match(text, Values{KeyClientID: {value}})
		if !strings.ContainsAny(source, "$") && len(source) < 10 && len(text) < 15 && utf8.ValidString(source) && utf8.ValidString(text) {
			if want := reference(source, text); (got == hit) != want {
				t.Errorf("match(%q, %q): got %v, want %v", source, text, got == hit, want)
			}
		}
	})
}
