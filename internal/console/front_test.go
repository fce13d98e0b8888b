package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"thingd/internal/pki"
	"thingd/internal/registry"
)

func TestTheLinkSignsInOnce(t *testing.T) {
	h := open(t)
	link := h.SignInPath()
	first := h.browser(t)
	answer, _ := first.do(t, first.request(t, http.MethodGet, link, nil), http.StatusOK)
	cookie := answer.Header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/console/"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie lacks %s: %s", part, cookie)
		}
	}
	if body := first.get(t, "/console/", http.StatusOK); !strings.Contains(body, "root") {
		t.Errorf("nobody is signed in:\n%s", body)
	}
	second := h.browser(t)
	second.get(t, link, http.StatusForbidden)
	second.get(t, "/console/signin?once=", http.StatusOK)
	second.get(t, "/console/signin?once=wrong", http.StatusForbidden)
	if strings.Contains(h.log.String(), strings.TrimPrefix(link, "/console/signin?once=")) {
		t.Error("the log has the link")
	}
}

func TestAHEADRequestDoesNotUseTheLinkUp(t *testing.T) {
	h := open(t)
	b := h.browser(t)
	b.do(t, b.request(t, http.MethodHead, h.SignInPath(), nil), http.StatusOK)
	b.get(t, h.SignInPath(), http.StatusOK)
	b.get(t, "/console/settings", http.StatusOK)
}

func TestAccessKeysSignIn(t *testing.T) {
	h := open(t)
	root, err := h.IAM.RootKey(t.Context())
	must(t, err)
	tests := []struct {
		name, key, secret string
		want              int
	}{
		{"right", root.ID, root.Secret, http.StatusOK},
		{"wrong secret", root.ID, root.Secret + "x", http.StatusForbidden},
		{"no secret", root.ID, "", http.StatusForbidden},
		{"unknown key", "AKIANOBODY", root.Secret, http.StatusForbidden},
		{"hostile key", `"><script>alert(1)</script>`, "x", http.StatusForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := h.browser(t)
			body := b.post(t, "/console/signin", url.Values{"key": {tt.key}, "secret": {tt.secret}}, tt.want)
			if strings.Contains(body, "<script>alert") {
				t.Errorf("the page has the visitor's markup:\n%s", body)
			}
			if in := strings.Contains(b.get(t, "/console/", http.StatusOK), `name="csrf"`); in != (tt.want == http.StatusOK) {
				t.Errorf("signed in is %v", in)
			}
		})
	}
}

