package console

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"html"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/pki"
	"thingd/internal/registry"
)

// signer is a CA of somebody's own.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newCA(t *testing.T) signer {
	t.Helper()
	s := signer{cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "My <b>CA</b>"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(10 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	var err error
	s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	s.pem = s.sign(t, s.cert, &s.key.PublicKey)
	return s
}

// issue signs a certificate for a fresh key.
func (s signer) issue(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return s.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, &key.PublicKey)
}

func (s signer) sign(t *testing.T, template *x509.Certificate, public *ecdsa.PublicKey) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, s.cert, public, s.key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// request is a certificate signing request for a fresh key.
func request(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "mine"}}, key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// theCertificate is the only one that there is.
func (h *house) theCertificate(t *testing.T) pki.Certificate {
	t.Helper()
	list, _, err := h.PKI.List(t.Context(), pki.Page{})
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("there are %d certificates", len(list))
	}
	cert, err := h.PKI.Describe(t.Context(), list[0].ID)
	must(t, err)
	return cert
}

func TestACertificateIsIssuedForARequest(t *testing.T) {
	h := open(t)
	b := h.root(t)
	b.post(t, "/console/certificates/csr", url.Values{"csr": {request(t)}, "active": {"yes"}}, http.StatusOK)
	if got := h.theCertificate(t); got.Status != pki.Active || !strings.Contains(subjectOf(got.PEM), "mine") {
		t.Errorf("the certificate is %s of %s", got.Status, subjectOf(got.PEM))
	}
	body := b.post(t, "/console/certificates/csr", url.Values{"csr": {"nonsense"}}, http.StatusBadRequest)
	has(t, body, `class="problem"`, "nonsense</textarea>")
}

func TestCertificatesAreRegistered(t *testing.T) {
	h := open(t)
	b := h.root(t)
	ca := newCA(t)
	text := ca.issue(t, "device") + ca.pem // byte for byte
	b.post(t, "/console/certificates/register", url.Values{"pem": {text}, "kind": {"ca"}}, http.StatusBadRequest)
	b.post(t, "/console/certificates/register", url.Values{"pem": {text}, "kind": {"alone"}}, http.StatusOK)
	got := h.theCertificate(t)
	if diff := cmp.Diff(text, got.PEM); diff != "" || got.Status != pki.Inactive {
		t.Errorf("it is %s; its text (-want +got):\n%s", got.Status, diff)
	}
	has(t, b.get(t, "/console/certificates/"+string(got.ID), http.StatusOK), "expires soon", "CN=device")
	has(t, b.get(t, "/console/certificates", http.StatusOK), "expires soon")
	answer, file := b.do(t, b.request(t, http.MethodGet, "/console/certificates/"+string(got.ID)+"/file", nil), http.StatusOK)
	if name := answer.Header.Get("Content-Disposition"); file != text || name != `attachment; filename="`+string(got.ID)+`-certificate.pem.crt"` {
		t.Errorf("the file %s is\n%s", name, file)
	}
	has(t, b.post(t, "/console/certificates/"+string(got.ID)+"/transfer", url.Values{"do": {"offer"}, "account": {"999999999999"}}, http.StatusNotFound), "does not exist on this server")
}

func TestACAIsRegisteredWithItsProof(t *testing.T) {
	h := open(t)
	b := h.root(t)
	has(t, b.get(t, "/console/cas", http.StatusOK), "No CA is registered.")
	code, err := h.PKI.RegistrationCode(t.Context())
	must(t, err)
	has(t, b.get(t, "/console/newca", http.StatusOK), "/CN="+code)
	ca := newCA(t)
	form := func(proof string) url.Values {
		return url.Values{"pem": {ca.pem}, "proof": {proof}, "mode": {"DEFAULT"}, "active": {"yes"}, "automatic": {"yes"}}
	}
	body := b.post(t, "/console/cas", form(ca.issue(t, "another code")), http.StatusBadRequest)
	has(t, body, `class="problem"`, code)
	b.post(t, "/console/cas", form(ca.issue(t, code)), http.StatusOK)
	cas, _, err := h.PKI.ListCAs(t.Context(), "", pki.Page{})
	must(t, err)
	path := authorityPath(cas[0].ID)
	has(t, b.get(t, "/console/cas", http.StatusOK), path, html.EscapeString(subjectOf(ca.pem)))

	b.post(t, "/console/certificates/register", url.Values{"pem": {ca.issue(t, "device")}, "kind": {"ca"}, "active": {"yes"}}, http.StatusOK)
	has(t, b.get(t, path, http.StatusOK), "/console/certificates/"+string(h.theCertificate(t).ID))
	b.post(t, path+"/registration", url.Values{"template": {"fleet"}, "automatic": {"yes"}}, http.StatusOK)
	got, err := h.PKI.DescribeCA(t.Context(), cas[0].ID)
	must(t, err)
	if diff := cmp.Diff(pki.Registration{TemplateName: "fleet"}, got.Registration); diff != "" || !got.AutoRegistration {
		t.Errorf("automatic is %v, the template (-want +got):\n%s", got.AutoRegistration, diff)
	}
	b.post(t, path+"/registration", url.Values{}, http.StatusOK)
	b.post(t, path+"/delete", url.Values{}, http.StatusBadRequest) // it is active
	b.post(t, path+"/status", url.Values{"to": {"INACTIVE"}}, http.StatusOK)
	got, err = h.PKI.DescribeCA(t.Context(), cas[0].ID)
	must(t, err)
	if got.Registration != (pki.Registration{}) || got.AutoRegistration || got.Active {
		t.Errorf("the CA is %+v", got)
	}
	b.get(t, path+"/file", http.StatusOK)
	b.post(t, path+"/delete", url.Values{}, http.StatusOK)
	b.get(t, path, http.StatusNotFound)
}

