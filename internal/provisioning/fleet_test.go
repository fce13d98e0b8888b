package provisioning_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"thingd/internal/message"
	"thingd/internal/pki"
	"thingd/internal/policy"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
)

const (
	create    = "$aws/certificates/create/json"
	fromCSR   = "$aws/certificates/create-from-csr/json"
	provision = "$aws/provisioning-templates/fleet/provision/json"
)

// certificate has a certificate made from a request and gives its ID and token.
func (d *device) certificate() (id pki.CertificateID, token string) {
	d.h.t.Helper()
	suffix, got := d.ask(fromCSR, object(d.h.t, map[string]string{"certificateSigningRequest": csr(d.h.t, d.id)}))
	if suffix != "/accepted" {
		d.h.t.Fatalf("%s: %v", suffix, got)
	}
	return pki.CertificateID(got["certificateId"].(string)), got["certificateOwnershipToken"].(string)
}

// using is the payload of RegisterThing.
func using(t testing.TB, token string, parameters map[string]string) string {
	return object(t, map[string]any{"certificateOwnershipToken": token, "parameters": parameters})
}

func TestDeviceGetsKeysCertificateAndThing(t *testing.T) {
	h := newHouse(t)
	h.template("fleet", fleet, provisioning.Hook{})
	d := h.device("claimant")

	suffix, made := d.ask(create, "")
	same(t, "/accepted", suffix)
	id, token := pki.CertificateID(made["certificateId"].(string)), made["certificateOwnershipToken"].(string)
	if _, err := tls.X509KeyPair([]byte(made["certificatePem"].(string)), []byte(made["privateKey"].(string))); err != nil {
		t.Errorf("certificate and key: %v", err)
	}
	if len(token) >= 512 {
		t.Errorf("the token has %d characters", len(token))
	}
	cert, err := h.pki.Describe(t.Context(), id)
	must(t, err)
	same(t, pki.PendingActivation, cert.Status)

	d.expect(provision, using(t, token, map[string]string{"SerialNumber": "A17", "AWS::IoT::Certificate::Id": strings.Repeat("0", 64)}), "/accepted",
		map[string]any{"thingName": "dev-A17", "deviceConfiguration": map[string]any{"Interval": 60.0, "Url": "https://A17.example.net"}})

	cert, err = h.pki.Describe(t.Context(), id)
	must(t, err)
	same(t, pki.Active, cert.Status)
	thing, err := h.registry.Thing(t.Context(), "dev-A17")
	must(t, err)
	same(t, map[string]string{"serial": "A17"}, thing.Attributes)
	links, _, err := h.registry.PrincipalThings(t.Context(), h.pki.ARN(id), nil, registry.Page{})
	must(t, err)
	same(t, []registry.Link{{Thing: "dev-A17", Principal: h.pki.ARN(id)}}, links)
	attached, _, err := h.access.AttachedPolicies(t.Context(), h.pki.ARN(id), false, false, registry.Page{})
	must(t, err)
	if len(attached) != 1 || len(attached[0].Name) != 40 || strings.ToUpper(attached[0].Name) != attached[0].Name {
		t.Errorf("attached %v, want one policy named by 40 upper-case hex digits", attached)
	}

	d.expect(provision, using(t, token, nil), "/rejected", refused(400, "InvalidCertificateOwnershipToken", "Certificate ownership token is invalid or was used."))
}

