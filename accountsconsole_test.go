package thingd

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// visitor is somebody at the console of a server.
type visitor struct {
	*http.Client
	base string
}

func (h *house) visitor(t *testing.T) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return visitor{&http.Client{Jar: jar, Transport: transport}, "http://" + h.HTTP}
}

// signedIn is a visitor with the root access key of an account.
func (h *house) signedIn(t *testing.T) visitor {
	t.Helper()
	v := h.visitor(t)
	v.post(t, "/console/signin", url.Values{"key": {h.keys.AccessKeyID}, "secret": {h.keys.SecretAccessKey}})
	return v
}

func (v visitor) get(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+path, nil)
	must(t, err)
	return v.do(t, r)
}

func (v visitor) do(t *testing.T, r *http.Request) string {
	t.Helper()
	answer, err := v.Do(r)
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s %s: %s\n%s", r.Method, r.URL.Path, answer.Status, body)
	}
	return string(body)
}

var csrfOf = regexp.MustCompile(`<meta name="csrf" content="([^"]+)">`)

func (v visitor) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	if path != "/console/signin" {
		form.Set("csrf", csrfOf.FindStringSubmatch(v.get(t, "/console/"))[1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(t, r)
}

func contains(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("the page lacks %q:\n%s", text, body)
		}
	}
}

// TestAccountsHaveAConsoleEach: an account is made by clicks, entered and left by
// clicks, and the access key decides whose console a sign-in leads to.
func TestAccountsHaveAConsoleEach(t *testing.T) {
	a := newCaller(t)
	a.must(t, `CreateThing {"thingName":"pump7"}`)
	root := a.h.signedIn(t)
	made := root.post(t, "/console/settings/accounts", url.Values{"account": {otherAccount}})
	b := a.account(t, otherAccount)
	contains(t, made, b.h.keys.AccessKeyID, otherAccount, "accounts/"+otherAccount)
	if strings.Contains(root.get(t, "/console/settings/accounts"), b.h.keys.SecretAccessKey) {
		t.Error("the secret is shown twice")
	}
	b.must(t, `CreateThing {"thingName":"pump8"}`)

	theirs := b.h.signedIn(t)
	for _, place := range []struct {
		visitor
		has, lacks string
	}{{root, "pump7", "pump8"}, {theirs, "pump8", "pump7"}} {
		page := place.get(t, "/console/things")
		if !strings.Contains(page, place.has) || strings.Contains(page, place.lacks) {
			t.Errorf("the things of one account are\n%s", page)
		}
	}
	contains(t, theirs.get(t, "/console/settings/accounts"), "Accounts are made by")

	contains(t, root.post(t, "/console/settings/accounts/open", url.Values{"account": {otherAccount}}), "Leave account")
	contains(t, root.get(t, "/console/things"), "pump8")
	contains(t, root.post(t, "/console/signout", url.Values{}), "Open account "+otherAccount)
	contains(t, root.get(t, "/console/things"), "pump7")
}

// TestACertificateIsTransferredByClicks from both sides.
func TestACertificateIsTransferredByClicks(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	giver, taker := a.h.signedIn(t), b.h.signedIn(t)
	id := a.must(t, `CreateKeysAndCertificate {}`).members["CertificateId"].(string)
	page := "/console/certificates/" + id
	offer := func() {
		t.Helper()
		contains(t, giver.post(t, page+"/transfer", url.Values{"do": {"offer"}, "account": {otherAccount}, "message": {"<b>yours"}}), "Cancel transfer")
	}

	offer()
	contains(t, giver.get(t, "/console/certificates"), `id="outgoing"`)
	contains(t, taker.get(t, "/console/certificates"), `id="incoming"`, "&lt;b&gt;yours", page+"#transfer")
	contains(t, taker.get(t, page), "Account 123456789012 offers this certificate.")
	taker.post(t, page+"/transfer", url.Values{"do": {"reject"}, "message": {"not mine"}})
	contains(t, giver.get(t, page), "The transfer was rejected.", "not mine")
	offer()
	giver.post(t, page+"/transfer", url.Values{"do": {"cancel"}})
	if strings.Contains(taker.get(t, "/console/certificates"), `id="incoming"`) {
		t.Error("a cancelled transfer is still offered")
	}
	offer()
	taker.post(t, page+"/transfer", url.Values{"do": {"accept"}, "active": {"yes"}})
	if diff := cmp.Diff([]map[string]any{{}, {id: "ACTIVE"}}, []map[string]any{a.statuses(t), b.statuses(t)}); diff != "" {
		t.Errorf("the certificates of both (-want +got):\n%s", diff)
	}
}