func TestFormAndJSONTurnIntoEachOtherWithoutLoss(t *testing.T) {
	documents := map[string]string{
		"several actions":         `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"*"}]}`,
		"one statement":           `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`,
		"a list of one":           `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:*"],"Resource":["*"]}]}`,
		"conditions and names":    `{"Id":"x","Version":"2008-10-17","Statement":[{"Sid":"a","Resource":"*","Effect":"Deny","Action":"iot:*","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":["false"]}}}]}`,
		"not this":                `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iot:Connect","NotResource":["a","b"]},{"Effect":"Deny","Action":"iot:*","Resource":"*"}]}`,
		"a comma in a topic":      `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/a,b"}]}`,
		"a name that is unknown":  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Extra":1}]}`,
		"a name that comes twice": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Effect":"Deny","Action":"iot:*","Resource":"*"}]}`,
	}
	h := open(t)
	b := h.root(t)
	for name, document := range documents {
		t.Run(name, func(t *testing.T) {
			page := b.post(t, "/console/policies", url.Values{"as": {"json"}, "document": {document}, "do": {"turn"}}, http.StatusOK)
			form := formOf(page)
			if form.Get("as") != "form" {
				t.Fatalf("the page is no form:\n%s", page)
			}
			form.Set("do", "turn")
			page = b.post(t, "/console/policies", form, http.StatusOK)
			_, text, _ := strings.Cut(page, `class="code tall" spellcheck="false">`)
			text, _, _ = strings.Cut(text, "</textarea>")
			if diff := cmp.Diff(pretty([]byte(document)), html.UnescapeString(text)); diff != "" {
				t.Errorf("after the way to the form and back (-want +got):\n%s", diff)
			}
		})
	}
	if strings.Contains(h.log.String(), "POST /console/policies") {
		t.Error("turning a form is in the log of changes")
	}
}

func TestAnEditedRowKeepsWhatItHasNoFieldFor(t *testing.T) {
	raw := `{"Sid":"a","Resource":"*","Effect":"Deny","Action":"iot:*","Condition":{"Bool":{"x":"true"}}}`
	edited := rowOf([]byte(raw))
	edited.Action = "iot:Publish, iot:Receive"
	want := `{"Sid":"a","Resource":"*","Effect":"Deny","Action":["iot:Publish","iot:Receive"],"Condition":{"Bool":{"x":"true"}}}`
	if diff := cmp.Diff(want, string(edited.json())); diff != "" {
		t.Errorf("the statement (-want +got):\n%s", diff)
	}
}

// formOf reads the fields of the main form of a page as a browser would.
func formOf(page string) url.Values {
	form := url.Values{}
	_, page, _ = strings.Cut(page, `<main`)
	for _, part := range strings.Split(page, "<")[1:] {
		tag, _, _ := strings.Cut(part, ">")
		name := attribute(tag, "name")
		switch {
		case name == "" || name == "csrf":
		case strings.HasPrefix(tag, "input"):
			form.Add(name, attribute(tag, "value"))
		case strings.HasPrefix(tag, "select"):
			form.Add(name, "Allow")
			if _, rest, ok := strings.Cut(page, part); ok && strings.Contains(rest[:min(len(rest), 80)], `<option selected>Deny`) {
				form[name][len(form[name])-1] = "Deny"
			}
		}
	}
	return form
}

func attribute(tag, name string) string {
	_, value, ok := strings.Cut(tag, " "+name+`="`)
	if !ok {
		return ""
	}
	value, _, _ = strings.Cut(value, `"`)
	return html.UnescapeString(value)
}

