package thingd

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/authorizer"
	"thingd/internal/journal"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

const authFunction = "arn:aws:lambda:us-east-1:123456789012:function:auth"

// lambda is a webhook that stands in for an authorizer's function.
type lambda struct {
	mu     sync.Mutex
	answer string
	events []string
}

func (l *lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, string(text))
	io.WriteString(w, l.answer)
}

func (l *lambda) says(answer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

func (l *lambda) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// vouches is an answer that lets a client in with one policy.
func vouches(actions, resource string) string {
	doc := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":` + actions + `,"Resource":"` + resource + `"}}`
	text, _ := json.Marshal(map[string]any{
		"isAuthenticated": true, "principalId": "alice1", "disconnectAfterInSeconds": 1000, "refreshAfterInSeconds": 300,
		"policyDocuments": []string{doc},
	})
	return string(text)
}

// withAuthorizer starts a server with an authorizer auth1 that needs no
// signature and takes its token from tok.
func withAuthorizer(t *testing.T, change ...func(*authorizer.Authorizer)) (*house, *lambda) {
	t.Helper()
	fn := &lambda{answer: vouches(`"iot:*"`, "*")}
	hook := httptest.NewServer(fn)
	t.Cleanup(hook.Close)
	h := start(t, func(c *Config) { c.Functions = map[string]string{authFunction: hook.URL} })
	a := authorizer.Authorizer{Name: "auth1", FunctionARN: authFunction, TokenKeyName: "tok", SigningDisabled: true, Status: authorizer.Active}
	for _, fn := range change {
		fn(&a)
	}
	must(t, h.authorizers.Create(t.Context(), a, nil))
	return h, fn
}

const asAlice = "alice?x-amz-customauthorizer-name=auth1&tok=secret&SDK=PythonV2"

// vouchedClient connects on ALPN mqtt with a user name for the authorizer.
func (h *house) vouchedClient(t *testing.T, user string) (*client, mqtt.Packet) {
	t.Helper()
	config := h.trust(nil)
	config.NextProtos = []string{"mqtt"}
	c := newClient(h.dial(t, config), mqtt.V5)
	connect := &mqtt.Connect{ClientID: "lamp-7", CleanStart: true, Password: []byte("pass")}
	connect.Username = mqtt.Some(user)
	c.send(t, connect)
	return c, c.read(t)
}

func TestAuthorizersLetClientsIn(t *testing.T) {
	h, fn := withAuthorizer(t)
	fn.says(vouches(`["iot:Connect","iot:Publish"]`, "arn:aws:iot:us-east-1:123456789012:*${iot:ClientId}"))
	c, answer := h.vouchedClient(t, asAlice)
	if ack, ok := answer.(*mqtt.Connack); !ok || ack.Reason.Failed() {
		t.Fatalf("the server answered CONNECT with %+v", answer)
	}
	var got struct {
		Token string `json:"token"`
		Data  struct {
			MQTT map[string]string `json:"mqtt"`
			TLS  map[string]string `json:"tls"`
		} `json:"protocolData"`
	}
	must(t, json.Unmarshal([]byte(fn.events[0]), &got))
	want := got
	want.Token = "secret"
	want.Data.MQTT = map[string]string{"username": asAlice, "password": "cGFzcw==", "clientId": "lamp-7"}
	want.Data.TLS = map[string]string{"serverName": "localhost"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the function's event (-want +got):\n%s", diff)
	}
	c.send(t, &mqtt.Publish{Topic: []byte("t/lamp-7"), QoS: 1, PacketID: 1})
	if ack, ok := c.read(t).(*mqtt.Puback); !ok || ack.Reason.Failed() {
		t.Errorf("what the policy allows was answered with %+v", ack)
	}
	c.send(t, &mqtt.Publish{Topic: []byte("t/lamp-8"), QoS: 1, PacketID: 2})
	if ack, ok := c.read(t).(*mqtt.Puback); !ok || !ack.Reason.Failed() {
		t.Errorf("what the policy does not allow was answered with %+v", ack)
	}
}

func TestAuthorizersRefuseClients(t *testing.T) {
	h, fn := withAuthorizer(t)
	for _, c := range []struct {
		name, answer, user string
		cause              why.Cause
		detail             string
	}{
		{"the function says no", `{"isAuthenticated":false}`, asAlice, why.AuthorizerRefused, "not authenticated"},
		{"the function talks nonsense", `hello`, asAlice, why.AuthorizerRefused, "answered wrongly"},
		{"a bad policy", `{"isAuthenticated":true,"principalId":"a","policyDocuments":["{}"]}`, asAlice, why.AuthorizerRefused, "policy document 1"},
		{"an unknown authorizer", "", "alice?x-amz-customauthorizer-name=nobody", why.AuthorizerRefused, "nobody does not exist"},
		{"no authorizer", "", "alice", why.AuthorizerRefused, "there is no default one"},
		{"no iot:Connect", vouches(`"iot:Publish"`, "*"), asAlice, why.PolicyImplicitDeny, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fn.says(c.answer)
			_, answer := h.vouchedClient(t, c.user)
			if ack, ok := answer.(*mqtt.Connack); !ok || ack.Reason != mqtt.NotAuthorized {
				t.Errorf("the server answered CONNECT with %+v", answer)
			}
			event := h.last(t)
			if event.Cause != c.cause || !strings.Contains(event.Detail, c.detail) {
				t.Errorf("the journal has %s: %s", event.Cause, event.Detail)
			}
		})
	}
}

