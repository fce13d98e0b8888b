package thingd

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestPagesOfTheProgram(t *testing.T) {
	const program = "/usr/local/bin/thingd"
	const code = "00400000-01ee2000 r-xp 00000000 fe:00 10027443                           " + program
	tests := []struct {
		name  string
		lines []string
		want  bool
	}{
		{"the code", []string{code, "Rss: 5 kB", "Anonymous:             0 kB", "Swap:       0 kB"}, true},
		{"the constants", []string{"01ee2000-03b30000 r--p 01ae2000 fe:00 10027443                           " + program, "Anonymous: 0 kB", "Swap: 0 kB"}, true},
		{"it is told once", []string{code, "Anonymous: 0 kB", "Swap: 0 kB", "SwapPss: 0 kB"}, false},
		{"not before all is told", []string{code, "Anonymous: 0 kB"}, false},
		{"what the loader wrote stays", []string{code, "Anonymous:             4 kB", "Swap: 0 kB"}, false},
		{"and when it is on disk", []string{code, "Anonymous: 0 kB", "Swap: 4 kB"}, false},
		{"what one mapping has is not another's", []string{code, "Anonymous: 0 kB", "Swap: 0 kB", code}, false},
		{"variables stay", []string{"03b30000-03ca0000 rw-p 03730000 fe:00 10027443                           " + program, "Anonymous: 0 kB", "Swap: 0 kB"}, false},
		{"a library stays", []string{"7f58c7342000-7f58c7498000 r-xp 00028000 fe:00 3001                       /usr/lib/libc.so.6", "Anonymous: 0 kB", "Swap: 0 kB"}, false},
		{"memory stays", []string{"7f587dbb0000-7f587de00000 rw-p 00000000 00:00 0 ", "Anonymous: 0 kB", "Swap: 0 kB"}, false},
	}
	for _, test := range tests {
		var one mapping
		for _, line := range test.lines {
			one.add(line)
		}
		if got := one.isOnlyFile(program); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// The program goes on, and its pages have left.
func TestLeaveProgram(t *testing.T) {
	before := residentFile(t)
	leaveProgram()
	if after := residentFile(t); after >= before {
		t.Errorf("%d kB of files are resident, %d kB were before", after, before)
	}
}

// residentFile is what is resident of mapped files, kB.
func residentFile(t *testing.T) (size int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "RssFile: %d kB", &size); err == nil {
			return size
		}
	}
	t.Skip("the kernel does not tell")
	return 0
}
