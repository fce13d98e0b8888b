package e2e

import (
	"strings"
	"testing"
)

// basicPubSub starts the AWSIoTPythonSDK program with the flags of the sample
// of that name.
func basicPubSub(t *testing.T, s *server, d device, args ...string) *program {
	t.Helper()
	args = append([]string{script(t, "basic_pubsub.py"), "-e", "localhost", "-p", s.Port,
		"-r", d.CA, "-c", d.Cert, "-k", d.Key}, args...)
	return start(t, d.Dir, plainEnv(d.Dir), python(t), args...)
}

func TestAWSIoTPythonSDKPublishesAndSubscribes(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	t.Run("to itself", func(t *testing.T) {
		got := basicPubSub(t, s, lamp, "-id", "both", "-t", "sdk/test/Python", "-n", "2").succeed(t)
		want := lines(
			"connected", "subscribed",
			`received sdk/test/Python {"message": "Hello World!", "sequence": 0}`,
			`received sdk/test/Python {"message": "Hello World!", "sequence": 1}`,
			"disconnected")
		if got != want {
			t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
		}
	})

	t.Run("from one to another", func(t *testing.T) {
		sub := basicPubSub(t, s, lamp, "-id", "sub", "-t", "sdk/test/Pair", "-m", "subscribe")
		sub.expect(t, "subscribed")
		basicPubSub(t, s, lamp, "-id", "pub", "-t", "sdk/test/Pair", "-m", "publish", "-M", "from pub").succeed(t)
		if got := sub.succeed(t); !strings.Contains(got, `received sdk/test/Pair {"message": "from pub", "sequence": 0}`) {
			t.Errorf("the subscriber printed:\n%s", got)
		}
	})
}
