package e2e

import (
	"strings"
	"syscall"
	"testing"
)

// mosquittoVersions are the protocol versions that mosquitto's clients speak
// and thingd takes.
var mosquittoVersions = []string{"mqttv311", "mqttv5"}

// mosquittoPub starts mosquitto_pub with the device's files. The client ID is
// mosquitto's own choice unless -i is among the arguments.
func mosquittoPub(t *testing.T, s *server, d device, args ...string) *program {
	t.Helper()
	return start(t, d.Dir, plainEnv(d.Dir), client(t, "mosquitto_pub"), append(mosquittoFlags(s, d), args...)...)
}

// mosquittoSub starts mosquitto_sub and waits until it has subscribed. It
// prints each message as "TOPIC|QOS|RETAIN|PAYLOAD".
func mosquittoSub(t *testing.T, s *server, d device, args ...string) *program {
	t.Helper()
	p := startMosquittoSub(t, s, d, args...)
	p.expect(t, "Subscribed (mid:")
	return p
}

func startMosquittoSub(t *testing.T, s *server, d device, args ...string) *program {
	t.Helper()
	args = append(append(mosquittoFlags(s, d), "-d", "-F", "%t|%q|%r|%p"), args...)
	// Into a pipe mosquitto_sub would keep its words back for a while.
	args = append([]string{"-oL", client(t, "mosquitto_sub")}, args...)
	return start(t, d.Dir, plainEnv(d.Dir), client(t, "stdbuf"), args...)
}

func mosquittoFlags(s *server, d device) []string {
	return []string{"-h", "localhost", "-p", s.Port, "--cafile", d.CA, "--cert", d.Cert, "--key", d.Key}
}

func TestMosquittoClientsExchangeMessages(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	for _, version := range mosquittoVersions {
		for _, qos := range []string{"0", "1"} {
			t.Run(version+" qos "+qos, func(t *testing.T) {
				topic := "data/" + version + "/" + qos
				sub := mosquittoSub(t, s, lamp, "-V", version, "-q", qos, "-t", topic, "-C", "1")
				mosquittoPub(t, s, lamp, "-V", version, "-q", qos, "-t", topic, "-m", "hello").succeed(t)
				sub.succeed(t)
				sub.expect(t, "\n"+topic+"|"+qos+"|0|hello\n")
			})
		}
	}

	t.Run("mqttv311 to mqttv5", func(t *testing.T) {
		sub := mosquittoSub(t, s, lamp, "-V", "mqttv5", "-q", "1", "-t", "mixed/+", "-C", "1")
		mosquittoPub(t, s, lamp, "-V", "mqttv311", "-q", "1", "-t", "mixed/a", "-m", "hello").succeed(t)
		sub.succeed(t)
		sub.expect(t, "\nmixed/a|1|0|hello\n")
	})
}

func TestMosquittoClientsGetRetainedMessages(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	for _, version := range mosquittoVersions {
		t.Run(version, func(t *testing.T) {
			topic := "state/" + version
			retain := func(payload ...string) {
				t.Helper()
				args := append([]string{"-V", version, "-q", "1", "-r", "-t", topic}, payload...)
				mosquittoPub(t, s, lamp, args...).succeed(t)
			}
			retain("-m", "old")
			retain("-m", "on")
			sub := mosquittoSub(t, s, lamp, "-V", version, "-q", "1", "-t", topic, "-C", "1")
			sub.succeed(t)
			sub.expect(t, "\n"+topic+"|1|1|on\n")

			retain("-n") // deletes it
			sub = mosquittoSub(t, s, lamp, "-V", version, "-q", "1", "-t", topic, "-C", "1")
			mosquittoPub(t, s, lamp, "-V", version, "-q", "1", "-t", topic, "-m", "live").succeed(t)
			sub.succeed(t)
			sub.expect(t, "\n"+topic+"|1|0|live\n")
		})
	}
}

