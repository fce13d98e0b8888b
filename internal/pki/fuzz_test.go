package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"time"
)

func FuzzCSR(f *testing.F) {
	key, err := newECDSAKey()
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: defaultSubject}, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"))
	a := openTest(f, f.TempDir())
	f.Fuzz(func(t *testing.T, text []byte) {
		request, err := parseCSR(string(text))
		if err != nil {
			return
		}
		der, err := a.IssueDevice(request.PublicKey, subjectOf(request), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x509.ParseCertificate(der); err != nil {
			t.Log("issued what cannot be read:", err) // answered as an invalid request
		}
	})
}

// FuzzCertificate looks for texts that break the registration of a certificate.
func FuzzCertificate(f *testing.F) {
	f.Add(encodeCertificate(selfSigned(f, pkix.Name{CommonName: "device"}).Certificate[0]))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		leaf, err := parseLeaf(string(text))
		if err != nil {
			return
		}
		_ = signedBy(CA{PEM: string(text)}, leaf)
	})
}

func FuzzMark(f *testing.F) {
	f.Add(Mark{5, "aa"}.token())
	f.Fuzz(func(t *testing.T, token string) {
		mark, err := parseMark(token)
		if err != nil || mark == (Mark{}) {
			return
		}
		if again, err := parseMark(mark.token()); err != nil || again != mark {
			t.Fatal(again, mark, err)
		}
	})
}