func TestMistakesInAPolicyAreShownWhereTheyAre(t *testing.T) {
	h := open(t)
	b := h.root(t)
	tests := []struct{ name, document, place string }{
		{"no JSON", "{\n  \"Version\": \"2012-10-17\",\n  \"é\" oops\n}", "Line 3, column 7:"},
		{"cut off", "{", "Line 1, column 1:"},
		{"a statement", "{\"Version\":\"2012-10-17\",\n\"Statement\":[\n{\"Effect\":\"Allow\",\"Action\":\"iot:*\",\"Resource\":\"*\"},\n  {\"Effect\":\"Maybe\",\"Action\":\"iot:*\",\"Resource\":\"*\"}]}", "Line 4, column 3:"},
		{"the only statement", "{\"Version\":\"2012-10-17\",\n\"Statement\": {\"Effect\":\"Allow\"}}", "Line 2, column 14:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form := url.Values{"name": {"p"}, "as": {"json"}, "document": {strings.ReplaceAll(tt.document, "\n", "\r\n")}, "do": {"create"}}
			has(t, b.post(t, "/console/policies", form, http.StatusBadRequest), tt.place, `data-at="document"`)
		})
	}
}

func TestVersionsOfAPolicyAreCompared(t *testing.T) {
	h := open(t)
	b := h.root(t)
	form := func(action string) url.Values {
		return url.Values{"name": {"p"}, "as": {"form"}, "effect": {"Allow"}, "action": {action}, "resource": {"*"}}
	}
	b.post(t, "/console/policies", form("iot:Connect"), http.StatusOK)
	b.post(t, "/console/policies/p/versions", form("iot:Publish"), http.StatusOK)
	body := b.get(t, "/console/policies/p/compare?a=1&b=2", http.StatusOK)
	has(t, body, "<del>-       &#34;Action&#34;: &#34;iot:Connect&#34;", "<ins>+       &#34;Action&#34;: &#34;iot:Publish&#34;")
	lacks(t, b.get(t, "/console/policies/p/compare?a=1&b=1", http.StatusOK), "<del>")
	lacks(t, b.get(t, "/console/policies/p/compare?a=7&b=nonsense", http.StatusOK), "iot:Connect")
}

func TestTheSimulatorSaysWhatDecides(t *testing.T) {
	h := open(t)
	b := h.root(t)
	_, err := h.Registry.CreateThing(t.Context(), registry.NewThing{Name: "pump"})
	must(t, err)
	has(t, b.get(t, "/console/simulator?thing=pump&action=iot:Connect", http.StatusBadRequest), "has no certificate")
	cert, _, err := h.PKI.CreateKeys(t.Context(), pki.Order{})
	must(t, err)
	must(t, h.Registry.AttachThingPrincipal(t.Context(), "pump", h.PKI.ARN(cert.ID), false))
	_, err = h.Access.CreatePolicy(t.Context(), "mine", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
		{"Sid":"own","Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:123456789012:topic/data/${iot:Connection.Thing.ThingName}"}]}`, nil)
	must(t, err)
	has(t, b.get(t, "/console/simulator?thing=pump&action=iot:Connect", http.StatusOK), ">denied<", "The certificate is INACTIVE", "No policy is attached")
	must(t, h.Access.AttachPolicy(t.Context(), "mine", h.PKI.ARN(cert.ID)))
	must(t, h.PKI.SetStatus(t.Context(), cert.ID, pki.Active))
	body := b.get(t, "/console/simulator?thing=pump&action=iot:Publish&name=data/pump", http.StatusOK)
	has(t, body, ">allowed<", "statement 2", "topic/data/${iot:Connection.Thing.ThingName}</code> → <code>arn:aws:iot:us-east-1:123456789012:topic/data/pump</code>")
	lacks(t, body, "The certificate is INACTIVE")
	has(t, b.get(t, "/console/simulator?thing=pump&action=iot:Publish&name=data/other", http.StatusOK), ">denied<")
	has(t, b.get(t, "/console/simulator?certificate="+url.QueryEscape(h.PKI.ARN(cert.ID))+"&client=other&action=iot:Publish&name=data/pump", http.StatusOK), ">denied<", "has no value")
	b.get(t, "/console/simulator?certificate="+string(cert.ID)+"&action=nonsense", http.StatusBadRequest)
	b.get(t, "/console/simulator?certificate=nonsense&action=iot:Connect", http.StatusNotFound)
	b.get(t, "/console/simulator?certificate="+string(cert.ID)+"&action=iot:Publish", http.StatusBadRequest)
}

func TestDifferencesAreWhatHasChanged(t *testing.T) {
	tests := []struct{ name, before, after, want string }{
		{"nothing", "a\nb", "a\nb", " a b"},
		{"a line in the middle", "a\nb\nc", "a\nx\nc", " a-b+x c"},
		{"added at the end", "a", "a\nb", " a+b"},
		{"removed at the start", "a\nb", "b", "-a b"},
		{"moved", "a\nb\nc", "c\na\nb", "+c a b-c"},
		{"all", "a", "b", "-a+b"},
		{"of nothing", "", "a\nb", "+a+b"},
		{"to nothing", "a", "", "-a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, d := range differences(tt.before, tt.after) {
				got += d.Sign + d.Text
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	long := strings.Repeat("a\n", 3000)
	if got := differences("x\n"+long+"x", "y\n"+strings.Repeat("b\n", 3000)+"y"); len(got) != 6004 {
		t.Errorf("%d lines", len(got))
	}
}
