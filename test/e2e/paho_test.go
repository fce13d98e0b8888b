package e2e

import (
	"strings"
	"testing"
)

func TestPahoPublishesAndSubscribes(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	for _, version := range []string{"3.1.1", "5"} {
		t.Run("mqtt "+version, func(t *testing.T) {
			args := append([]string{script(t, "paho_pubsub.py"), "--version", version}, lamp.sdkFlags(s, "paho/"+version, "hello")...)
			got := start(t, lamp.Dir, plainEnv(lamp.Dir), python(t), args...).succeed(t)
			for _, line := range []string{"connected Success", "subscribed Granted QoS 1", "received paho/" + version + " hello qos 1", "disconnected"} {
				if !strings.Contains(got, line+"\n") {
					t.Errorf("no line %q in:\n%s", line, got)
				}
			}
		})
	}
}
