package thingd

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/sigv4"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// post is a request of a device in its plainest form.
func post(target, body string, header ...string) string {
	lines := append([]string{"POST " + target + " HTTP/1.1", "Host: localhost", fmt.Sprintf("Content-Length: %d", len(body))}, header...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func TestHTTPSPublishAnswersDownToTheLetter(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	head, body := exchange(t, h.dial(t, h.trust(&d)), post("/topics/data/THING?qos=0", `{ "name": "s3" }`, "Content-Type: application/x-www-form-urlencoded"))

	id := parse(t, head).Header.Get("x-amzn-RequestId")
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("the request ID %q is no UUID", id)
	}
	if want := `{"message":"OK","traceId":"` + id + `"}`; body != want {
		t.Errorf("the body is %s, want %s", body, want)
	}
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	names := map[string]string{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		names[name] = value
	}
	if _, err := http.ParseTime(names["date"]); err != nil {
		t.Errorf("date: %v", err)
	}
	names["date"], names["x-amzn-RequestId"] = "", ""
	// Names are compared as they are spelled: Go's order of them is alphabetical.
	want := map[string]string{
		"content-type": "application/json", "content-length": "65", "date": "", "x-amzn-RequestId": "", "connection": "keep-alive",
	}
	if diff := cmp.Diff(want, names); lines[0] != "HTTP/1.1 200 OK" || diff != "" {
		t.Errorf("%s, header (-want +got):\n%s", lines[0], diff)
	}
}

func TestHTTPSPublishTakesTopicsAsTheyAre(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	sub := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "sub", CleanStart: true})
	sub.subscribe(t, "#", mqtt.QoS1)
	conn := h.dial(t, h.trust(&d)) // one connection for all of them: it must be kept
	in := bufio.NewReader(conn)
	for _, c := range []struct{ target, body, want string }{
		{"/topics/a/b", "raw slash", "a/b raw slash"},
		{"/topics/a%2Fb", "escaped slash", "a/b escaped slash"},
		{"/topics/a%2fb?qos=1", "lower case", "a/b lower case"},
		{"/topics/a//b", "double", "a//b double"},
		{"/topics/a%2F%2Fb", "double escaped", "a//b double escaped"},
		{"/topics//a", "leading", "/a leading"},
		{"/topics/a/", "trailing", "a/ trailing"},
		{"/topics/a/../b", "dots", "a/../b dots"},
		{"/topics/a/./b", "dot", "a/./b dot"},
		{"/topics/a%20b%C3%A9", "escaped", "a b\u00e9 escaped"},
		{"/topics/a%2Bb%25", "plus and percent", ""}, // wildcards are no part of a topic
		{"/topics/empty", "", "empty "},
	} {
		t.Run(c.target, func(t *testing.T) {
			_, err := io.WriteString(conn, post(c.target, c.body))
			must(t, err)
			head, body := answer(t, in)
			if c.want == "" {
				if !strings.HasPrefix(head, "HTTP/1.1 400 ") {
					t.Errorf("the answer is %s%s, want 400", head, body)
				}
				return
			}
			if !strings.HasPrefix(head, "HTTP/1.1 200 ") {
				t.Fatalf("the answer is %s%s", head, body)
			}
			p, ok := sub.read(t).(*mqtt.Publish)
			if !ok || string(p.Topic)+" "+string(p.Payload) != c.want {
				t.Errorf("the subscriber got %+v, want %q", p, c.want)
			}
			if ok && p.QoS == mqtt.QoS1 {
				sub.send(t, &mqtt.Puback{PacketID: p.PacketID})
			}
		})
	}
}

func TestHTTPSPublishRefusals(t *testing.T) {
	h := start(t)
	d := h.device(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iot:Publish","iot:Connect"],"Resource":"*"}}`)
	for _, c := range []struct {
		name, request string
		status        int
		exception     string
	}{
		{"retain without RetainPublish", post("/topics/a?retain=true", "x"), 403, "ForbiddenException"},
		{"QoS 2", post("/topics/a?qos=2", "x"), 400, "InvalidRequestException"},
		{"QoS of letters", post("/topics/a?qos=one", "x"), 400, "SerializationException"},
		{"wildcard", post("/topics/a/%23", "x"), 400, "InvalidRequestException"},
		{"reserved topic", post("/topics/$SYS/a", "x"), 400, "InvalidRequestException"},
		{"GET", "GET /topics/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "MethodNotAllowedException"},
		{"DELETE", "DELETE /topics/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "MethodNotAllowedException"},
		{"a path that is none", post("/nowhere", "x"), 404, "UnknownOperationException"},
		{"a payload too large", post("/topics/a", strings.Repeat("x", 128<<10+1)), 400, "InvalidRequestException"},
		{"a body far too large", post("/topics/a", strings.Repeat("x", 2<<20)), 413, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := h.dial(t, h.trust(&d))
			go io.WriteString(conn, c.request) // the server may answer before it has read everything
			head, body := answer(t, bufio.NewReader(conn))
			got := parse(t, head)
			if got.StatusCode != c.status || c.exception != "" && got.Header.Get("x-amzn-ErrorType") != c.exception {
				t.Errorf("the answer is\n%s%s\nwant %d %s", head, body, c.status, c.exception)
			}
		})
	}
	t.Run("ok/retain with RetainPublish", func(t *testing.T) {
		may := h.device(t, everything)
		if head, _ := exchange(t, h.dial(t, h.trust(&may)), post("/topics/a?retain=true", "x")); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
			t.Errorf("the answer is %s", head)
		}
	})
}

// What is throttled is told so with 429, unlike in the control plane.
func TestHTTPSPublishIsThrottled(t *testing.T) {
	h := start(t, func(c *Config) { c.Limits = map[string]string{"retained": "1"} })
	d := h.device(t, everything)
	conn := h.dial(t, h.trust(&d))
	head, _ := exchange(t, conn, post("/topics/a?retain=true", "x"))
	if !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("the answer is %s", head)
	}
	head, body := exchange(t, conn, post("/topics/b?retain=true", "x"))
	got := parse(t, head)
	if got.StatusCode != 429 || got.Header.Get("x-amzn-ErrorType") != "ThrottlingException" {
		t.Errorf("the answer is %s%s", head, body)
	}
	if event := h.last(t); event.Cause != why.RetainedFull || event.Principal != string(d.id) {
		t.Errorf("the journal has %+v", event)
	}
}

