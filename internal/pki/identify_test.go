package pki_test

import (
	"crypto/x509/pkix"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/pki"
	"thingd/internal/why"
)

func TestIdentify(t *testing.T) {
	for _, test := range []struct {
		status pki.Status
		want   pki.Refusal
	}{
		{pki.Active, pki.Welcome}, {pki.Inactive, pki.NotActive}, {pki.Revoked, pki.IsRevoked},
		{pki.PendingActivation, pki.AwaitsActivation}, {pki.PendingTransfer, pki.AwaitsTransfer},
	} {
		t.Run(string(test.status), func(t *testing.T) {
			h := open(t)
			cert := inStatus(t, h, test.status)
			leaf := mustParse(t, cert.PEM)
			cert.PEM = ""
			want := pki.Verdict{Certificate: cert, Refused: test.want}
			if test.want != pki.Welcome {
				want.Why = why.Say("certificate %s is %s", cert.ID, why.Say(string(test.want)))
			}
			for _, way := range []string{"from the store", "from memory"} {
				got, err := h.Identify(t.Context(), leaf)
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Error(way, err, diff)
				}
			}
		})
	}
	t.Run("expired", func(t *testing.T) {
		h := open(t)
		leaf := newCA(t, "x").leaf(t, "d")
		if _, err := h.RegisterWithoutCA(t.Context(), text(leaf), pki.Active); err != nil {
			t.Fatal(err)
		}
		h.now = leaf.NotAfter
		if got, err := h.Identify(t.Context(), leaf); got.Refused != pki.Expired || err != nil {
			t.Error(got, err)
		}
	})
}

// What Lookup remembers must never outlive a change.
func TestLookupSeesChanges(t *testing.T) {
	h := open(t)
	cert := inStatus(t, h, pki.Active)
	leaf := mustParse(t, cert.PEM)
	for _, step := range []struct {
		name string
		do   func() error
		want pki.Status
	}{
		{"active", func() error { return nil }, pki.Active},
		{"inactive", func() error { return h.SetStatus(t.Context(), cert.ID, pki.Inactive) }, pki.Inactive},
		{"offered", func() error { _, err := h.Transfer(t.Context(), cert.ID, otherAccount, ""); return err }, pki.PendingTransfer},
		{"back", func() error { return h.Cancel(t.Context(), cert.ID) }, pki.Inactive},
		{"gone", func() error { return h.Delete(t.Context(), cert.ID, false) }, ""},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			got, found, err := h.Lookup(t.Context(), leaf)
			if got.Status != step.want || found != (step.want != "") || err != nil {
				t.Error(got, found, err)
			}
		})
	}
}

func TestJustInTimeRegistration(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	authority := newCA(t, "factory")
	registered := authority.register(t, h, pki.Registration{})
	leaf := authority.leaf(t, "pump7")
	id := pki.IDOf(leaf.Raw)
	event := func(registered string) string {
		return fmt.Sprintf(`{"certificateId":"%s","caCertificateId":"%s","timestamp":%d,"certificateStatus":"PENDING_ACTIVATION","awsAccountId":"%s","certificateRegistrationTimestamp":%s}`,
			id, pki.IDOf(authority.cert.Raw), h.now.UnixMilli(), account, registered)
	}
	wantEvent := func(t *testing.T, v pki.Verdict, payload string) {
		t.Helper()
		if v.Refused != pki.AwaitsActivation || v.JustInTime == nil {
			t.Fatalf("%+v", v)
		}
		if diff := cmp.Diff("$aws/events/certificates/registered/"+string(registered.ID), v.JustInTime.Topic) +
			cmp.Diff(payload, string(v.JustInTime.Payload)); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("ok/first connect registers and announces", func(t *testing.T) {
		v, err := h.Identify(ctx, leaf)
		if err != nil {
			t.Fatal(err)
		}
		wantEvent(t, v, event("null"))
		cert, err := h.Describe(ctx, id)
		if err != nil || cert.Status != pki.PendingActivation || cert.CA != registered.ID || cert.PEM != text(leaf) {
			t.Error(err, cert)
		}
	})
	t.Run("ok/each later connect announces again", func(t *testing.T) {
		h.now = h.now.Add(time.Second)
		v, err := h.Identify(ctx, leaf)
		if err != nil {
			t.Fatal(err)
		}
		wantEvent(t, v, event(fmt.Sprintf("%q", fmt.Sprint(start.UnixMilli()))))
	})
	t.Run("ok/activated by the event's consumer", func(t *testing.T) {
		wantCode(t, h.SetStatus(ctx, id, pki.Active), "")
		if v, err := h.Identify(ctx, leaf); v.Refused != pki.Welcome || v.JustInTime != nil || err != nil {
			t.Error(v, err)
		}
	})
	t.Run("ok/a template instead of an event", func(t *testing.T) {
		wantCode(t, h.UpdateCA(ctx, registered.ID, pki.CAChange{Registration: &pki.Registration{TemplateName: "t"}}), "")
		v, err := h.Identify(ctx, authority.leaf(t, "pump8"))
		if err != nil || v.Refused != pki.AwaitsActivation || v.JustInTime == nil || v.JustInTime.Topic != "" || v.JustInTime.CA.Registration.TemplateName != "t" {
			t.Error(v, err)
		}
	})
	for _, test := range []struct {
		name   string
		leaf   ca
		change func(t *testing.T)
	}{
		{"refused/a namesake's leaf", newCA(t, "factory"), func(*testing.T) {}},
		{"refused/auto-registration off", authority, func(t *testing.T) {
			no := false
			wantCode(t, h.UpdateCA(ctx, registered.ID, pki.CAChange{AutoRegistration: &no}), "")
		}},
		{"refused/expired", authority, func(*testing.T) { h.now = leaf.NotAfter.Add(time.Second) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.change(t)
			stranger := test.leaf.leaf(t, "stranger")
			v, err := h.Identify(ctx, stranger)
			if err != nil || v.Refused != pki.Unregistered || v.JustInTime != nil {
				t.Error(v, err)
			}
			if _, found, _ := h.Lookup(ctx, stranger); found {
				t.Error("a record was made")
			}
		})
	}
}

// Many connects of one new device at once make one record and no error.
func TestJustInTimeRegistrationTwins(t *testing.T) {
	h := open(t)
	authority := newCA(t, "factory")
	authority.register(t, h, pki.Registration{})
	leaf := authority.leaf(t, "pump7")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if v, err := h.Identify(t.Context(), leaf); err != nil || v.JustInTime == nil {
				t.Error(v, err)
			}
		})
	}
	wg.Wait()
	if all, _, err := h.List(t.Context(), pki.Page{}); len(all) != 1 || err != nil {
		t.Error(all, err)
	}
}

func BenchmarkLookup(b *testing.B) {
	h := open(b)
	cert, err := h.CreateFromCSR(b.Context(), csr(b, ecKey(b), pkix.Name{}), pki.Order{Status: pki.Active})
	if err != nil {
		b.Fatal(err)
	}
	leaf := mustParse(b, cert.PEM)
	for b.Loop() {
		if _, found, err := h.Lookup(b.Context(), leaf); !found || err != nil {
			b.Fatal(found, err)
		}
	}
}
