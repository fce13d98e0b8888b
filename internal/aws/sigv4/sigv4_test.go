package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"thingd/internal/fault"
)

var (
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	creds = Credentials{AccessKeyID: "AKIATESTTESTTESTTEST", SecretAccessKey: "secret"}
)

func clockAt(t time.Time) func() time.Time { return func() time.Time { return t } }

// arrive is r as a server would see it: on the wire and read again.
func arrive(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(newReader(wire.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func check(t testing.TB, r *http.Request, body []byte, secret string, at time.Time) error {
	t.Helper()
	sig, err := Parse(r)
	if err != nil {
		return err
	}
	sig.SetBody(body)
	return NewVerifier(clockAt(at)).Verify(sig, secret)
}

// sdkURLs are what real clients put into paths and queries.
var sdkURLs = []string{
	"https://iot.example/things/pump7",
	"https://iot.example:8443/things/a%3Ab",
	"https://iot.example/things/t/jobs/$next",
	"https://iot.example/things/t/jobs/%24next",
	"https://iot.example/attached-policies/arn%3Aaws%3Aiot%3Aeu-west-1%3A111122223333%3Acert%2Fab?recursive=true&pageSize=5",
	"https://iot.example/topics/a//b?qos=1",
	"https://iot.example/topics/a%2F%2Fb%20c",
	"https://iot.example/things?attributeName=a%2Fb&attributeValue=x%3D%5By%5D&empty=",
	"https://iot.example/things?b=2&a-b=1&a=2&a=1&%C3%A9=~",
	"https://iot.example/",
	"https://iot.example",
	"https://[::1]:8443/things",
}

func TestVerifyWhatTheSDKSigns(t *testing.T) {
	for _, raw := range sdkURLs {
		for _, token := range []string{"", "session/token+="} {
			t.Run(raw+" "+token, func(t *testing.T) {
				body := []byte(`{"a":1}`)
				r, err := http.NewRequest("POST", raw, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-Amzn-Principal", "  two   spaces ")
				sdk := aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: token}
				if err := v4.NewSigner().SignHTTP(context.Background(), sdk, r, HashOf(body), "iot", "eu-west-1", noon); err != nil {
					t.Fatal(err)
				}
				got := arrive(t, r)
				if err := check(t, got, body, "secret", noon.Add(4*time.Minute)); err != nil {
					t.Error(err)
				}
				if err := check(t, got, body, "other", noon); !fault.Is(err, CodeInvalid) {
					t.Errorf("with another secret: %v", err)
				}
				if err := check(t, got, []byte("other"), "secret", noon); !fault.Is(err, CodeInvalid) {
					t.Errorf("with another body: %v", err)
				}
			})
		}
	}
}

func TestVerifyWhatTheSDKPresigns(t *testing.T) {
	for _, raw := range sdkURLs {
		for _, token := range []string{"", "session/token+="} {
			t.Run(raw+" "+token, func(t *testing.T) {
				r, err := http.NewRequest("GET", raw, nil)
				if err != nil {
					t.Fatal(err)
				}
				query := r.URL.Query()
				query.Set("X-Amz-Expires", "3600")
				r.URL.RawQuery = query.Encode()
				sdk := aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: token}
				signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), sdk, r, HashOf(nil), "iotdevicegateway", "eu-west-1", noon)
				if err != nil {
					t.Fatal(err)
				}
				got, err := http.NewRequest("GET", signed, nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := check(t, got, nil, "secret", noon.Add(59*time.Minute)); err != nil {
					t.Error(err)
				}
				if err := check(t, got, nil, "secret", noon.Add(61*time.Minute)); !fault.Is(err, CodeInvalid) {
					t.Errorf("after it expired: %v", err)
				}
			})
		}
	}
}

func TestSignIsWhatTheSDKSigns(t *testing.T) {
	for _, raw := range sdkURLs {
		ours, _ := http.NewRequest("PUT", raw, nil)
		theirs, _ := http.NewRequest("PUT", raw, nil)
		Sign(ours, nil, creds, "iot", "eu-west-1", noon)
		sdk := aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey}
		if err := v4.NewSigner().SignHTTP(context.Background(), sdk, theirs, HashOf(nil), "iot", "eu-west-1", noon); err != nil {
			t.Fatal(err)
		}
		if got, want := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", raw, got, want)
		}
	}
}

func TestSignAndPresignAreVerified(t *testing.T) {
	session := creds
	session.SessionToken = "a/b+c="
	for _, c := range []Credentials{creds, session} {
		r, _ := http.NewRequest("POST", "https://h:8443/a%2Fb//c?x=1&y", strings.NewReader("body"))
		r.Header.Set("Content-Type", "text/plain")
		Sign(r, []byte("body"), c, "iotdata", "r", noon)
		if err := check(t, arrive(t, r), []byte("body"), "secret", noon); err != nil {
			t.Error(err)
		}
		u := Presign(httptest.NewRequest("GET", "https://h/mqtt?x=a+b", nil), c, "iotdevicegateway", "r", noon, time.Hour)
		presigned, _ := http.NewRequest("GET", u.String(), nil)
		if err := check(t, presigned, nil, "secret", noon); err != nil {
			t.Error(err)
		}
	}
}