func TestHTTPSPublishSpeaksOldAndCarefulHTTP(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	t.Run("HTTP/1.0 closes after its answer", func(t *testing.T) {
		conn := h.dial(t, h.trust(&d))
		_, err := io.WriteString(conn, "POST /topics/a HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
		must(t, err)
		got := rest(t, conn)
		if !strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n") || !strings.Contains(got, `{"message":"OK"`) || strings.Contains(got, "keep-alive") {
			t.Errorf("the answer is %s", got)
		}
	})
	t.Run("Connection: close is kept", func(t *testing.T) {
		conn := h.dial(t, h.trust(&d))
		_, err := io.WriteString(conn, post("/topics/a", "x", "Connection: close"))
		must(t, err)
		if got := rest(t, conn); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || strings.Contains(got, "keep-alive") {
			t.Errorf("the answer is %s", got)
		}
	})
	t.Run("Expect: 100-continue", func(t *testing.T) {
		conn := h.dial(t, h.trust(&d))
		_, err := io.WriteString(conn, "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		must(t, err)
		in := bufio.NewReader(conn)
		line, err := in.ReadString('\n')
		must(t, err)
		if _, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("the server says %q, want 100 Continue", line)
		}
		_, err = io.WriteString(conn, "hello")
		must(t, err)
		if head, _ := answer(t, in); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "\r\ncontent-length: 65\r\n") {
			t.Errorf("the answer is %s", head)
		}
	})
	t.Run("chunked", func(t *testing.T) {
		head, _ := exchange(t, h.dial(t, h.trust(&d)), "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
			t.Errorf("the answer is %s", head)
		}
	})
	t.Run("two requests in one write", func(t *testing.T) {
		conn := h.dial(t, h.trust(&d))
		_, err := io.WriteString(conn, post("/topics/a", "x")+post("/topics/b", "y"))
		must(t, err)
		in := bufio.NewReader(conn)
		for range 2 {
			if head, _ := answer(t, in); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
				t.Errorf("an answer is %s", head)
			}
		}
	})
}

func TestHTTPSPublishWithASignature(t *testing.T) {
	h := start(t)
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: h.trust(nil)}}
	defer web.CloseIdleConnections()
	for name, c := range map[string]struct {
		service, base string
		keys          sigv4.Credentials
		want          int
	}{
		"ok/iotdata, as boto3":      {"iotdata", "https://" + h.Doors[0], h.keys, 200},
		"ok/iotdevicegateway":       {"iotdevicegateway", "https://" + h.Doors[0], h.keys, 200},
		"ok/on the plain door":      {"iotdata", "http://" + h.HTTP, h.keys, 200},
		"refused/wrong secret":      {"iotdata", "https://" + h.Doors[0], sigv4.Credentials{AccessKeyID: h.keys.AccessKeyID, SecretAccessKey: "guess"}, 403},
		"refused/unknown key":       {"iotdata", "https://" + h.Doors[0], sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "guess"}, 403},
		"refused/service of others": {"dynamodb", "https://" + h.Doors[0], h.keys, 403},
		"refused/no signature":      {"", "https://" + h.Doors[0], h.keys, 403},
		"refused/nor on the plain":  {"", "http://" + h.HTTP, h.keys, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, c.base+"/topics/a%2Fb?qos=1", strings.NewReader("hello"))
			must(t, err)
			if c.service != "" {
				sigv4.Sign(r, []byte("hello"), c.keys, c.service, h.Region, time.Now())
			}
			response, err := web.Do(r)
			must(t, err)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			must(t, err)
			if response.StatusCode != c.want {
				t.Errorf("%s %s, want %d", response.Status, body, c.want)
			}
		})
	}
}
