// Sqlref prints the reference of the functions of IoT SQL from the table by
// which they are run:
//
//	go run ./tools/sqlref > docs/sql.md
package main

import (
	"fmt"
	"strings"

	"thingd/internal/rules/iotsql"
)

func main() {
	fmt.Print(reference(iotsql.Functions()))
}

// reference is the page: the functions by group, each with what it does and
// examples, which a test runs.
func reference(functions []iotsql.Function) string {
	var b strings.Builder
	b.WriteString("# Functions of IoT SQL\n\nMade by `go run ./tools/sqlref > docs/sql.md` from the table that runs them; every example is a test.\n")
	group := iotsql.Group("")
	for _, f := range functions {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n## %s\n", strings.ToUpper(string(group[:1]))+string(group[1:]))
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n", f.Signature(), f.Doc)
		for i, e := range f.Examples {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "- %s\n", example(e))
		}
	}
	return b.String()
}

func example(e iotsql.Example) string {
	return fmt.Sprintf("`%s` gives `%s`", e.Expression, e.Result)
}
