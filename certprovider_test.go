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
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
	"thingd/internal/pki"
)

const signerFunction = "arn:aws:lambda:us-east-1:123456789012:function:signer"

// signer is a webhook that stands for a certificate provider's function: a CA of
// somebody's own.
type signer struct {
	t     *testing.T
	key   *ecdsa.PrivateKey
	ca    *x509.Certificate
	event atomic.Value // the last that came, as any
	mood  atomic.Value // how it answers, a key of moods
	last  atomic.Value // the PEM of the last good answer
	n     atomic.Int64
}

func newSigner(t *testing.T) *signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a CA of somebody's own"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	ca, err := x509.ParseCertificate(der)
	must(t, err)
	s := &signer{t: t, key: key, ca: ca}
	s.mood.Store("good")
	return s
}

// sign gives a certificate for a key, with the CA's after it.
func (s *signer) sign(key any, end time.Time) string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1 + s.n.Add(1)), Subject: pkix.Name{CommonName: "signed elsewhere"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, s.ca, key, s.key)
	if err != nil {
		s.t.Error(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return string(append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ca.Raw})...))
}

// moods are the ways to answer; each gives the certificatePem.
var moods = map[string]func(s *signer, key any) string{
	"good":            func(s *signer, key any) string { return s.sign(key, time.Now().Add(time.Hour)) },
	"expired":         func(s *signer, key any) string { return s.sign(key, time.Now().Add(-time.Minute)) },
	"for another key": func(s *signer, _ any) string { return s.sign(s.key.Public(), time.Now().Add(time.Hour)) },
	"no certificate":  func(*signer, any) string { return "-----BEGIN CERTIFICATE-----" },
	"nothing":         func(*signer, any) string { return "" },
}

func (s *signer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var event map[string]any
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		s.t.Error(err)
	}
	s.event.Store(event)
	mood := s.mood.Load().(string)
	answer, ok := moods[mood]
	if !ok {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	block, _ := pem.Decode([]byte(event["certificateSigningRequest"].(string)))
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		s.t.Error(err)
	}
	text := answer(s, request.PublicKey)
	if mood == "good" {
		s.last.Store(text)
	}
	if err := json.NewEncoder(w).Encode(map[string]string{"certificatePem": text}); err != nil {
		s.t.Error(err)
	}
}

// provided starts a server whose certificates for signing requests come from a
// signer.
func provided(t *testing.T) (*caller, *signer) {
	t.Helper()
	s := newSigner(t)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	c := newCaller(t, func(c *Config) { c.Functions = map[string]string{signerFunction: web.URL} })
	c.must(t, `CreateCertificateProvider {"certificateProviderName":"theirs","lambdaFunctionArn":"`+signerFunction+`","accountDefaultForOperations":["CreateCertificateFromCsr"]}`)
	return c, s
}

