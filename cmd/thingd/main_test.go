package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"thingd"
)

// asProgram makes the test binary behave as thingd itself.
const asProgram = "TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// patience is the longest that a program may take; only a machine under heavy
// load needs so much of it.
const patience = 2 * time.Minute

// program is thingd with arguments and an environment of its own.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(env, asProgram+"=1", "PATH="+os.Getenv("PATH"))
	c.Dir = t.TempDir()
	return c
}

// outcome runs a program to its end.
func outcome(t *testing.T, c *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	c.Stdout, c.Stderr = &out, &err
	if failure := c.Run(); failure != nil && c.ProcessState == nil {
		t.Fatal(failure)
	}
	return c.ProcessState.ExitCode(), out.String(), err.String()
}

// serving starts a server, waits until it is ready and gives its endpoint.
func serving(t *testing.T, c *exec.Cmd, data string) thingd.Endpoint {
	t.Helper()
	pipe, err := c.StderrPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	lines := bufio.NewScanner(pipe)
	var all strings.Builder
	for lines.Scan() {
		if lines.Text() == "ready" {
			go io.Copy(io.Discard, pipe)
			e, err := thingd.ReadEndpoint(data)
			must(t, err)
			return e
		}
		all.WriteString(lines.Text() + "\n")
	}
	t.Fatalf("the server is never ready:\n%s", all.String())
	return thingd.Endpoint{}
}

// ended waits for the exit code.
func ended(t *testing.T, c *exec.Cmd) int {
	t.Helper()
	done := make(chan struct{})
	go func() { _ = c.Wait(); close(done) }()
	select {
	case <-done:
		return c.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("the program does not end")
		return -1
	}
}

var here = []string{"--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}

func TestSignalsEndTheServerWithSuccess(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			data := t.TempDir()
			c := program(t, nil, append([]string{"serve", "--data", data}, here...)...)
			serving(t, c, data)
			must(t, c.Process.Signal(signal))
			if code := ended(t, c); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

func TestSettingsComeFromFlagsEnvironmentAndFileInThisOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	file := filepath.Join(dir, "thingd.json")
	text, err := json.Marshal(map[string]any{
		"data": data, "listen": []string{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"}, "http": "127.0.0.1:0",
		"region": "eu-west-1", "account": "111111111111", "host": []string{"file.test"},
		"limit": map[string]any{"publish-rate": 0, "send-dup": true}, "drain-timeout": "5s", "log-level": "error",
	})
	must(t, err)
	must(t, os.WriteFile(file, text, 0o600))

	c := program(t, []string{"THINGD_CONFIG=" + file, "THINGD_REGION=eu-central-1", "THINGD_ACCOUNT=222222222222", "THINGD_LISTEN=127.0.0.1:0,127.0.0.1:0"},
		"serve", "--account", "333333333333")
	got := serving(t, c, data)
	if got.Account != "333333333333" || got.Region != "eu-central-1" || got.Host != "file.test" || len(got.Doors) != 2 {
		t.Errorf("the server has %+v; want account of the flag, region and two doors of the environment, host of the file", got)
	}
	must(t, c.Process.Signal(syscall.SIGTERM))
	if code := ended(t, c); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { taken.Close() }) // the parallel tests run after this function
	config := func(text string) string {
		path := filepath.Join(t.TempDir(), "c.json")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says string // on standard error; for 0 on standard output
	}{
		{"help", nil, []string{"--help"}, 0, "serve"},
		{"help of a command", nil, []string{"serve", "--help"}, 0, "--listen"},
		{"version", nil, []string{"version"}, 0, "thingd "},
		{"limits", nil, []string{"limits"}, 0, "publish-rate"},
		{"no command", nil, nil, 2, "thingd: "},
		{"unknown command", nil, []string{"sevre"}, 2, "sevre"},
		{"unknown flag", nil, []string{"serve", "--listne", ":1"}, 2, "--listne"},
		{"unknown profile", nil, []string{"serve", "--profile", "gcp"}, 2, "--profile"},
		{"unknown profile in the environment", []string{"THINGD_PROFILE=gcp"}, []string{"serve"}, 2, "--profile"},
		{"duration without unit", nil, []string{"serve", "--drain-timeout", "5"}, 2, "--drain-timeout"},
		{"configuration that is gone", nil, []string{"serve", "--config", "/nonexistent"}, 2, "/nonexistent"},
		{"configuration with a misspelled member", nil, []string{"serve", "--config", config(`{"lissten":[]}`)}, 2, `"lissten"`},
		{"configuration with a member of the wrong case", nil, []string{"serve", "--config", config(`{"drainTimeout":"5s"}`)}, 2, `"drainTimeout"`},
		{"configuration that is a list", nil, []string{"serve", "--config", config(`[]`)}, 2, "not a JSON object"},
		{"configuration with a tail", nil, []string{"serve", "--config", config(`{} {}`)}, 2, "not a JSON object"},
		{"configuration with a list where a text belongs", nil, []string{"serve", "--config", config(`{"region":["a"]}`)}, 2, "region"},
		{"limit that is none", nil, []string{"serve", "--limit", "speed=1"}, 1, "no such limit"},
		{"port in use", nil, []string{"serve", "--listen", taken.Addr().String(), "--http", "127.0.0.1:0"}, 1, "another program uses that port"},
		{"client without server", nil, []string{"env"}, 1, "thingd serve"},
		{"client without server, its folder from the environment", []string{"THINGD_DATA=/nonexistent"}, []string{"env"}, 1, "/nonexistent"},
		{"a setting named like another command's flag", nil, []string{"kit", "lamp", "--config", config(`{"data":"/nonexistent","host":["a","b"]}`)}, 1, "/nonexistent"},
		{"a flag that is no setting, in the environment", []string{"THINGD_SDK=cobol", "THINGD_DATA=/nonexistent"}, []string{"kit", "lamp"}, 1, "/nonexistent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := outcome(t, program(t, c.env, c.args...))
			said := stderr
			if c.code == 0 {
				said = stdout
			}
			if code != c.code || !strings.Contains(said, c.says) {
				t.Errorf("exit code %d, want %d; it says %q, want a word of %q", code, c.code, said, c.says)
			}
			if strings.Contains(stderr, "panic") || strings.Contains(stderr, "goroutine") {
				t.Errorf("it panics:\n%s", stderr)
			}
		})
	}
}