// The vector that describes what the device SDKs do for WebSockets.
func TestWebSocketVector(t *testing.T) {
	const credential = "X-Amz-Credential=TESTACCESSKEYID00001%2F20250102%2Fus-east-1%2Fiotdevicegateway%2Faws4_request"
	const head = "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&" + credential + "&X-Amz-Date=20250102T030405Z"
	const withExpires = head + "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=fc5eab40b6d0a06c338d6b06e3d1b043abf0d17f13a9dd62942b50ea3ebf3f4f"
	const without = head + "&X-Amz-SignedHeaders=host&X-Amz-Signature=c900332eddec05d211bc87526ad8f12dc3f01920debb259f7b74bcda208506df"
	at := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		name, url, host string
		port            int
		at              time.Time
		ok              bool
	}{
		{"ok/with a life", withExpires, "broker.thingd.test", 443, at.Add(23 * time.Hour), true},
		{"ok/without one", without, "broker.thingd.test", 443, at.Add(4 * time.Minute), true},
		{"ok/token appended after signing", withExpires + "&X-Amz-Security-Token=t%2Bt", "broker.thingd.test", 443, at, true},
		{"ok/bare host signed, port sent", withExpires, "broker.thingd.test:8443", 8443, at, true},
		{"refused/other host", withExpires, "other.thingd.test", 443, at, false},
		{"refused/other path", strings.Replace(withExpires, "/mqtt", "/mqtu", 1), "broker.thingd.test", 443, at, false},
		{"refused/more parameters", withExpires + "&x=y", "broker.thingd.test", 443, at, false},
		{"refused/after its life", withExpires, "broker.thingd.test", 443, at.Add(25 * time.Hour), false},
		{"refused/after five minutes without a life", without, "broker.thingd.test", 443, at.Add(6 * time.Minute), false},
		{"refused/before its time", withExpires, "broker.thingd.test", 443, at.Add(-6 * time.Minute), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := listening(httptest.NewRequest("GET", tc.url, nil), tc.host, tc.port)
			err := check(t, r, nil, "thingd-docs-secret-0001", tc.at)
			if (err == nil) != tc.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func listening(r *http.Request, host string, port int) *http.Request {
	r.Host = host
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{Port: port}))
}

func TestPresignedWithPortSignedAndNotSent(t *testing.T) {
	r := httptest.NewRequest("GET", "https://h:8443/mqtt", nil)
	u := Presign(r, creds, "iotdevicegateway", "r", noon, time.Minute)
	for port, ok := range map[int]bool{8443: true, 443: false} {
		err := check(t, listening(httptest.NewRequest("GET", u.RequestURI(), nil), "h", port), nil, "secret", noon)
		if (err == nil) != ok {
			t.Errorf("port %d: %v", port, err)
		}
	}
}

func TestVerifyAcceptsBotocoresCleanPath(t *testing.T) {
	clean, _ := http.NewRequest("GET", "https://h/topics/a/b/", nil)
	Sign(clean, nil, creds, "iotdata", "r", noon)
	sent, _ := http.NewRequest("GET", "https://h/topics/a//./b/", nil)
	sent.Header = clean.Header
	if err := check(t, arrive(t, sent), nil, "secret", noon); err != nil {
		t.Error(err)
	}
}

