package pki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/fault"
	"thingd/internal/pki"
)

func TestCreateKeys(t *testing.T) {
	h := open(t)
	cert, pair, err := h.CreateKeys(t.Context(), pki.Order{Status: pki.Active})
	if err != nil {
		t.Fatal(err)
	}
	parsed := mustParse(t, cert.PEM)
	want := pki.Certificate{
		ID: pki.IDOf(parsed.Raw), Status: pki.Active, PEM: cert.PEM, Mode: pki.ModeDefault,
		Created: start, Modified: start, Version: 1, Generation: cert.Generation,
		NotBefore: parsed.NotBefore, NotAfter: time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	if diff := cmp.Diff(want, cert); diff != "" {
		t.Error(diff)
	}
	stored, err := h.Describe(t.Context(), cert.ID)
	if diff := cmp.Diff(want, stored); diff != "" || err != nil {
		t.Error(err, diff)
	}
	block, rest := pem.Decode([]byte(pair.Private))
	if block == nil || block.Type != "RSA PRIVATE KEY" || len(rest) != 0 || !strings.HasSuffix(pair.Private, "-----\n") {
		t.Fatal("not a PKCS #1 key in PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil || key.N.BitLen() != 2048 || key.E != 65537 || !key.PublicKey.Equal(parsed.PublicKey) {
		t.Error("not the certificate's 2048 bit key:", err)
	}
	if !strings.HasPrefix(pair.Public, "-----BEGIN PUBLIC KEY-----") {
		t.Error(pair.Public)
	}
}

func mustParse(t testing.TB, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func csr(t testing.TB, key crypto.Signer, subject pkix.Name) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestCreateFromCSR(t *testing.T) {
	h := open(t)
	ec := func(curve elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	rsaKey := func(bits int) crypto.Signer {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := pkix.Name{CommonName: "pump7", Organization: []string{"Example"}}
	good := csr(t, ec(elliptic.P256()), name)
	for _, test := range []struct {
		name, csr string
		code      fault.Code
		subject   string
	}{
		{"ok/RSA 2048", csr(t, rsaKey(2048), name), "", "CN=pump7,O=Example"},
		{"ok/P-256", good, "", "CN=pump7,O=Example"},
		{"ok/P-384", csr(t, ec(elliptic.P384()), name), "", "CN=pump7,O=Example"},
		{"ok/P-521", csr(t, ec(elliptic.P521()), name), "", "CN=pump7,O=Example"},
		{"ok/no subject", csr(t, ec(elliptic.P256()), pkix.Name{}), "", "CN=AWS IoT Certificate"},
		{"ok/older label", strings.ReplaceAll(good, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"), "", "CN=pump7,O=Example"},
		{"refused/P-224", csr(t, ec(elliptic.P224()), name), fault.CodeInvalidRequest, ""},
		{"refused/Ed25519", csr(t, ed, name), fault.CodeInvalidRequest, ""},
		{"refused/another's signature", tampered(t, good), fault.CodeInvalidRequest, ""},
		{"refused/a certificate", text(newCA(t, "x").cert), fault.CodeInvalidRequest, ""},
		{"refused/no PEM", "hello", fault.CodeInvalidRequest, ""},
		{"refused/empty", "", fault.CodeInvalidRequest, ""},
		{"refused/too long", good + strings.Repeat("\n", 4096), fault.CodeInvalidRequest, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			cert, err := h.CreateFromCSR(t.Context(), test.csr, pki.Order{})
			wantCode(t, err, test.code)
			if err != nil {
				return
			}
			if got := mustParse(t, cert.PEM).Subject.String(); got != test.subject || cert.Status != pki.Inactive {
				t.Errorf("subject %q, status %s", got, cert.Status)
			}
		})
	}
	t.Run("ok/the same request twice gives two certificates", func(t *testing.T) {
		a, err1 := h.CreateFromCSR(t.Context(), good, pki.Order{})
		b, err2 := h.CreateFromCSR(t.Context(), good, pki.Order{})
		if err1 != nil || err2 != nil || a.ID == b.ID {
			t.Error(err1, err2, a.ID, b.ID)
		}
	})
}

func tampered(t testing.TB, request string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(request))
	i := strings.Index(string(block.Bytes), "pump7")
	block.Bytes[i] = 'b'
	return string(pem.EncodeToMemory(block))
}

// A Trust&GO leaf: dates to the end of time, key agreement, and a serial number
// in the alternative name that breaks the rules of ASN.1's PrintableString.
func trustAndGo(t testing.TB, signer ca) *x509.Certificate {
	t.Helper()
	attribute := asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagPrintableString, Bytes: []byte("eui48_D88039ABCDEF")}
	rdn, err := asn1.Marshal([][]struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}{{{asn1.ObjectIdentifier{2, 5, 4, 5}, attribute}}})
	if err != nil {
		t.Fatal(err)
	}
	rdn[2] = 0x31 // a SET holds the attribute
	san, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: rdn}})
	if err != nil {
		t.Fatal(err)
	}
	return signer.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{Organization: []string{"Microchip Technology Inc"}, CommonName: "sn0123ABCDEF0123456701"},
		NotBefore: start.Add(-time.Hour), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}},
	}, ecKey(t).Public())
}

