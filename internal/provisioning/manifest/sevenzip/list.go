package sevenzip

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf16"
)

// Kinds of properties in the list of files.
const (
	idEnd             = 0x00
	idHeader          = 0x01
	idProperties      = 0x02
	idMainStreams     = 0x04
	idFiles           = 0x05
	idPackInfo        = 0x06
	idFolders         = 0x07
	idSubStreams      = 0x08
	idSize            = 0x09
	idCRC             = 0x0a
	idFolder          = 0x0b
	idUnpackSize      = 0x0c
	idNumUnpackStream = 0x0d
	idEmptyStream     = 0x0e
	idNames           = 0x11
	idEncodedHeader   = 0x17
)

// fields reads the list of files from its front. The first error stays, and
// everything read after it is zero.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = broken(format, args...)
	}
	f.rest = nil
}

func (f *fields) bytes(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.fail("its list of files is cut off")
		return nil
	}
	taken := f.rest[:n]
	f.rest = f.rest[n:]
	return taken
}

func (f *fields) byte() byte {
	if b := f.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// number reads a number of one to nine bytes: the first byte's leading ones say
// how many follow, from the least significant, and its other bits are the most
// significant ones.
func (f *fields) number() uint64 {
	first := f.byte()
	var value uint64
	mask := byte(0x80)
	for i := range 8 {
		if first&mask == 0 {
			return value + uint64(first&(mask-1))<<(8*i)
		}
		value |= uint64(f.byte()) << (8 * i)
		mask >>= 1
	}
	return value
}

// size reads a number of bytes.
func (f *fields) size() int64 {
	n := f.number()
	if n > math.MaxInt64/2 {
		f.fail("it has a part of %d bytes", n)
		return 0
	}
	return int64(n)
}

// count reads how many items follow, which take so many bytes each at least.
func (f *fields) count(bytesEach int) int {
	n := f.number()
	if n > FilesMax || n*uint64(bytesEach) > uint64(len(f.rest)) {
		f.fail("it counts %d of something that there is no room for", n)
		return 0
	}
	return int(n)
}

// bits reads a vector of n bits, the first in the highest.
func (f *fields) bits(n int) []bool {
	raw := f.bytes(uint64(n+7) / 8)
	if raw == nil {
		return nil
	}
	all := make([]bool, n)
	for i := range all {
		all[i] = raw[i/8]&(0x80>>(i%8)) != 0
	}
	return all
}

// checksum of a stream; the zero value is none.
type checksum struct {
	value uint32
	known bool
}

// checksums reads those of n streams.
func (f *fields) checksums(n int) []checksum {
	all := make([]checksum, n)
	known := make([]bool, n)
	if f.byte() != 0 {
		for i := range known {
			known[i] = true
		}
	} else {
		copy(known, f.bits(n))
	}
	for i := range all {
		if known[i] {
			if raw := f.bytes(4); raw != nil {
				all[i] = checksum{binary.LittleEndian.Uint32(raw), true}
			}
		}
	}
	return all
}

// expect reads the kind of the next property.
func (f *fields) expect(kind byte, what string) {
	if got := f.byte(); got != kind {
		f.fail("%s is missing (there is kind %d)", what, got)
	}
}

// readHeader reads the whole list.
func (a *Archive) readHeader(in *fields) (err error) {
	kind := in.byte()
	if kind == idProperties {
		for kind = in.byte(); kind != idEnd && in.err == nil; kind = in.byte() {
			in.bytes(in.number())
		}
		kind = in.byte()
	}
	if kind == idMainStreams {
		if a.folders, err = readStreams(in); err != nil {
			return err
		}
		kind = in.byte()
	}
	if kind == idFiles {
		a.readFiles(in)
		kind = in.byte()
	}
	if in.err == nil && kind != idEnd {
		in.fail("its list of files has the unknown kind %d", kind)
	}
	contents := 0
	for _, f := range a.folders {
		contents += len(f.sizes)
	}
	if in.err == nil && len(a.files) != contents { // also where there is no list of names
		in.fail("it has %d contents for %d files", contents, len(a.files))
	}
	return in.err
}

// readFiles reads the names of the files, and pairs them with the streams.
func (a *Archive) readFiles(in *fields) {
	n := in.count(2) // the names take two bytes each at least
	var names []string
	var empty []bool
	for in.err == nil {
		kind := in.byte()
		if kind == idEnd {
			break
		}
		property := &fields{rest: in.bytes(in.number())}
		switch kind {
		case idNames:
			names = property.names(n)
		case idEmptyStream:
			empty = property.bits(n)
		}
		if in.err == nil {
			in.err = property.err
		}
	}
	if in.err == nil {
		a.pair(in, n, names, empty)
	}
}

// names reads n names in UTF-16, each with a zero behind it.
func (f *fields) names(n int) []string {
	if f.byte() != 0 {
		f.fail("its names are elsewhere")
		return nil
	}
	all := make([]string, 0, n)
	var units []uint16
	for raw := f.rest; len(raw) >= 2 && len(all) < n; raw = raw[2:] {
		if unit := binary.LittleEndian.Uint16(raw); unit != 0 {
			units = append(units, unit)
			continue
		}
		all = append(all, strings.ReplaceAll(string(utf16.Decode(units)), `\`, "/"))
		units = units[:0]
	}
	if len(all) < n {
		f.fail("it has fewer names than files")
	}
	return all
}

// pair gives each file that is not empty its stream.
func (a *Archive) pair(in *fields, n int, names []string, empty []bool) {
	var sizes []int64
	for _, folder := range a.folders {
		sizes = append(sizes, folder.sizes...)
	}
	for i := range n {
		if empty != nil && empty[i] {
			continue
		}
		if len(a.files) == len(sizes) {
			in.fail("it has fewer contents than files")
			return
		}
		name := ""
		if names != nil {
			name = names[i]
		}
		a.files = append(a.files, File{name, sizes[len(a.files)]})
	}
}
