package e2e

import (
	"crypto/tls"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
)

func TestDeviceWithoutPolicyIsRefusedInSilenceAndExplained(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", "")

	// A group, because what runs in parallel has to be over before the policy is
	// attached.
	t.Run("refused", func(t *testing.T) {
		t.Run("AWSIoTPythonSDK raises connectTimeoutException", func(t *testing.T) {
			t.Parallel()
			got := basicPubSub(t, s, lamp, "-id", "dummy").fail(t)
			if !strings.Contains(got, "connectTimeoutException") {
				t.Errorf("it printed:\n%s", got)
			}
		})

		t.Run("mqtt 3.1.1 sees a close without CONNACK", func(t *testing.T) {
			t.Parallel()
			if got := connect(t, s, lamp, connect311("lamp")); len(got) != 0 {
				t.Errorf("the server sent % x before it closed, want nothing", got)
			}
		})

		t.Run("mqtt 5 is told not authorized", func(t *testing.T) {
			t.Parallel()
			got := connect(t, s, lamp, connect5("lamp"))
			if len(got) < 4 || got[0] != 0x20 || got[3] != 0x87 {
				t.Errorf("the server sent % x, want a CONNACK with reason 87", got)
			}
		})

		t.Run("thingd why names the statement that is missing", func(t *testing.T) {
			t.Parallel()
			connect(t, s, lamp, connect311("refused-lamp"))
			got := s.thingd(t, "why", "refused-lamp").succeed(t)
			for _, part := range []string{"refused-lamp", "iot:Connect", ":client/refused-lamp"} {
				if !strings.Contains(got, part) {
					t.Errorf("`thingd why` does not say %q; it printed:\n%s", part, got)
				}
			}
		})
	})

	t.Run("and served once the policy is attached", func(t *testing.T) {
		other := s.register(t, "other", allowAll)
		_, err := s.controlPlane(t).AttachPolicy(t.Context(), &iot.AttachPolicyInput{PolicyName: &other.PolicyName, Target: &lamp.CertificateARN})
		must(t, err)
		mosquittoPub(t, s, lamp, "-i", "served", "-t", "data/lamp", "-m", "hello", "-q", "1").succeed(t)
	})
}

// connect sends one packet as the device and gives all that the server answers
// until it closes.
func connect(t *testing.T, s *server, d device, packet []byte) []byte {
	t.Helper()
	own, err := tls.LoadX509KeyPair(d.Cert, d.Key)
	must(t, err)
	conn, err := tls.Dial("tcp", "localhost:"+s.Port, &tls.Config{RootCAs: roots(t, d.CA), Certificates: []tls.Certificate{own}})
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = conn.Write(packet)
	must(t, err)
	got, err := io.ReadAll(conn)
	must(t, err)
	return got
}

// connect311 is an MQTT 3.1.1 CONNECT with clean session and keep-alive 60 s.
func connect311(clientID string) []byte {
	return packet(0x10, "\x00\x04MQTT\x04\x02\x00\x3c"+field(clientID))
}

// connect5 is the same in MQTT 5, without properties.
func connect5(clientID string) []byte {
	return packet(0x10, "\x00\x04MQTT\x05\x02\x00\x3c\x00"+field(clientID))
}

// packet and field are enough MQTT for bodies below 128 bytes.
func packet(kind byte, body string) []byte {
	return append([]byte{kind, byte(len(body))}, body...)
}

func field(text string) string {
	return string([]byte{0, byte(len(text))}) + text
}

// OpenSSL ends a TLS 1.3 handshake with an alert that servers cannot read.
func TestClientsThatDoNotTrustTheServerAreExplained(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"TLS 1.2": {"--tls-max", "1.2"}, "TLS 1.3": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			lamp := s.register(t, "lamp", allowAll)
			start(t, lamp.Dir, plainEnv(lamp.Dir), client(t, "curl"), append(flags, "https://localhost:"+s.Port+"/topics/a")...).fail(t)
			// Nobody has told this name, so it stands for all that told none.
			got := strings.Join(strings.Fields(s.thingd(t, "why", "lamp").succeed(t)), " ")
			for _, part := range []string{"the client ended the handshake", "check that the client trusts root-ca.pem"} {
				if !strings.Contains(got, part) {
					t.Errorf("`thingd why` does not say %q; it printed:\n%s", part, got)
				}
			}
		})
	}
}

func TestSubEndsWithAGoodbye(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	sub := s.thingd(t, "sub", "a/#")
	s.publishUntil(t, sub, "a/b")
	sub.signal(syscall.SIGINT)
	sub.succeed(t)
	if got := s.thingd(t, "why").succeed(t); strings.Contains(got, "thingd-sub") {
		t.Errorf("`thingd why` prints:\n%s", got)
	}
}

// publishUntil publishes to a topic until a subscriber prints it: nobody says
// when a subscription holds.
func (s *server) publishUntil(t *testing.T, subscriber *program, topic string) {
	t.Helper()
	for range 100 {
		s.thingd(t, "pub", topic, "hello").succeed(t)
		if subscriber.stdout.await(containingLine(topic+" hello"), time.Second, subscriber.over) {
			return
		}
	}
	t.Fatalf("%s prints no message on %s", subscriber, topic)
}
