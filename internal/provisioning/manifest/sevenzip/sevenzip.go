// Package sevenzip reads 7z archives as makers of secure elements ship them: a
// few or a hundred thousand small files, compressed with LZMA, LZMA2, Deflate or
// BZip2, or not at all.
//
//	a, err := sevenzip.Open(file, size)
//	err = a.Each(wanted, func(f sevenzip.File, body io.Reader) error { ... })
//
// An archive comes from a stranger, so everything in it is bounded: the list of
// files is read into memory and takes at most headerMax bytes, packed and
// unpacked, and names at most FilesMax files; what the archive unpacks to is at
// most BytesMax bytes, of which nothing is kept; a decoder's dictionary has at
// most dictionaryMax bytes. Whoever counts more than there are bytes left to
// count it in is refused before anything is made of the number. Checksums are
// checked.
//
// Encryption, chains of several coders (filters for programs) and archives in
// several volumes are refused by name. The format is that of 7zFormat.txt in
// 7-Zip's public domain SDK.
package sevenzip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Bounds of an archive.
const (
	FilesMax = 1 << 18
	BytesMax = 4 << 30 // of all files, unpacked

	headerMax     = 32 << 20  // bytes of the list of files, unpacked
	dictionaryMax = 128 << 20 // bytes; 7-Zip's largest preset takes 64 MiB
	foldingMax    = 4         // how often the list may be packed in itself
)

// Signature begins every 7z archive.
const Signature = "7z\xbc\xaf\x27\x1c"

// signatureSize is the length of the header that begins an archive and says
// where the list of files is.
const signatureSize = 32

// File is one file of an archive.
type File struct {
	Name string // with folders, separated by /
	Size int64  // bytes, unpacked
}

// Archive is an archive whose list of files was read.
type Archive struct {
	from    io.ReaderAt
	folders []folder
	files   []File // of all folders, in their order; empty files and folders' names are left out
}

// Open reads the list of files. Errors are for whoever made the archive.
func Open(r io.ReaderAt, size int64) (*Archive, error) {
	var head [signatureSize]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, broken("it is shorter than its header")
	}
	if string(head[:6]) != Signature {
		return nil, errors.New("it is no 7z archive")
	}
	if crc32.ChecksumIEEE(head[12:]) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, broken("the checksum of its header is wrong")
	}
	offset, length := binary.LittleEndian.Uint64(head[12:]), binary.LittleEndian.Uint64(head[20:])
	if length == 0 {
		return &Archive{from: r}, nil
	}
	if length > headerMax {
		return nil, fmt.Errorf("its list of files takes more than %d bytes", headerMax)
	}
	if offset > uint64(size) || length > uint64(size) || offset+length > uint64(size)-signatureSize {
		return nil, broken("it is cut off; or it has several volumes")
	}
	text := make([]byte, length)
	if _, err := r.ReadAt(text, int64(signatureSize+offset)); err != nil {
		return nil, broken("its list of files cannot be read")
	}
	if crc32.ChecksumIEEE(text) != binary.LittleEndian.Uint32(head[28:]) {
		return nil, broken("the checksum of its list of files is wrong")
	}
	return openList(io.NewSectionReader(r, signatureSize, int64(offset)), text)
}

// openList reads the list of files, which may itself be packed.
func openList(packed *io.SectionReader, text []byte) (*Archive, error) {
	for range foldingMax {
		in := &fields{rest: text}
		switch kind := in.byte(); kind {
		case idHeader:
			a := &Archive{from: packed}
			err := a.readHeader(in)
			return a, err
		case idEncodedHeader:
			folders, err := readStreams(in)
			if err != nil {
				return nil, err
			}
			if text, err = unpackList(packed, folders); err != nil {
				return nil, err
			}
		default:
			return nil, broken("its list of files begins with the unknown kind %d", kind)
		}
	}
	return nil, broken("its list of files is packed over and over")
}

func unpackList(packed *io.SectionReader, folders []folder) ([]byte, error) {
	if len(folders) != 1 || len(folders[0].sizes) != 1 {
		return nil, broken("its packed list of files is not one")
	}
	f := folders[0]
	if f.unpacked > headerMax {
		return nil, fmt.Errorf("its list of files unpacks to more than %d bytes", headerMax)
	}
	body, err := f.open(packed)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer // grows with what there is, whatever the archive says
	if _, err := io.Copy(&text, f.stream(body, 0)); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// Bytes is what all files unpack to.
func (a *Archive) Bytes() (n int64) {
	for _, f := range a.files {
		n += f.Size
	}
	return n
}

// Files lists what is in the archive, in the order of Each.
func (a *Archive) Files() []File { return a.files }

// Each unpacks the wanted files, one after another; body ends with the file. What
// a file of a folder is behind has to be unpacked for it, but folders without any
// wanted file are passed over. The error is do's, or what is wrong with the
// archive, which a body's Read may say before.
func (a *Archive) Each(wanted func(File) bool, do func(f File, body io.Reader) error) error {
	first := 0
	for _, f := range a.folders {
		files := a.files[first : first+len(f.sizes)]
		first += len(f.sizes)
		if err := f.each(a.from, files, wanted, do); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) each(from io.ReaderAt, files []File, wanted func(File) bool, do func(File, io.Reader) error) error {
	last := -1
	for i := range files {
		if wanted(files[i]) {
			last = i
		}
	}
	if last < 0 {
		return nil
	}
	body, err := f.open(from)
	if err != nil {
		return err
	}
	for i, file := range files[:last+1] {
		stream := f.stream(body, i)
		if wanted(file) {
			if err := do(file, stream); err != nil {
				return err
			}
		}
		if _, err := io.Copy(io.Discard, stream); err != nil {
			return err
		}
	}
	return nil
}

// broken is an error of an archive that is not as it should be.
func broken(format string, args ...any) error {
	return fmt.Errorf("the 7z archive is damaged: "+format, args...)
}
