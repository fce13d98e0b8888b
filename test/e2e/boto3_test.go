package e2e

import "testing"

func TestBoto3LivesWithTheExportedEnvironmentAlone(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := t.TempDir()

	got := start(t, dir, s.awsEnv(t), python(t), script(t, "registry.py"), "localhost").succeed(t)
	if got != "done\n" {
		t.Errorf("it printed:\n%s", got)
	}
}

func TestListsOfSageMakerAndIAMComeInPages(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	if got := start(t, t.TempDir(), s.awsEnv(t), python(t), script(t, "pages.py")).succeed(t); got != "done\n" {
		t.Errorf("it printed:\n%s", got)
	}
}