func TestRegisterWithoutCA(t *testing.T) {
	h := open(t)
	signer := newCA(t, "Crypto Authentication Signer F600")
	leaf := trustAndGo(t, signer)
	chain := text(leaf) + text(signer.cert)
	t.Run("ok/Trust&GO leaf and signer, kept byte for byte", func(t *testing.T) {
		cert, err := h.RegisterWithoutCA(t.Context(), chain, "")
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(leaf.Raw)
		stored, err := h.Describe(t.Context(), pki.CertificateID(hex.EncodeToString(sum[:])))
		if err != nil {
			t.Fatal(err)
		}
		want := pki.Certificate{ID: cert.ID, Status: pki.Inactive, PEM: chain, Mode: pki.ModeSNIOnly, Created: start, Modified: start,
			Version: 1, Generation: cert.Generation, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}
		if diff := cmp.Diff(want, stored); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("conflict/registered already", func(t *testing.T) {
		_, err := h.RegisterWithoutCA(t.Context(), text(leaf), pki.Active)
		id := string(pki.IDOf(leaf.Raw))
		want := fault.AlreadyExists("The certificate is already provisioned or registered").About(id, "arn:aws:iot:us-east-1:"+account+":cert/"+id)
		if diff := cmp.Diff(want, err, cmpopts.IgnoreUnexported(fault.Error{})); diff != "" {
			t.Error(diff)
		}
	})
	fresh := func() string { return text(newCA(t, "c").leaf(t, "d")) }
	for _, test := range []struct {
		name   string
		pem    string
		status pki.Status
		code   fault.Code
	}{
		{"ok/active", fresh(), pki.Active, ""},
		{"ok/revoked", fresh(), pki.Revoked, ""},
		{"ok/deprecated word", fresh(), "REGISTER_INACTIVE", ""},
		{"refused/pending activation", fresh(), pki.PendingActivation, fault.CodeCertificateState},
		{"refused/pending transfer", fresh(), pki.PendingTransfer, fault.CodeCertificateState},
		{"refused/no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", fault.CodeCertificateValidation},
		{"refused/no PEM", "hello", "", fault.CodeCertificateValidation},
		{"refused/signed with Ed25519", ed25519Certificate(t), "", fault.CodeCertificateValidation},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := h.RegisterWithoutCA(t.Context(), test.pem, test.status)
			wantCode(t, err, test.code)
		})
	}
	t.Run("refused/the words for pending activation", func(t *testing.T) {
		_, err := h.RegisterWithoutCA(t.Context(), fresh(), pki.PendingActivation)
		if err == nil || !strings.HasSuffix(err.Error(), "Not allowed to register certificate with PENDING_ACTIVATION status") {
			t.Error(err)
		}
	})
}

