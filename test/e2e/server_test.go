package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// server is one thingd in a data folder of its own.
type server struct {
	Data  string   // its data folder
	Port  string   // of the TLS door: MQTT, WebSocket and HTTPS
	HTTP  string   // address of the door on loopback, plain HTTP
	args  []string // of `thingd serve`; none gives all defaults
	run   *program
	asked bool // whether we have ended the present run
}

// startServer runs `thingd serve` in an empty folder on free ports and waits
// until it is ready. At the end of the test the server has to stop on SIGTERM
// with exit code 0. More arguments go to serve as they are.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{Data: filepath.Join(t.TempDir(), "data"), Port: freePort(t), HTTP: "127.0.0.1:" + freePort(t)}
	s.args = append([]string{"--data", s.Data, "--host", "localhost", "--listen", "127.0.0.1:" + s.Port, "--http", s.HTTP}, args...)
	s.start(t)
	return s
}

// start runs the server, anew after stop or kill. If it still runs at the end
// of the test it is stopped; if it has ended by then unasked, the test fails.
func (s *server) start(t *testing.T) {
	t.Helper()
	home := filepath.Dir(s.Data)
	s.run = start(t, home, plainEnv(home), thingd, append([]string{"serve"}, s.args...)...)
	run := s.run
	s.asked = false
	t.Cleanup(func() {
		if s.run == run && !s.asked {
			s.stop(t)
		}
	})
	if !s.run.stderr.await(containingLine("ready"), patience, s.run.over) {
		t.Fatalf("no line \"ready\" from %s\n%s", s.run, s.log())
	}
	s.expectReadyz(t)
}

func (s *server) expectReadyz(t *testing.T) {
	t.Helper()
	answer, err := http.Get("http://" + s.HTTP + "/readyz")
	if err != nil {
		t.Fatalf("ready, but /readyz does not answer: %v", err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("ready, but /readyz says %s", answer.Status)
	}
}

// stop ends the server as an operator does and shows its log if the test has
// failed.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.ask(syscall.SIGTERM)
	select {
	case <-s.run.over:
	case <-time.After(patience):
		s.run.signal(syscall.SIGABRT) // Go prints where every goroutine is
		<-s.run.over
		t.Errorf("thingd did not stop on SIGTERM")
	}
	if code := s.run.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("thingd ended with %d after SIGTERM, want 0", code)
	}
	for _, word := range []string{"panic:", "DATA RACE"} {
		if strings.Contains(s.log(), word) {
			t.Errorf("thingd printed %q", word)
		}
	}
	if t.Failed() {
		t.Logf("log of thingd:\n%s", s.log())
	}
}

// kill ends the server as a power cut does.
func (s *server) kill() {
	s.ask(syscall.SIGKILL)
	<-s.run.over
}

// ask ends the present run of the server.
func (s *server) ask(sig syscall.Signal) {
	s.asked = true
	s.run.signal(sig)
}

// log gives the end of what the server has printed.
func (s *server) log() string {
	const lines = 200
	all := strings.SplitAfter(s.run.output(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

// thingd runs another subcommand on the server's data folder.
func (s *server) thingd(t *testing.T, args ...string) *program {
	t.Helper()
	home := t.TempDir()
	return start(t, home, plainEnv(home), thingd, append(args, "--data", s.Data)...)
}

// awsEnv is plainEnv and what `eval "$(thingd env --data DIR)"` adds to it.
func (s *server) awsEnv(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	eval := `eval "$("$0" env --data "$1")" && env -0`
	all := start(t, home, plainEnv(home), client(t, "bash"), "-c", eval, thingd, s.Data).succeed(t)
	env := plainEnv(home)
	for _, pair := range strings.Split(all, "\x00") {
		if strings.HasPrefix(pair, "AWS_") {
			env = append(env, pair)
		}
	}
	if lookup(env, "AWS_ENDPOINT_URL") == "" {
		t.Fatalf("`thingd env` exports no AWS_ENDPOINT_URL; it printed:\n%s", s.thingd(t, "env").succeed(t))
	}
	return env
}

// lookup gives a variable of an environment, "" when it is not set.
func lookup(env []string, name string) string {
	i := slices.IndexFunc(env, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
	if i < 0 {
		return ""
	}
	return env[i][len(name)+1:]
}

// lastPort is the last number freePort has tried. The range lies below the
// ports that Linux gives to outgoing connections, so that no other test's
// client takes a number between our look and the server's.
var lastPort atomic.Int32

const firstPort, ports = 21000, 9000

func freePort(t *testing.T) string {
	t.Helper()
	lastPort.CompareAndSwap(0, int32(os.Getpid()*16)) // runs side by side start apart
	for range ports {
		port := strconv.Itoa(firstPort + int(lastPort.Add(1))%ports)
		door, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			door.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}
