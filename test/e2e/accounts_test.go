package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestAccountsOfOneServer makes a second account as an operator does and works in
// both with boto3.
func TestAccountsOfOneServer(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--account", "111122223333")
	const second = "444455556666"
	if got := s.thingd(t, "account", "create", second).succeed(t); !strings.Contains(got, "Account "+second+" is there.") {
		t.Errorf("it printed:\n%s", got)
	}
	folder := filepath.Join(s.Data, "accounts", second)
	got := start(t, t.TempDir(), s.awsEnv(t), python(t), script(t, "accounts.py"),
		filepath.Join(folder, "credentials"), "111122223333", second).succeed(t)
	if got != "done\n" {
		t.Errorf("it printed:\n%s", got)
	}
	if got, want := s.thingd(t, "account", "list").succeed(t), "111122223333\n"+second+"\n"; got != want {
		t.Errorf("the accounts are %q, want %q", got, want)
	}
	other := *s
	other.Data = folder
	env := other.awsEnv(t)
	lists := func() string { return start(t, t.TempDir(), env, installed(t, "venv/bin/aws"), "s3", "ls").succeed(t) }
	if got := lists(); !strings.Contains(got, "of-the-second") {
		t.Errorf("aws s3 ls printed %q", got)
	}
	s.kill()
	s.start(t)
	if got := lists(); !strings.Contains(got, "of-the-second") {
		t.Errorf("after a crash aws s3 ls printed %q", got)
	}
	if got := s.thingd(t, "account", "delete", second).fail(t); !strings.Contains(got, "--yes") {
		t.Errorf("without --yes it printed %q", got)
	}
	if got, want := s.thingd(t, "account", "delete", second, "--yes").succeed(t), "Account "+second+" is deleted.\n"; got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
	if got, want := s.thingd(t, "account", "list").succeed(t), "111122223333\n"; got != want {
		t.Errorf("the accounts are %q, want %q", got, want)
	}
}
