package sevenzip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The archives of testdata were made by 7-Zip 26.02, each of the folder E0E0 with
// three certificates, and most of Readme.txt:
//
//	7zz a -m0=lzma2 lzma2.7z E0E0 Readme.txt
//	7zz a -m0=lzma2 -ms=off -mhc=off loose.7z E0E0
//	7zz a -psecret -mhe=off aes.7z E0E0
func archived(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".7z"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// contents unpacks the wanted files of an archive.
func contents(text []byte, wanted func(File) bool) (map[string]string, error) {
	a, err := Open(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	err = a.Each(wanted, func(f File, body io.Reader) error {
		text, err := io.ReadAll(body)
		all[f.Name] = string(text)
		return err
	})
	return all, err
}

func everything(File) bool { return true }

func TestEveryMethodUnpacksTheSame(t *testing.T) {
	want, err := contents(archived(t, "copy"), everything)
	if err != nil || len(want) != 4 || want["Readme.txt"] != "read me\n" || !strings.HasPrefix(want["E0E0/chip1.pem"], "-----BEGIN CERTIFICATE-----\n") {
		t.Fatalf("%v, error %v", want, err)
	}
	for _, method := range []string{"lzma", "lzma2", "deflate", "bzip2"} {
		got, err := contents(archived(t, method), everything)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", method, err, diff)
		}
	}
	delete(want, "Readme.txt")
	got, err := contents(archived(t, "loose"), everything) // a folder for each file, and the list in the clear
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("loose: error %v (-want +got):\n%s", err, diff)
	}
}

