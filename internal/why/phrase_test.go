package why

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPhrase(t *testing.T) {
	japanese := map[string]string{
		"policy %s statement %d": "ポリシー %s のステートメント %s",
		"%s denies %s, not %s":   "%[2]s (%[3]s ではない) を%[1]sが拒否",
	}
	translate := func(form string) string {
		if text, ok := japanese[form]; ok {
			return text
		}
		return form
	}
	tests := []struct {
		name    string
		phrase  Phrase
		en, ja  string
		asJSON  string
		nothing bool
	}{
		{"nothing", Phrase{}, "", "", `""`, true},
		{"words", Words("100%s"), "100%s", "100%s", `"100%s"`, false},
		{"without parts", Say("a second CONNECT"), "a second CONNECT", "a second CONNECT", `{"form":"a second CONNECT"}`, false},
		{"parts of each kind", Say("%d of %q and %v: %s", 3, "a\n", true, "%d"), `3 of "a\n" and true: %d`, `3 of "a\n" and true: %d`,
			`{"form":"%d of %q and %v: %s","of":["3","\"a\\n\"","true","%d"]}`, false},
		{"a phrase in a phrase", Say("%s denies %s, not %s", Say("policy %s statement %d", "p", 1), "x", "y"),
			"policy p statement 1 denies x, not y", "x (y ではない) をポリシー p のステートメント 1が拒否",
			`{"form":"%s denies %s, not %s","of":[{"form":"policy %s statement %d","of":["p","1"]},"x","y"]}`, false},
		{"joined", Join("%s or %s", []Phrase{Words("a"), Words("b"), Words("c")}), "a or b or c", "a or b or c",
			`{"form":"%s or %s","of":[{"form":"%s or %s","of":["a","b"]},"c"]}`, false},
		{"a part too few", Phrase{Form: "%s and %s", Of: []Phrase{Words("a")}}, "a and ", "a and ", `{"form":"%s and %s","of":["a"]}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(tt.phrase)
			if err != nil {
				t.Fatal(err)
			}
			var back Phrase
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			got := []string{tt.phrase.String(), tt.phrase.In(translate), string(text)}
			if diff := cmp.Diff([]string{tt.en, tt.ja, tt.asJSON}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.phrase, back); diff != "" || tt.phrase.IsZero() != tt.nothing {
				t.Errorf("back from JSON (-want +got):\n%s", diff)
			}
		})
	}
}

// What is read back may be anything; saying it must not fail.
func FuzzPhrase(f *testing.F) {
	f.Add(`{"form":"%[2]s %","of":["a",{"form":"%[9]s%[","of":null}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var p Phrase
		if json.Unmarshal([]byte(text), &p) == nil {
			_ = p.String()
		}
	})
}
