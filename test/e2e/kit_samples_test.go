package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNodeKitRunsOffline(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := unpackKit(t, s, "lamp", "node")
	env := nodeEnv(t, dir)
	client(t, "node")

	run := start(t, dir, env, filepath.Join(dir, "start.sh"))
	run.expect(t, `Received message from topic 'sdk/test/js': "Hello World!  [1]"`)
	run.signal(syscall.SIGINT)
	if code := run.wait(t); code != 130 {
		t.Errorf("Ctrl+C ended it with %d, want 130; it printed:\n%s", code, run.output())
	}

	editLastLine(t, filepath.Join(dir, "start.sh"), "--count 0", `--count 2 --message "I am a lamp"`)
	got := start(t, dir, env, filepath.Join(dir, "start.sh")).succeed(t)
	want := lines(
		"Running pub/sub sample application...",
		"Connecting to localhost with client ID 'sdk-nodejs-lamp'...",
		"Connected!",
		"Subscribing to topic 'sdk/test/js'...",
		"Subscribed with QoS 1",
		"Sending 2 message(s)",
		"Publishing message to topic 'sdk/test/js': I am a lamp [1]",
		`Received message from topic 'sdk/test/js': "I am a lamp [1]"`,
		"Publishing message to topic 'sdk/test/js': I am a lamp [2]",
		`Received message from topic 'sdk/test/js': "I am a lamp [2]"`,
		"2 message(s) received.",
		"Disconnecting...",
		"Disconnected!")
	if diff := cmp.Diff(want, strings.TrimPrefix(got, "\n")); diff != "" {
		t.Errorf("it printed (-want +got):\n%s", diff)
	}
}

func TestShellKitNeedsNothingButMosquitto(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client(t, "mosquitto_sub")
	dir := unpackKit(t, s, "lamp", "shell")
	kit := func(args ...string) *program {
		return start(t, dir, plainEnv(dir), filepath.Join(dir, "start.sh"), args...)
	}

	run := kit()
	run.expect(t, `Received message from topic 'sdk/test/shell': "Hello World! [1]"`)
	run.signal(syscall.SIGINT)
	if code := run.wait(t); code != 130 {
		t.Errorf("Ctrl+C ended it with %d, want 130; it printed:\n%s", code, run.output())
	}

	got := kit("2", "I am a lamp").succeed(t)
	want := lines(
		"Running pub/sub sample application...",
		"Subscribed to topic 'sdk/test/shell'",
		`Received message from topic 'sdk/test/shell': "I am a lamp [1]"`,
		`Received message from topic 'sdk/test/shell': "I am a lamp [2]"`,
		"Disconnected!")
	if diff := cmp.Diff(want, strings.TrimPrefix(got, "\n")); diff != "" {
		t.Errorf("it printed (-want +got):\n%s", diff)
	}

	must(t, os.Remove(filepath.Join(dir, "lamp.private.key")))
	if refused := kit("1").fail(t); !strings.Contains(refused, "ERROR: could not connect or subscribe") {
		t.Errorf("without its key it printed:\n%s", refused)
	}
}

// The sketch is compiled against stand-ins of the board's libraries, which say
// what it would do; a real client then does just that.
func TestArduinoKitDoesOnABoardWhatItsPolicyAllows(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := unpackKit(t, s, "lamp", "arduino")
	standIns, err := filepath.Abs(filepath.Join("clients", "arduino"))
	must(t, err)
	start(t, dir, plainEnv(dir), client(t, "g++"), "-std=c++17", "-Wall", "-Werror", "-Wno-unused-variable", "-I", standIns,
		`-DSKETCH="`+filepath.Join(dir, "connect_device", "connect_device.ino")+`"`, "-x", "c++",
		filepath.Join(standIns, "main.cpp"), "-o", "board").succeed(t)

	got := start(t, dir, plainEnv(dir), filepath.Join(dir, "board")).succeed(t)
	connecting := "serial Connecting to localhost with client ID 'sdk-arduino-lamp'...\nconnect sdk-arduino-lamp\n"
	sent := func(text string) string {
		return "serial Publishing message to topic 'sdk/test/arduino': " + text + "\npublish sdk/test/arduino " + text + "\n"
	}
	want := "serial Joining Wi-Fi your Wi-Fi...\nserial Connected to Wi-Fi as 192.0.2.7\n" +
		"server localhost " + s.Port + "\nbuffer 2048\n" + connecting +
		"serial Could not connect (state -2); on the server, \"thingd why sdk-arduino-lamp\" says why.\n" + connecting +
		"serial Connected!\nsubscribe sdk/test/arduino 1\n" + sent(`"Hello World! [1]"`) +
		"serial Received message from topic 'sdk/test/arduino': \"Hello World! [1]\"\n" + sent(`"Hello World! [2]"`) +
		"serial Received message from topic 'sdk/test/arduino': \"Hello World! [2]\"\n" + sent(`"Hello World! [3]"`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the board did (-want +got):\n%s", diff)
	}

	start(t, dir, plainEnv(dir), client(t, "mosquitto_pub"), "-h", "localhost", "-p", s.Port, "--cafile", "ca.pem", "--cert", "cert.pem",
		"--key", "key.pem", "-i", "sdk-arduino-lamp", "-t", "sdk/test/arduino", "-q", "1", "-m", "hello").succeed(t)
}
