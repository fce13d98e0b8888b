package thingd

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// leaveProgram gives back the pages of the program's own file. The start touches
// half of it, of which little is needed afterwards; what is needed comes again from
// the kernel's cache, when it is needed. It is for the sake of memory alone, so that
// nobody has to know what failed.
func leaveProgram() {
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	var one mapping
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if one.add(lines.Text()); one.isOnlyFile(program) {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, one.from, one.to-one.from, syscall.MADV_DONTNEED)
		}
	}
}

// mapping is a part of the memory, as /proc/self/smaps tells of it: a line of
// where, and one each of how much of what kind.
type mapping struct {
	from, to uintptr
	rights   string
	line     string // the first
	changed  int    // kB that are no longer what the file has
	whole    bool   // all of that was told, with the line before
}

func (m *mapping) add(line string) {
	next := mapping{line: line}
	if _, err := fmt.Sscanf(line, "%x-%x %s ", &next.from, &next.to, &next.rights); err == nil {
		*m = next
		return
	}
	var size int
	for _, kind := range []string{"Anonymous:", "Swap:"} { // the order in which they come
		if _, err := fmt.Sscanf(line, kind+" %d kB", &size); err == nil {
			m.changed += size
		}
	}
	m.whole = strings.HasPrefix(line, "Swap:")
}

// isOnlyFile says that the mapping is of the program's file, cannot be written to,
// and never was: what the loader has written, as into a program that may lie
// anywhere, would be lost.
func (m *mapping) isOnlyFile(program string) bool {
	return m.whole && m.changed == 0 && strings.HasSuffix(m.line, " "+program) && strings.HasPrefix(m.rights, "r-") && m.from < m.to
}
