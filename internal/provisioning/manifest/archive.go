package manifest

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"

	"thingd/internal/provisioning/manifest/sevenzip"
)

// Bounds of archives. Their files lie anywhere in them, and the lists of those in
// memory.
const (
	archiveMax = 256 << 20 // bytes, packed; the list of a zip grows with it
	innerMax   = 64 << 20  // bytes of an archive in an archive, which is held in memory; some 90,000 certificates
)

// CertificateTypes are the kinds of certificates in an Infineon bundle, by the
// object of the chip that holds them. Each has an archive of its own in it.
var CertificateTypes = [...]string{"E0E0", "E0E1", "E0E2"}

// Archived says by its first bytes, at least six, whether a file is an archive
// that ReadArchive takes.
func Archived(begins []byte) bool {
	return bytes.HasPrefix(begins, []byte(zipSignature)) || bytes.HasPrefix(begins, []byte(sevenzip.Signature))
}

const zipSignature = "PK\x03\x04"

// ReadArchive gives the certificates of an archive, zip or 7z, one file each. A
// bundle as Infineon ships it is a 7z archive that holds one of each type of
// certificate (…_E0E0_Certs.7z); it is read as it is, and so is one of its inner
// archives.
func ReadArchive(r io.ReaderAt, size int64, o Options) iter.Seq2[Element, error] {
	return func(yield func(Element, error) bool) {
		in := &archive{options: o, yield: yield, room: sevenzip.BytesMax}
		if err := in.read(r, size, true); err != nil && !errors.Is(err, errEnough) {
			yield(Element{Number: in.number + 1}, rest(err))
		}
	}
}

// archive is one that is being read, with those in it.
type archive struct {
	options Options
	yield   func(Element, error) bool
	number  int   // of the last element
	room    int64 // bytes that may still be unpacked
}

// errEnough says that nobody wants more elements.
var errEnough = errors.New("no more")

func (a *archive) read(r io.ReaderAt, size int64, mayHoldOthers bool) error {
	if size > archiveMax {
		return fmt.Errorf("the archive has %d bytes; at most %d are read; unpack it and give its parts", size, int64(archiveMax))
	}
	var begins [len(sevenzip.Signature)]byte
	if _, err := r.ReadAt(begins[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(begins[:]) == sevenzip.Signature {
		return a.readSevenZip(r, size, mayHoldOthers)
	}
	files, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("the zip archive cannot be read: %w", err)
	}
	for element, err := range ReadFolder(files) {
		a.number = element.Number
		if !a.yield(element, err) {
			return errEnough
		}
	}
	return nil
}

func (a *archive) readSevenZip(r io.ReaderAt, size int64, mayHoldOthers bool) error {
	files, err := sevenzip.Open(r, size)
	if err != nil {
		return err
	}
	if a.room -= files.Bytes(); a.room < 0 {
		return fmt.Errorf("the archives unpack to more than %d bytes", int64(sevenzip.BytesMax))
	}
	if slices.ContainsFunc(files.Files(), isArchive) {
		if !mayHoldOthers {
			return errors.New("there are archives in the archive in the archive")
		}
		return a.readBundle(files)
	}
	return files.Each(func(f sevenzip.File) bool { return IsCertificateFile(f.Name) }, a.certificate)
}

func isArchive(f sevenzip.File) bool { return strings.EqualFold(path.Ext(f.Name), ".7z") }

// readBundle reads the archives in an archive that hold the wanted certificates.
func (a *archive) readBundle(files *sevenzip.Archive) error {
	kind := cmp.Or(a.options.Certificates, CertificateTypes[0])
	var there []string
	isWanted := func(f sevenzip.File) bool {
		return isArchive(f) && strings.Contains(strings.ToUpper(path.Base(f.Name)), "_"+strings.ToUpper(kind)+"_")
	}
	for _, f := range files.Files() {
		if isArchive(f) {
			there = append(there, path.Base(f.Name))
		}
	}
	if !slices.ContainsFunc(files.Files(), isWanted) {
		return fmt.Errorf("the bundle has no archive of certificates of type %s; it has %.300s", kind, strings.Join(there, ", "))
	}
	return files.Each(isWanted, func(f sevenzip.File, body io.Reader) error {
		if f.Size > innerMax {
			return fmt.Errorf("%s has %d bytes; at most %d of an archive in an archive are read; unpack it and give it alone", f.Name, f.Size, int64(innerMax))
		}
		var inner bytes.Buffer // grows with what there is
		if _, err := io.Copy(&inner, body); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if err := a.read(bytes.NewReader(inner.Bytes()), int64(inner.Len()), false); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		return nil
	})
}

// certificate reads one file of an archive.
func (a *archive) certificate(f sevenzip.File, body io.Reader) error {
	a.number++
	var element Element
	text, err := io.ReadAll(io.LimitReader(body, elementMax))
	if err != nil {
		return err // of the archive, and so of all that follow
	}
	if element, err = named(string(text)); err != nil {
		err = fmt.Errorf("%s: %w", f.Name, err)
	}
	element.Number = a.number
	if !a.yield(element, err) {
		return errEnough
	}
	return nil
}