func TestVerifyAcceptsUnsignedPayload(t *testing.T) {
	r, _ := http.NewRequest("PUT", "https://h/bucket/a%2Fb", strings.NewReader("body"))
	r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload)
	sdk := aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(context.Background(), sdk, r, UnsignedPayload, "s3", "r", noon); err != nil {
		t.Fatal(err)
	}
	if err := check(t, arrive(t, r), []byte("body"), "secret", noon); err != nil {
		t.Error(err)
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "AWS4-HMAC-SHA256 Credential=A/20260102/r/iot/aws4_request, SignedHeaders=host, Signature="
	hex64 := strings.Repeat("a", 64)
	query := func(change func(url.Values)) string {
		q := url.Values{
			"X-Amz-Algorithm": {algorithm}, "X-Amz-Credential": {"A/20260102/r/iot/aws4_request"}, "X-Amz-Date": {"20260102T000000Z"},
			"X-Amz-SignedHeaders": {"host"}, "X-Amz-Signature": {hex64}, "X-Amz-Expires": {"60"},
		}
		change(q)
		return "/?" + q.Encode()
	}
	for _, tc := range []struct {
		name, auth, date, url string
		want                  fault.Code
	}{
		{"ok/header", good + hex64, "20260102T000000Z", "/", ""},
		{"ok/query", "", "", query(func(url.Values) {}), ""},
		{"missing/nothing", "", "", "/", CodeMissing},
		{"missing/basic", "Basic YTpi", "", "/", CodeMissing},
		{"incomplete/algorithm", "AWS4-ECDSA-P256-SHA256 Credential=A", "", "/", CodeIncomplete},
		{"incomplete/no signature", strings.TrimSuffix(good, ", Signature="), "20260102T000000Z", "/", CodeIncomplete},
		{"incomplete/short signature", good + "abcd", "20260102T000000Z", "/", CodeIncomplete},
		{"incomplete/twice", good + hex64 + ", SignedHeaders=host", "20260102T000000Z", "/", CodeIncomplete},
		{"incomplete/host not signed", strings.Replace(good, "=host", "=x-amz-date", 1) + hex64, "20260102T000000Z", "/", CodeIncomplete},
		{"incomplete/upper case", strings.Replace(good, "=host", "=host;Date", 1) + hex64, "20260102T000000Z", "/", CodeIncomplete},
		{"incomplete/many headers", strings.Replace(good, "=host", "=host"+strings.Repeat(";a", 99), 1) + hex64, "20260102T000000Z", "/", CodeIncomplete},
		{"incomplete/scope", strings.Replace(good, "/iot/", "/", 1) + hex64, "20260102T000000Z", "/", CodeIncomplete},
		{"incomplete/empty service", strings.Replace(good, "/iot/", "//", 1) + hex64, "20260102T000000Z", "/", CodeIncomplete},
		{"incomplete/no date", good + hex64, "", "/", CodeIncomplete},
		{"incomplete/date", good + hex64, "2026-01-02", "/", CodeIncomplete},
		{"invalid/date of another day", good + hex64, "20260103T000000Z", "/", CodeInvalid},
		{"incomplete/life too long", "", "", query(func(q url.Values) { q.Set("X-Amz-Expires", "604801") }), CodeIncomplete},
		{"incomplete/life of nothing", "", "", query(func(q url.Values) { q.Set("X-Amz-Expires", "0") }), CodeIncomplete},
		{"incomplete/query without credential", "", "", query(func(q url.Values) { q.Del("X-Amz-Credential") }), CodeIncomplete},
		{"incomplete/query too long", "", "", query(func(url.Values) {}) + strings.Repeat("&a", 300), CodeIncomplete},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", tc.url, nil)
			if tc.auth != "" {
				r.Header.Set("Authorization", tc.auth)
			}
			if tc.date != "" {
				r.Header.Set("X-Amz-Date", tc.date)
			}
			if _, err := Parse(r); fault.CodeOf(err) != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestParseTakesTheSignatureApart(t *testing.T) {
	r, _ := http.NewRequest("GET", "https://h/", nil)
	r.Header.Set("Date", "Fri, 02 Jan 2026 12:00:00 GMT")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260102/r/iot/aws4_request,SignedHeaders=date;host,Signature="+strings.Repeat("0", 64))
	r.Header.Set("X-Amz-Security-Token", "token")
	got, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	got.signature, got.request = nil, request{}
	want := &Signature{
		Scope: Scope{Date: "20260102", Region: "r", Service: "iot"}, AccessKeyID: "A", SessionToken: "token",
		SignedHeaders: []string{"date", "host"}, Time: noon,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Signature{}, request{})); diff != "" {
		t.Error(diff)
	}
}

func TestMismatchShowsNoToken(t *testing.T) {
	c := creds
	c.SessionToken = "very/secret+token"
	r, _ := http.NewRequest("GET", "https://h/", nil)
	Sign(r, nil, c, "iot", "r", noon)
	err := check(t, arrive(t, r), nil, "wrong", noon)
	if err == nil || strings.Contains(err.Error(), "secret+token") || !strings.Contains(err.Error(), "x-amz-security-token:[hidden]") {
		t.Error(err)
	}
}

func TestKeysAreBounded(t *testing.T) {
	v := NewVerifier(clockAt(noon))
	for i := range keysMax + 10 {
		v.key(fmt.Sprint(i), Scope{})
	}
	if len(v.keys) > keysMax {
		t.Errorf("%d keys", len(v.keys))
	}
	if got, want := v.key("s", Scope{Date: "d"}), SigningKey("s", Scope{Date: "d"}); !bytes.Equal(got, want) {
		t.Error("the remembered key is another")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20260102/r/iot/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("a", 64), "20260102T000000Z", "/a%2Fb//c", "x=1&y", "h:1")
	f.Add("", "", "/", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260102%2Fr%2Fiot%2Faws4_request&X-Amz-Date=20260102T000000Z&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t&X-Amz-Signature="+strings.Repeat("a", 64), "[::1]:80")
	v := NewVerifier(clockAt(noon))
	f.Fuzz(func(t *testing.T, auth, date, path, query, host string) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: path, RawQuery: query}, Host: host, Header: http.Header{}}
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		r.Header.Set("X-Amz-Date", date)
		sig, err := Parse(r)
		if err != nil {
			if code := fault.CodeOf(err); code == fault.Internal {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		if err := v.Verify(sig, "secret that no input knows"); err == nil {
			t.Fatal("verified")
		}
	})
}

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