func TestAuthorizersAreAskedAgain(t *testing.T) {
	h, fn := withAuthorizer(t)
	c, _ := h.vouchedClient(t, asAlice)
	fn.says(vouches(`["iot:Connect","iot:Publish"]`, "arn:aws:iot:us-east-1:123456789012:topic/only"))
	h.ahead.Store(int64(301 * time.Second))
	// The old policies hold until the answer is there: publish until it is, and
	// not faster than a client may.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for id := uint16(1); ; id++ {
		c.send(t, &mqtt.Publish{Topic: []byte("else"), QoS: 1, PacketID: id})
		ack, ok := c.read(t).(*mqtt.Puback)
		if !ok || ack.Reason.Failed() && ack.Reason != mqtt.NotAuthorized {
			t.Fatalf("the server answered %+v", ack)
		}
		if ack.Reason == mqtt.NotAuthorized {
			break
		}
		<-tick.C
	}
	if fn.asked() != 2 {
		t.Errorf("the function was asked %d times, want 2", fn.asked())
	}
	fn.says(`{"isAuthenticated":false}`)
	h.ahead.Store(int64(700 * time.Second))
	ended := h.nextDisconnect(t)
	c.send(t, &mqtt.Publish{Topic: []byte("only")})
	if event := ended(); event.Cause != why.AuthorizerRefused || event.Disconnect != why.AuthError {
		t.Errorf("the journal has %+v", event)
	}
}

func TestVouchedConnectionsEnd(t *testing.T) {
	h, _ := withAuthorizer(t)
	h.vouchedClient(t, asAlice)
	ended := h.nextDisconnect(t)
	h.ahead.Store(int64(1001 * time.Second))
	if event := ended(); event.Disconnect != why.CustomAuthTTL {
		t.Errorf("the journal has %+v", event)
	}
}

func TestAuthorizersJudgeRequests(t *testing.T) {
	h, fn := withAuthorizer(t, func(a *authorizer.Authorizer) { a.CachingForHTTP = true })
	headers := "X-Amz-Customauthorizer-Name: auth1\r\ntok: secret\r\n"
	for _, c := range []struct{ name, answer, query, headers, status string }{
		{"ok/headers", vouches(`"iot:Publish"`, "*"), "", headers, "200"},
		{"ok/query", vouches(`"iot:Publish"`, "*"), "?x-amz-customauthorizer-name=auth1&tok=a", "", "200"},
		{"refused/the function says no", `{"isAuthenticated":false}`, "", headers, "401"},
		{"refused/the policy says no", vouches(`"iot:Publish"`, "arn:aws:iot:us-east-1:123456789012:topic/else"), "", headers, "403"},
		{"refused/another authorizer", "", "?x-amz-customauthorizer-name=nobody", "", "401"},
		{"refused/nothing", "", "", "", "403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fn.says(c.answer)
			head, body := exchange(t, h.dial(t, h.trust(nil)), "POST /topics/a/b"+c.query+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"+c.headers+"\r\nhi")
			if !strings.HasPrefix(head, "HTTP/1.1 "+c.status) {
				t.Errorf("got %s\n%s", head, body)
			}
		})
	}
}

