package thingd

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
	"thingd/internal/pki"
	"thingd/internal/why"
)

func TestEveryDoorServesMQTTAndHTTPS(t *testing.T) {
	h := start(t, func(c *Config) { c.Listen = []string{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"} })
	d := h.device(t, everything)
	offers := []struct {
		name  string
		alpn  []string
		agree string
		mqtt  bool
		http  bool
	}{
		{"nothing", nil, "", true, true},
		{"x-amzn-mqtt-ca", []string{"x-amzn-mqtt-ca"}, "x-amzn-mqtt-ca", true, false},
		{"x-amzn-http-ca", []string{"x-amzn-http-ca"}, "x-amzn-http-ca", false, true},
		{"http/1.1", []string{"http/1.1"}, "http/1.1", false, true},
		{"h2 and http/1.1", []string{"h2", "http/1.1"}, "http/1.1", false, true},
		{"h2 alone", []string{"h2"}, "", true, true},
		{"something unknown", []string{"acme/9"}, "", true, true},
	}
	for _, door := range h.Doors {
		for _, offer := range offers {
			config := h.trust(&d)
			config.NextProtos = offer.alpn
			dial := func(t *testing.T) *tls.Conn {
				conn, err := tls.Dial("tcp", door, config)
				must(t, err)
				t.Cleanup(func() { conn.Close() })
				must(t, conn.SetDeadline(time.Now().Add(patience)))
				if got := conn.ConnectionState().NegotiatedProtocol; got != offer.agree {
					t.Errorf("ALPN agreed on %q, want %q", got, offer.agree)
				}
				return conn
			}
			if offer.mqtt {
				t.Run(offer.name+"/MQTT", func(t *testing.T) {
					c := newClient(dial(t), mqtt.V4)
					c.send(t, &mqtt.Connect{ClientID: "c", CleanStart: true})
					if ack, ok := c.read(t).(*mqtt.Connack); !ok || ack.Reason.Failed() {
						t.Errorf("the answer is %+v", ack)
					}
				})
			}
			if offer.http {
				t.Run(offer.name+"/HTTPS", func(t *testing.T) {
					head, _ := exchange(t, dial(t), "POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
					if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
						t.Errorf("the answer is %q", head)
					}
				})
			}
		}
	}
}

func TestTheDoorSuitsEveryTLSClient(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	rsaSuites := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
	rsaKeyExchange := []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA}
	for name, c := range map[string]struct {
		change func(*tls.Config)
		server string // kind of the server's key
	}{
		"TLS 1.2":                        {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, "ecdsa"},
		"TLS 1.3":                        {func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, "ecdsa"},
		"TLS 1.2 with RSA suites alone":  {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12; c.CipherSuites = rsaSuites }, "rsa"},
		"TLS 1.2 with RSA key exchange":  {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12; c.CipherSuites = rsaKeyExchange }, "rsa"},
		"SNI of an address":              {func(c *tls.Config) { c.ServerName = "127.0.0.1" }, "ecdsa"}, // Go sends none then
		"SNI of a name that is not ours": {func(c *tls.Config) { c.ServerName = "elsewhere.test"; skipName(c) }, "ecdsa"},
		"no SNI":                         {func(c *tls.Config) { c.ServerName = ""; skipName(c) }, "ecdsa"},
	} {
		t.Run(name, func(t *testing.T) {
			config := h.trust(&d)
			c.change(config)
			conn := h.dial(t, config)
			m := newClient(conn, mqtt.V4)
			m.send(t, &mqtt.Connect{ClientID: "c", CleanStart: true})
			if ack, ok := m.read(t).(*mqtt.Connack); !ok || ack.Reason.Failed() {
				t.Errorf("the answer is %+v", ack)
			}
			if got := kindOf(conn.ConnectionState().PeerCertificates[0].PublicKey); got != c.server {
				t.Errorf("the server shows a certificate with an %s key, want %s", got, c.server)
			}
		})
	}
	t.Run("refused/TLS 1.1", func(t *testing.T) {
		config := h.trust(&d)
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		conn, err := tls.Dial("tcp", h.Doors[0], config)
		if err == nil {
			conn.Close()
			t.Error("TLS 1.1 was accepted")
		}
	})
}