func TestDevicesAreToldWhatIsWrong(t *testing.T) {
	h := newHouse(t)
	h.template("fleet", fleet, provisioning.Hook{})
	h.template("off", fleet, provisioning.Hook{})
	must(t, h.UpdateTemplate(t.Context(), "off", provisioning.TemplateUpdate{Enabled: new(bool)}))
	h.template("poor", strings.Replace(fleet, `"AttributePayload"`, `"ThingGroups":["none"],"AttributePayload"`, 1), provisioning.Hook{})
	h.template("foreign", strings.Replace(fleet, `{"Ref":"AWS::IoT::Certificate::Id"}`, `{"Ref":"SerialNumber"}`, 1), provisioning.Hook{})
	d := h.device("claimant")
	_, token := d.certificate()
	at := func(template string) string { return "$aws/provisioning-templates/" + template + "/provision/json" }
	a17 := map[string]string{"SerialNumber": "A17"}

	for name, tc := range map[string]struct {
		topic, payload string
		want           map[string]any
	}{
		"no token":            {provision, `{}`, refused(400, "InvalidCertificateOwnershipToken", "Certificate ownership token cannot be empty.")},
		"another's token":     {provision, using(t, "x", a17), refused(400, "InvalidCertificateOwnershipToken", "Certificate ownership token is invalid or was used.")},
		"no JSON":             {provision, `{`, refused(400, "InvalidRequest", "The payload cannot be read.")},
		"no text":             {provision, `{"parameters":{"SerialNumber":1}}`, refused(400, "InvalidRequest", "The payload cannot be read.")},
		"no template":         {at("none"), using(t, token, a17), refused(404, "ResourceNotFound", "Provisioning template none does not exist")},
		"a disabled template": {at("off"), using(t, token, a17), refused(403, "AccessDenied", "Provisioning template off is not enabled for fleet provisioning.")},
		"a parameter missing": {provision, using(t, token, nil), refused(400, "InvalidParameters", "Parameters without a value: SerialNumber")},
		"a bad thing name": {provision, using(t, token, map[string]string{"SerialNumber": "a b"}), refused(400, "InvalidRequest",
			`thingName "dev-a b" has a character that is not allowed; allowed are abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_-`)},
		"a group missing": {at("poor"), using(t, token, a17), refused(400, "ResourceRegistrationFailure", "No thing group none exists")},
		"a certificate of another": {at("foreign"), using(t, token, a17), refused(400, "ResourceRegistrationFailure",
			`the template's CertificateId must be {"Ref": "AWS::IoT::Certificate::Id"}`)},
		"no request":  {fromCSR, `{}`, refused(400, "InvalidCsr", "Certificate signing request cannot be empty.")},
		"bad request": {fromCSR, `{"certificateSigningRequest":"x"}`, refused(400, "InvalidCsr", "the certificate signing request is not in PEM; it should begin with -----BEGIN CERTIFICATE REQUEST-----")},
	} {
		t.Run(name, func(t *testing.T) {
			d.h.t = t
			suffix, got := d.ask(tc.topic, tc.payload)
			same(t, "/rejected", suffix)
			if name == "a group missing" { // the registry's own words
				delete(got, "errorMessage")
				delete(tc.want, "errorMessage")
			}
			same(t, tc.want, got)
		})
	}
	h.t = t
	_, err := h.registry.Thing(t.Context(), "dev-A17")
	wants(t, err, "ResourceNotFound", "Thing dev-A17 not found")

	// After all these failures the token is still good.
	suffix, got := d.ask(provision, using(t, token, a17))
	same(t, "/accepted", suffix)
	same(t, "dev-A17", got["thingName"])
}

func TestExpiredTokenIsRefusedAndItsCertificateDeleted(t *testing.T) {
	h := newHouse(t)
	h.template("fleet", fleet, provisioning.Hook{})
	d := h.device("claimant")
	unused, token := d.certificate()
	attached, _ := d.certificate()
	_, err := h.registry.CreateThing(t.Context(), registry.NewThing{Name: "x"})
	must(t, err)
	must(t, h.registry.AttachThingPrincipal(t.Context(), "x", h.pki.ARN(attached), false))

	h.now = h.now.Add(time.Hour)
	d.expect(provision, using(t, token, map[string]string{"SerialNumber": "A17"}), "/rejected",
		refused(400, "InvalidCertificateOwnershipToken", "Certificate ownership token has expired."))
	h.now = h.now.Add(time.Millisecond)
	must(t, h.Purge(t.Context()))
	_, err = h.pki.Describe(t.Context(), unused)
	wants(t, err, "ResourceNotFound", "Certificate")
	_, err = h.pki.Describe(t.Context(), attached)
	wants(t, err, "", "")
	d.expect(provision, using(t, token, nil), "/rejected", refused(400, "InvalidCertificateOwnershipToken", "Certificate ownership token is invalid or was used."))
}

