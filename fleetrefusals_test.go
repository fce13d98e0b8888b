package thingd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
)

// claimant is a device that has itself provisioned, over a connection of its own
// with a claim certificate, in JSON or CBOR.
type claimant struct {
	*client
	t      *testing.T
	format string
}

// topics of fleet provisioning, without the format.
const (
	askKeys = "$aws/certificates/create/"
	askCSR  = "$aws/certificates/create-from-csr/"
)

func askThing(template string) string {
	return "$aws/provisioning-templates/" + template + "/provision/"
}

func (h *house) claimant(t *testing.T, claim device, id, format string) claimant {
	t.Helper()
	c := claimant{h.connected(t, claim, mqtt.V4, mqtt.Connect{ClientID: id, CleanStart: true, KeepAlive: time.Minute}), t, format}
	c.subscribe(t, "$aws/certificates/+/"+format+"/+", mqtt.QoS1)
	c.subscribe(t, "$aws/provisioning-templates/+/provision/"+format+"/+", mqtt.QoS1)
	return c
}

// ask sends a request without waiting.
func (c claimant) ask(topic string, payload []byte) {
	c.t.Helper()
	c.send(c.t, &mqtt.Publish{Topic: []byte(topic + c.format), Payload: payload, QoS: mqtt.QoS1, PacketID: 7})
}

// next reads until the next message, past acknowledgements.
func (c claimant) next() *mqtt.Publish {
	c.t.Helper()
	for {
		p, ok := c.read(c.t).(*mqtt.Publish)
		if !ok {
			continue
		}
		if p.QoS == mqtt.QoS1 {
			c.send(c.t, &mqtt.Puback{PacketID: p.PacketID})
		}
		return p
	}
}

// answered gives the next answer and its topic.
func (c claimant) answered() (topic string, answer map[string]any) {
	c.t.Helper()
	p := c.next()
	return string(p.Topic), c.decode(p.Payload)
}

func (c claimant) decode(payload []byte) (answer map[string]any) {
	c.t.Helper()
	if c.format == "cbor" {
		answer, err := readMap(payload)
		must(c.t, err)
		return answer
	}
	must(c.t, json.Unmarshal(payload, &answer))
	if status, ok := answer["statusCode"].(float64); ok {
		answer["statusCode"] = int(status) // as from CBOR
	}
	return answer
}

// encode writes a map of texts and of maps of them.
func (c claimant) encode(in map[string]any) []byte {
	c.t.Helper()
	if c.format == "json" {
		out, err := json.Marshal(in)
		must(c.t, err)
		return out
	}
	return writeMap(in)
}

func writeMap(in map[string]any) []byte {
	var pairs [][]byte
	for name, value := range in {
		pairs = append(pairs, writeText(name))
		if text, ok := value.(string); ok {
			pairs = append(pairs, writeText(text))
		} else {
			pairs = append(pairs, writeMap(value.(map[string]any)))
		}
	}
	return writePairs(false, pairs...)
}

// certificate has one made, and gives its ID and ownership token.
func (c claimant) certificate() (id pki.CertificateID, token string) {
	c.t.Helper()
	_, request := signingRequest(c.t)
	c.ask(askCSR, c.encode(map[string]any{"certificateSigningRequest": request}))
	topic, made := c.answered()
	if topic != askCSR+c.format+"/accepted" {
		c.t.Fatalf("%s: %v", topic, made)
	}
	return pki.CertificateID(made["certificateId"].(string)), made["certificateOwnershipToken"].(string)
}

// provisioning is the request for a thing.
func (c claimant) provisioning(token, serial string) []byte {
	c.t.Helper()
	in := map[string]any{"certificateOwnershipToken": token}
	if serial != "" {
		in["parameters"] = map[string]any{"SerialNumber": serial}
	}
	return c.encode(in)
}

// rejected asks and compares the refusal.
func (c claimant) rejected(topic string, payload []byte, status int, code, message string) {
	c.t.Helper()
	c.ask(topic, payload)
	c.refused(topic, status, code, message)
}

func (c claimant) refused(topic string, status int, code, message string) {
	c.t.Helper()
	got, answer := c.answered()
	want := map[string]any{"statusCode": status, "errorCode": code, "errorMessage": message}
	if diff := cmp.Diff(want, answer); got != topic+c.format+"/rejected" || diff != "" {
		c.t.Errorf("on %s (-want +got):\n%s", got, diff)
	}
}