func TestMosquittoClientsLeaveAWill(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	tests := []struct {
		name, version string
		leave         func(t *testing.T, mortal *program, topic string)
		want          string
	}{
		{"published/mqttv311 killed", "mqttv311", killed, "died"},
		{"published/mqttv5 killed", "mqttv5", killed, "died"},
		// mosquitto_sub answers Ctrl+C with reason 0x04, Disconnect with Will
		// Message, where it speaks MQTT 5. [MQTT5 3.14.2.1]
		{"published/mqttv5 interrupted", "mqttv5", interrupted, "died"},
		{"dropped/mqttv311 interrupted", "mqttv311", interrupted, "lives"},
		{"dropped/mqttv5 with a farewell", "mqttv5", func(t *testing.T, mortal *program, topic string) {
			mosquittoPub(t, s, lamp, "-t", topic+"/go", "-m", "now").succeed(t)
			mortal.succeed(t)
		}, "lives"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			topic := strings.ReplaceAll("will/"+test.name, " ", "-")
			watcher := mosquittoSub(t, s, lamp, "-V", test.version, "-q", "1", "-t", topic, "-C", "1")
			mortal := mosquittoSub(t, s, lamp, "-V", test.version, "-t", topic+"/go", "-C", "1",
				"--will-topic", topic, "--will-payload", "died", "--will-qos", "1")
			test.leave(t, mortal, topic)
			if test.want == "lives" {
				mosquittoPub(t, s, lamp, "-q", "1", "-t", topic, "-m", "lives").succeed(t)
			}
			watcher.succeed(t)
			watcher.expect(t, "\n"+topic+"|1|0|"+test.want+"\n")
		})
	}
}

func killed(_ *testing.T, mortal *program, _ string) {
	mortal.signal(syscall.SIGKILL)
	<-mortal.over
}

func interrupted(_ *testing.T, mortal *program, _ string) {
	mortal.signal(syscall.SIGINT)
	<-mortal.over
}

func TestPersistentSessionKeepsMessagesForTheAbsent(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	session := []string{"-V", "mqttv311", "-i", "lamp", "-c", "-q", "1", "-t", "cmd/lamp"}
	startMosquittoSub(t, s, lamp, append(session, "-E")...).succeed(t) // subscribes and leaves
	mosquittoPub(t, s, lamp, "-q", "1", "-t", "cmd/lamp", "-m", "first").succeed(t)
	s.kill() // what was acknowledged outlives a power cut
	s.start(t)
	mosquittoPub(t, s, lamp, "-q", "1", "-t", "cmd/lamp", "-m", "second").succeed(t)

	sub := startMosquittoSub(t, s, lamp, append(session, "-C", "2")...)
	sub.succeed(t)
	sub.expect(t, "\ncmd/lamp|1|0|first\n")
	sub.expect(t, "\ncmd/lamp|1|0|second\n")
}

// What waits for a group of workers outlives a power cut, and is for whoever comes
// first; nobody gets it twice.
func TestSharedSubscriptionKeepsMessagesForTheAbsent(t *testing.T) {
	t.Parallel()
	for _, version := range mosquittoVersions {
		t.Run(version, func(t *testing.T) {
			s := startServer(t)
			lamp := s.register(t, "lamp", allowAll)
			topic := "work/" + version
			publish := func(payload string) {
				t.Helper()
				mosquittoPub(t, s, lamp, "-V", version, "-q", "1", "-t", topic, "-m", payload).succeed(t)
			}
			member := []string{"-V", version, "-q", "1", "-t", "$share/" + version + "/" + topic}
			persistent := append([]string{"-i", "member-" + version, "-c"}, member...)
			if version == "mqttv5" {
				persistent = append(persistent, "-x", "600")
			}
			startMosquittoSub(t, s, lamp, append(persistent, "-E")...).succeed(t) // joins and leaves
			publish("first")
			s.kill()
			s.start(t)
			publish("second")

			other := startMosquittoSub(t, s, lamp, append(member, "-C", "2")...)
			other.succeed(t)
			other.expect(t, "\n"+topic+"|1|0|first\n")
			other.expect(t, "\n"+topic+"|1|0|second\n")
			publish("third")
			s.kill()
			s.start(t)
			back := startMosquittoSub(t, s, lamp, append(persistent, "-C", "1")...)
			back.succeed(t)
			back.expect(t, "\n"+topic+"|1|0|third\n")
		})
	}
}

// A server that dies has lost the connection: the client's will is published when it
// is back.
func TestWillOutlivesACrash(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)

	session := []string{"-V", "mqttv311", "-i", "watcher", "-c", "-q", "1", "-t", "will"}
	startMosquittoSub(t, s, lamp, append(session, "-E")...).succeed(t)
	mortal := mosquittoSub(t, s, lamp, "-t", "anything", "--will-topic", "will", "--will-payload", "died", "--will-qos", "1")
	s.kill()
	mortal.signal(syscall.SIGKILL) // it would come back
	s.start(t)
	watcher := startMosquittoSub(t, s, lamp, append(session, "-C", "1")...)
	watcher.succeed(t)
	watcher.expect(t, "\nwill|1|0|died\n")
}