func TestOnlyWantedFilesAreGiven(t *testing.T) {
	for _, name := range []string{"lzma", "loose"} {
		got, err := contents(archived(t, name), func(f File) bool { return f.Name == "E0E0/chip2.pem" })
		if err != nil || len(got) != 1 || !strings.HasPrefix(got["E0E0/chip2.pem"], "-----BEGIN") {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
	enough := errors.New("enough")
	a, err := Open(bytes.NewReader(archived(t, "lzma")), int64(len(archived(t, "lzma"))))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Each(everything, func(File, io.Reader) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
}

func TestAnEmptyArchiveHasNoFiles(t *testing.T) {
	got, err := contents(archived(t, "empty"), everything) // it has a folder, and nothing in it
	if err != nil || len(got) != 0 {
		t.Errorf("%v, error %v", got, err)
	}
}

// loud is an archive of which the list of files is in the clear and can be
// changed.
func loud(list []byte, packed []byte) []byte {
	head := []byte(Signature + "\x00\x04")
	var rest []byte
	rest = binary.LittleEndian.AppendUint64(rest, uint64(len(packed)))
	rest = binary.LittleEndian.AppendUint64(rest, uint64(len(list)))
	rest = binary.LittleEndian.AppendUint32(rest, crc32.ChecksumIEEE(list))
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(rest))
	return bytes.Join([][]byte{head, rest, packed, list}, nil)
}

// one is the list of files of an archive with one file "a" that was packed by an
// LZMA2 coder with this dictionary, to so many bytes.
func one(dictionary, packed byte, unpacked []byte) []byte {
	list := []byte{idHeader, idMainStreams, idPackInfo, 0, 1, idSize, packed, idEnd,
		idFolders, idFolder, 1, 0, 1, 0x21, methodLZMA2, 1, dictionary, idUnpackSize}
	list = append(list, unpacked...)
	return append(list, idEnd, idEnd, idFiles, 1, idNames, 5, 0, 'a', 0, 0, 0, idEnd, idEnd)
}

// bytesOf writes a number in nine bytes.
func bytesOf(n uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{0xff}, n) }

func TestBadArchivesAreRefused(t *testing.T) {
	lzma := archived(t, "lzma")
	flipped := bytes.Clone(lzma)
	flipped[200] ^= 1
	head := bytes.Clone(lzma)
	head[12] ^= 1
	for name, tc := range map[string]struct {
		archive []byte
		want    string
	}{
		"nothing":                   {nil, "the 7z archive is damaged: it is shorter than its header"},
		"a zip":                     {bytes.Repeat([]byte("PK\x03\x04"), 20), "it is no 7z archive"},
		"a changed header":          {head, "the 7z archive is damaged: the checksum of its header is wrong"},
		"half of it":                {lzma[:len(lzma)/2], "the 7z archive is damaged: it is cut off; or it has several volumes"},
		"a changed byte":            {flipped, "the 7z archive is damaged: "},
		"encrypted files":           {archived(t, "aes"), errEncrypted.Error()},
		"an encrypted list":         {archived(t, "aeshe"), errEncrypted.Error()},
		"PPMd":                      {archived(t, "ppmd"), "the 7z archive uses the method 30401, which is not supported; pack the files with LZMA or LZMA2, or as a zip"},
		"a list of another kind":    {loud([]byte{9}, nil), "the 7z archive is damaged: its list of files begins with the unknown kind 9"},
		"a list that packs itself":  {loud([]byte{idEncodedHeader, idEnd}, nil), "the 7z archive is damaged: its packed list of files is not one"},
		"more files than room":      {loud([]byte{idHeader, idFiles, 0xc0, 0xff, 0xff, idEnd}, nil), "the 7z archive is damaged: it counts "},
		"a bomb by size":            {loud(one(24, 3, bytesOf(BytesMax+1)), []byte{1, 2, 3}), "the 7z archive unpacks to more than 4294967296 bytes"},
		"a bomb by dictionary":      {loud(one(40, 3, bytesOf(1<<30)), []byte{1, 2, 3}), "the 7z archive needs a dictionary of 1073741824 bytes; at most 134217728 are given"},
		"less than it says":         {loud(one(0, 1, []byte{5}), []byte{0}), "the 7z archive is damaged: a file of 5 bytes ends 5 bytes early"},
		"a part behind the end":     {loud(one(0, 0x7f, []byte{5}), []byte{0}), "the 7z archive is damaged: a file of 5 bytes ends 5 bytes early"},
		"contents without names":    {loud(append(bytes.Split(one(0, 1, []byte{5}), []byte{idFiles, 1, idNames})[0], idEnd), []byte{0}), "the 7z archive is damaged: it has 1 contents for 0 files"},
		"a size that is none":       {loud(one(0, 1, bytesOf(1<<63)), []byte{0}), "the 7z archive is damaged: it has a part of "},
		"properties that are none":  {loud(one(41, 1, []byte{5}), []byte{0}), "the 7z archive is damaged: LZMA2 has the properties 29"},
		"a coder that is not there": {loud(bytes.Replace(one(0, 1, []byte{5}), []byte{0x21, methodLZMA2}, []byte{0x21, 0x77}, 1), []byte{0}), "the 7z archive uses the method 77, which is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := contents(tc.archive, everything)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("error %v\nwant  %s", err, tc.want)
			}
		})
	}
}

func FuzzArchive(f *testing.F) {
	for _, name := range []string{"copy", "lzma", "lzma2", "deflate", "bzip2", "loose", "aes", "empty"} {
		f.Add(archived(f, name), false)
	}
	list := one(0, 3, []byte{5})
	f.Add(list, true)
	f.Fuzz(func(t *testing.T, text []byte, bare bool) {
		if bare { // only the list of files, for which the checksums are made
			text = loud(text, []byte{1, 0, 4, 'h', 'e', 'l', 'l', 'o', 0})
		}
		a, err := Open(bytes.NewReader(text), int64(len(text)))
		if err != nil || a.Bytes() > 1<<20 { // it is bounded, but a fuzzer has no time for that
			return
		}
		_ = a.Each(everything, func(f File, body io.Reader) error {
			n, err := io.Copy(io.Discard, body)
			if n > f.Size {
				t.Errorf("%q has %d bytes, and says %d", f.Name, n, f.Size)
			}
			return err
		})
	})
}
