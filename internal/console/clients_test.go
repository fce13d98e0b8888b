package console

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/pki"
	"thingd/internal/registry"
	"thingd/internal/why"
)

// refuse puts a refusal into the journal, with an active certificate behind it.
func (h *house) refuse(t *testing.T, event why.Event) pki.Certificate {
	t.Helper()
	cert, _, err := h.PKI.CreateKeys(t.Context(), pki.Order{Status: pki.Active})
	must(t, err)
	event.Principal = string(cert.ID)
	h.Journal.Record(event)
	return cert
}

func TestARefusalIsMendedByAllowingJustThat(t *testing.T) {
	h := open(t)
	b := h.root(t)
	cert := h.refuse(t, why.Event{ClientID: "pump", Step: why.StepPublish, Cause: why.PolicyImplicitDeny, Action: "iot:Publish", Resource: "topic/data/pump"})
	body := b.get(t, "/console/why?client=pump", http.StatusOK)
	if !strings.Contains(body, `value="allow"`) {
		t.Fatalf("there is no button:\n%s", body)
	}
	b.post(t, "/console/why", url.Values{"mend": {"allow"}, "certificate": {string(cert.ID)}, "action": {"iot:Publish"}, "resource": {"topic/data/pump"}}, http.StatusOK)
	attached, _, err := h.Access.AttachedPolicies(t.Context(), h.PKI.ARN(cert.ID), false, false, registry.Page{})
	must(t, err)
	if len(attached) != 1 {
		t.Fatalf("attached are %v", attached)
	}
	_, version, err := h.Access.Policy(t.Context(), attached[0].Name)
	must(t, err)
	want := documentOf([]statement{{"Allow", "iot:Publish", "arn:aws:iot:us-east-1:123456789012:topic/data/pump"}})
	if diff := cmp.Diff(want, pretty([]byte(version.Document))); diff != "" {
		t.Errorf("the policy (-want +got):\n%s", diff)
	}
}

func TestARefusalIsMendedByDetachingWhatDenies(t *testing.T) {
	h := open(t)
	b := h.root(t)
	_, err := h.Access.CreatePolicy(t.Context(), "no", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iot:*","Resource":"*"}}`, nil)
	must(t, err)
	cert := h.refuse(t, why.Event{ClientID: "pump", Step: why.StepConnect, Cause: why.PolicyExplicitDeny, Statement: "policy no, statement 1"})
	must(t, h.Access.AttachPolicy(t.Context(), "no", h.PKI.ARN(cert.ID)))
	if body := b.get(t, "/console/why", http.StatusOK); !strings.Contains(body, "Detach no") {
		t.Fatalf("there is no button:\n%s", body)
	}
	b.post(t, "/console/why", url.Values{"mend": {"detach"}, "certificate": {string(cert.ID)}, "policy": {"no"}}, http.StatusOK)
	if has, err := h.Access.HasPolicies(t.Context(), h.PKI.ARN(cert.ID)); has || err != nil {
		t.Errorf("the policy is still attached: %v", err)
	}
}

func TestRefusalsAndDisconnectsAreToldApart(t *testing.T) {
	h := open(t)
	b := h.root(t)
	h.refuse(t, why.Event{ClientID: "a", Step: why.StepConnect, Cause: why.ClientIDInvalid})
	h.refuse(t, why.Event{ClientID: "b", Step: why.StepConnection, Cause: why.TakenOver})
	tests := map[string][2]bool{"": {true, true}, "refused": {true, false}, "ended": {false, true}}
	for only, want := range tests {
		body := b.get(t, "/console/why?only="+only, http.StatusOK)
		got := [2]bool{strings.Contains(body, "CLIENT_ID_INVALID"), strings.Contains(body, "TAKEN_OVER")}
		if got != want {
			t.Errorf("%q shows %v, want %v", only, got, want)
		}
	}
}

func TestAClientThatIsNotThereHasAPage(t *testing.T) {
	h := open(t)
	b := h.root(t)
	h.refuse(t, why.Event{ClientID: "../pump?x", Step: why.StepConnect, Cause: why.ClientIDInvalid})
	body := b.get(t, "/console/client?"+url.Values{"id": {"../pump?x"}}.Encode(), http.StatusOK)
	for _, part := range []string{"CLIENT_ID_INVALID", "not connected and has no session"} {
		if !strings.Contains(body, part) {
			t.Errorf("the page lacks %q:\n%s", part, body)
		}
	}
	b.post(t, "/console/client/disconnect", url.Values{"id": {"nobody"}}, http.StatusNotFound)
	b.get(t, "/console/client", http.StatusBadRequest)
}

// Client IDs are strangers' words: a page about one looks again at its own address.
func TestAPageAboutAnyClientLooksAgainAtTheSame(t *testing.T) {
	h := open(t)
	b := h.root(t)
	hostile := `a&only=all+%41 "b"#c`
	for _, path := range []string{"/console/client?id=", "/console/why?client="} {
		at := path + url.QueryEscape(hostile)
		_, rest, _ := strings.Cut(b.get(t, at, http.StatusOK), `hx-get="`)
		again, _, _ := strings.Cut(rest, `"`)
		if got := html.UnescapeString(again); got != at {
			t.Errorf("%s looks again at %s", at, got)
		}
	}
}