// skipName leaves the check of the name out, as devices without SNI may.
func skipName(c *tls.Config) { c.InsecureSkipVerify = true }

func kindOf(key any) string {
	if _, ok := key.(*rsa.PublicKey); ok {
		return "rsa"
	}
	return "ecdsa"
}

func TestTheDoorTakesEveryKindOfClientKey(t *testing.T) {
	h := start(t)
	_, err := h.access.CreatePolicy(t.Context(), "all", everything, nil)
	must(t, err)
	for name, make := range map[string]func() (crypto.Signer, error){
		"RSA 2048": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"RSA 4096": func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 4096) },
		"P-256":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"P-384":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		"P-521":    func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
	} {
		key, err := make()
		must(t, err)
		d := newDevice(t, key)
		h.register(t, d, pki.Active)
		must(t, h.access.AttachPolicy(t.Context(), "all", h.pki.ARN(d.id)))
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+"/"+tls.VersionName(version), func(t *testing.T) {
				config := h.trust(&d)
				config.MinVersion, config.MaxVersion = version, version
				c := newClient(h.dial(t, config), mqtt.V5)
				c.send(t, &mqtt.Connect{ClientID: "c", CleanStart: true})
				if ack, ok := c.read(t).(*mqtt.Connack); !ok || ack.Reason.Failed() {
					t.Errorf("the answer is %+v", ack)
				}
			})
		}
	}
}

func TestACertificateThatDoesNotCountIsRefusedAtTheFirstRequest(t *testing.T) {
	h := start(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	unknown := newDevice(t, key)
	withStatus := func(status pki.Status) *device {
		d := h.device(t, everything)
		must(t, h.pki.SetStatus(t.Context(), d.id, status))
		return &d
	}
	inactive, revoked, noPolicy := withStatus(pki.Inactive), withStatus(pki.Revoked), h.device(t, "")
	pending := pendingDevice(t, h)
	expired := h.device(t, everything)

	for _, c := range []struct {
		name  string
		d     *device
		cause why.Cause
		ahead time.Duration
	}{
		{"unknown", &unknown, why.CertificateUnknown, 0},
		{"inactive", inactive, why.CertificateInactive, 0},
		{"revoked", revoked, why.CertificateRevoked, 0},
		{"pending", &pending, why.CertificatePending, 0},
		{"no policy", &noPolicy, why.PolicyImplicitDeny, 0},
		{"none", nil, why.NoCertificate, 0},
		{"expired", &expired, why.CertificateExpired, 366 * day},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.ahead.Store(int64(c.ahead))
			defer h.ahead.Store(0)
			connect := mqtt.Connect{ClientID: "refused-" + strings.ReplaceAll(c.name, " ", "-"), CleanStart: true}

			v4 := newClient(h.dial(t, h.trust(c.d)), mqtt.V4)
			v4.send(t, &connect)
			if got := rest(t, v4); got != "" {
				t.Errorf("3.1.1: the server sent % x before it closed, want nothing", got)
			}

			v5 := newClient(h.dial(t, h.trust(c.d)), mqtt.V5)
			v5.send(t, &connect)
			if ack, ok := v5.read(t).(*mqtt.Connack); !ok || ack.Reason != mqtt.NotAuthorized {
				t.Errorf("5: the answer is %+v, want CONNACK 0x87", ack)
			}
			if got := rest(t, v5); got != "" {
				t.Errorf("5: the server sent % x after CONNACK", got)
			}

			if !slices.Contains(h.causes(t), c.cause) {
				t.Errorf("the journal has %v, want %s among them", h.causes(t), c.cause)
			}
			if c.d != nil {
				checkForbidden(t, h, c.d)
			}
		})
	}
}

