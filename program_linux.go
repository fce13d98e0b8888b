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
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if from, to, ok := programPages(lines.Text(), program); ok {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}

// programPages reads a line of /proc/self/maps. ok says that it is of the program's
// file and cannot be written to: what was written would be lost.
func programPages(line, program string) (from, to uintptr, ok bool) {
	var rights string
	if _, err := fmt.Sscanf(line, "%x-%x %s ", &from, &to, &rights); err != nil {
		return 0, 0, false
	}
	return from, to, strings.HasSuffix(line, " "+program) && strings.HasPrefix(rights, "r-") && from < to
}
