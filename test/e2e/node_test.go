package e2e

import (
	"slices"
	"strings"
	"testing"
)

// nodeProgram runs a Node program of clients/ with the flags they all take.
func nodeProgram(t *testing.T, s *server, d device, name string) string {
	t.Helper()
	args := append([]string{script(t, name)}, d.sdkFlags(s, "sdk/test/js", "hello from node")...)
	return start(t, d.Dir, nodeEnv(t, d.Dir), client(t, "node"), args...).succeed(t)
}

func TestNodeClientsPublishAndSubscribe(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	tests := []struct{ name, program, want string }{
		{
			"aws-iot-device-sdk-v2 mqtt 3.1.1", "node_mqtt311.cjs",
			lines("connected, session present: false", "subscribed qos 1", "published", "received sdk/test/js hello from node", "disconnected"),
		},
		{
			"aws-iot-device-sdk-v2 mqtt 5", "node_mqtt5.cjs",
			lines("connected 0", "suback 1", "puback 0", "received sdk/test/js hello from node", "stopped"),
		},
		{
			"mqtt.js", "mqttjs_pubsub.cjs",
			lines("connected", "subscribed qos 1", "received sdk/test/js hello from node", "disconnected"),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := nodeProgram(t, s, lamp, test.program)
			if sorted(got) != sorted(test.want) {
				t.Errorf("it printed:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

// sorted puts lines into the order of the alphabet: whether an acknowledgement
// or the message itself comes first is nobody's promise.
func sorted(text string) string {
	all := strings.SplitAfter(text, "\n")
	slices.Sort(all)
	return strings.Join(all, "")
}
