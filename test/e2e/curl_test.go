package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// publishHeader is what curl -D - shows above the body of a publish's answer, its
// fields in the order of the alphabet: the order on the wire says nothing, the
// spelling is what tutorials show.
var publishHeader = regexp.MustCompile(`^HTTP/1\.1 200 OK\r
connection: keep-alive\r
content-length: 65\r
content-type: application/json\r
date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r
x-amzn-RequestId: ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\r
$`)

// expectPublished compares what curl has printed with the answer to a publish,
// whose body repeats the request's ID.
func expectPublished(t *testing.T, printed string) {
	t.Helper()
	header, body, _ := strings.Cut(printed, "\r\n\r\n")
	status, fields, _ := strings.Cut(header+"\r\n", "\n")
	id := publishHeader.FindStringSubmatch(status + "\n" + sorted(fields))
	if id == nil || body != `{"message":"OK","traceId":"`+id[1]+`"}` {
		t.Errorf("curl printed:\n%q\nwant, in any order of the fields:\n%s", printed, publishHeader)
	}
}

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

	expectPublished(t, curlPublish(t, s, d).succeed(t))
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
