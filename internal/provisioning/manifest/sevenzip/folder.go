package sevenzip

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// folder is a stretch of the archive that was packed as one: the contents of one
// or more files, one behind the other.
type folder struct {
	method     uint64
	properties []byte

	offset, packed int64 // in the archive, behind its header
	unpacked       int64
	crc            checksum // of all of it

	sizes []int64    // of the files
	crcs  []checksum // of the files
}

// readStreams reads which folders there are.
func readStreams(in *fields) ([]folder, error) {
	kind := in.byte()
	var offset int64
	var packed []int64
	if kind == idPackInfo {
		offset, packed = readPacked(in)
		kind = in.byte()
	}
	var folders []folder
	if kind == idFolders {
		folders = readFolders(in)
		kind = in.byte()
	}
	if in.err == nil && len(packed) != len(folders) {
		in.fail("it has %d folders in %d parts", len(folders), len(packed))
	}
	if in.err != nil {
		return nil, in.err
	}
	var total int64
	for i := range folders {
		f := &folders[i]
		f.offset, f.packed = offset, packed[i]
		f.sizes, f.crcs = []int64{f.unpacked}, []checksum{f.crc}
		offset += f.packed
		if total += f.unpacked; total > BytesMax || f.unpacked > BytesMax {
			return nil, fmt.Errorf("the 7z archive unpacks to more than %d bytes", int64(BytesMax))
		}
	}
	if kind == idSubStreams {
		readSubStreams(in, folders)
		kind = in.byte()
	}
	if in.err == nil && kind != idEnd {
		in.fail("its folders have the unknown kind %d", kind)
	}
	return folders, in.err
}

// readPacked reads where the packed parts are.
func readPacked(in *fields) (offset int64, sizes []int64) {
	offset = in.size()
	n := in.count(1)
	for in.err == nil {
		switch kind := in.byte(); kind {
		case idEnd:
			if len(sizes) != n {
				in.fail("its parts have no sizes")
			}
			return offset, sizes
		case idSize:
			for range n {
				sizes = append(sizes, in.size())
			}
		case idCRC:
			in.checksums(n)
		default:
			in.fail("its parts have the unknown kind %d", kind)
		}
	}
	return 0, nil
}

func readFolders(in *fields) []folder {
	in.expect(idFolder, "the list of folders")
	n := in.count(2)
	if in.byte() != 0 {
		in.fail("its folders are elsewhere")
	}
	folders := make([]folder, n)
	for i := range folders {
		if folders[i].readCoder(in); in.err != nil {
			return nil
		}
	}
	in.expect(idUnpackSize, "the size of folders")
	for i := range folders {
		folders[i].unpacked = in.size()
	}
	kind := in.byte()
	if kind == idCRC {
		for i, sum := range in.checksums(n) {
			folders[i].crc = sum
		}
		kind = in.byte()
	}
	if in.err == nil && kind != idEnd {
		in.fail("its folders have the unknown kind %d", kind)
	}
	return folders
}

// The methods that there are decoders for, and those that are refused by name.
const (
	methodCopy    = 0x00
	methodLZMA2   = 0x21
	methodLZMA    = 0x030101
	methodDeflate = 0x040108
	methodBZip2   = 0x040202
	methodAES     = 0x06f10701
)

var errEncrypted = errors.New("the 7z archive is encrypted; unpack it with its password, and pack the files without one, or as a zip")

// readCoder reads how a folder was packed.
func (f *folder) readCoder(in *fields) {
	coders := in.number()
	for range min(coders, 32) { // of more than one, to tell what they are
		flags := in.byte()
		var method uint64
		for _, b := range in.bytes(uint64(flags & 0x0f)) {
			method = method<<8 | uint64(b)
		}
		if method == methodAES {
			in.err = errEncrypted
			return
		}
		isComplex := flags&0x10 != 0
		if isComplex || flags&0x80 != 0 {
			in.err = unsupported(method)
			return
		}
		f.method = method
		if flags&0x20 != 0 {
			f.properties = bytes.Clone(in.bytes(in.number()))
		}
		if in.err != nil {
			return
		}
	}
	if coders != 1 {
		in.err = fmt.Errorf("the 7z archive uses %d coders one behind another; pack the files with LZMA or LZMA2 alone, or as a zip", coders)
	}
}

func unsupported(method uint64) error {
	return fmt.Errorf("the 7z archive uses the method %x, which is not supported; pack the files with LZMA or LZMA2, or as a zip", method)
}

// readSubStreams reads how the folders divide into files.
func readSubStreams(in *fields, folders []folder) {
	counts := make([]int, len(folders))
	for i := range counts {
		counts[i] = 1
	}
	kind := in.byte()
	if kind == idNumUnpackStream {
		for i := range counts {
			counts[i] = in.count(0)
		}
		kind = in.byte()
	}
	total := 0
	for _, n := range counts {
		if total += n; total > FilesMax {
			in.fail("it has more than %d files", FilesMax)
			return
		}
	}
	isSaid := kind == idSize
	for i := range folders {
		folders[i].divide(in, counts[i], isSaid)
	}
	if isSaid {
		kind = in.byte()
	}
	readSubChecksums(in, folders, kind)
}

