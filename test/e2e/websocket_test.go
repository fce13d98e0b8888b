package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// alias is a host name of the form that AWSIoTPythonSDK wants before it speaks
// WebSocket; it takes the region from it.
const alias = "a1b2c3d4e5-ats.iot.us-east-1.amazonaws.com"

// anyoneHere lets everybody of the account take a role.
const anyoneHere = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`

// session gives an environment with the credentials of a role that may do what
// document says.
func (sh shell) session(t *testing.T, role, document string) []string {
	t.Helper()
	arn := sh.query(t, "Role.Arn", "iam", "create-role", "--role-name", role, "--assume-role-policy-document", anyoneHere)
	sh.run(t, "iam", "put-role-policy", "--role-name", role, "--policy-name", "may", "--policy-document", document)
	keys := strings.Fields(sh.query(t, "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]",
		"sts", "assume-role", "--role-arn", arn, "--role-session-name", "e2e"))
	if len(keys) != 3 {
		t.Fatalf("assume-role gave %d keys, want 3", len(keys))
	}
	env := plainEnv(t.TempDir())
	return append(env, "AWS_ACCESS_KEY_ID="+keys[0], "AWS_SECRET_ACCESS_KEY="+keys[1], "AWS_SESSION_TOKEN="+keys[2])
}

// webSocketFlags are what the programs take that speak WebSocket, signed by the
// credentials in their environment.
func webSocketFlags(s *server, clientID, topic string) []string {
	return []string{"--endpoint", "localhost", "--port", s.Port, "--ca_file", filepath.Join(s.Data, "root-ca.pem"),
		"--client_id", clientID, "--topic", topic, "--message", "hello", "--signing_region", "us-east-1"}
}

func TestClientsSpeakWebSocketSignedBySigV4(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--host", alias)
	sh := s.shell(t)
	dir := t.TempDir()

	owners := []struct {
		name string
		env  []string
	}{
		{"access key", sh.env},
		{"session", sh.session(t, "web", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`)},
	}
	clients := []struct {
		name string
		args []string
		want []string
	}{
		{"awsiotsdk mqtt 5", []string{python(t), script(t, "mqtt5_pubsub.py")}, []string{"connected SUCCESS", "puback SUCCESS", "stopped"}},
		{"paho mqtt 3.1.1", []string{python(t), script(t, "paho_pubsub.py"), "--version", "3.1.1"}, []string{"connected Success", "subscribed Granted QoS 1", "disconnected"}},
		{"paho mqtt 5", []string{python(t), script(t, "paho_pubsub.py"), "--version", "5"}, []string{"connected Success", "subscribed Granted QoS 1", "disconnected"}},
		{"mqtt.js mqtt 3.1.1", []string{client(t, "node"), script(t, "mqttjs_wss.cjs"), "--version", "4"}, []string{"connected", "subscribed qos 1", "disconnected"}},
		{"mqtt.js mqtt 5", []string{client(t, "node"), script(t, "mqttjs_wss.cjs"), "--version", "5"}, []string{"connected", "subscribed qos 1", "disconnected"}},
	}
	for _, owner := range owners {
		env := append(owner.env, "NODE_PATH="+installed(t, "node/node_modules"))
		for _, c := range clients {
			t.Run(c.name+" with "+owner.name, func(t *testing.T) {
				id := strings.NewReplacer(" ", "-", ".", "").Replace(c.name + "-" + owner.name)
				args := append(c.args[1:], webSocketFlags(s, id, "web/"+id)...)
				got := start(t, dir, env, c.args[0], args...).succeed(t)
				for _, line := range append(c.want, "received web/"+id+" hello") {
					if !strings.Contains(got, line) {
						t.Errorf("no line %q in:\n%s", line, got)
					}
				}
			})
		}
		t.Run("AWSIoTPythonSDK with "+owner.name, func(t *testing.T) {
			got := startWithAlias(t, dir, owner.env, python(t), script(t, "basic_pubsub.py"), "-w", "-e", alias, "-p", s.Port,
				"-r", filepath.Join(s.Data, "root-ca.pem"), "-id", "v1", "-t", "web/v1").succeed(t)
			want := lines("connected", "subscribed", `received web/v1 {"message": "Hello World!", "sequence": 0}`, "disconnected")
			if got != want {
				t.Errorf("it printed:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// startWithAlias is start for a program that finds this machine under the name
// alias. The name stands in a hosts file that this program alone sees, mounted
// over the machine's in a namespace of its own; where that is not allowed the
// test is skipped.
func startWithAlias(t *testing.T, dir string, env []string, name string, args ...string) *program {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	must(t, os.WriteFile(hosts, []byte("127.0.0.1 localhost "+alias+"\n"), 0o644))
	isolate := []string{"--map-root-user", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts}
	unshare := client(t, "unshare")
	if probe := start(t, dir, env, unshare, append(isolate, "true")...); probe.wait(t) != 0 {
		t.Skipf("no hosts file of one's own on this machine: %s", strings.TrimSpace(probe.output()))
	}
	return start(t, dir, env, unshare, append(append(isolate, name), args...)...)
}

func TestWebSocketIsClosedToWhomIAMDoesNotName(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	sh := s.shell(t)
	dir := t.TempDir()
	run := func(t *testing.T, env []string) string {
		t.Helper()
		return start(t, dir, env, python(t), append([]string{script(t, "mqtt5_pubsub.py")}, webSocketFlags(s, "web", "web/closed")...)...).fail(t)
	}

	t.Run("a wrong secret gets no WebSocket", func(t *testing.T) {
		env := append(plainEnv(dir), "AWS_ACCESS_KEY_ID="+lookup(sh.env, "AWS_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY=wrong")
		if got := run(t, env); !strings.Contains(got, "connection failed: None") || !strings.Contains(got, "WEBSOCKET_UPGRADE_FAILURE") {
			t.Errorf("it printed:\n%s", got)
		}
		if got := s.thingd(t, "why", "-n", "5").succeed(t); !strings.Contains(got, "signature") {
			t.Errorf("`thingd why` does not speak of the signature; it printed:\n%s", got)
		}
	})

	t.Run("a session without iot:Connect gets no CONNACK but a refusal", func(t *testing.T) {
		env := sh.session(t, "nobody", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
		if got := run(t, env); !strings.Contains(got, "connection failed: NOT_AUTHORIZED") {
			t.Errorf("it printed:\n%s", got)
		}
	})

	t.Run("a session that may only connect may only connect", func(t *testing.T) {
		env := sh.session(t, "guest", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`)
		got := run(t, env)
		for _, line := range []string{"connected SUCCESS", "suback NOT_AUTHORIZED", "puback NOT_AUTHORIZED"} {
			if !strings.Contains(got, line+"\n") {
				t.Errorf("no line %q in:\n%s", line, got)
			}
		}
	})
}
