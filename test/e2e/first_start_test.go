package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFirstStartMakesEverythingAUserNeeds(t *testing.T) {
	t.Parallel()
	s := startServer(t)

	t.Run("a root certificate", func(t *testing.T) {
		roots(t, filepath.Join(s.Data, "root-ca.pem"))
	})

	t.Run("credentials that only their owner reads", func(t *testing.T) {
		file := filepath.Join(s.Data, "credentials")
		info, err := os.Stat(file)
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("credentials have mode %o, want 600", mode)
		}
		text, err := os.ReadFile(file)
		must(t, err)
		for _, part := range []string{"[default]", "aws_access_key_id", "aws_secret_access_key"} {
			if !strings.Contains(string(text), part) {
				t.Errorf("credentials have no %q", part)
			}
		}
	})

	t.Run("an environment of exactly five variables", func(t *testing.T) {
		var names []string
		for _, pair := range s.awsEnv(t) {
			if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		want := []string{"AWS_ACCESS_KEY_ID", "AWS_CA_BUNDLE", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("`thingd env` (-want +got):\n%s", diff)
		}
	})
}

func TestRestartKeepsWhatWasRegistered(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	lamp := s.register(t, "lamp", allowAll)
	before := s.awsEnv(t)

	s.stop(t)
	s.start(t)

	if diff := cmp.Diff(variables(before), variables(s.awsEnv(t))); diff != "" {
		t.Errorf("environment after the restart (-before +after):\n%s", diff)
	}
	mosquittoPub(t, s, lamp, "-t", "data/lamp", "-m", "hello", "-q", "1").succeed(t)
}

// variables keeps the AWS part of an environment.
func variables(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(pair string) bool { return !strings.HasPrefix(pair, "AWS_") })
}