// A token in an Authorization header is no signature: it is the authorizer's, on
// requests and on WebSockets, and a device with a certificate may send one too.
func TestAuthorizersTakeBearerTokens(t *testing.T) {
	const bearer, named = "Authorization: Bearer to.ken/1==\r\n", "x-amz-customauthorizer-name: auth1\r\n"
	h, fn := withAuthorizer(t, func(a *authorizer.Authorizer) { a.TokenKeyName = "Authorization" })
	publish := func(name string, d *device, headers, want string, asked int) {
		t.Helper()
		before := fn.asked()
		head, body := exchange(t, h.dial(t, h.trust(d)), "POST /topics/a/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"+headers+"\r\nhi")
		if !strings.HasPrefix(head, "HTTP/1.1 "+want) || fn.asked()-before != asked {
			t.Errorf("%s: the function was asked %d times, the answer is %s\n%s", name, fn.asked()-before, head, body)
		}
	}
	d := h.device(t, everything)
	publish("a request that names the authorizer", nil, named+bearer, "200", 1)
	publish("a request for nobody", nil, bearer, "403", 0)
	publish("a request with a signature", nil, named+"Authorization: AWS4-HMAC-SHA256 Credential=no\r\n", "403", 0)
	publish("a request with a certificate", &d, bearer, "200", 0)
	publish("a request with a certificate that names the authorizer", &d, named+bearer, "200", 1)
	must(t, h.authorizers.SetDefault(t.Context(), "auth1"))
	publish("a request for the default authorizer", nil, bearer, "200", 1)

	before := fn.asked()
	w := h.open(t, upgrading{more: bearer}, mqtt.Connect{ClientID: "lamp-7", CleanStart: true})
	w.Close()
	if fn.asked() != before+1 {
		t.Fatalf("the function was asked %d times for a WebSocket", fn.asked()-before)
	}
	for _, event := range fn.events {
		var got struct {
			Token string `json:"token"`
			Data  struct {
				HTTP struct {
					Headers map[string]string `json:"headers"`
				} `json:"http"`
			} `json:"protocolData"`
		}
		must(t, json.Unmarshal([]byte(event), &got))
		if want := "Bearer to.ken/1=="; got.Token != want || got.Data.HTTP.Headers["Authorization"] != want {
			t.Errorf("the function got %s", event)
		}
	}
}

func TestVerdictsServeAConnection(t *testing.T) {
	h, fn := withAuthorizer(t, func(a *authorizer.Authorizer) { a.CachingForHTTP = true })
	conn := h.dial(t, h.trust(nil))
	for _, token := range []string{"a", "a", "b", "b"} {
		head, body := exchange(t, conn, "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nX-Amz-Customauthorizer-Name: auth1\r\ntok: "+token+"\r\n\r\nhi")
		if !strings.HasPrefix(head, "HTTP/1.1 200") {
			t.Fatalf("got %s\n%s", head, body)
		}
	}
	if fn.asked() != 2 {
		t.Errorf("the function was asked %d times, want once for each token", fn.asked())
	}
}

func TestDefaultAuthorizersJudgeWebSockets(t *testing.T) {
	h, fn := withAuthorizer(t)
	must(t, h.authorizers.SetDefault(t.Context(), "auth1"))
	conn := h.dial(t, h.trust(nil))
	query := url.Values{"tok": {"secret"}}
	head, _ := exchange(t, conn, "GET /mqtt?"+query.Encode()+" HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 101") {
		t.Fatalf("got %s", head)
	}
	packet := (&mqtt.Connect{ClientID: "web", CleanStart: true}).Append(nil, mqtt.V5)
	frame := append([]byte{0x82, 0x80 | byte(len(packet)), 0, 0, 0, 0}, packet...)
	_, err := conn.Write(frame)
	must(t, err)
	two := make([]byte, 3)
	_, err = io.ReadFull(conn, two)
	must(t, err)
	if two[2] != 0x20 {
		t.Errorf("got % x, want a frame with a CONNACK", two)
	}
	if fn.asked() != 1 || !strings.Contains(fn.events[0], `"queryString":"?tok=secret"`) || !strings.Contains(fn.events[0], `"token":"secret"`) {
		t.Errorf("the function got %s", fn.events)
	}
}

