package e2e

import (
	"strings"
	"sync"
	"time"
)

// transcript is what a program has printed so far. It is an io.Writer for
// exec.Cmd; others wait for something to appear in it.
type transcript struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{} // closed, and replaced, by the next write
}

func newTranscript() *transcript {
	return &transcript{grown: make(chan struct{})}
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	close(t.grown)
	t.grown = make(chan struct{})
	return len(p), nil
}

func (t *transcript) String() string {
	text, _ := t.snapshot()
	return text
}

// snapshot gives the text and a channel that is closed when there is more.
func (t *transcript) snapshot() (string, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String(), t.grown
}

// await waits until the text satisfies enough and says whether it did before
// the patience or the program (over, closed at its end) was at an end.
func (t *transcript) await(enough func(string) bool, patience time.Duration, over <-chan struct{}) bool {
	deadline := time.After(patience)
	for {
		text, more := t.snapshot()
		if enough(text) {
			return true
		}
		select {
		case <-more:
		case <-over:
			return enough(t.String())
		case <-deadline:
			return false
		}
	}
}

// containing is satisfied by a text that has part in it.
func containing(part string) func(string) bool {
	return func(text string) bool { return strings.Contains(text, part) }
}

// containingLine is satisfied by a text with exactly this line, line end
// included.
func containingLine(line string) func(string) bool {
	return func(text string) bool { return strings.Contains("\n"+text, "\n"+line+"\n") }
}
