package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// publishAnswer is what curl -D - shows of a publish: these header fields, in
// this order and spelling, and the request's ID twice. Only date is ours to add.
var publishAnswer = regexp.MustCompile(`^HTTP/1\.1 200 OK\r
content-type: application/json\r
content-length: 65\r
date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r
x-amzn-RequestId: ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\r
connection: keep-alive\r
\r
\{"message":"OK","traceId":"([0-9a-f-]{36})"\}$`)

// curlPublish is the command of the tutorial, word for word but for the port.
func curlPublish(t *testing.T, s *server, d device) *program {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(d.Dir, "payload.json"), []byte("{ \"name\": \"s3\" }\n"), 0o600))
	command := `curl -D - --tlsv1.2 -X POST --cert ./certs/device-certificate.pem.crt --key ./certs/private.pem ` +
		`--cacert ./certs/root.pem "https://localhost:` + s.Port + `/topics/data/` + d.Name + `?qos=0" -d @payload.json`
	client(t, "curl")
	return start(t, d.Dir, plainEnv(d.Dir), client(t, "bash"), "-c", command)
}

func TestCurlPublishesWithTheDeviceCertificate(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	expectCurlPublish(t, s, s.register(t, "lamp", allowAll))
}

func expectCurlPublish(t *testing.T, s *server, d device) {
	t.Helper()
	topic := "data/" + d.Name
	sub := mosquittoSub(t, s, d, "-t", topic, "-C", "1")

	got := curlPublish(t, s, d).succeed(t)
	if ids := publishAnswer.FindStringSubmatch(got); ids == nil {
		t.Errorf("curl printed:\n%q\nwant a match of:\n%s", got, publishAnswer)
	} else if ids[1] != ids[2] {
		t.Errorf("traceId %s is not the request ID %s", ids[2], ids[1])
	}
	sub.succeed(t)
	// curl takes the line end out of a file given with -d @.
	sub.expect(t, "\n"+topic+"|0|0|{ \"name\": \"s3\" }\n")
}

func TestCurlIsToldForbiddenWithoutAPolicy(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", "")

	got := curlPublish(t, s, lamp).succeed(t)
	if !strings.HasPrefix(got, "HTTP/1.1 403 Forbidden\r\n") || !strings.Contains(got, `{"message":"Forbidden","traceId":"`) {
		t.Errorf("curl printed:\n%s", got)
	}
}
