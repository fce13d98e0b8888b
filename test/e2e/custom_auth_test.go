package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

const (
	authFunction = "arn:aws:lambda:us-east-1:111122223333:function:auth"
	authToken    = "token-7.of_alice"
)

// authHook is the webhook of an authorizer's function. It knows alice by her password,
// if one is sent, and lets her use the topics below her client ID.
type authHook struct {
	*httptest.Server
	mu     sync.Mutex
	status int    // 0: 200
	says   string // "": what is right
	events []map[string]any
}

func newAuthHook(t *testing.T) *authHook {
	h := &authHook{}
	h.Server = httptest.NewServer(http.HandlerFunc(h.answer))
	t.Cleanup(h.Close)
	return h
}

func (h *authHook) answer(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var event map[string]any
	_ = json.Unmarshal(text, &event)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
	if h.status != 0 {
		w.WriteHeader(h.status)
	}
	if h.says != "" {
		io.WriteString(w, h.says)
		return
	}
	mqtt, _ := at(event, "protocolData", "mqtt").(map[string]any)
	known := event["token"] == authToken && event["signatureVerified"] == true &&
		(mqtt == nil || mqtt["password"] == base64.StdEncoding.EncodeToString([]byte("s3cret")))
	_ = json.NewEncoder(w).Encode(map[string]any{
		"isAuthenticated": known, "principalId": "alice", "disconnectAfterInSeconds": 3600, "refreshAfterInSeconds": 300,
		"policyDocuments": []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"arn:aws:iot:*:*:*/custom/*"},
			{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`},
	})
}

// last gives the newest event.
func (h *authHook) last(t *testing.T) map[string]any {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		t.Fatal("the function was not called")
	}
	return h.events[len(h.events)-1]
}

// fails makes the function answer wrongly from now on.
func (h *authHook) fails(status int, says string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status, h.says = status, says
}

// at looks into nested objects.
func at(object map[string]any, path ...string) any {
	var value any = object
	for _, name := range path {
		inner, _ := value.(map[string]any)
		value = inner[name]
	}
	return value
}

// authorized is a server with an authorizer that checks signatures.
type authorized struct {
	*server
	hook      *authHook
	ca        string
	signature string // of authToken
}

func startAuthorized(t *testing.T) *authorized {
	t.Helper()
	hook := newAuthHook(t)
	s := startServer(t, "--function", authFunction+"="+hook.URL)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	_, err = s.controlPlane(t).CreateAuthorizer(t.Context(), &iot.CreateAuthorizerInput{
		AuthorizerName: aws.String("door"), AuthorizerFunctionArn: aws.String(authFunction), TokenKeyName: aws.String("token"),
		TokenSigningPublicKeys: map[string]string{"first": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))},
		Status:                 types.AuthorizerStatusActive,
	})
	must(t, err)
	sum := sha256.Sum256([]byte(authToken))
	raw, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	must(t, err)
	return &authorized{s, hook, filepath.Join(s.Data, "root-ca.pem"), base64.StdEncoding.EncodeToString(raw)}
}

// user is the user name that a client without an SDK puts together.
func (a *authorized) user(signature string) string {
	return "alice?x-amz-customauthorizer-name=door&x-amz-customauthorizer-signature=" + url.QueryEscape(signature) + "&token=" + authToken
}

// mosquitto publishes on ALPN mqtt, as on port 443, without a certificate.
func (a *authorized) mosquitto(t *testing.T, id, version, user, password string) *program {
	t.Helper()
	return start(t, t.TempDir(), plainEnv(t.TempDir()), client(t, "mosquitto_pub"), "-d", "-h", "localhost", "-p", a.Port,
		"--cafile", a.ca, "--tls-alpn", "mqtt", "-V", version, "-i", id, "-u", user, "-P", password, "-q", "1", "-t", "custom/"+id, "-m", "hi")
}

func TestMosquittoAndACustomAuthorizer(t *testing.T) {
	t.Parallel()
	a := startAuthorized(t)
	for _, version := range mosquittoVersions {
		t.Run(version, func(t *testing.T) {
			a.mosquitto(t, version, version, a.user(a.signature), "s3cret").succeed(t)
			event := a.hook.last(t)
			for path, want := range map[string]any{
				"token": authToken, "signatureVerified": true, "protocolData/tls/serverName": "localhost",
				"protocolData/mqtt/username": a.user(a.signature), "protocolData/mqtt/password": "czNjcmV0", "protocolData/mqtt/clientId": version,
			} {
				if got := at(event, strings.Split(path, "/")...); got != want {
					t.Errorf("%s of the event is %v, want %v", path, got, want)
				}
			}
		})
	}
	forged := base64.StdEncoding.EncodeToString(make([]byte, 256))
	for _, c := range []struct {
		name, user, password string
		status               int
		says, why            string
	}{
		{"forged", a.user(forged), "s3cret", 0, "", "signature fits none of the authorizer's keys"},
		{"unsigned", "alice?x-amz-customauthorizer-name=door&token=" + authToken, "s3cret", 0, "", "signature is missing"},
		{"stranger", a.user(a.signature), "guess", 0, "", "not authenticated"},
		{"broken", a.user(a.signature), "s3cret", 500, "sorry", "500 Internal Server Error"},
		{"nonsense", a.user(a.signature), "s3cret", 0, "<html>", "not the JSON object that is expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.hook.fails(c.status, c.says)
			a.mosquitto(t, c.name, "mqttv311", c.user, c.password).fail(t)
			got := a.thingd(t, "why", c.name).succeed(t)
			if lines := strings.Join(strings.Fields(got), " "); !strings.Contains(lines, c.why) { // it wraps its lines
				t.Errorf("`thingd why` says:\n%s\nwant %q in it", got, c.why)
			}
		})
	}
}

func TestAWSIoTSDKForPythonAndACustomAuthorizer(t *testing.T) {
	t.Parallel()
	a := startAuthorized(t)
	for _, version := range []string{"3.1.1", "5"} {
		for _, how := range []string{"direct", "websockets"} {
			if how == "direct" && version == "3.1.1" {
				continue // this builder knows no port but 443
			}
			t.Run(how+" "+version, func(t *testing.T) {
				id := how + "-" + strings.ReplaceAll(version, ".", "-")
				run := func(password string) string {
					return start(t, t.TempDir(), plainEnv(t.TempDir()), python(t), script(t, "custom_auth.py"), "--how", how, "--version", version,
						"--endpoint", "localhost", "--port", a.Port, "--ca_file", a.ca, "--client_id", id, "--topic", "custom/"+id,
						"--authorizer", "door", "--token", authToken, "--signature", a.signature, "--password", password).succeed(t)
				}
				if got, want := run("s3cret"), "connected\nreceived custom/"+id+" hello\n"; got != want {
					t.Errorf("it printed %q, want %q", got, want)
				}
				user, _ := at(a.hook.last(t), "protocolData", "mqtt", "username").(string)
				if !strings.HasPrefix(user, "alice?") || !strings.Contains(user, "&SDK=") {
					t.Errorf("the function was told of %q", user)
				}
				if got := run("guess"); !strings.HasPrefix(got, "refused ") {
					t.Errorf("with a wrong password it printed %q", got)
				}
			})
		}
	}
}

func TestCurlAndACustomAuthorizer(t *testing.T) {
	t.Parallel()
	a := startAuthorized(t)
	headers := []string{"-H", "x-amz-customauthorizer-name: door", "-H", "token: " + authToken, "-H", "x-amz-customauthorizer-signature: "}
	signed := append(headers[:5:5], headers[5]+a.signature)
	query := "&x-amz-customauthorizer-name=door&token=" + authToken + "&x-amz-customauthorizer-signature=" + url.QueryEscape(a.signature)
	for _, c := range []struct {
		name, target string
		args         []string
		want         string
	}{
		{"headers", "/topics/custom/a?qos=1", signed, "200"},
		{"query", "/topics/custom/a?qos=1" + query, nil, "200"},
		{"another topic", "/topics/else?qos=1", signed, "403"},
		{"forged", "/topics/custom/a?qos=1", append(headers[:5:5], headers[5]+"AAAA"), "401"},
		{"nobody", "/topics/custom/a?qos=1", nil, "403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", a.ca, "-d", "hi"}, c.args...)
			got := start(t, t.TempDir(), plainEnv(t.TempDir()), client(t, "curl"), append(args, "https://localhost:"+a.Port+c.target)...).succeed(t)
			if got != c.want {
				t.Errorf("the answer is %s, want %s", got, c.want)
			}
		})
	}
}