// checkForbidden publishes over HTTPS and compares the refusal in full.
func checkForbidden(t *testing.T, h *house, d *device) {
	t.Helper()
	head, body := exchange(t, h.dial(t, h.trust(d)), "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	response := parse(t, head)
	id := response.Header.Get("x-amzn-RequestId")
	want := `{"message":"Forbidden","traceId":"` + id + `"}`
	if response.StatusCode != 403 || response.Header.Get("x-amzn-ErrorType") != "ForbiddenException" || body != want || len(id) != 36 {
		t.Errorf("HTTPS: the answer is\n%s%s\nwant 403, ForbiddenException and %s", head, body, want)
	}
}

// pendingDevice registers itself with a CA that has auto-registration on.
func pendingDevice(t *testing.T, h *house) device {
	t.Helper()
	d := h.device(t, everything)
	must(t, h.db.PKI(h.config.Account).Update(t.Context(), func(tx pki.Tx) error {
		cert, _, err := tx.Certificate(d.id)
		cert.Status = pki.PendingActivation
		if err != nil {
			return err
		}
		return tx.PutCertificate(cert)
	}))
	return d
}

func TestRevocationCutsLiveConnections(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	v4 := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "four", CleanStart: true})
	v5 := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "five", CleanStart: true})
	kept := h.dial(t, h.trust(&d)) // an HTTPS connection that is kept
	const publish = "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
	if head, _ := exchange(t, kept, publish); !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Fatalf("before: %s", head)
	}

	began := time.Now()
	must(t, h.pki.SetStatus(t.Context(), d.id, pki.Revoked))
	if got := rest(t, v4); got != "" {
		t.Errorf("3.1.1: the server sent % x before it closed", got)
	}
	if p, ok := v5.read(t).(*mqtt.Disconnect); !ok || p.Reason != mqtt.NotAuthorized && p.Reason != mqtt.AdministrativeAction {
		t.Errorf("5: the server sent %+v, want DISCONNECT 0x87 or 0x98", p)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the cut took %v", took)
	}
	if head, _ := exchange(t, kept, publish); !strings.HasPrefix(head, "HTTP/1.1 403") {
		t.Errorf("the HTTPS connection of before: %s", head)
	}
	again := newClient(h.dial(t, h.trust(&d)), mqtt.V4)
	again.send(t, &mqtt.Connect{ClientID: "four", CleanStart: true})
	if got := rest(t, again); got != "" {
		t.Errorf("the retry got % x, want a close", got)
	}
}

func TestPolicyChangesHoldForLiveSessionsAtOnce(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	c := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "c", CleanStart: true})
	publish := func() mqtt.ReasonCode {
		c.send(t, &mqtt.Publish{Topic: []byte("a/b"), QoS: mqtt.QoS1, PacketID: 7})
		ack, ok := c.read(t).(*mqtt.Puback)
		if !ok {
			t.Fatal("no PUBACK")
		}
		return ack.Reason
	}
	got := []mqtt.ReasonCode{publish()}
	must(t, h.access.DetachPolicy(t.Context(), string(d.id), d.arn))
	got = append(got, publish())
	must(t, h.access.AttachPolicy(t.Context(), string(d.id), d.arn))
	got = append(got, publish())
	_, err := h.access.CreatePolicyVersion(t.Context(), string(d.id), `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iot:Publish","Resource":"*"}}`, true)
	must(t, err)
	got = append(got, publish())
	want := []mqtt.ReasonCode{mqtt.NoMatchingSubscribers, mqtt.NotAuthorized, mqtt.NoMatchingSubscribers, mqtt.NotAuthorized}
	for i := range got {
		if got[i] == mqtt.Success { // both say that it was taken
			got[i] = mqtt.NoMatchingSubscribers
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons with, without, with the policy and with a denial (-want +got):\n%s", diff)
	}
}

func TestHTTPOnATLSPortIsToldSo(t *testing.T) {
	h := start(t)
	conn, err := net.Dial("tcp", h.Doors[0])
	must(t, err)
	defer conn.Close()
	head, body := exchange(t, conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 400 ") || !strings.Contains(body, "https") {
		t.Errorf("the answer is %s%s", head, body)
	}
}

func parse(t *testing.T, head string) *http.Response {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	response := &http.Response{Header: http.Header{}, Status: lines[0]}
	must(t, json.Unmarshal([]byte(strings.Fields(lines[0])[1]), &response.StatusCode))
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		response.Header.Add(name, value)
	}
	return response
}
