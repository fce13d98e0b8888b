package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// pubsub starts the sample program of the connection kit, which uses the MQTT
// 3.1.1 client of awsiotsdk.
func pubsub(t *testing.T, s *server, d device, args ...string) *program {
	t.Helper()
	sample, err := filepath.Abs("../../internal/kit/files/python/pubsub.py")
	must(t, err)
	args = append([]string{sample, "--endpoint", "localhost", "--port", s.Port,
		"--ca_file", d.CA, "--cert", d.Cert, "--key", d.Key}, args...)
	return start(t, d.Dir, plainEnv(d.Dir), python(t), args...)
}

// prompt takes out the line that the sample prints when an echo takes longer
// than a second: true on a busy machine, and no fault.
func prompt(output string) string {
	return strings.Replace(output, "Waiting for all messages to be received...\n", "", 1)
}

func TestKitSamplePrintsWhatTheTutorialShows(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	pi := s.register(t, "raspi2", allowAll)

	got := pubsub(t, s, pi, "--client_id", "basicPubSub", "--topic", "sdk/test/python",
		"--message", "I am RaspberryPi", "--count", "1").succeed(t)
	want := lines(
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
	if prompt(got) != want {
		t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
	}
}

func TestAWSIoTSDKForPythonSpeaksMQTT5(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	got := start(t, lamp.Dir, plainEnv(lamp.Dir), python(t),
		append([]string{script(t, "mqtt5_pubsub.py")}, lamp.sdkFlags(s, "sdk/test/mqtt5", "hello")...)...).succeed(t)
	want := lines(
		"connected SUCCESS",
		"client_id lamp",
		"maximum_qos 1 receive_maximum 100 server_keep_alive 1200",
		"suback GRANTED_QOS_1",
		"puback SUCCESS",
		"received sdk/test/mqtt5 hello text/plain [('site', 'north')]",
		"stopped")
	if got := sorted(got); got != sorted(want) {
		t.Errorf("it printed, in order of the alphabet:\n%s\nwant:\n%s", got, sorted(want))
	}

	t.Run("and is given a client ID when it has none", func(t *testing.T) {
		flags := lamp
		flags.Name = ""
		got := start(t, lamp.Dir, plainEnv(lamp.Dir), python(t),
			append([]string{script(t, "mqtt5_pubsub.py")}, flags.sdkFlags(s, "sdk/test/assigned", "hello")...)...).succeed(t)
		if !strings.Contains(got, "client_id ") || strings.Contains(got, "client_id \n") {
			t.Errorf("no client ID was assigned; it printed:\n%s", got)
		}
	})
}