func (c claimant) accepted(topic string, payload []byte, thing string) {
	c.t.Helper()
	c.ask(topic, payload)
	got, answer := c.answered()
	want := map[string]any{"thingName": thing, "deviceConfiguration": map[string]any{}}
	if diff := cmp.Diff(want, answer); got != topic+c.format+"/accepted" || diff != "" {
		c.t.Errorf("on %s (-want +got):\n%s", got, diff)
	}
}

const gateARN, signerARN = "arn:aws:lambda:us-east-1:123456789012:function:gate", "arn:aws:lambda:us-east-1:123456789012:function:signer"

// fleetHouse is a server with templates. Its hook lets nobody in whose serial
// number is "bad", and keeps those waiting who are "slow".
func fleetHouse(t *testing.T) (h *house, asked chan string, release chan struct{}) {
	asked, release = make(chan string, 100), make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event struct{ Parameters map[string]string }
		_ = json.NewDecoder(r.Body).Decode(&event)
		switch serial := event.Parameters["SerialNumber"]; {
		case strings.HasPrefix(serial, "slow"):
			asked <- serial
			<-release
			fallthrough
		case serial != "bad":
			_, _ = w.Write([]byte(`{"allowProvisioning":true}`))
		default:
			_, _ = w.Write([]byte(`{"allowProvisioning":false}`))
		}
	}))
	t.Cleanup(web.Close)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(broken.Close)
	h = start(t, func(c *Config) { c.Functions = map[string]string{gateARN: web.URL, signerARN: broken.URL} })
	body := func(id, more string) string {
		return `{"Parameters":{"SerialNumber":{"Type":"String"},"AWS::IoT::Certificate::Id":{"Type":"String"}},"Resources":{
 "thing":{"Type":"AWS::IoT::Thing",` + more + `"ThingName":{"Ref":"SerialNumber"},"AttributePayload":{"made":"here"}}},
 "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"` + id + `"}}}}}`
	}
	const certificate = "AWS::IoT::Certificate::Id"
	for name, template := range map[string]provisioning.NewTemplate{
		"fleet":   {Enabled: true, Body: body(certificate, `"Properties":{`)},
		"off":     {Body: body(certificate, `"Properties":{`)},
		"hooked":  {Enabled: true, Body: body(certificate, `"Properties":{`), Hook: provisioning.Hook{TargetARN: gateARN}},
		"strict":  {Enabled: true, Body: body(certificate, `"OverrideSettings":{"AttributePayload":"FAIL"},"Properties":{`)},
		"grouped": {Enabled: true, Body: body(certificate, `"Properties":{"ThingGroups":["none"],`)},
		"foreign": {Enabled: true, Body: body("SerialNumber", `"Properties":{`)},
	} {
		template.Name, template.RoleARN = name, "r"
		_, err := h.provisioning.CreateTemplate(t.Context(), template)
		must(t, err)
	}
	_, err := h.registry.CreateThing(t.Context(), registry.NewThing{Name: "taken"})
	must(t, err)
	return h, asked, release
}

