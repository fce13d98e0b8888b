package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConnectionKitRunsOffline(t *testing.T) {
	t.Parallel()
	expectKit(t, startServer(t))
}

// expectKit makes a kit, unpacks and runs it as the tutorial says: first
// without end until Ctrl+C, then with the last line edited to send one message.
func expectKit(t *testing.T, s *server) {
	t.Helper()
	dir := unpackKit(t, s, "raspi2", "python")

	t.Run("holds the files of the tutorial", func(t *testing.T) {
		var names []string
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		slices.Sort(names)
		want := []string{
			"aws-iot-device-sdk-python-v2", "connect_device_package.zip", "raspi2-Policy", "raspi2.cert.pem",
			"raspi2.private.key", "raspi2.public.key", "root-CA.crt", "start.sh",
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("files of the kit (-want +got):\n%s", diff)
		}
	})

	t.Run("sends until Ctrl+C", func(t *testing.T) {
		run := startKit(t, dir)
		run.expect(t, lines(
			"Sending messages until program killed",
			"Publishing message to topic 'sdk/test/python': Hello World!  [1]",
			`Received message from topic 'sdk/test/python': b'"Hello World!  [1]"'`))
		run.signal(syscall.SIGINT)
		run.wait(t)
		want := lines(
			"Running pub/sub sample application...",
			"Connecting to localhost with client ID 'basicPubSub'...",
			"Connected!",
			"Subscribing to topic 'sdk/test/python'...",
			"Subscribed with QoS.AT_LEAST_ONCE",
			"Sending messages until program killed")
		if !strings.HasPrefix(strings.TrimPrefix(run.stdout.String(), "\n"), want) {
			t.Errorf("it printed:\n%s\nwant it to begin with:\n%s", run.output(), want)
		}
	})

	t.Run("reconnects at once and sends one message", func(t *testing.T) {
		editLastLine(t, filepath.Join(dir, "start.sh"), "--count 0", `--count 1 --message "I am RaspberryPi"`)
		got := startKit(t, dir).succeed(t)
		want := lines(
			"Running pub/sub sample application...",
			"Connecting to localhost with client ID 'basicPubSub'...",
			"Connected!",
			"Subscribing to topic 'sdk/test/python'...",
			"Subscribed with QoS.AT_LEAST_ONCE",
			"Sending 1 message(s)",
			"Publishing message to topic 'sdk/test/python': I am RaspberryPi [1]",
			`Received message from topic 'sdk/test/python': b'"I am RaspberryPi [1]"'`,
			"1 message(s) received.",
			"Disconnecting...",
			"Disconnected!")
		if strings.TrimPrefix(prompt(got), "\n") != want {
			t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
		}
	})
}

// unpackKit gives the folder of an unpacked kit for a thing.
func unpackKit(t *testing.T, s *server, thing, sdk string) string {
	t.Helper()
	dir := t.TempDir()
	start(t, dir, plainEnv(dir), thingd, "kit", thing, "--sdk", sdk, "--data", s.Data).succeed(t)
	start(t, dir, plainEnv(dir), client(t, "unzip"), "connect_device_package.zip").succeed(t)
	return dir
}

// startKit runs start.sh as somebody whose python3 has awsiotsdk. Whoever
// tried to reach the network would print "Downloading" or "Cloning".
func startKit(t *testing.T, dir string) *program {
	t.Helper()
	env := plainEnv(dir)
	env[0] = "PATH=" + filepath.Dir(python(t)) + ":" + os.Getenv("PATH")
	return start(t, dir, env, filepath.Join(dir, "start.sh"))
}

// editLastLine replaces part of a file's last line, which has to have it.
func editLastLine(t *testing.T, file, part, with string) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	body := strings.TrimRight(string(text), "\n")
	last := strings.LastIndex(body, "\n") + 1
	if !strings.Contains(body[last:], part) {
		t.Fatalf("the last line of %s has no %q: %s", filepath.Base(file), part, body[last:])
	}
	edited := body[:last] + strings.Replace(body[last:], part, with, 1) + "\n"
	must(t, os.WriteFile(file, []byte(edited), 0o755))
}