func TestShellWordsAreQuotedWhereTheyMustBe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"./bin/thingd": "./bin/thingd", "thingd": "thingd", "/srv/my things": "'/srv/my things'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "": "''",
	} {
		if got := shellWord(text); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", text, got, want)
		}
	}
}

// A user who may not write the folder is told so. Root may write everything, so
// the program runs as somebody else.
func TestAFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	must(t, os.Chmod(data, 0o555))
	c := program(t, nil, append([]string{"serve", "--data", data}, here...)...)
	if os.Geteuid() == 0 {
		binary := filepath.Join(os.TempDir(), "thingd-test-"+filepath.Base(filepath.Dir(data)))
		t.Cleanup(func() { os.Remove(binary) })
		text, err := os.ReadFile(os.Args[0])
		must(t, err)
		must(t, os.WriteFile(binary, text, 0o755))
		c.Path, c.Dir = binary, "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for dir := data; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			info, err := os.Stat(dir)
			must(t, err)
			must(t, os.Chmod(dir, info.Mode().Perm()|0o055))
		}
	}
	code, _, stderr := outcome(t, c)
	if code != 1 || !strings.Contains(stderr, "cannot write to the data folder "+data) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, want 1; it says %q", code, stderr)
	}
}

// A second signal is not needed, and a kill leaves a folder that starts again.
func TestAKilledServerStartsAgain(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	args := append([]string{"serve", "--data", data}, here...)
	first := program(t, nil, args...)
	serving(t, first, data)
	must(t, first.Process.Kill())
	ended(t, first)
	second := program(t, nil, args...)
	serving(t, second, data)
	must(t, second.Process.Signal(syscall.SIGTERM))
	if code := ended(t, second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
