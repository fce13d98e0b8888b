package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"thingd/internal/broker"
)

// limitsCommand lists what --limit can change.
type limitsCommand struct{}

// Run implements the command.
func (limitsCommand) Run() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LIMIT\taws\tmqtt\tWHAT")
	for _, s := range broker.Settings() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, s.Value(broker.AWS()), s.Value(broker.Standard()), s.Doc)
	}
	return w.Flush()
}