func TestAnswersComeInTheOrderOfTheRequests(t *testing.T) {
	h := newHouse(t)
	d := h.device("claimant")
	want := []string{create + "/accepted"}
	d.send(create, nil, func(error) {}) // takes longest
	for i := range 10 {
		topic := fmt.Sprintf("$aws/provisioning-templates/t%d/provision/json", i)
		d.send(topic, []byte(`{}`), func(error) {})
		want = append(want, topic+"/rejected")
	}
	var got []string
	for range want {
		got = append(got, (<-d.answers).Topic)
	}
	same(t, want, got)
}

func TestTooManyRequestsAreRefusedAtOnce(t *testing.T) {
	hold := make(chan struct{})
	h := newHouse(t, func(c *provisioning.Config) {
		c.Functions = hook(func(string, []byte) ([]byte, error) { <-hold; return nil, errors.New("no") })
	})
	h.template("fleet", fleet, provisioning.Hook{TargetARN: "f"})
	d := h.device("claimant")
	_, token := d.certificate()
	over := make(chan error, 32)
	d.send(provision, []byte(using(t, token, nil)), func(err error) { over <- err })
	for range 16 {
		d.send(provision, []byte(`{}`), func(err error) { over <- err })
	}
	first := <-d.answers // the seventeenth: the others wait
	same(t, `{"statusCode":429,"errorCode":"TooManyRequests","errorMessage":"Too many requests are waiting; try again later."}`, string(first.Payload))
	close(hold)
	for range 17 {
		must(t, <-over)
	}
}

func TestTokenServesOneRequestAtATime(t *testing.T) {
	asked, hold := make(chan struct{}), make(chan struct{})
	h := newHouse(t, func(c *provisioning.Config) {
		c.Functions = hook(func(string, []byte) ([]byte, error) {
			close(asked)
			<-hold
			return []byte(`{"allowProvisioning":true}`), nil
		})
	})
	h.template("fleet", fleet, provisioning.Hook{TargetARN: "f"})
	d, twin := h.device("claimant"), h.device("twin")
	_, token := d.certificate()
	a17 := using(t, token, map[string]string{"SerialNumber": "A17"})
	d.send(provision, []byte(a17), func(err error) { must(t, err) })
	<-asked
	twin.expect(provision, a17, "/rejected", refused(409, "Conflict", "Certificate ownership token is in use by another request."))
	close(hold)
	same(t, provision+"/accepted", (<-d.answers).Topic)
}

func TestDeviceIsToldOfConflicts(t *testing.T) {
	h := newHouse(t)
	strict := strings.Replace(fleet, `"Type":"AWS::IoT::Thing",`, `"Type":"AWS::IoT::Thing","OverrideSettings":{"AttributePayload":"FAIL"},`, 1)
	h.template("fleet", strict, provisioning.Hook{})
	_, err := h.registry.CreateThing(t.Context(), registry.NewThing{Name: "dev-A17"})
	must(t, err)
	d := h.device("claimant")
	id, token := d.certificate()
	a17 := using(t, token, map[string]string{"SerialNumber": "A17"})
	d.expect(provision, a17, "/rejected", refused(409, "ResourceConflict", "Thing dev-A17 already exists with other attributes"))
	must(t, h.pki.Delete(t.Context(), id, false))
	d.expect(provision, a17, "/rejected", refused(400, "InvalidCertificateOwnershipToken", "The certificate of the ownership token was deleted."))
}

// faulty is a store that fails.
type faulty struct{ provisioning.Store }

func (faulty) Update(context.Context, func(provisioning.Tx) error) error {
	return errors.New("disk full")
}

// What is ours to mend a device is not told; and no certificate is left that has
// no token.
func TestDeviceIsNotToldOurTroubles(t *testing.T) {
	h := newHouse(t, func(c *provisioning.Config) { c.Store = faulty{c.Store} })
	d := h.device("claimant")
	trouble := refused(500, "InternalServerError", "The request failed; try again later.")
	d.expect(create, "", "/rejected", trouble)
	d.expect(fromCSR, object(t, map[string]string{"certificateSigningRequest": csr(t, "x")}), "/rejected", trouble)
	listed, _, err := h.pki.List(t.Context(), pki.Page{})
	must(t, err)
	same(t, 0, len(listed))
}