// divide reads the sizes of a folder's files; that of the last is what is left.
func (f *folder) divide(in *fields, n int, isSaid bool) {
	if n > 1 && (!isSaid || n-1 > len(in.rest)) {
		in.fail("its files have no sizes")
		return
	}
	f.sizes, f.crcs = make([]int64, 0, n), make([]checksum, n)
	left := f.unpacked
	for range n - 1 {
		size := in.size()
		if left -= size; left < 0 {
			in.fail("its files are larger than their folder")
			return
		}
		f.sizes = append(f.sizes, size)
	}
	if n > 0 {
		f.sizes = append(f.sizes, left)
	}
	if n == 1 {
		f.crcs[0] = f.crc
	}
}

// readSubChecksums reads the checksums of those files that have none yet.
func readSubChecksums(in *fields, folders []folder, kind byte) {
	var without []*checksum
	for i := range folders {
		for j := range folders[i].crcs {
			if sum := &folders[i].crcs[j]; !sum.known {
				without = append(without, sum)
			}
		}
	}
	if kind == idCRC {
		for i, sum := range in.checksums(len(without)) {
			*without[i] = sum
		}
		kind = in.byte()
	}
	if in.err == nil && kind != idEnd {
		in.fail("its files have the unknown kind %d", kind)
	}
}

// open begins to unpack the folder.
func (f *folder) open(from io.ReaderAt) (io.Reader, error) {
	packed := bufio.NewReaderSize(io.NewSectionReader(from, f.offset, f.packed), 64<<10)
	switch f.method {
	case methodCopy:
		return packed, nil
	case methodDeflate:
		return flate.NewReader(packed), nil
	case methodBZip2:
		return bzip2.NewReader(packed), nil
	case methodLZMA:
		return f.openLZMA(packed)
	case methodLZMA2:
		return f.openLZMA2(packed)
	}
	return nil, unsupported(f.method)
}

// dictionary gives how much of what was unpacked a decoder has to remember: never
// more than there is.
func (f *folder) dictionary(said int64) (int, error) {
	needed := min(said, f.unpacked)
	if needed > dictionaryMax {
		return 0, fmt.Errorf("the 7z archive needs a dictionary of %d bytes; at most %d are given", needed, dictionaryMax)
	}
	return int(max(needed, lzma.MinDictCap)), nil
}

// openLZMA puts before the stream the header that it has as a file of its own.
func (f *folder) openLZMA(packed io.Reader) (io.Reader, error) {
	if len(f.properties) != 5 {
		return nil, broken("LZMA has %d bytes of properties", len(f.properties))
	}
	size, err := f.dictionary(int64(binary.LittleEndian.Uint32(f.properties[1:])))
	if err != nil {
		return nil, err
	}
	header := []byte{f.properties[0]}
	header = binary.LittleEndian.AppendUint32(header, uint32(size))
	header = binary.LittleEndian.AppendUint64(header, uint64(f.unpacked))
	in, err := lzma.ReaderConfig{DictCap: size}.NewReader(io.MultiReader(bytes.NewReader(header), packed))
	if err != nil {
		return nil, broken("%w", err)
	}
	return in, nil
}

func (f *folder) openLZMA2(packed io.Reader) (io.Reader, error) {
	if len(f.properties) != 1 || f.properties[0] > 40 {
		return nil, broken("LZMA2 has the properties %x", f.properties)
	}
	p := f.properties[0]
	said := int64(2|p&1) << (p/2 + 11)
	size, err := f.dictionary(said)
	if err != nil {
		return nil, err
	}
	in, err := lzma.Reader2Config{DictCap: size}.NewReader2(packed)
	if err != nil {
		return nil, broken("%w", err)
	}
	return in, nil
}

// stream is the content of the folder's file number i, which comes next in body.
func (f *folder) stream(body io.Reader, i int) io.Reader {
	return &stream{from: body, left: f.sizes[i], want: f.crcs[i], size: f.sizes[i]}
}

// stream reads one file and checks it at its end.
type stream struct {
	from io.Reader
	left int64
	size int64
	sum  uint32
	want checksum
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if s.left == 0 {
		if s.want.known && s.sum != s.want.value {
			return 0, broken("the checksum of a file is wrong")
		}
		return 0, io.EOF
	}
	n, err := s.from.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
	switch {
	case n > 0:
		return n, nil // an error comes again
	case err == io.EOF:
		return 0, broken("a file of %d bytes ends %d bytes early", s.size, s.left)
	case err != nil:
		return 0, broken("%w", err)
	}
	return 0, nil
}
