package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestStandardPorts runs `thingd serve` with no flags at all, as the tutorials
// expect it: their clients name no port.
func TestStandardPorts(t *testing.T) {
	t.Parallel()
	for _, port := range []string{"8883", "8443", "8080"} {
		if !bindable(port) {
			t.Skipf("port %s is taken", port)
		}
	}
	with443 := bindable("443")
	s := startDefaultServer(t)
	lamp := s.register(t, "lamp", allowAll)

	t.Run("8883 for AWSIoTPythonSDK", func(t *testing.T) {
		start(t, lamp.Dir, plainEnv(lamp.Dir), python(t), script(t, "basic_pubsub.py"),
			"-e", "localhost", "-r", lamp.CA, "-c", lamp.Cert, "-k", lamp.Key).succeed(t)
	})

	t.Run("8443 for curl", func(t *testing.T) {
		onHTTPSPort := server{Data: s.Data, Port: "8443"}
		expectPublished(t, curlPublish(t, &onHTTPSPort, lamp).succeed(t))
	})

	t.Run("443 with ALPN for awsiotsdk", func(t *testing.T) {
		if !with443 {
			t.Skip("port 443 is taken, or not for this user to bind")
		}
		var args []string // all but --port and its value: the builder then takes 443
		for i, arg := range lamp.sdkFlags(s, "sdk/test/alpn", "hello") {
			if i != 2 && i != 3 {
				args = append(args, arg)
			}
		}
		got := start(t, lamp.Dir, plainEnv(lamp.Dir), python(t), append([]string{script(t, "mqtt5_pubsub.py")}, args...)...).succeed(t)
		if !strings.Contains(got, "received sdk/test/alpn hello") {
			t.Errorf("it printed:\n%s", got)
		}
	})

	t.Run("8883 for the connection kit", func(t *testing.T) {
		expectKit(t, s)
	})
}

func bindable(port string) bool {
	door, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return false
	}
	door.Close()
	return true
}

// startDefaultServer runs `thingd serve` in an empty folder and nothing else.
func startDefaultServer(t *testing.T) *server {
	t.Helper()
	s := &server{Data: filepath.Join(t.TempDir(), "thingd-data"), Port: "8883", HTTP: "127.0.0.1:8080"}
	s.start(t)
	return s
}
