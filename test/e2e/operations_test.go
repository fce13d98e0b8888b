package e2e

import (
	"strings"
	"testing"
)

// TestEveryOperationIsAnswered calls each operation that boto3 knows once.
// With -v it prints the table. What thingd does not have yet has to say so with
// 501; nothing may answer 500 or what the SDK cannot read.
func TestEveryOperationIsAnswered(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := t.TempDir()

	table := start(t, dir, s.awsEnv(t), python(t), script(t, "operations.py")).succeed(t)
	count := map[string]int{}
	for line := range strings.Lines(table) {
		fields := strings.Fields(line) // service, operation, verdict, status, code
		count[fields[2]]++
		if fields[2] == "failed" {
			t.Errorf("%s", strings.TrimSpace(line))
		}
	}
	if count["answered"] == 0 {
		t.Errorf("no operation is answered")
	}
	t.Logf("%d answered, %d not there yet, %d failed\n%s", count["answered"], count["absent"], count["failed"], table)
}