func ed25519Certificate(t testing.TB) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{NotBefore: start, NotAfter: start.Add(time.Hour)}
	return text(ca{template, private}.sign(t, template, public))
}

func TestRegister(t *testing.T) {
	h := open(t)
	one, twinA, twinB, idle := newCA(t, "one"), newCA(t, "twin"), newCA(t, "twin"), newCA(t, "idle")
	registered := one.register(t, h, pki.Registration{})
	twinA.register(t, h, pki.Registration{})
	twinB.register(t, h, pki.Registration{})
	off := idle.register(t, h, pki.Registration{})
	no := false
	if err := h.UpdateCA(t.Context(), off.ID, pki.CAChange{Active: &no}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, pem, ca string
		code          fault.Code
	}{
		{"ok/CA found by name", text(one.leaf(t, "d")), "", ""},
		{"ok/CA given", text(twinB.leaf(t, "d")), text(twinB.cert), ""},
		{"refused/two CAs of the name", text(twinA.leaf(t, "d")), "", fault.CodeCertificateConflict},
		{"refused/the wrong twin", text(twinA.leaf(t, "d")), text(twinB.cert), fault.CodeCertificateValidation},
		{"refused/signed by a namesake", text(newCA(t, "one").leaf(t, "d")), "", fault.CodeCertificateValidation},
		{"refused/unknown issuer", text(newCA(t, "nobody").leaf(t, "d")), "", fault.CodeCertificateValidation},
		{"refused/CA given and not registered", text(one.leaf(t, "d")), text(newCA(t, "x").cert), fault.CodeCertificateValidation},
		{"refused/inactive CA", text(idle.leaf(t, "d")), "", fault.CodeCertificateState},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := h.Register(t.Context(), test.pem, test.ca, pki.Active)
			wantCode(t, err, test.code)
		})
	}
	t.Run("ok/listed by its CA", func(t *testing.T) {
		all, next, err := h.ListByCA(t.Context(), registered.ID, pki.Page{})
		if err != nil || next != "" || len(all) != 1 || all[0].CA != registered.ID || all[0].Mode != pki.ModeDefault {
			t.Error(err, next, all)
		}
	})
}

