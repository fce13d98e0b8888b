// Package e2e runs thingd as its users do: the built binary in an empty data
// folder, spoken to by the clients they have, unmodified: the AWS SDKs for
// Python, Node and Go, the AWS CLI, the AWS IoT device SDKs, mosquitto's
// clients, paho, mqtt.js and curl. What these clients see is the specification;
// nothing here looks inside the server.
//
// `make e2e` installs the clients first (tools/setup). A test whose client is
// missing is skipped with a word about it, except where E2E_REQUIRE_CLIENTS is
// set, as `make` does: there it fails. E2E_THINGD names a binary to test
// instead of a freshly built one.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"testing"
)

// thingd is the path of the binary under test; TestMain alone writes it.
var thingd string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	// A shell starts what runs in its background with SIGINT ignored, and our
	// clients would inherit that: no Ctrl+C would ever end them.
	if signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	dir, err := os.MkdirTemp("", "thingd-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)

	thingd = os.Getenv("E2E_THINGD")
	if thingd == "" {
		thingd = filepath.Join(dir, "thingd")
		build := exec.Command("go", "build", "-o", thingd, "thingd/cmd/thingd")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: build thingd: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}
