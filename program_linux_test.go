package thingd

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestProgramPages(t *testing.T) {
	const program = "/usr/local/bin/thingd"
	type pages struct {
		from, to uintptr
		ok       bool
	}
	tests := []struct {
		name, line string
		want       pages
	}{
		{"the code", "00400000-01ee2000 r-xp 00000000 fe:00 10027443                           " + program, pages{0x400000, 0x1ee2000, true}},
		{"the constants", "01ee2000-03b30000 r--p 01ae2000 fe:00 10027443                           " + program, pages{0x1ee2000, 0x3b30000, true}},
		{"variables stay", "03b30000-03ca0000 rw-p 03730000 fe:00 10027443                           " + program, pages{0x3b30000, 0x3ca0000, false}},
		{"a library stays", "7f58c7342000-7f58c7498000 r-xp 00028000 fe:00 3001                       /usr/lib/libc.so.6", pages{0x7f58c7342000, 0x7f58c7498000, false}},
		{"memory stays", "7f587dbb0000-7f587de00000 rw-p 00000000 00:00 0 ", pages{0x7f587dbb0000, 0x7f587de00000, false}},
		{"no line of it", "Rss: 5 kB", pages{}},
	}
	for _, test := range tests {
		var got pages
		if got.from, got.to, got.ok = programPages(test.line, program); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
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