func TestSetStatus(t *testing.T) {
	const ok = fault.Code("")
	const state = fault.CodeCertificateState
	for _, test := range []struct {
		from, to pki.Status
		code     fault.Code
	}{
		{pki.Active, pki.Inactive, ok}, {pki.Inactive, pki.Active, ok}, {pki.Active, pki.Active, ok},
		{pki.Active, pki.Revoked, ok}, {pki.Inactive, pki.Revoked, ok}, {pki.Revoked, pki.Revoked, ok},
		{pki.PendingActivation, pki.Active, ok}, {pki.PendingActivation, pki.Inactive, ok}, {pki.PendingActivation, pki.Revoked, ok},
		{pki.Revoked, pki.Active, state}, {pki.Revoked, pki.Inactive, state},
		{pki.Active, pki.PendingTransfer, state}, {pki.Active, pki.PendingActivation, state}, {pki.Active, "REGISTER_INACTIVE", state},
		{pki.PendingTransfer, pki.Active, state}, {pki.PendingTransfer, pki.Inactive, state},
	} {
		t.Run(string(test.from)+" to "+string(test.to), func(t *testing.T) {
			h := open(t)
			cert := inStatus(t, h, test.from)
			h.changes = nil
			wantCode(t, h.SetStatus(t.Context(), cert.ID, test.to), test.code)
			after, err := h.Describe(t.Context(), cert.ID)
			if err != nil {
				t.Fatal(err)
			}
			changed := test.code == ok && test.from != test.to
			want := cert
			var heard []string
			if changed {
				want.Status, want.Version = test.to, cert.Version+1
				heard = []string{string(test.from) + "->" + string(test.to)}
			}
			if diff := cmp.Diff(want, after); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(heard, h.changes); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		wantCode(t, open(t).SetStatus(t.Context(), "00", pki.Active), fault.CodeNotFound)
	})
}

func inStatus(t testing.TB, h *house, status pki.Status) pki.Certificate {
	t.Helper()
	begin := status
	if status == pki.PendingTransfer {
		begin = pki.Inactive
	}
	cert, err := h.CreateFromCSR(t.Context(), csr(t, ecKey(t), pkix.Name{}), pki.Order{Status: begin})
	if err != nil {
		t.Fatal(err)
	}
	if status == pki.PendingTransfer {
		if _, err := h.Transfer(t.Context(), cert.ID, otherAccount, ""); err != nil {
			t.Fatal(err)
		}
	}
	cert, err = h.Describe(t.Context(), cert.ID)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestDelete(t *testing.T) {
	for _, test := range []struct {
		name             string
		status           pki.Status
		things, policies int
		force            bool
		want             string // the end of the message; "" is success
	}{
		{"ok/inactive", pki.Inactive, 0, 0, false, ""},
		{"ok/revoked", pki.Revoked, 0, 0, false, ""},
		{"ok/force takes policies off", pki.Inactive, 0, 2, true, ""},
		{"refused/active", pki.Active, 0, 0, true, "CertificateState: Certificate must be deactivated (not ACTIVE) before deletion. Id: ID"},
		{"refused/things, even with force", pki.Inactive, 1, 0, true, "DeleteConflict: Things must be detached before deletion (arn: ARN)"},
		{"refused/policies", pki.Inactive, 0, 1, false, "DeleteConflict: Certificate policies must be detached before deletion (arn: ARN)"},
		{"refused/in transfer", pki.PendingTransfer, 0, 0, true, "CertificateState: Certificate must not be in transfer for deletion. Id: ID"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t)
			cert := inStatus(t, h, test.status)
			name := h.ARN(cert.ID)
			h.things[name], h.policies[name] = test.things, test.policies
			err := h.Delete(t.Context(), cert.ID, test.force)
			got := ""
			if err != nil {
				got = strings.NewReplacer(name, "ARN", string(cert.ID), "ID").Replace(err.Error())
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			_, found := h.Describe(t.Context(), cert.ID)
			if gone := fault.Is(found, fault.CodeNotFound); gone != (test.want == "") {
				t.Error("gone:", gone)
			}
		})
	}
}

func TestList(t *testing.T) {
	h := open(t)
	var ids []pki.CertificateID
	for range 5 {
		h.now = h.now.Add(time.Second)
		ids = append(ids, inStatus(t, h, pki.Inactive).ID)
	}
	if _, _, err := h.CreateKeys(t.Context(), pki.Order{Claim: true, NotAfter: h.now.Add(5 * time.Minute)}); err != nil {
		t.Fatal(err)
	}
	walk := func(p pki.Page) (all []pki.CertificateID, lengths []int) {
		for {
			page, next, err := h.List(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			for _, cert := range page {
				all = append(all, cert.ID)
			}
			lengths = append(lengths, len(page))
			if p.Marker = next; next == "" {
				return all, lengths
			}
		}
	}
	t.Run("ok/oldest first", func(t *testing.T) {
		all, lengths := walk(pki.Page{Size: 2, Ascending: true})
		if diff := cmp.Diff(ids, all) + cmp.Diff([]int{2, 2, 1}, lengths); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("ok/newest first", func(t *testing.T) {
		all, lengths := walk(pki.Page{Size: 5})
		slices.Reverse(all)
		if diff := cmp.Diff(ids, all) + cmp.Diff([]int{5}, lengths); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("refused/marker of somebody else", func(t *testing.T) {
		_, _, err := h.List(t.Context(), pki.Page{Marker: "aGVsbG8="})
		wantCode(t, err, fault.CodeInvalidRequest)
	})
	t.Run("ok/claims go when their time is over", func(t *testing.T) {
		h.now = h.now.Add(5*time.Minute + time.Second)
		if err := h.PurgeClaims(t.Context()); err != nil {
			t.Error(err)
		}
		if all, _ := walk(pki.Page{}); len(all) != 5 {
			t.Error(all)
		}
	})
}

func TestTransfer(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	offer := func() pki.Certificate {
		cert := inStatus(t, h, pki.Inactive)
		name, err := h.Transfer(ctx, cert.ID, otherAccount, "yours now")
		if want := "arn:aws:iot:us-east-1:" + otherAccount + ":cert/" + string(cert.ID); name != want || err != nil {
			t.Fatal(name, err)
		}
		return cert
	}
	t.Run("ok/seen on both sides while pending", func(t *testing.T) {
		cert := offer()
		outgoing, _, err := h.ListOutgoing(ctx, pki.Page{})
		if err != nil || len(outgoing) != 1 || outgoing[0].Transfer != (pki.Transfer{To: otherAccount, Message: "yours now", Date: start}) {
			t.Error(err, outgoing)
		}
		incoming, _, err := h.other.List(ctx, pki.Page{})
		if err != nil || len(incoming) != 1 || incoming[0].Status != pki.PendingTransfer || incoming[0].PreviousOwner != account {
			t.Error(err, incoming)
		}
		wantCode(t, h.Cancel(ctx, cert.ID), "")
	})
	t.Run("ok/accepted", func(t *testing.T) {
		cert := offer()
		wantCode(t, h.other.Accept(ctx, cert.ID, true), "")
		_, err := h.Describe(ctx, cert.ID)
		wantCode(t, err, fault.CodeNotFound)
		got, err := h.other.Describe(ctx, cert.ID)
		if err != nil || got.Status != pki.Active || got.PreviousOwner != account || !got.Transfer.Accepted.Equal(start) {
			t.Error(err, got)
		}
		wantCode(t, h.other.Accept(ctx, cert.ID, true), fault.CodeTransferCompleted)
		wantCode(t, h.other.Reject(ctx, cert.ID, ""), fault.CodeTransferCompleted)
	})
	t.Run("ok/rejected", func(t *testing.T) {
		cert := offer()
		wantCode(t, h.other.Reject(ctx, cert.ID, "not ours"), "")
		got, err := h.Describe(ctx, cert.ID)
		if err != nil || got.Status != pki.Inactive || got.Transfer.Reason != "not ours" {
			t.Error(err, got)
		}
		_, err = h.other.Describe(ctx, cert.ID)
		wantCode(t, err, fault.CodeNotFound)
	})
	t.Run("ok/cancelled", func(t *testing.T) {
		cert := offer()
		wantCode(t, h.Cancel(ctx, cert.ID), "")
		wantCode(t, h.other.Accept(ctx, cert.ID, false), fault.CodeNotFound)
		wantCode(t, h.Cancel(ctx, cert.ID), fault.CodeTransferCompleted)
		if outgoing, _, _ := h.ListOutgoing(ctx, pki.Page{}); len(outgoing) != 0 {
			t.Error(outgoing)
		}
	})
	t.Run("refused", func(t *testing.T) {
		active := inStatus(t, h, pki.Active)
		_, err := h.Transfer(ctx, active.ID, otherAccount, "")
		wantCode(t, err, fault.CodeCertificateState)
		tied := inStatus(t, h, pki.Inactive)
		h.policies[h.ARN(tied.ID)] = 1
		_, err = h.Transfer(ctx, tied.ID, otherAccount, "")
		wantCode(t, err, fault.CodeTransferConflict)
		_, err = h.Transfer(ctx, active.ID, "999999999999", "")
		wantCode(t, err, fault.CodeNotFound)
		wantCode(t, h.Accept(ctx, active.ID, false), fault.CodeTransferCompleted)
	})
}

// The giver cannot accept its own offer in the receiver's place.
func TestTransferIsNotTheGiversToAccept(t *testing.T) {
	h := open(t)
	cert := inStatus(t, h, pki.PendingTransfer)
	wantCode(t, h.Accept(t.Context(), cert.ID, true), fault.CodeTransferCompleted)
}