func TestNobodyIsAnsweredWhereNobodyAsks(t *testing.T) {
	h := newHouse(t)
	for _, m := range []message.Message{
		{Topic: create}, // over HTTP
		{Topic: create, Origin: message.Origin{Kind: message.FromWill, Reply: func(message.Message) { t.Error("answered a will") }}},
		{Topic: "$aws/certificates/create/xml", Origin: message.Origin{Reply: func(message.Message) { t.Error("answered in xml") }}},
	} {
		over := false
		h.handle(m, func(err error) { must(t, err); over = true })
		same(t, true, over)
	}
}

func TestCBORAnswersAreForSmallParsers(t *testing.T) {
	h := newHouse(t)
	h.template("fleet", fleet, provisioning.Hook{})
	d := h.device("claimant")
	request := func(v any) []byte {
		out, err := cbor.Marshal(v)
		must(t, err)
		return out
	}
	ask := func(topic string, payload []byte, into any) byte {
		t.Helper()
		d.send(topic, payload, func(error) {})
		m := <-d.answers
		must(t, cbor.Unmarshal(m.Payload, into))
		return m.Payload[0]
	}
	var made struct{ CertificateOwnershipToken, PrivateKey, CertificatePem, CertificateID string }
	same(t, byte(0xa4), ask("$aws/certificates/create/cbor", nil, &made)) // a map of 4 pairs, of definite length
	var done map[string]any
	same(t, byte(0xa2), ask("$aws/provisioning-templates/fleet/provision/cbor", request(map[string]any{
		"certificateOwnershipToken": made.CertificateOwnershipToken, "parameters": map[string]any{"SerialNumber": []byte("A17")}, // as byte string
	}), &done))
	same(t, map[string]any{"thingName": "dev-A17", "deviceConfiguration": map[any]any{"Interval": uint64(60), "Url": "https://A17.example.net"}}, done)
	var no map[string]any
	same(t, byte(0xa3), ask("$aws/provisioning-templates/fleet/provision/cbor", []byte{0xff}, &no))
	same(t, map[string]any{"statusCode": uint64(400), "errorCode": "InvalidRequest", "errorMessage": "The payload cannot be read."}, no)
}

// hook is a function behind a hook.
type hook func(function string, payload []byte) ([]byte, error)

func (h hook) Call(_ context.Context, function string, payload []byte, limit time.Duration) ([]byte, error) {
	if limit != 5*time.Second {
		return nil, fmt.Errorf("the hook has %v", limit)
	}
	return h(function, payload)
}

func TestHookHasTheLastWord(t *testing.T) {
	var asked map[string]any
	var answer string
	var failure error
	h := newHouse(t, func(c *provisioning.Config) {
		c.Functions = hook(func(function string, payload []byte) ([]byte, error) {
			if function != "arn:f" {
				t.Errorf("asked %s", function)
			}
			asked = nil
			must(t, json.Unmarshal(payload, &asked))
			return []byte(answer), failure
		})
	})
	h.template("fleet", fleet, provisioning.Hook{TargetARN: "arn:f"})
	d := h.device("claimant")
	id, token := d.certificate()
	cert, err := h.pki.Describe(t.Context(), id)
	must(t, err)
	a17 := using(t, token, map[string]string{"SerialNumber": "A17", "AWS::IoT::Certificate::Id": "x"})

	for _, answer = range []string{`{"allowProvisioning":false}`, `{}`} {
		d.expect(provision, a17, "/rejected", refused(403, "AccessDenied", "Provisioning was not allowed by the pre-provisioning hook"))
	}
	same(t, map[string]any{"claimCertificateId": "claim", "certificateId": string(id), "certificatePem": cert.PEM, "clientId": "claimant",
		"templateArn": "arn:aws:iot:us-east-1:111122223333:provisioningtemplate/fleet", "parameters": map[string]any{"SerialNumber": "A17"}}, asked)
	for _, answer = range []string{``, `"yes"`, `{"allowProvisioning":"true"}`} {
		d.expect(provision, a17, "/rejected", refused(403, "AccessDenied", "Pre-provisioning hook failed"))
	}
	answer, failure = `{"allowProvisioning":true}`, errors.New("late")
	d.expect(provision, a17, "/rejected", refused(403, "AccessDenied", "Pre-provisioning hook failed"))

	answer, failure = `{"allowProvisioning":true,"parameterOverrides":{"SerialNumber":"B1","AWS::IoT::Certificate::Id":"x"}}`, nil
	suffix, got := d.ask(provision, a17)
	same(t, "/accepted", suffix)
	same(t, "dev-B1", got["thingName"])
}

