package e2e

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAWSCLIKeepsFilesInBuckets(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	sh := s.shell(t)
	// Above 8 MiB the CLI sends a file in parts.
	want := make([]byte, 9<<20)
	_, err := rand.Read(want)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(sh.dir, "big file.bin"), want, 0o600))

	if got := sh.run(t, "s3", "mb", "s3://hands-on"); got != "make_bucket: hands-on\n" {
		t.Errorf("mb printed %q", got)
	}
	sh.run(t, "s3", "cp", "big file.bin", "s3://hands-on/folder/", "--no-progress")
	if got := sh.run(t, "s3", "ls", "s3://hands-on", "--recursive"); !strings.HasSuffix(got, "    9437184 folder/big file.bin\n") {
		t.Errorf("ls printed %q", got)
	}
	sh.run(t, "s3", "cp", "s3://hands-on/folder/big file.bin", "back.bin", "--no-progress")
	got, err := os.ReadFile(filepath.Join(sh.dir, "back.bin"))
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the file came back changed: %d bytes, %d were sent", len(got), len(want))
	}

	full := start(t, sh.dir, sh.env, sh.aws, "s3", "rb", "s3://hands-on").fail(t)
	if !strings.Contains(full, "BucketNotEmpty") {
		t.Errorf("rb of a bucket with a file printed:\n%s", full)
	}
	sh.run(t, "s3", "rb", "s3://hands-on", "--force")
	if got := sh.run(t, "s3", "ls"); got != "" {
		t.Errorf("ls after rb printed %q", got)
	}
}
