package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestNothingAcknowledgedIsLostInACrash kills the server at random instants
// while clients write, starts it again, and looks whether all that was
// acknowledged is there: QoS 1 messages for absent persistent sessions, in the
// order in which each publisher sent them, while they are queued and while they
// are taken; shadows, retained messages, things.
// A few crashes by default; E2E_TORTURE, a duration, makes it go on for that long.
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
	writers := []writer{writeShadows(t, s, lamp), writeThings(t, s), writeShadowsByREST(t, s)}

	crashes := 0
	for began := time.Now(); crashes == 0 || time.Since(began) < long; {
		crashes += crashUnderLoad(t, s, lamp, load, writers)
	}
	for _, w := range writers {
		if w.count() == 0 {
			t.Errorf("nothing was acknowledged of %s", w.name)
		}
		t.Logf("%d acknowledged of %s", w.count(), w.name)
	}
	t.Logf("%d crashes", crashes)
}

// writer writes all the time, and knows what was acknowledged to it.
type writer struct {
	name  string
	check func(t *testing.T) // asks the server for all that was acknowledged by now
	count func() int         // of what was acknowledged
}

// crashesPerLoad is how often the server is killed while the load generator runs
// once.
const crashesPerLoad = 4

// crashUnderLoad runs the load generator once and kills the server until that
// ends, crashesPerLoad times at most. It says how often that was.
func crashUnderLoad(t *testing.T, s *server, d device, load string, writers []writer) (crashes int) {
	t.Helper()
	run := start(t, d.Dir, plainEnv(d.Dir), load, "durable", "-json", "-addr", "localhost:"+s.Port,
		"-ca", d.CA, "-cert", d.Cert, "-key", d.Key, "-n", "4", "-count", "4000",
		"-mid-cmd", "echo now >&2", "-mid-at", fmt.Sprintf("%.3f", rand.Float64()*rand.Float64()))
	if !run.stderr.await(containing("now"), patience, run.over) {
		t.Fatalf("the load generator never came to the first crash:\n%s", run.output())
	}
	for ; crashes < crashesPerLoad && !run.ended(); crashes++ {
		// Some way into whatever the server is just doing: mostly while it works,
		// now and then while it recovers from the last crash.
		time.Sleep(rand.N(20*time.Millisecond) * time.Duration(1+rand.N(20)))
		s.kill()
		s.start(t)
		for _, w := range writers {
			w.check(t)
		}
	}
	expectNothingLost(t, run)
	return crashes
}

// expectNothingLost reads the load generator's report.
func expectNothingLost(t *testing.T, run *program) {
	t.Helper()
	if code := run.wait(t); code != 0 {
		t.Fatalf("the load generator ended with %d:\n%s", code, run.output())
	}
	var report struct {
		Lost      int `json:"lost_acked"`
		Unacked   int `json:"never_acked"`
		Reordered int `json:"reordered"`
		Present   int `json:"sessions_present"`
		N         int `json:"n"`
	}
	must(t, json.Unmarshal([]byte(run.stdout.String()), &report))
	if report.Lost != 0 || report.Unacked != 0 || report.Reordered != 0 || report.Present != report.N {
		t.Errorf("after a crash: %s", run.stdout)
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