func TestClaimMayProvisionByItsTemplateAlone(t *testing.T) {
	h := newHouse(t)
	h.template("fleet", fleet, provisioning.Hook{})
	claim, err := h.CreateClaim(t.Context(), "fleet")
	must(t, err)
	same(t, start.Add(5*time.Minute), claim.Expires)
	if _, err := tls.X509KeyPair([]byte(claim.PEM), []byte(claim.Keys.Private)); err != nil {
		t.Error(err)
	}
	listed, _, err := h.pki.List(t.Context(), pki.Page{})
	must(t, err)
	same(t, 0, len(listed))

	rights, err := h.ClaimRights(t.Context(), claim.ID)
	must(t, err)
	may := func(action, resource string) bool {
		return rights.Decide(policy.Request{Action: action, Resource: scope.Of("iot", resource)}).Allowed()
	}
	for resource, want := range map[string]bool{
		"topic/$aws/certificates/create/json": true, "topic/$aws/certificates/create-from-csr/cbor": true,
		"topic/$aws/provisioning-templates/fleet/provision/json":  true,
		"topic/$aws/provisioning-templates/other/provision/json":  false,
		"topic/$aws/provisioning-templates/fleet2/provision/json": false,
		"topic/a": false,
	} {
		same(t, want, may("iot:Publish", resource))
	}
	same(t, true, may("iot:Connect", "client/any"))
	same(t, true, may("iot:Subscribe", "topicfilter/$aws/certificates/create/json/accepted"))
	same(t, false, may("iot:Subscribe", "topicfilter/#"))

	_, err = h.CreateClaim(t.Context(), "none")
	wants(t, err, "ResourceNotFound", "Provisioning template none does not exist")
	h.now = h.now.Add(5*time.Minute + time.Second)
	must(t, h.Purge(t.Context()))
	if rights, err = h.ClaimRights(t.Context(), claim.ID); err != nil || may("iot:Connect", "client/any") {
		t.Errorf("an ended claim may connect (error %v)", err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"certificateOwnershipToken":"x","parameters":{"a":"b"}}`))
	f.Add([]byte("\xa1\x78\x19certificateSigningRequest\x61x"))
	h := newHouse(f)
	h.template("fleet", fleet, provisioning.Hook{})
	d := h.device("fuzz")
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, topic := range []string{fromCSR, provision, "$aws/certificates/create-from-csr/cbor", "$aws/provisioning-templates/fleet/provision/cbor"} {
			d.send(topic, payload, func(err error) {
				if err != nil {
					t.Errorf("%s: %v", topic, err)
				}
			})
			if m := <-d.answers; m.Topic != topic+"/rejected" && m.Topic != topic+"/accepted" {
				t.Errorf("answered on %s", m.Topic)
			}
		}
	})
}

// BenchmarkFleet provisions devices without a network: certificate, then thing.
func BenchmarkFleet(b *testing.B) {
	h := newHouse(b)
	h.template("t1", fleet, provisioning.Hook{})
	request := object(b, map[string]string{"certificateSigningRequest": csr(b, "x")})
	var serial atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			name := fmt.Sprint(serial.Add(1))
			d := h.device(name)
			_, made := d.ask("$aws/certificates/create-from-csr/json", request)
			suffix, answer := d.ask("$aws/provisioning-templates/t1/provision/json", object(b, map[string]any{
				"certificateOwnershipToken": made["certificateOwnershipToken"], "parameters": map[string]string{"SerialNumber": name}}))
			if suffix != "/accepted" {
				b.Errorf("%v", answer)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "devices/s")
}