func TestSigningOutAndTurningAKeyOffEndASession(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/signout", url.Values{}, http.StatusOK)
	if body := b.get(t, "/console/things", http.StatusOK); !strings.Contains(body, "signin") {
		t.Errorf("still signed in:\n%s", body)
	}
	u := h.user(t, "alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`)
	u.get(t, "/console/things", http.StatusOK)
	keys, err := h.IAM.AccessKeys(t.Context(), "alice")
	must(t, err)
	must(t, h.IAM.SetAccessKey(t.Context(), "alice", keys[0].ID, false))
	if body := u.get(t, "/console/things", http.StatusOK); strings.Contains(body, "newthing") {
		t.Errorf("the key is off and still opens:\n%s", body)
	}
}

func TestChangesNeedTheToken(t *testing.T) {
	h := open(t)
	b := h.root(t)
	form := url.Values{"name": {"pump"}, "certificate": {"none"}}
	for _, token := range []string{"", "wrong"} {
		form.Set("csrf", token)
		b.do(t, b.request(t, http.MethodPost, "/console/things", form), http.StatusForbidden)
	}
	form.Set("csrf", b.token(t))
	fromElsewhere := b.request(t, http.MethodPost, "/console/things", form)
	fromElsewhere.Header.Set("Sec-Fetch-Site", "cross-site")
	b.do(t, fromElsewhere, http.StatusForbidden)
	if _, err := h.Registry.Thing(t.Context(), "pump"); err == nil {
		t.Fatal("the thing was made")
	}
	b.post(t, "/console/things", form, http.StatusOK)
	if _, err := h.Registry.Thing(t.Context(), "pump"); err != nil {
		t.Error(err)
	}
}

func TestChangesAreLogged(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/things", url.Values{"name": {"pump"}, "certificate": {"none"}}, http.StatusOK)
	for _, part := range []string{"a change was made", "arn:aws:iam::123456789012:root", "POST /console/things", "thing=pump"} {
		if !strings.Contains(h.log.String(), part) {
			t.Errorf("the log lacks %q:\n%s", part, h.log)
		}
	}
}

func TestOtherHostsAreRefused(t *testing.T) {
	h := open(t)
	b := h.browser(t)
	r := b.request(t, http.MethodGet, "/console/", nil)
	r.Host = "evil.example.com"
	b.do(t, r, http.StatusForbidden)
}

// Every page and deed asks the policies: a user without any reaches nothing but
// the front page and the way out.
func TestWhoMayNothingReachesNothing(t *testing.T) {
	h := open(t)
	_, err := h.Registry.CreateThing(t.Context(), registry.NewThing{Name: "pump"})
	must(t, err)
	cert, _, err := h.PKI.CreateKeys(t.Context(), pki.Order{})
	must(t, err)
	_, err = h.Access.CreatePolicy(t.Context(), "p", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`, nil)
	must(t, err)
	free := []string{
		"GET /console/{$}", "POST /console/signout", "GET /console/root-ca.pem", // public anyway
		"GET /console/newthing", "GET /console/newpolicy", "GET /console/newrule", "GET /console/connect", "GET /console/connect/thing", "GET /console/mqtt", "GET /console/newbucket", // empty forms
	}
	fill := strings.NewReplacer("{thing}", "pump", "{id}", string(cert.ID), "{name}", "p", "{bucket}", "plants")
	form := url.Values{
		"name": {"new"}, "thing": {"pump"}, "policy": {"p"}, "to": {"ACTIVE"}, "document": {`{"state":{}}`}, "target": {string(cert.ID)},
		"certificate": {string(cert.ID)}, "mend": {"activate"}, "topic": {"a"}, "qos": {"0"}, "version": {"1"}, "sql": {"SELECT * FROM 'a'"}, "do": {"add"},
	}
	b := h.user(t, "nobody", "")
	for _, r := range routes() {
		if slices.Contains(free, r.pattern) {
			continue
		}
		t.Run(r.pattern, func(t *testing.T) {
			method, path, _ := strings.Cut(fill.Replace(r.pattern), " ")
			if method == http.MethodPost {
				b.post(t, path+"?key=k&id=c", form, http.StatusForbidden)
			} else {
				b.get(t, path+"?thing=pump&filter=a&key=k&id=c", http.StatusForbidden)
			}
		})
	}
}

var inline = regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)

// What devices and operators named is shown as they wrote it, on pages that
// forbid inline code and have none.
func TestPagesEscapeAndHaveNothingInline(t *testing.T) {
	h := open(t)
	hostile := `<img src=x>"'`
	_, err := h.Registry.CreateThing(t.Context(), registry.NewThing{Name: "pump"})
	must(t, err)
	b := h.root(t)
	b.post(t, "/console/things/pump/shadow", url.Values{"document": {`{"state":{"reported":{"x":"` + strings.ReplaceAll(hostile, `"`, `\"`) + `"}}}`}}, http.StatusOK)
	b.post(t, "/console/policies", url.Values{"name": {"p"}, "as": {"form"}, "effect": {"Allow"}, "action": {"iot:*"}, "resource": {"*"}}, http.StatusOK)
	b.post(t, "/console/certificates", url.Values{}, http.StatusOK)
	certs, _, err := h.PKI.List(t.Context(), pki.Page{})
	must(t, err)
	b.post(t, "/console/buckets", url.Values{"name": {"plants"}}, http.StatusOK)
	b.post(t, "/console/rules", url.Values{"name": {"p"}, "sql": {"SELECT \"<img src=x>\" AS x FROM 'a'"}, "description": {hostile}}, http.StatusOK)
	b.post(t, "/console/integrations", url.Values{
		"name": {hostile}, "host": {"localhost"}, "prefix": {hostile}, "subscribe": {"a"}, "username": {hostile},
	}, http.StatusOK)
	fill := strings.NewReplacer("{integration}", h.Bridge.All()[0].ID, "{ca}", furnish(t, h), "{thing}", "pump", "{id}", string(certs[0].ID), "{name}", "p", "{$}", "", "{bucket}", "plants")
	skip := []string{"GET /console/stream", "GET /console/stream/check", "GET /console/why/stream", "GET /console/overview/stream", "GET /console/imports/{id}", "GET /console/imports/{id}/report", "GET /console/tasks/{id}", "GET /console/buckets/{bucket}/object", "GET /console/buckets/{bucket}/download"}
	for _, r := range routes() {
		method, path, _ := strings.Cut(fill.Replace(r.pattern), " ")
		if method != http.MethodGet || slices.Contains(skip, r.pattern) {
			continue
		}
		t.Run(r.pattern, func(t *testing.T) {
			query := "?" + url.Values{"q": {hostile}, "client": {hostile}, "back": {hostile}, "topic": {hostile}, "filter": {hostile}, "thing": {"pump"}, "id": {hostile}}.Encode()
			answer, body := b.do(t, b.request(t, http.MethodGet, path+query, nil), http.StatusOK)
			if got := answer.Header.Get("Content-Security-Policy"); got != contentPolicy {
				t.Errorf("the policy is %q", got)
			}
			if strings.Contains(body, "<img") {
				t.Errorf("the page has a stranger's markup:\n%s", body)
			}
			if twice := repeated(identifiers.FindAllString(body, -1)); twice != "" {
				t.Errorf("the page has %s twice", twice)
			}
			if found := inline.FindString(body); found != "" {
				t.Errorf("the page has %q", found)
			}
		})
	}
}

func TestAssetsAreKeptAndCarryTheirLicence(t *testing.T) {
	h := open(t)
	b := h.browser(t)
	for _, name := range []string{"console.css", "console.js", "stream.js", "icon.svg", "vendor/htmx.min.js", "vendor/htmx.LICENSE", "vendor/uplot.min.js", "vendor/uplot.LICENSE"} {
		answer, body := b.do(t, b.request(t, http.MethodGet, "/console/assets/"+name, nil), http.StatusOK)
		if answer.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || body == "" {
			t.Errorf("%s: %v", name, answer.Header)
		}
	}
}
