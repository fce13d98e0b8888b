package console

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"thingd/internal/audit"
	"thingd/internal/authorizer"
	"thingd/internal/registry"
	"thingd/internal/settings"
)

func TestTheLastKeyOfTheRootStays(t *testing.T) {
	h := open(t)
	b := h.root(t)
	first, err := h.IAM.RootKey(t.Context())
	must(t, err)
	for _, to := range []string{"off", "deleted"} {
		b.post(t, "/console/settings/key", url.Values{"key": {first.ID}, "to": {to}}, http.StatusBadRequest)
	}
	body := b.post(t, "/console/settings/keys", url.Values{}, http.StatusOK)
	keys, err := h.IAM.AccessKeys(t.Context(), "")
	must(t, err)
	second := keys[0].ID
	if second == first.ID {
		second = keys[1].ID
	}
	if !strings.Contains(body, second) || !strings.Contains(body, "aws_secret_access_key = ") {
		t.Errorf("the new key is not shown:\n%s", body)
	}
	if strings.Contains(b.get(t, "/console/settings/keys", http.StatusOK), "aws_secret_access_key") {
		t.Error("a secret is shown again")
	}
	b.post(t, "/console/settings/key", url.Values{"key": {second}, "to": {"off"}}, http.StatusOK)
	b.post(t, "/console/settings/key", url.Values{"key": {first.ID}, "to": {"off"}}, http.StatusBadRequest)
	b.post(t, "/console/settings/key", url.Values{"key": {second}, "to": {"deleted"}}, http.StatusOK)
}

func TestLogLevelsAreSet(t *testing.T) {
	h := open(t)
	b := h.root(t)
	target := url.Values{"type": {"CLIENT_ID"}, "name": {"pump"}, "level": {"DEBUG"}}
	b.post(t, "/console/settings/logging/target", target, http.StatusBadRequest) // no default yet
	b.post(t, "/console/settings/logging", url.Values{"level": {"ERROR"}}, http.StatusOK)
	if body := b.post(t, "/console/settings/logging/target", target, http.StatusOK); !strings.Contains(body, "pump") {
		t.Errorf("the target is not listed:\n%s", body)
	}
	if got := h.Settings.Level(settings.Facts{ClientID: "pump"}); got != settings.Debug.Slog() {
		t.Errorf("of the pump %v is logged", got)
	}
	target.Set("delete", "yes")
	b.post(t, "/console/settings/logging/target", target, http.StatusOK)
	if got := h.Settings.Level(settings.Facts{ClientID: "pump"}); got != settings.Error.Slog() {
		t.Errorf("of the pump %v is logged", got)
	}
}

func TestEventsAreSwitched(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/settings/events", url.Values{"on": {"THING", "JOB"}}, http.StatusOK)
	all, err := h.Registry.EventConfigurations(t.Context())
	must(t, err)
	if !all.Enabled[registry.EventThing] || !all.Enabled[registry.EventJob] || all.Enabled[registry.EventThingType] {
		t.Errorf("enabled are %v", all.Enabled)
	}
}

func TestADomainConfigurationLives(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/settings/domains", url.Values{"name": {"factory"}}, http.StatusBadRequest)
	b.post(t, "/console/settings/domains", url.Values{"name": {"factory"}, "domain": {"factory.example.com"}, "authentication": {"AWS_X509"}, "protocol": {"SECURE_MQTT"}}, http.StatusOK)
	found, ok := h.Authorizers.DomainOf("factory.example.com")
	if !ok || found.AuthenticationType != authorizer.ByCertificate || found.ApplicationProtocol != authorizer.SecureMQTT {
		t.Errorf("the domain is %+v", found)
	}
	b.post(t, "/console/settings/domain", url.Values{"name": {"factory"}, "to": {"deleted"}}, http.StatusBadRequest) // still enabled
	b.post(t, "/console/settings/domain", url.Values{"name": {"factory"}, "to": {"DISABLED"}}, http.StatusOK)
	b.post(t, "/console/settings/domain", url.Values{"name": {"factory"}, "to": {"deleted"}}, http.StatusOK)
}