// TestDevicesAreToldWhyTheyAreNotProvisioned: every refusal, as a device reads it.
func TestDevicesAreToldWhyTheyAreNotProvisioned(t *testing.T) {
	h, _, _ := fleetHouse(t)
	claim := h.device(t, everything)
	const badToken = "InvalidCertificateOwnershipToken"
	for name, tc := range map[string]func(c claimant){
		"400 without a token": func(c claimant) {
			c.rejected(askThing("fleet"), c.provisioning("", "a"), 400, badToken, "Certificate ownership token cannot be empty.")
		},
		"400 for a token that is none": func(c claimant) {
			c.rejected(askThing("fleet"), c.provisioning("x", "a"), 400, badToken, "Certificate ownership token is invalid or was used.")
		},
		"400 for a token that was used": func(c claimant) {
			_, token := c.certificate()
			c.accepted(askThing("fleet"), c.provisioning(token, "once-"+c.format), "once-"+c.format)
			c.rejected(askThing("fleet"), c.provisioning(token, "once-"+c.format), 400, badToken, "Certificate ownership token is invalid or was used.")
		},
		"400 for the token of a certificate that is gone": func(c claimant) {
			id, token := c.certificate()
			must(c.t, h.pki.Delete(c.t.Context(), id, true))
			c.rejected(askThing("fleet"), c.provisioning(token, "a"), 400, badToken, "The certificate of the ownership token was deleted.")
		},
		"400 for what cannot be read": func(c claimant) {
			for _, topic := range []string{askThing("fleet"), askCSR} {
				c.rejected(topic, []byte{0xff}, 400, "InvalidRequest", "The payload cannot be read.")
			}
		},
		"400 without a signing request": func(c claimant) {
			c.rejected(askCSR, c.encode(nil), 400, "InvalidCsr", "Certificate signing request cannot be empty.")
		},
		"400 for a signing request that is none": func(c claimant) {
			c.rejected(askCSR, c.encode(map[string]any{"certificateSigningRequest": "x"}), 400, "InvalidCsr",
				"the certificate signing request is not in PEM; it should begin with -----BEGIN CERTIFICATE REQUEST-----")
		},
		"400 for a parameter that is missing": func(c claimant) {
			_, token := c.certificate()
			c.rejected(askThing("fleet"), c.provisioning(token, ""), 400, "InvalidParameters", "Parameters without a value: SerialNumber")
		},
		"400 for a name that no thing can have": func(c claimant) {
			_, token := c.certificate()
			c.rejected(askThing("fleet"), c.provisioning(token, "a b"), 400, "InvalidRequest",
				`thingName "a b" has a character that is not allowed; allowed are abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_-`)
		},
		"400 for a group that is not there": func(c claimant) {
			_, token := c.certificate()
			c.rejected(askThing("grouped"), c.provisioning(token, "grouped-"+c.format), 400, "ResourceRegistrationFailure", "Thing group none not found")
		},
		"400 for another's certificate": func(c claimant) {
			_, token := c.certificate()
			c.rejected(askThing("foreign"), c.provisioning(token, string(claim.id)), 400, "ResourceRegistrationFailure",
				`the template's CertificateId must be {"Ref": "AWS::IoT::Certificate::Id"}`)
		},
		"403 by a template that is off": func(c claimant) {
			c.rejected(askThing("off"), c.provisioning("x", "a"), 403, "AccessDenied", "Provisioning template off is not enabled for fleet provisioning.")
		},
		"403 by the hook": func(c claimant) {
			_, token := c.certificate()
			c.rejected(askThing("hooked"), c.provisioning(token, "bad"), 403, "AccessDenied", "Provisioning was not allowed by the pre-provisioning hook")
			c.accepted(askThing("hooked"), c.provisioning(token, "good-"+c.format), "good-"+c.format) // the token is not used up
		},
		"404 for a template that is not there": func(c claimant) {
			c.rejected(askThing("none"), c.provisioning("x", "a"), 404, "ResourceNotFound", "Provisioning template none does not exist")
		},
		"409 for a thing that must be another": func(c claimant) {
			_, token := c.certificate()
			c.rejected(askThing("strict"), c.provisioning(token, "taken"), 409, "ResourceConflict", "Thing taken already exists with other attributes")
		},
		"409 for a certificate that was withdrawn": func(c claimant) {
			for _, status := range []pki.Status{pki.Inactive, pki.Revoked} {
				id, token := c.certificate()
				must(c.t, h.pki.SetStatus(c.t.Context(), id, status))
				c.rejected(askThing("fleet"), c.provisioning(token, "a"), 409, "CertificateState", "The certificate is "+string(status)+"; it cannot be provisioned.")
			}
		},
	} {
		for _, format := range []string{"json", "cbor"} {
			t.Run(name+", "+format, func(t *testing.T) { tc(h.claimant(t, claim, strings.ReplaceAll(name, " ", "-")+format, format)) })
		}
	}
}

func TestTokensEndInAnHour(t *testing.T) {
	h, _, _ := fleetHouse(t)
	claim := h.device(t, everything)
	for _, format := range []string{"json", "cbor"} {
		t.Run(format, func(t *testing.T) {
			c := h.claimant(t, claim, "late-"+format, format)
			id, token := c.certificate()
			_, kept := c.certificate()
			h.ahead.Add(int64(59 * time.Minute))
			c.accepted(askThing("fleet"), c.provisioning(kept, "in-time-"+format), "in-time-"+format)
			h.ahead.Add(int64(time.Minute))
			c.rejected(askThing("fleet"), c.provisioning(token, "late"), 400, "InvalidCertificateOwnershipToken", "Certificate ownership token has expired.")
			h.ahead.Add(int64(time.Minute))
			must(t, h.provisioning.Purge(t.Context()))
			if _, err := h.pki.Describe(t.Context(), id); err == nil {
				t.Error("the certificate that nobody used is there")
			}
			c.rejected(askThing("fleet"), c.provisioning(token, "late"), 400, "InvalidCertificateOwnershipToken", "Certificate ownership token is invalid or was used.")
		})
	}
}

