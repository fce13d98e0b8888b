package authorizer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/fault"
)

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func public(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func sign(t *testing.T, token string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(token))
	raw, err := rsa.SignPKCS1v15(rand.Reader, signingKey(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

const fine = `{"isAuthenticated":true,"principalId":"alice1","disconnectAfterInSeconds":3600,"refreshAfterInSeconds":300,
	"policyDocuments":["{\"Version\":\"2012-10-17\",\"Statement\":[]}",{"Version": "2012-10-17", "Statement": []}]}`

func TestAnswersAreRead(t *testing.T) {
	doc := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}`
	quoted, _ := json.Marshal(doc)
	yes := func(more string) string { return `{"isAuthenticated":true,"principalId":"alice1"` + more + `}` }
	long := Verdict{Authenticated: true, PrincipalID: "alice1", Documents: []string{}, Disconnect: 24 * time.Hour, Refresh: 24 * time.Hour}
	withDoc := long
	withDoc.Documents = []string{doc, doc}
	timed := long
	timed.Disconnect, timed.Refresh = 300*time.Second, 86400*time.Second
	for _, c := range []struct {
		name, text string
		want       Verdict
		err        string
	}{
		{"ok/no", `{"isAuthenticated":false}`, Verdict{}, ""},
		{"ok/no, and the rest does not matter", `{"isAuthenticated":false,"principalId":"%"}`, Verdict{}, ""},
		{"ok/least", yes(""), long, ""},
		{"ok/documents as string and object", yes(`,"policyDocuments":[` + string(quoted) + `, ` + doc + `]`), withDoc, ""},
		{"ok/shortest and longest time", yes(`,"disconnectAfterInSeconds":300,"refreshAfterInSeconds":86400`), timed, ""},
		{"bad/not JSON", `hello`, Verdict{}, "not the JSON object"},
		{"bad/a list", `[]`, Verdict{}, "not the JSON object"},
		{"bad/nothing said", `{}`, Verdict{}, "isAuthenticated is missing"},
		{"bad/no principal", `{"isAuthenticated":true}`, Verdict{}, "principalId has 1 to 128"},
		{"bad/principal's characters", `{"isAuthenticated":true,"principalId":"a b"}`, Verdict{}, "other characters"},
		{"bad/principal too long", `{"isAuthenticated":true,"principalId":"` + strings.Repeat("a", 129) + `"}`, Verdict{}, "not 129"},
		{"bad/too short a time", yes(`,"disconnectAfterInSeconds":299`), Verdict{}, "disconnectAfterInSeconds is 300 to 86400, not 299"},
		{"bad/too long a time", yes(`,"refreshAfterInSeconds":86401`), Verdict{}, "refreshAfterInSeconds is 300 to 86400, not 86401"},
		{"bad/too many documents", yes(`,"policyDocuments":[` + strings.Repeat(doc+",", 10) + doc + `]`), Verdict{}, "at most 10"},
		{"bad/a document too long", yes(`,"policyDocuments":["` + strings.Repeat(" ", 2049) + `"]`), Verdict{}, "not 2049"},
		{"bad/no document", yes(`,"policyDocuments":["hello"]`), Verdict{}, "policy document 1"},
		{"bad/a number for a document", yes(`,"policyDocuments":[7]`), Verdict{}, "policy document 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readVerdict([]byte(c.text))
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("got error %v, want %q", err, c.err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Verdict{}, "Policies"), cmpopts.IgnoreUnexported(Verdict{})); err == nil && diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestOffersAreReadFromEverywhere(t *testing.T) {
	escaped := url.QueryEscape("a+b/c==")
	for _, c := range []struct {
		name                   string
		offer                  Offer
		who, signature, theTok string
	}{
		{"nothing", Offer{}, "", "", ""},
		{"user name", Offer{MQTT: &MQTT{Username: "alice?x-amz-customauthorizer-name=auth1&x-amz-customauthorizer-signature=" + escaped + "&tok=t%26k&SDK=PythonV2"}}, "auth1", "a+b/c==", "t&k"},
		{"user name without user", Offer{MQTT: &MQTT{Username: "?X-Amz-CustomAuthorizer-Name=auth1"}}, "auth1", "", ""},
		{"no query", Offer{MQTT: &MQTT{Username: "x-amz-customauthorizer-name=auth1"}}, "", "", ""},
		{"headers", Offer{HTTP: &HTTP{Headers: map[string]string{"X-Amz-Customauthorizer-Name": "auth1", "X-Amz-Customauthorizer-Signature": "a+b/c==", "Tok": "t"}}}, "auth1", "a+b/c==", "t"},
		{"escaped header", Offer{HTTP: &HTTP{Headers: map[string]string{"X-Amz-Customauthorizer-Signature": escaped}}}, "", "a+b/c==", ""},
		{"query", Offer{HTTP: &HTTP{Query: "?x-amz-customauthorizer-name=auth1&tok=t"}}, "auth1", "", "t"},
		{"the user name first", Offer{HTTP: &HTTP{Query: "?tok=h"}, MQTT: &MQTT{Username: "?tok=m"}}, "", "", "m"},
		{"a broken query", Offer{MQTT: &MQTT{Username: "?tok=%zz&x-amz-customauthorizer-name=auth1"}}, "auth1", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := []string{c.offer.value(NameKey), c.offer.value(SignatureKey), c.offer.value("tok")}
			if diff := cmp.Diff([]string{c.who, c.signature, c.theTok}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFunctionsGetTheEvent(t *testing.T) {
	o := Offer{
		ServerName: "data.example.net",
		HTTP:       &HTTP{Headers: map[string]string{"h": "v"}, Query: "?a=b"},
		MQTT:       &MQTT{Username: "alice?x", Password: []byte("secret"), ClientID: "dev1"},
	}
	got, err := json.Marshal(o.event("abc", true, "id-1"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"token":"abc","signatureVerified":true,"protocols":["tls","http","mqtt"],"protocolData":{` +
		`"tls":{"serverName":"data.example.net"},"http":{"headers":{"h":"v"},"queryString":"?a=b"},` +
		`"mqtt":{"username":"alice?x","password":"c2VjcmV0","clientId":"dev1"}},"connectionMetadata":{"id":"id-1"}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSignaturesAreVerified(t *testing.T) {
	a := Authorizer{TokenKeyName: "tok", PublicKeys: map[string]string{"k": public(t, signingKey())}}
	good := sign(t, "token")
	for _, c := range []struct{ name, token, signature, err string }{
		{"ok", "token", good, ""},
		{"ok/read from a query that was not escaped", "token", strings.ReplaceAll(good, "+", " "), ""},
		{"no token", "", good, "token is missing"},
		{"no signature", "token", "", "signature is missing"},
		{"another token", "other", good, "fits none"},
		{"not base64", "token", "%%", "not base64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := a.verify(c.token, c.signature)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

func TestAuthorizersAreChecked(t *testing.T) {
	weak, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	many := map[string]string{}
	for i := range keysMax + 1 {
		many[fmt.Sprint(i)] = public(t, signingKey())
	}
	for _, c := range []struct {
		name string
		a    Authorizer
		ok   bool
	}{
		{"ok/signing", Authorizer{TokenKeyName: "tok", PublicKeys: map[string]string{"k": public(t, signingKey())}}, true},
		{"ok/no signing", Authorizer{SigningDisabled: true}, true},
		{"no token key", Authorizer{PublicKeys: map[string]string{"k": public(t, signingKey())}}, false},
		{"no keys", Authorizer{TokenKeyName: "tok"}, false},
		{"too many keys", Authorizer{TokenKeyName: "tok", PublicKeys: many}, false},
		{"not PEM", Authorizer{TokenKeyName: "tok", PublicKeys: map[string]string{"k": "hello"}}, false},
		{"not RSA", Authorizer{TokenKeyName: "tok", PublicKeys: map[string]string{"k": public(t, weak)}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.a.check(); (err == nil) != c.ok || err != nil && !fault.Is(err, fault.CodeInvalidRequest) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzReadVerdict(f *testing.F) {
	f.Add([]byte(fine))
	f.Add([]byte(`{"isAuthenticated":true,"principalId":"a","policyDocuments":[null,"{}"],"refreshAfterInSeconds":1e999}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := readVerdict(text)
		if err == nil && v.Authenticated && (v.PrincipalID == "" || v.Policies == nil || v.Refresh < intervalMin*time.Second || v.Disconnect > intervalMax*time.Second) {
			t.Errorf("accepted %+v", v)
		}
	})
}

func FuzzOffer(f *testing.F) {
	f.Add("alice?x-amz-customauthorizer-name=auth1&x-amz-customauthorizer-signature=a%2Bb&tok=t", "?a=b;c", "Tok")
	f.Fuzz(func(_ *testing.T, username, query, header string) {
		o := Offer{HTTP: &HTTP{Headers: map[string]string{header: query}, Query: query}, MQTT: &MQTT{Username: username}}
		_ = o.Names()
		_ = o.value("tok")
	})
}