func TestTheAuditLogSaysWhoDidWhat(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/buckets", url.Values{"name": {"plants"}}, http.StatusOK)
	u := h.user(t, "alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:List*","Resource":"*"}}`)
	u.post(t, "/console/buckets", url.Values{"name": {"weeds"}}, http.StatusForbidden)
	b.post(t, "/console/sqlcheck", url.Values{"sql": {"SELECT 1"}, "version": {"2016-03-23"}}, http.StatusOK)
	entries, _, err := h.Audit.Recent(t.Context(), audit.Query{})
	must(t, err)
	type deed struct{ who, what, bucket, refused string }
	var got []deed
	for _, e := range entries {
		got = append(got, deed{e.Who[strings.LastIndexByte(e.Who, ':')+1:], e.Deed, e.About["bucket"], map[bool]string{true: "refused"}[e.Problem != ""]})
	}
	want := []deed{{"user/alice", "POST /console/buckets", "weeds", "refused"}, {"root", "POST /console/buckets", "plants", ""}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("the log has %v, want %v", got, want)
	}
	if body := b.get(t, "/console/audit?who=arn:aws:iam::123456789012:user/alice", http.StatusOK); !strings.Contains(body, "weeds") || strings.Contains(body, "plants") {
		t.Errorf("alice's deeds are:\n%s", body)
	}
}

// Each entry says which resource it is about and leads to its page, whichever door
// the change came through; a refused form is no change.
func TestTheAuditLogIsSearchedByResource(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/things", url.Values{"name": {"Pump_7"}, "certificate": {"none"}}, http.StatusOK)
	b.post(t, "/console/things/Pump_7/attributes", url.Values{"key": {"a"}, "value": {"b"}}, http.StatusOK)
	b.post(t, "/console/rules", url.Values{"name": {"r1"}, "sql": {"SELECT"}}, http.StatusBadRequest)
	h.Audit.Record(audit.Entry{Who: "api", Door: audit.API, Deed: "iot:AttachPolicy", About: map[string]string{
		"requestId": "r-1", "policy": "p1", "target": h.Scope.IoT("cert", strings.Repeat("a", 64)), "principal": "arn:aws:iot:us-east-1:999999999999:cert/other", "index": "AWS_Things",
	}})
	tests := map[string]struct{ has, lacks []string }{
		"pump_7": {[]string{`href="/console/things/Pump_7"`, "/attributes"}, []string{"iot:AttachPolicy", "POST /console/rules"}},
		"r1":     {[]string{`href="/console/rules/r1"`, "status bad"}, []string{"Pump_7"}},
		"cert/a": {[]string{`href="/console/policies/p1"`, `href="/console/certificates/` + strings.Repeat("a", 64), `<span class="mono">arn:aws:iot:us-east-1:999999999999:cert/other`}, []string{"Pump_7"}},
		"r-1":    {[]string{"iot:AttachPolicy"}, nil},
		"nobody": {[]string{"Nothing of the kind"}, []string{"<tbody>"}},
	}
	for search, tt := range tests {
		body := b.get(t, "/console/audit?"+url.Values{"about": {search}}.Encode(), http.StatusOK)
		for _, text := range tt.has {
			if !strings.Contains(body, text) {
				t.Errorf("%q does not find %s", search, text)
			}
		}
		for _, text := range tt.lacks {
			if strings.Contains(body, text) {
				t.Errorf("%q finds %s", search, text)
			}
		}
	}
}

// importOf uploads a manifest as the page's script does, and gives the address of
// its page.
func importOf(t *testing.T, b *browser, file string, fields map[string]string, want int) string {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		must(t, form.WriteField(name, value))
	}
	part, err := form.CreateFormFile("file", "devices.txt")
	must(t, err)
	_, err = part.Write([]byte(file))
	must(t, err)
	must(t, form.Close())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.h.URL+"/console/imports", &body)
	must(t, err)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("X-CSRF-Token", b.token(t))
	r.Header.Set("Accept", "application/json")
	answer, _ := b.do(t, r, want)
	return answer.Header.Get("Location")
}

// selfSigned makes a certificate in PEM.
func selfSigned(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	wanted := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, wanted, key.Public(), key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestAManifestIsImportedAndReported(t *testing.T) {
	h := open(t)
	b := h.root(t)
	manifest := base64.StdEncoding.EncodeToString(selfSigned(t, "pump9")) + "\nnonsense\n"
	importOf(t, b, manifest, map[string]string{"format": "nosuch"}, http.StatusBadRequest)
	page := importOf(t, b, manifest, map[string]string{"format": "generated"}, http.StatusCreated)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	body := ""
	for !strings.Contains(body, "Completed") {
		if ctx.Err() != nil {
			t.Fatalf("the import does not end:\n%s", body)
		}
		time.Sleep(20 * time.Millisecond)
		body = b.get(t, page, http.StatusOK)
	}
	report := b.get(t, page+"/report", http.StatusOK)
	if n := strings.Count(report, "\n"); n != 2 || !strings.Contains(report, `"result":"failed"`) {
		t.Errorf("the report is\n%s", report)
	}
	if failed := b.get(t, page+"/report?only=failed", http.StatusOK); strings.Count(failed, "\n") != 1 {
		t.Errorf("the failed ones are\n%s", failed)
	}
	if list := b.get(t, "/console/imports", http.StatusOK); !strings.Contains(list, "devices.txt") {
		t.Errorf("the list lacks the import:\n%s", list)
	}
	b.post(t, page+"/end", url.Values{"to": {"deleted"}}, http.StatusOK)
	b.get(t, page, http.StatusNotFound)
}