// TestDevicesAreToldToComeAgain: 409, 429 and 503 are for now.
func TestDevicesAreToldToComeAgain(t *testing.T) {
	for _, format := range []string{"json", "cbor"} {
		t.Run(format, func(t *testing.T) {
			h, asked, release := fleetHouse(t)
			claim := h.device(t, everything)
			c, twin := h.claimant(t, claim, "one", format), h.claimant(t, claim, "twin", format)
			_, token := c.certificate()
			c.ask(askThing("hooked"), c.provisioning(token, "slow"))
			<-asked
			twin.rejected(askThing("hooked"), twin.provisioning(token, "slow"), 409, "Conflict", "Certificate ownership token is in use by another request.")
			for range 16 { // the one that is under way counts
				c.ask(askThing("none"), c.provisioning("x", "a"))
			}
			c.refused(askThing("none"), 429, "TooManyRequests", "Too many requests are waiting; try again later.")
			close(release)
			got, answer := c.answered()
			if got != askThing("hooked")+format+"/accepted" || answer["thingName"] != "slow" {
				t.Errorf("the slow request was answered on %s: %v", got, answer)
			}
			for range 15 {
				c.refused(askThing("none"), 404, "ResourceNotFound", "Provisioning template none does not exist")
			}

			_, err := h.pki.CreateProvider(t.Context(), pki.Provider{Name: "elsewhere", LambdaARN: signerARN, Operations: []string{"CreateCertificateFromCsr"}})
			must(t, err)
			_, request := signingRequest(t)
			twin.ask(askCSR, twin.encode(map[string]any{"certificateSigningRequest": request}))
			twin.refused(askCSR, 503, "ServiceUnavailable", "The certificate could not be issued; try again later.")
		})
	}
}

// TestNobodyElseHearsAnAnswer: the topics name no client, and the answers have
// private keys.
func TestNobodyElseHearsAnAnswer(t *testing.T) {
	h, _, _ := fleetHouse(t)
	claim := h.device(t, everything)
	for _, format := range []string{"json", "cbor"} {
		t.Run(format, func(t *testing.T) {
			eavesdropper := h.claimant(t, claim, "eavesdropper", format) // with the same certificate, on the same topics
			c := h.claimant(t, claim, "claimant", format)
			deaf := claimant{h.connected(t, claim, mqtt.V4, mqtt.Connect{ClientID: "deaf", CleanStart: true, KeepAlive: time.Minute}), t, format}
			deaf.subscribe(t, askThing("none")+format+"/rejected", mqtt.QoS1)
			all := []claimant{eavesdropper, c, deaf}
			for _, listener := range all {
				listener.subscribe(t, "mark", mqtt.QoS1)
			}
			c.ask(askKeys, nil)
			topic, made := c.answered()
			token, _ := made["certificateOwnershipToken"].(string)
			if topic != askKeys+format+"/accepted" || !strings.HasPrefix(fmt.Sprint(made["privateKey"]), "-----BEGIN RSA PRIVATE KEY-----\n") {
				t.Fatalf("%s: %v", topic, made)
			}
			c.accepted(askThing("fleet"), c.provisioning(token, "quiet-"+format), "quiet-"+format)
			c.rejected(askThing("fleet"), c.provisioning(token, "x"), 400, "InvalidCertificateOwnershipToken", "Certificate ownership token is invalid or was used.")

			deaf.ask(askKeys, nil) // whose answers it has not subscribed to
			deaf.rejected(askThing("none"), deaf.provisioning("x", "a"), 404, "ResourceNotFound", "Provisioning template none does not exist")
			c.send(t, &mqtt.Publish{Topic: []byte("mark"), Payload: []byte("mark"), QoS: mqtt.QoS1, PacketID: 9})
			for _, listener := range all {
				if p := listener.next(); string(p.Topic) != "mark" {
					t.Errorf("somebody else heard %s", p.Topic)
				}
			}
		})
	}
}
