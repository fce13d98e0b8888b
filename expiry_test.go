package thingd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/journal"
	"thingd/internal/message"
	"thingd/internal/pki"
	"thingd/internal/why"
)

const day = 24 * time.Hour

// lasting makes a certificate that ends in sixty days.
func lasting(t *testing.T, isCA bool) device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lasting"}, IsCA: isCA, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(60 * day),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return device{Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, id: pki.IDOf(der)}
}

// TestCertificatesNearTheirEndAreToldOf walks through the last days of two.
func TestCertificatesNearTheirEndAreToldOf(t *testing.T) {
	c := newCaller(t)
	c.must(t, `UpdateEventConfigurations {"eventConfigurations":{"CERTIFICATE":{"enabled":true},"CA_CERTIFICATE":{"enabled":true}}}`)
	out := c.must(t, `CreateCertificateFromCsr {"setAsActive":true,"certificateSigningRequest":`+quote(newCSR(t))+`}`) // ends with 2049
	idle, used, ca := lasting(t, false), lasting(t, false), lasting(t, true)
	c.h.register(t, idle, pki.Inactive)
	c.h.register(t, used, pki.Active)
	c.must(t, `RegisterCACertificate {"certificateMode":"SNI_ONLY","setAsActive":true,"caCertificate":`+
		quote(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Leaf.Raw})))+`}`)
	// No client outlives the leaps of the clock, so the broker itself listens.
	messages := make(chan message.Message, 10)
	c.h.broker.Handle("$aws/events/+/expiring/+", func(m message.Message, done message.Done) {
		messages <- m
		done(nil)
	})
	certificate, caCertificate := "$aws/events/certificates/expiring/"+string(used.id), "$aws/events/cacertificates/expiring/"+string(ca.id)
	for _, step := range []struct {
		after time.Duration
		left  float64 // days; -1: nobody is told
	}{{29 * day, -1}, {31 * day, 28}, {45 * day, -1}, {54 * day, 5}, {55 * day, -1}, {59*day + 12*time.Hour, 0}, {61 * day, -1}} {
		c.h.ahead.Store(int64(step.after))
		must(t, c.h.warnOfExpiry(t.Context())) // the server does so itself at times, and maybe just now
		must(t, c.h.warnOfExpiry(t.Context())) // and not again
		want := map[string]any{}
		if step.left >= 0 {
			want[certificate] = map[string]any{"eventType": "CERTIFICATE_EXPIRING_EVENT", "accountId": "123456789012",
				"certificateId": string(used.id), "certificateArn": c.h.pki.ARN(used.id), "daysLeft": step.left}
			want[caCertificate] = map[string]any{"eventType": "CA_CERTIFICATE_EXPIRING_EVENT", "accountId": "123456789012",
				"certificateId": string(ca.id), "certificateArn": c.h.pki.CAARN(ca.id), "daysLeft": step.left}
		}
		got := map[string]any{}
		for len(messages) > 0 { // published before warnOfExpiry returned
			m := <-messages
			if got[m.Topic] != nil {
				t.Errorf("after %v: %s comes twice", step.after, m.Topic)
			}
			got[m.Topic] = expiryEvent(t, m.Payload)
		}
		if !cmp.Equal(want, got) {
			t.Errorf("after %v (-want +got):\n%s", step.after, cmp.Diff(want, got))
		}
	}
	entries, _, err := c.h.journal.Recent(t.Context(), journal.Query{Cause: why.CertificateExpiring, Limit: 100})
	must(t, err)
	told := map[string]bool{}
	for _, e := range entries {
		told[e.Event.Principal] = true
	}
	if !told[string(used.id)] || !told[string(ca.id)] || told[string(idle.id)] || told[out.members["CertificateId"].(string)] {
		t.Errorf("the journal tells of %v", told)
	}
}

// expiryEvent gives an event without what nobody can predict.
func expiryEvent(t *testing.T, payload []byte) map[string]any {
	t.Helper()
	var event map[string]any
	must(t, json.Unmarshal(payload, &event))
	for _, unpredictable := range []string{"eventId", "timestamp", "notAfter"} {
		if event[unpredictable] == nil {
			t.Errorf("the event has no %s", unpredictable)
		}
		delete(event, unpredictable)
	}
	return event
}