// TestCertificateProviderSignsForTheAPI: CreateCertificateFromCsr asks it, with
// who calls, and keeps and tells what it says byte for byte.
func TestCertificateProviderSignsForTheAPI(t *testing.T) {
	c, s := provided(t)
	_, request := signingRequest(t)
	out := c.must(t, `CreateCertificateFromCsr {"setAsActive":true,"certificateSigningRequest":`+quote(request)+`}`)
	if got, want := out.members["CertificatePem"], s.last.Load(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	want := map[string]any{"certificateSigningRequest": request, "principalId": "123456789012", "clientId": ""}
	if diff := cmp.Diff(want, s.event.Load()); diff != "" {
		t.Errorf("the function was told (-want +got):\n%s", diff)
	}
	kept := c.must(t, `DescribeCertificate {"certificateId":"`+out.members["CertificateId"].(string)+`"}`).members["CertificateDescription"].(map[string]any)
	if kept["CertificatePem"] != s.last.Load() || kept["Status"] != "ACTIVE" || kept["CertificateMode"] != "DEFAULT" {
		t.Errorf("kept is %v", kept)
	}
	c.must(t, `DeleteCertificateProvider {"certificateProviderName":"theirs"}`)
	out = c.must(t, `CreateCertificateFromCsr {"certificateSigningRequest":`+quote(request)+`}`)
	if strings.Contains(out.members["CertificatePem"].(string), s.last.Load().(string)) || issuerOf(t, out.members["CertificatePem"].(string)) == s.ca.Subject.CommonName {
		t.Error("the provider is gone and signs all the same")
	}
}

func issuerOf(t *testing.T, text string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	return cert.Issuer.CommonName
}

// TestCertificateProviderIsChecked: what it gives is refused where no device
// could use it, and nothing is kept.
func TestCertificateProviderIsChecked(t *testing.T) {
	c, s := provided(t)
	_, request := signingRequest(t)
	for _, mood := range []string{"expired", "for another key", "no certificate", "nothing", "out of order"} {
		t.Run(mood, func(t *testing.T) {
			s.mood.Store(mood)
			_, err := c.call(`CreateCertificateFromCsr {"certificateSigningRequest":` + quote(request) + `}`)
			if got := exception(err); got != "503 ServiceUnavailableException" {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a request that is none does not reach it", func(t *testing.T) {
		s.event.Store(map[string]any{})
		_, err := c.call(`CreateCertificateFromCsr {"certificateSigningRequest":"-----BEGIN CERTIFICATE REQUEST-----\n"}`)
		if got := exception(err); got != "400 InvalidRequestException" || len(s.event.Load().(map[string]any)) > 0 {
			t.Errorf("got %v", err)
		}
	})
	if list := c.must(t, "ListCertificates").members["Certificates"].([]any); len(list) > 0 {
		t.Errorf("kept: %v", list)
	}
}

// TestCertificateProviderSignsForFleets: a device with a claim certificate gets
// the provider's certificate over MQTT, and connects with it once it is ACTIVE.
func TestCertificateProviderSignsForFleets(t *testing.T) {
	c, s := provided(t)
	claim := c.h.device(t, everything)
	fleet := small{c.h.connected(t, claim, mqtt.V4, mqtt.Connect{ClientID: "claimant", CleanStart: true}), 16 << 10}
	key, request := signingRequest(t)
	ask := func() (bool, map[string]any) {
		return fleet.call(t, "$aws/certificates/create-from-csr/cbor", writePairs(false, writeText("certificateSigningRequest"), writeText(request)))
	}
	s.mood.Store("out of order")
	want := map[string]any{"statusCode": 503, "errorCode": "ServiceUnavailable", "errorMessage": "The certificate could not be issued; try again later."}
	if accepted, answer := ask(); accepted || !cmp.Equal(want, answer) {
		t.Errorf("out of order, the answer is %v", answer)
	}
	s.mood.Store("good")
	accepted, made := ask()
	if !accepted || made["certificatePem"] != s.last.Load() {
		t.Fatalf("the answer is %v", made)
	}
	if diff := cmp.Diff(map[string]any{"certificateSigningRequest": request, "principalId": string(claim.id), "clientId": "claimant"}, s.event.Load()); diff != "" {
		t.Errorf("the function was told (-want +got):\n%s", diff)
	}
	id := pki.CertificateID(made["certificateId"].(string))
	c.must(t, `CreatePolicy {"policyName":"all","policyDocument":`+quote(everything)+`}`)
	c.must(t, `AttachPolicy {"policyName":"all","target":"`+c.h.pki.ARN(id)+`"}`)
	c.must(t, `UpdateCertificate {"certificateId":"`+string(id)+`","newStatus":"ACTIVE"}`)
	block, _ := pem.Decode([]byte(made["certificatePem"].(string)))
	leaf, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	c.h.connected(t, device{Certificate: tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key, Leaf: leaf}, id: id}, mqtt.V4, mqtt.Connect{ClientID: "new", CleanStart: true})
}

// TestCertificateProviderGivesNobodysCertificateTwice: a provider that gives a
// certificate which is registered already does not make it the asker's.
func TestCertificateProviderGivesNobodysCertificateTwice(t *testing.T) {
	var text string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"certificatePem": text})
	}))
	t.Cleanup(web.Close)
	c := newCaller(t, func(c *Config) { c.Functions = map[string]string{signerFunction: web.URL} })
	c.must(t, `CreateCertificateProvider {"certificateProviderName":"theirs","lambdaFunctionArn":"`+signerFunction+`:live","accountDefaultForOperations":["CreateCertificateFromCsr"]}`)
	key, request := signingRequest(t)
	text = newSigner(t).sign(key.Public(), time.Now().Add(time.Hour))
	first := c.must(t, `CreateCertificateFromCsr {"certificateSigningRequest":`+quote(request)+`}`)
	c.must(t, `UpdateCertificate {"certificateId":"`+first.members["CertificateId"].(string)+`","newStatus":"REVOKED"}`)
	_, err := c.call(`CreateCertificateFromCsr {"setAsActive":true,"certificateSigningRequest":` + quote(request) + `}`)
	if got := exception(err); got != "409 ResourceAlreadyExistsException" {
		t.Errorf("got %v", err)
	}
	claim := c.h.device(t, everything)
	fleet := small{c.h.connected(t, claim, mqtt.V4, mqtt.Connect{ClientID: "claimant", CleanStart: true}), 16 << 10}
	if accepted, answer := fleet.call(t, "$aws/certificates/create-from-csr/cbor", writePairs(false, writeText("certificateSigningRequest"), writeText(request))); accepted {
		t.Errorf("over MQTT the answer is %v", answer)
	}
	kept := c.must(t, `DescribeCertificate {"certificateId":"`+first.members["CertificateId"].(string)+`"}`).members["CertificateDescription"].(map[string]any)
	if kept["Status"] != "REVOKED" {
		t.Errorf("the certificate became %v", kept["Status"])
	}
}
