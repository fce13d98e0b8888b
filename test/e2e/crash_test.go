package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestNothingAcknowledgedIsLostInACrash kills the server at a random instant
// while publishers send QoS 1 messages to absent persistent sessions, or these
// come to take them, starts it again, and lets the load generator count what was
// acknowledged and never came.
// Once by default; E2E_TORTURE, a duration, makes it go on for that long.
func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	t.Parallel()
	long, err := time.ParseDuration(os.Getenv("E2E_TORTURE"))
	if err != nil && os.Getenv("E2E_TORTURE") != "" {
		t.Fatal(err)
	}
	// Plain MQTT's rules: AWS's would throttle the load.
	s := startServer(t, "--profile", "mqtt")
	lamp := s.register(t, "lamp", allowAll)
	load := buildLoadGenerator(t)

	rounds := 0
	for began := time.Now(); rounds == 0 || time.Since(began) < long; rounds++ {
		crashUnderLoad(t, s, lamp, load, rand.Float64())
	}
	t.Logf("%d crashes", rounds)
}

// crashUnderLoad runs the load generator once, with a crash of the server when
// about the fraction at of its messages is acknowledged.
func crashUnderLoad(t *testing.T, s *server, d device, load string, at float64) {
	t.Helper()
	run := start(t, d.Dir, plainEnv(d.Dir), load, "durable", "-addr", "localhost:"+s.Port,
		"-ca", d.CA, "-cert", d.Cert, "-key", d.Key, "-n", "4", "-count", "2000",
		"-mid-cmd", "echo now >&2", "-mid-at", fmt.Sprintf("%.3f", at))
	if !run.stderr.await(containing("now"), patience, run.over) {
		t.Fatalf("the load generator never came to %.3f:\n%s", at, run.output())
	}
	// Some way into whatever the server was just doing.
	time.Sleep(rand.N(20 * time.Millisecond))
	s.kill()
	s.start(t)
	if code := run.wait(t); code != 0 {
		t.Fatalf("crash at %.3f: the load generator ended with %d:\n%s", at, code, run.output())
	}
}

func buildLoadGenerator(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mqttload")
	out, err := exec.Command("go", "build", "-o", path, "thingd/tools/mqttload").CombinedOutput()
	if err != nil {
		t.Fatalf("build mqttload: %v\n%s", err, out)
	}
	return path
}