func TestDomainsAskForTheirProof(t *testing.T) {
	h, _ := withAuthorizer(t)
	_, err := h.authorizers.UpdateDomain(t.Context(), "iot:Data-ATS", authorizer.DomainUpdate{AuthenticationType: authorizer.ByAuthorizer})
	must(t, err)
	d := h.device(t, everything)
	head, _ := exchange(t, h.dial(t, h.trust(&d)), "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi")
	if !strings.HasPrefix(head, "HTTP/1.1 403") || h.last(t).Cause != why.DomainRefused {
		t.Errorf("a device with a certificate got %s", head)
	}
	if _, answer := h.vouchedClient(t, asAlice); answer.(*mqtt.Connack).Reason.Failed() {
		t.Errorf("the server answered CONNECT with %+v", answer)
	}
}

func TestDomainsChooseTheirTLS(t *testing.T) {
	h := start(t)
	for _, c := range []struct {
		policy string
		only   uint16 // the one version that gets in; 0: both
	}{{"IoTSecurityPolicy_TLS13_1_3_2022_10", tls.VersionTLS13}, {"IoTSecurityPolicy_TLS12_1_2_2022_10", tls.VersionTLS12}, {"IoTSecurityPolicy_TLS13_1_2_2022_10", 0}} {
		_, err := h.authorizers.UpdateDomain(t.Context(), "iot:Data-ATS", authorizer.DomainUpdate{SecurityPolicy: c.policy})
		must(t, err)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := h.trust(nil)
			config.MinVersion, config.MaxVersion = version, version
			conn, err := tls.Dial("tcp", h.Doors[0], config)
			if err == nil {
				conn.Close()
			}
			if in := err == nil; in != (c.only == 0 || c.only == version) {
				t.Errorf("%s with version %x: %v", c.policy, version, err)
			}
		}
	}
}

// Who offers the ALPN for certificates is not for an authorizer, whatever it names.
func TestAuthorizersKeepToTheirProtocols(t *testing.T) {
	h, fn := withAuthorizer(t)
	must(t, h.authorizers.SetDefault(t.Context(), "auth1"))
	config := h.trust(nil)
	config.NextProtos = []string{"x-amzn-mqtt-ca"}
	c := newClient(h.dial(t, config), mqtt.V5)
	c.send(t, &mqtt.Connect{ClientID: "lamp-7", CleanStart: true, Username: mqtt.Some(asAlice)})
	if ack, ok := c.read(t).(*mqtt.Connack); !ok || ack.Reason != mqtt.NotAuthorized || h.last(t).Cause != why.NoCertificate {
		t.Errorf("CONNECT is answered with %+v; the journal says %+v", ack, h.last(t))
	}
	config = h.trust(nil)
	config.NextProtos = []string{"x-amzn-http-ca"}
	head, _ := exchange(t, h.dial(t, config), "POST /topics/a?x-amz-customauthorizer-name=auth1&tok=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi")
	if !strings.HasPrefix(head, "HTTP/1.1 403") {
		t.Errorf("a request got %s", head)
	}
	if fn.asked() != 0 {
		t.Error("the function was asked")
	}
}

// lastOf gives the newest event about a client; the zero event where there is none.
func (h *house) lastOf(t *testing.T, clientID string) why.Event {
	t.Helper()
	entries, _, err := h.journal.Recent(t.Context(), journal.Query{ClientID: clientID, Limit: 1})
	must(t, err)
	if len(entries) == 0 {
		return why.Event{}
	}
	return entries[0].Event
}

// last gives the newest event of the journal.
func (h *house) last(t *testing.T) why.Event {
	t.Helper()
	entries, _, err := h.journal.Recent(t.Context(), journal.Query{Limit: 1})
	must(t, err)
	if len(entries) == 0 {
		t.Fatal("the journal is empty")
	}
	return entries[0].Event
}

// nextDisconnect gives what waits for the next connection to end.
func (h *house) nextDisconnect(t *testing.T) func() why.Event {
	t.Helper()
	events, cancel := h.journal.Subscribe()
	return func() why.Event {
		defer cancel()
		late := time.After(patience)
		for {
			select {
			case event := <-events:
				if event.Step == why.StepConnection {
					return event
				}
			case <-late:
				t.Fatal("the connection does not end")
			}
		}
	}
}
