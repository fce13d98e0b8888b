package e2e

import (
	"strings"
	"testing"
)

// v1Shadow starts the AWSIoTPythonSDK shadow program in a role.
func v1Shadow(t *testing.T, s *server, d device, role string) *program {
	t.Helper()
	return start(t, d.Dir, plainEnv(d.Dir), python(t), script(t, "v1_shadow.py"), role, "--thing", d.Name,
		"--endpoint", "localhost", "--port", s.Port, "--ca_file", d.CA, "--cert", d.Cert, "--key", d.Key)
}

func TestAWSIoTPythonSDKUpdatesShadowsAndHearsDeltas(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)
	listener := v1Shadow(t, s, lamp, "listener")
	listener.expect(t, "listening\n")

	got := v1Shadow(t, s, lamp, "updater").succeed(t)
	want := lines(
		"get rejected",
		"delete rejected",
		`update accepted 1 {"desired": {"property": 0}}`,
		`update accepted 2 {"desired": {"property": 1}}`,
		"delete accepted",
		`update accepted 4 {"desired": {"property": 2}}`,
		`get accepted 4 {"desired": {"property": 2}, "delta": {"property": 2}}`,
		"update rejected",
		"disconnected")
	if got != want {
		t.Errorf("the updater printed:\n%s\nwant:\n%s", got, want)
	}
	want = lines(
		"listening",
		`delta 1 {"property": 0}`,
		`delta 2 {"property": 1}`,
		`delta 4 {"property": 2}`,
		"disconnected")
	if got := listener.succeed(t); got != want {
		t.Errorf("the listener printed:\n%s\nwant:\n%s", got, want)
	}
}

func TestAWSIoTSDKShadowClients(t *testing.T) {
	t.Parallel()
	s := startServer(t)

	clients := []struct{ name, service, mqtt string }{
		{"IotShadowClientV2 over mqtt 5", "v2", "5"},
		{"IotShadowClientV2 over mqtt 3.1.1", "v2", "311"},
		{"IotShadowClient over mqtt 5", "v1", "5"},
		{"IotShadowClient over mqtt 3.1.1", "v1", "311"},
	}
	for _, c := range clients {
		lamp := s.register(t, "lamp-"+c.service+"-"+c.mqtt, allowAll)
		for _, shadow := range []string{"", "net"} {
			t.Run(c.name+"/"+shadow, func(t *testing.T) {
				args := append([]string{script(t, "v2_shadow.py"), "--service", c.service, "--mqtt", c.mqtt, "--thing", lamp.Name,
					"--client_id", lamp.Name + shadow}, fileFlags(s, lamp)...)
				called := lamp.Name // the classic shadow is called like its thing
				if shadow != "" {
					args, called = append(args, "--shadow", shadow), shadow
				}
				expectShadowTalk(t, start(t, lamp.Dir, plainEnv(lamp.Dir), python(t), args...).succeed(t), called)
			})
		}
	}
}

// fileFlags are the flags of where the server and the device's files are.
func fileFlags(s *server, d device) []string {
	return []string{"--endpoint", "localhost", "--port", s.Port, "--ca_file", d.CA, "--cert", d.Cert, "--key", d.Key}
}

// expectShadowTalk compares what v2_shadow.py prints: answers in order, events in
// any.
func expectShadowTalk(t *testing.T, printed, called string) {
	t.Helper()
	var answers, events []string
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, "delta ") || strings.HasPrefix(line, "documents ") {
			events = append(events, line)
		} else {
			answers = append(answers, line)
		}
	}
	const absent = "rejected 404 No shadow exists with name: "
	wantAnswers := lines(
		"get "+absent+"'"+called+"'",
		"delete "+absent+"'"+called+"'",
		`update accepted 1 {"desired": {"speed": 40, "serial": 9223372036854775808}, "reported": {"speed": 35, "serial": 9223372036854775808}}`,
		`get accepted 1 {"desired": {"speed": 40, "serial": 9223372036854775808}, "reported": {"speed": 35, "serial": 9223372036854775808}, "delta": {"speed": 40}}`,
		`update accepted 2 {"reported": {"speed": 40}}`,
		"update rejected 409 Version conflict",
		"update rejected 400 JSON contains too many levels of nesting; maximum is 6",
		`get accepted 2 {"desired": {"speed": 40, "serial": 9223372036854775808}, "reported": {"speed": 40, "serial": 9223372036854775808}}`,
		"delete accepted 2",
		"get "+absent+"'"+called+"'",
		"stopped")
	wantEvents := lines(
		`delta 1 {"speed": 40}`,
		`documents 1 2 {"speed": 40, "serial": 9223372036854775808}`,
		`documents None 1 {"speed": 35, "serial": 9223372036854775808}`)
	if strings.Join(answers, "") != wantAnswers || sorted(strings.Join(events, "")) != wantEvents {
		t.Errorf("it printed:\n%s\nwant:\n%s\nand in any order:\n%s", printed, wantAnswers, wantEvents)
	}
}
