// Package manifest reads the files in which makers of secure elements and
// modules list what they shipped: one certificate per device, signed or not.
//
//	for element, err := range manifest.Read(manifest.Microchip, file, options) {
//		if err != nil { // this one is broken; the next may be fine
//			continue
//		}
//		register(element.ID, element.PEM)
//	}
//
// Files hold a hundred thousand devices and more, so they are read as a stream:
// never more than one element is in memory. A broken element is told and the
// rest goes on; where the file itself cannot be understood any further, the last
// error is ErrRest.
package manifest

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
)

// Format is a maker's way to write it down.
type Format string

// The formats.
const (
	Microchip Format = "microchip" // Trust&GO: a JSON array of signed elements
	Espressif Format = "espressif" // CSV with the columns MAC and cert
	Infineon  Format = "infineon"  // OPTIGA Trust M Express: a certificate in PEM per file, in archives
	Generated Format = "generated" // a line of base64 per device, of its certificate in PEM
)

// IsKnown says whether there is such a format.
func (f Format) IsKnown() bool {
	return slices.Contains([]Format{Microchip, Espressif, Infineon, Generated}, f)
}

// Element is one device of a manifest.
type Element struct {
	Number int    // in the file, from 1
	ID     string // what the maker calls it, which becomes the thing's name; "" where that is unknown
	PEM    string // its certificate, and its issuer's behind it where the manifest has that
}

// Options say how to read.
type Options struct {
	// Signers may have signed the elements (Microchip). At least one is needed
	// there: an unsigned claim to a name is worth nothing.
	Signers []*x509.Certificate

	// Certificates says which of the archives in a bundle to read (Infineon):
	// E0E0, E0E1 or E0E2. "": E0E0.
	Certificates string
}

// ErrRest says that the file cannot be read behind this point.
var ErrRest = errors.New("the rest of the manifest cannot be read")

// elementMax bounds one element, in bytes. A Trust&GO element takes 5 KB.
const elementMax = 256 << 10

// Read gives the elements of a file. Infineon's are files in an archive or a
// folder: use ReadArchive and ReadFolder for them; from a stream, Read takes their
// certificates one behind another.
func Read(format Format, r io.Reader, o Options) iter.Seq2[Element, error] {
	in := &bounded{from: r, left: elementMax}
	switch format {
	case Microchip:
		return readMicrochip(r, o.Signers)
	case Espressif:
		return readEspressif(in)
	case Infineon:
		return readPEM(in)
	case Generated:
		return readGenerated(in)
	}
	return func(yield func(Element, error) bool) {
		yield(Element{}, fmt.Errorf("%w: there is no format %q", ErrRest, format))
	}
}

// bounded refuses to read more for one element than it may take.
type bounded struct {
	from io.Reader
	left int
}

// next begins another element.
func (b *bounded) next() { b.left = elementMax }

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("an element takes more than %d bytes", elementMax)
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func rest(cause error) error { return fmt.Errorf("%w: %w", ErrRest, cause) }

// ReadFolder gives the certificates of a folder or archive, one file each: an
// unpacked Infineon bundle. Files that are not named like certificates are
// passed over.
func ReadFolder(folder fs.FS) iter.Seq2[Element, error] {
	return func(yield func(Element, error) bool) {
		number := 0
		err := fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !IsCertificateFile(path) {
				return err
			}
			number++
			element, err := readFile(folder, path)
			element.Number = number
			if err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			if !yield(element, err) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Element{Number: number + 1}, rest(err))
		}
	}
}

// IsCertificateFile says whether a file of a folder or archive is named like a
// certificate.
func IsCertificateFile(path string) bool {
	dot := strings.LastIndexByte(path, '.')
	return dot >= 0 && slices.Contains([]string{".pem", ".crt", ".cer"}, strings.ToLower(path[dot:]))
}

func readFile(folder fs.FS, path string) (Element, error) {
	file, err := folder.Open(path)
	if err != nil {
		return Element{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, elementMax))
	if err != nil {
		return Element{}, err
	}
	return named(string(text))
}

// named gives the element of a certificate that is named by its common name.
func named(text string) (Element, error) {
	leaf, err := leafOf(text)
	if err != nil {
		return Element{}, err
	}
	if leaf.Subject.CommonName == "" {
		return Element{}, errors.New("the certificate has no common name to name the thing after")
	}
	return Element{ID: leaf.Subject.CommonName, PEM: text}, nil
}

// leafOf reads the first certificate of a PEM text.
func leafOf(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("there is no certificate in PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	return leaf, nil
}
