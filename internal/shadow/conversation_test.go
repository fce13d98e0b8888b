package shadow_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write what the service says into testdata/conversations")

// Each file in testdata/conversations is one behavior: lines of comment, lines
// of what a device sends ("SECONDS TOPIC PAYLOAD", topics without their
// $aws/things/), and below each, indented, what the service publishes, to the
// byte and in this order.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/conversations/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := converse(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// converse sends what is to be sent and gives the conversation as it was.
func converse(t *testing.T, script string) string {
	h := open(t, nil)
	var out strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		out.WriteString(line)
		if line = strings.TrimSuffix(line, "\n"); line == "" || line[0] == '#' {
			continue
		}
		seconds, rest, _ := strings.Cut(line, " ")
		at, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		h.clock.set(time.Unix(at, 0))
		topic, payload, _ := strings.Cut(rest, " ")
		if err := h.send("$aws/things/"+topic, payload); err != nil {
			t.Errorf("%q was not acknowledged: %v", line, err)
		}
		for _, said := range h.lines() {
			fmt.Fprintf(&out, "  %s\n", said)
		}
	}
	return out.String()
}
