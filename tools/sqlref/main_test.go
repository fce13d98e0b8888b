package main

import (
	"os"
	"testing"

	"thingd/internal/rules/iotsql"
)

func TestReferenceIsCurrent(t *testing.T) {
	kept, err := os.ReadFile("../../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != reference(iotsql.Functions()) {
		t.Error("docs/sql.md is out of date: go run ./tools/sqlref > docs/sql.md")
	}
}
