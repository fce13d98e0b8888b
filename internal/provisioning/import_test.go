package provisioning_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/provisioning/manifest"
	"thingd/internal/registry"
)

// elements makes a manifest of n devices and what reads it.
func elements(t testing.TB, a authority, n int) []json.RawMessage {
	t.Helper()
	signer := manifest.Signer{Certificate: a.cert, Key: a.key}
	all := make([]json.RawMessage, n)
	for i := range n {
		id := fmt.Sprintf("0123%012XEE", i)
		text, err := signer.Sign(id, []*x509.Certificate{a.leaf(t, pkix.Name{CommonName: "sn" + id}), a.cert}, start)
		must(t, err)
		all[i] = text
	}
	return all
}

func file(t testing.TB, elements []json.RawMessage) []byte {
	t.Helper()
	text, err := json.Marshal(elements)
	must(t, err)
	return text
}

func TestImportRegistersDevicesOnce(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	a := newAuthority(t)
	all := elements(t, a, 20)
	all[7] = json.RawMessage(`{"header":{"uniqueId":"broken"}}`)
	text := file(t, all)
	run := func(policy string) (provisioning.Summary, map[int]provisioning.Entry) {
		entries := map[int]provisioning.Entry{}
		in := provisioning.Import{Policy: policy, ThingType: "sensor", Group: "all", Name: strings.ToLower}
		sum, err := in.Run(t.Context(), h.Registrar(), manifest.Read(manifest.Microchip, bytes.NewReader(text), manifest.Options{Signers: []*x509.Certificate{a.cert}}),
			func(e provisioning.Entry) { entries[e.Number] = e })
		must(t, err)
		return sum, entries
	}
	sum, entries := run("p")
	same(t, provisioning.Summary{New: 19, Failed: 1}, sum)
	one := entries[1]
	same(t, "0123000000000000ee", one.Thing)
	cert, err := h.pki.Describe(t.Context(), pki.CertificateID(strings.TrimPrefix(one.CertificateARN, h.pki.ARN(""))))
	must(t, err)
	same(t, one.PEM, cert.PEM)
	same(t, 2, strings.Count(cert.PEM, "BEGIN CERTIFICATE"))
	same(t, pki.Active, cert.Status)
	links, _, err := h.registry.PrincipalThings(t.Context(), one.CertificateARN, nil, registry.Page{})
	must(t, err)
	same(t, []registry.Link{{Thing: one.Thing, Principal: one.CertificateARN}}, links)
	thing, err := h.registry.Thing(t.Context(), one.Thing)
	must(t, err)
	same(t, "sensor", thing.Type)

	sum, _ = run("p")
	same(t, provisioning.Summary{Unchanged: 19, Failed: 1}, sum)
	again, err := h.registry.Thing(t.Context(), one.Thing)
	must(t, err)
	same(t, thing, again)

	sum, entries = run("none")
	same(t, provisioning.Summary{Failed: 20}, sum)
	wants(t, entries[1].Err, "ResourceNotFound", "Policy not found")
}

func BenchmarkImport(b *testing.B) {
	h := newHouse(b)
	_, err := h.access.CreatePolicy(b.Context(), "p", allowAll, nil)
	must(b, err)
	a := newAuthority(b)
	text := file(b, elements(b, a, b.N))
	b.ResetTimer()
	sum, err := provisioning.Import{Policy: "p", Workers: 32}.Run(b.Context(), h.Registrar(),
		manifest.Read(manifest.Microchip, bytes.NewReader(text), manifest.Options{Signers: []*x509.Certificate{a.cert}}), func(provisioning.Entry) {})
	must(b, err)
	if sum.New != b.N {
		b.Errorf("%+v", sum)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "devices/s")
}
