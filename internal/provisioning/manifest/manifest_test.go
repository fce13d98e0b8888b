package manifest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/provisioning/manifest/sevenzip"
)

// maker is somebody who makes secure elements.
type maker struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var day = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func newMaker(t testing.TB) maker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Manifest Signer 005"},
		NotBefore: day, NotAfter: day.AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return maker{cert, key}
}

func (m maker) device(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: day, NotAfter: day.AddDate(20, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, m.cert, key.Public(), m.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (m maker) sign(t testing.TB, id string, device *x509.Certificate) json.RawMessage {
	t.Helper()
	s := Signer{m.cert, m.key}
	text, err := s.Sign(id, []*x509.Certificate{device, m.cert}, day)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func text(certs ...*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certs {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}

// collect writes each element in a line: its number and ID, and what is wrong.
func collect(all iter.Seq2[Element, error]) (lines, certificates []string) {
	for e, err := range all {
		line := fmt.Sprintf("%d %s", e.Number, e.ID)
		if err != nil {
			line += ": " + err.Error()
		} else {
			certificates = append(certificates, e.PEM)
		}
		lines = append(lines, line)
	}
	return lines, certificates
}

func expect(t *testing.T, all iter.Seq2[Element, error], lines, certificates []string) {
	t.Helper()
	gotLines, gotCertificates := collect(all)
	if diff := cmp.Diff(lines, gotLines); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(certificates, gotCertificates); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}
}

const id1, id2 = "01235c2f8b7a4d9e01", "0123AABBCCDDEEFFEE"

func TestMicrochipTakesSignedElementsAndTellsTheRest(t *testing.T) {
	m, stranger := newMaker(t), newMaker(t)
	d1, d2 := m.device(t, "sn1"), m.device(t, "sn2")
	good1, good2 := m.sign(t, id1, d1), m.sign(t, id2, d2)
	outside := bytes.Replace(good1, []byte(id1), []byte(id2), 1)
	file := fmt.Sprintf("[%s, 7, {}, %s,\n%s, %s, {\"header\": nonsense}, {\"header\": \"left open\n}, \"[\", %s]", good1, changed(t, good1), outside, stranger.sign(t, id1, d1), good2)
	expect(t, Read(Microchip, strings.NewReader(file), Options{Signers: []*x509.Certificate{newMaker(t).cert, m.cert}}),
		[]string{
			"1 " + id1,
			"2 : the element is not a signed object: json: cannot unmarshal number into Go value of type manifest.signedElement",
			"3 : the protected header cannot be read: unexpected end of JSON input",
			"4 " + id1 + ": the signature of the element does not hold: it was changed after it was signed",
			"5 " + id2 + `: the header says uniqueId "` + id2 + `", the signed payload "` + id1 + `"`,
			"6 " + id1 + ": the element is signed by somebody whose certificate was not given",
			"7 : the element is not a signed object: invalid character 'o' in literal null (expecting 'u')",
			"8 : the element is not a signed object: invalid character '\\n' in string literal",
			"9 : the element is not a signed object: json: cannot unmarshal string into Go value of type manifest.signedElement",
			"10 " + id2,
		}, []string{text(d1, m.cert), text(d2, m.cert)})
}

// changed gives the element another payload under the old signature.
func changed(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	var e signedElement
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	e.Payload = base64.RawURLEncoding.EncodeToString([]byte(`{"version":1}`))
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMicrochipEndsWhereTheFileDoes(t *testing.T) {
	m := newMaker(t)
	d := m.device(t, "sn1")
	good := m.sign(t, id1, d)
	signers := Options{Signers: []*x509.Certificate{m.cert}}
	for name, tc := range map[string]struct {
		file  string
		o     Options
		lines []string
		certs []string
	}{
		"a cut file": {"[" + string(good) + "," + string(good[:50]), signers,
			[]string{"1 " + id1, "2 : the rest of the manifest cannot be read: unexpected EOF"}, []string{text(d, m.cert)}},
		"an unclosed array": {"[" + string(good), signers,
			[]string{"1 " + id1, "2 : the rest of the manifest cannot be read: the array does not end"}, []string{text(d, m.cert)}},
		"no array":   {"{}", signers, []string{"0 : the rest of the manifest cannot be read: the manifest is not a JSON array"}, nil},
		"no signers": {"[]", Options{}, []string{"0 : the rest of the manifest cannot be read: a signed manifest needs the certificate of its signer"}, nil},
		"an endless element": {`["` + strings.Repeat("x", 3*elementMax) + `"]`, signers,
			[]string{"1 : the rest of the manifest cannot be read: an element takes more than 262144 bytes"}, nil},
		"nothing": {"[]", signers, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, Read(Microchip, strings.NewReader(tc.file), tc.o), tc.lines, tc.certs)
		})
	}
}

func TestEspressifNamesThingsByAddress(t *testing.T) {
	m := newMaker(t)
	one, two := text(m.device(t, "a")), text(m.device(t, "b"))
	file := "MAC,cn,cert\n" + `7c9ebd000001,esp,"` + one + `"` + "\n" + `XY,esp,"` + one + `"` + "\nshort\n" +
		`7c:9e:bd:00:00:02,esp,"` + two + `"` + "\n7C9EBD000003,esp,none\n"
	expect(t, Read(Espressif, strings.NewReader(file), Options{}), []string{
		"1 7C9EBD000001", `2 XY: the MAC address "XY" is not 12 hex digits`, "3 : the row is too short", "4 7C9EBD000002",
		"5 7C9EBD000003: there is no certificate in PEM"}, []string{one, two})
	expect(t, Read(Espressif, strings.NewReader("a,b\n"), Options{}),
		[]string{"0 : the rest of the manifest cannot be read: the table has no columns MAC and cert"}, nil)
}

func TestGeneratedAndInfineonNameThingsByCommonName(t *testing.T) {
	m := newMaker(t)
	one, two, nameless := text(m.device(t, "a"), m.cert), text(m.device(t, "b")), text(m.device(t, ""))
	line := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) + "\n" }
	expect(t, Read(Generated, strings.NewReader(line(one)+"\n?\n"+line(two)+line(nameless)), Options{}),
		[]string{"1 a", "2 : the line is not base64", "3 b", "4 : the certificate has no common name to name the thing after"}, []string{one, two})
	expect(t, Read(Infineon, strings.NewReader(two+"noise\n"+nameless+two), Options{}),
		[]string{"1 b", "2 : the certificate has no common name to name the thing after", "3 b"}, []string{two, two})
	folder := fstest.MapFS{"E0E0/1.pem": {Data: []byte(two)}, "E0E0/2.CRT": {Data: []byte("no")}, "readme.txt": {}}
	expect(t, ReadFolder(folder), []string{"1 b", "2 : E0E0/2.CRT: there is no certificate in PEM"}, []string{two})
}

