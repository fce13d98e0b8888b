package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dummyDevice starts the program of the hands-on in a folder of its own, with
// the downloaded files where the hands-on puts them.
func dummyDevice(t *testing.T, s *server, d device) *program {
	t.Helper()
	for _, name := range []string{"deviceMain.py", "iotCommon.py"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", "dummy-device", name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(d.Dir, name), text, 0o600))
	}
	return start(t, d.Dir, plainEnv(d.Dir), python(t), "deviceMain.py", "--device_name", d.Name, "--endpoint", "localhost", "--port", s.Port)
}

func TestDummyDeviceReportsAndObeysItsShadow(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)
	sh := s.shell(t)
	data := mosquittoSub(t, s, lamp, "-t", "data/lamp", "-C", "1")
	documents := mosquittoSub(t, s, lamp, "-t", "$aws/things/lamp/shadow/update/documents", "-C", "3")

	run := dummyDevice(t, s, lamp)
	run.expect(t, lines(
		"start >>>",
		"device_name: lamp",
		"endpoint: localhost",
		"rootca cert: ./certs/root.pem",
		"private key: ./certs/private.pem",
		"certificate: ./certs/device-certificate.pem.crt",
		"connect to AWS IoT >>>",
		"topic: data/lamp",
		`send back state payload:{"state": {"reported": {"wait_time": 5}}}`))
	documents.expect(t, `"wait_time":5`)
	data.succeed(t)
	data.expect(t, `data/lamp|0|0|{"DEVICE_NAME": "lamp", "TIMESTAMP": "`)

	sh.run(t, "iot-data", "update-thing-shadow", "--thing-name", "lamp", "answer.json",
		"--payload", `{"state":{"desired":{"wait_time":10},"reported":{"wait_time":5}}}`)
	run.expect(t, lines(
		"received instruction:{'wait_time': 10}",
		`send back state payload:{"state": {"reported": {"wait_time": 10}}}`))
	documents.succeed(t) // the third document is the report

	sh.run(t, "iot-data", "get-thing-shadow", "--thing-name", "lamp", "shadow.json")
	want := map[string]any{"desired": map[string]any{"wait_time": 10.0}, "reported": map[string]any{"wait_time": 10.0}}
	if diff := cmp.Diff(want, shadowState(t, filepath.Join(sh.dir, "shadow.json"))); diff != "" {
		t.Errorf("state of the shadow (-want +got):\n%s", diff)
	}

	run.signal(syscall.SIGINT)
	run.succeed(t)
}

// shadowState gives the member "state" of a shadow document in a file.
func shadowState(t *testing.T, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	var document map[string]any
	must(t, json.Unmarshal(text, &document))
	return document["state"]
}

func TestDummyDeviceWithoutPolicySaysConnectTimedOut(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", "")

	run := dummyDevice(t, s, lamp)
	run.fail(t)
	if want := lines("connect to AWS IoT >>>", "Connect timed out", "class shadow Error", "Error main()"); !strings.HasSuffix(run.stdout.String(), want) {
		t.Errorf("it printed:\n%s\nwant at the end:\n%s", run.output(), want)
	}
	trace := strings.TrimSpace(run.stderr.String())
	if last := trace[strings.LastIndex(trace, "\n")+1:]; !strings.Contains(last, "connectTimeoutException") {
		t.Errorf("the traceback ends with %q", last)
	}
}
