package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheTableIsCurrent(t *testing.T) {
	have, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := write(&want, coverage()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(have)); diff != "" {
		t.Errorf("docs/operations.md is out of date; run make ops (-want +have):\n%s", diff)
	}
}

func TestOnlyWhatIsBuiltCanBeIneffective(t *testing.T) {
	built := map[string]bool{}
	for _, op := range coverage() {
		built[op.Operation] = built[op.Operation] || op.Implemented
	}
	for name := range notEffective {
		if !built[name] {
			t.Errorf("%s is not built", name)
		}
	}
}