// testdata/infineon.7z was made by 7-Zip 26.02 of three archives by 7-Zip, of
// three certificates each, as Infineon ships them.
func TestInfineonsBundleIsReadAsItIs(t *testing.T) {
	bundle, err := os.ReadFile("testdata/infineon.7z")
	if err != nil {
		t.Fatal(err)
	}
	read := func(text []byte, kind string) (ids []string, failures []error) {
		for element, err := range ReadArchive(bytes.NewReader(text), int64(len(text)), Options{Certificates: kind}) {
			ids, failures = append(ids, fmt.Sprint(element.Number, element.ID)), append(failures, err)
		}
		return ids, failures
	}
	for kind, want := range map[string][]string{
		"": {"1chip-E0E0-1", "2chip-E0E0-2", "3chip-E0E0-3"}, "E0E0": {"1chip-E0E0-1", "2chip-E0E0-2", "3chip-E0E0-3"},
		"e0e1": {"1chip-E0E1-1", "2chip-E0E1-2", "3chip-E0E1-3"}, "E0E2": {"1chip-E0E2-1", "2chip-E0E2-2", "3chip-E0E2-3"},
	} {
		got, failures := read(bundle, kind)
		if diff := cmp.Diff(want, got); diff != "" || errors.Join(failures...) != nil {
			t.Errorf("%q: %v (-want +got):\n%s", kind, failures, diff)
		}
	}
	a, err := sevenzip.Open(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	err = a.Each(func(f sevenzip.File) bool { return strings.Contains(f.Name, "E0E1") }, func(_ sevenzip.File, body io.Reader) error {
		inner, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		got, failures := read(inner, "E0E0") // which is not asked for: there is one kind
		if diff := cmp.Diff([]string{"1chip-E0E1-1", "2chip-E0E1-2", "3chip-E0E1-3"}, got); diff != "" || errors.Join(failures...) != nil {
			t.Errorf("an inner archive: %v (-want +got):\n%s", failures, diff)
		}
		_, failures = read(inner[:len(inner)-9], "")
		wantRest(t, failures, "the rest of the manifest cannot be read: the 7z archive is damaged: it is cut off; or it has several volumes")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	_, failures := read(bundle, "E0E9")
	wantRest(t, failures, "the rest of the manifest cannot be read: the bundle has no archive of certificates of type E0E9; it has TrustM_000001_E0E0_Certs.7z, TrustM_000001_E0E1_Certs.7z, TrustM_000001_E0E2_Certs.7z")
	bundle[40] ^= 1
	_, failures = read(bundle, "")
	wantRest(t, failures, "the rest of the manifest cannot be read: TrustM_000001_E0E0_Certs.7z: ")
	for _, err := range ReadArchive(bytes.NewReader(bundle), archiveMax+1, Options{}) {
		wantRest(t, []error{err}, "the rest of the manifest cannot be read: the archive has 268435457 bytes; at most 268435456 are read; unpack it and give its parts")
	}
}

func wantRest(t *testing.T, failures []error, text string) {
	t.Helper()
	if len(failures) != 1 || !errors.Is(failures[0], ErrRest) || !strings.HasPrefix(failures[0].Error(), text) {
		t.Errorf("got %v\nwant %s", failures, text)
	}
}

func TestReadingCanStopAnywhere(t *testing.T) {
	m := newMaker(t)
	file := strings.Repeat(text(m.device(t, "a")), 3)
	for e, err := range Read(Infineon, strings.NewReader(file), Options{}) {
		if err != nil || e.Number != 1 {
			t.Errorf("element %d: %v", e.Number, err)
		}
		break
	}
	bundle, err := os.ReadFile("testdata/infineon.7z")
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range ReadArchive(bytes.NewReader(bundle), int64(len(bundle)), Options{}) {
		if err != nil || e.Number != 1 {
			t.Errorf("element %d: %v", e.Number, err)
		}
		break
	}
}

func FuzzManifest(f *testing.F) {
	m := newMaker(f)
	d := m.device(f, "a")
	f.Add([]byte("[" + string(m.sign(f, id1, d)) + "]"))
	f.Add([]byte("MAC,cert\n7c9ebd000001,\"" + text(d) + "\""))
	f.Add([]byte(text(d)))
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(text(d)))))
	if bundle, err := os.ReadFile("testdata/infineon.7z"); err == nil {
		f.Add(bundle)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, format := range []Format{Microchip, Espressif, Infineon, Generated} {
			for e, err := range Read(format, bytes.NewReader(file), Options{Signers: []*x509.Certificate{m.cert}}) {
				if err == nil && (e.ID == "" || e.PEM == "") {
					t.Fatalf("%s: an element without name or certificate", format)
				}
			}
		}
		if a, err := sevenzip.Open(bytes.NewReader(file), int64(len(file))); err == nil && a.Bytes() > 1<<20 {
			return // bounded, but more than a fuzzer has time for
		}
		for e, err := range ReadArchive(bytes.NewReader(file), int64(len(file)), Options{}) {
			if err == nil && (e.ID == "" || e.PEM == "") {
				t.Fatal("an archive's element without name or certificate")
			}
		}
	})
}

func BenchmarkMicrochip(b *testing.B) {
	m := newMaker(b)
	element := m.sign(b, id1, m.device(b, "a"))
	file := "[" + strings.Repeat(string(element)+",", b.N-1) + string(element) + "]"
	b.ResetTimer()
	for _, err := range Read(Microchip, strings.NewReader(file), Options{Signers: []*x509.Certificate{m.cert}}) {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "elements/s")
}
