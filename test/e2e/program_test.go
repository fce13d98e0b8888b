package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a client may take for any single thing. It is no
// measurement: only a client that hangs ever gets there.
const patience = 3 * time.Minute

// program is a client under way.
type program struct {
	cmd            *exec.Cmd
	stdout, stderr *transcript
	over           chan struct{} // closed when it has ended
}

// start runs a client in the folder dir with env and nothing else in its
// environment. It is killed at the end of the test if it still runs then.
func start(t *testing.T, dir string, env []string, name string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(name, args...), stdout: newTranscript(), stderr: newTranscript(), over: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	// A group of its own, so that what a script started ends with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.cmd.Wait() // the result stays in ProcessState
		close(p.over)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.over
	})
	return p
}

// signal reaches the program and all that it started. A program that has ended
// is no error.
func (p *program) signal(sig syscall.Signal) {
	select {
	case <-p.over:
	default:
		syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// expect waits until the program has printed part on standard output.
func (p *program) expect(t *testing.T, part string) {
	t.Helper()
	if !p.stdout.await(containing(part), patience, p.over) {
		t.Fatalf("%s never printed %q; it printed:\n%s", p, part, p.output())
	}
}

func (p *program) ended() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// wait gives the exit code: -1 after a signal.
func (p *program) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.over:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%s does not end; it printed:\n%s", p, p.output())
		return 0
	}
}

// succeed waits for exit code 0 and gives standard output.
func (p *program) succeed(t *testing.T) string {
	t.Helper()
	if code := p.wait(t); code != 0 {
		t.Fatalf("%s ended with %d; it printed:\n%s", p, code, p.output())
	}
	return p.stdout.String()
}

// fail waits for an exit code other than 0 and gives all output.
func (p *program) fail(t *testing.T) string {
	t.Helper()
	if code := p.wait(t); code == 0 {
		t.Fatalf("%s ended with 0, which it must not; it printed:\n%s", p, p.output())
	}
	return p.output()
}

func (p *program) output() string {
	return p.stdout.String() + p.stderr.String()
}

func (p *program) String() string {
	return strings.Join(append([]string{filepath.Base(p.cmd.Path)}, p.cmd.Args[1:]...), " ")
}

// plainEnv is the environment of somebody who has set nothing: the tools of
// this machine, a home folder without configuration, English.
func plainEnv(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8"}
}

// client gives the path of an installed program, or skips the test.
func client(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

// python gives the Python interpreter that has the Python clients.
func python(t *testing.T) string {
	t.Helper()
	return installed(t, "venv/bin/python3")
}

// nodeEnv is plainEnv for Node programs that require the Node clients.
func nodeEnv(t *testing.T, home string) []string {
	t.Helper()
	return append(plainEnv(home), "NODE_PATH="+installed(t, "node/node_modules"))
}

// installed gives the absolute path of something tools/setup has put into
// .setup, or skips the test.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", ".setup", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		missing(t, path)
	}
	return path
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("E2E_REQUIRE_CLIENTS") != "" {
		t.Fatalf("%s is missing; `make setup` installs it", what)
	}
	t.Skipf("%s is missing; `make setup` installs it", what)
}

// script gives the absolute path of a program in clients/.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("clients", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
