package thingd

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestTheServerHasTheOperationsOfTheTable: the table is made without a server;
// this one mounts the same services.
func TestTheServerHasTheOperationsOfTheTable(t *testing.T) {
	table, err := os.ReadFile("docs/operations.md")
	must(t, err)
	routed, built := map[string]int{}, map[string]int{}
	for _, c := range start(t).front().Coverage() {
		routed[c.Service]++
		if c.Implemented {
			built[c.Service]++
		}
	}
	for service := range routed {
		if row := fmt.Sprintf("| %s | %d | %d |", service, routed[service], built[service]); !strings.Contains(string(table), row) {
			t.Errorf("docs/operations.md has no row %q; see tools/ops", row)
		}
	}
}
