package main

import "fmt"

// enums writes the values of the enumerations as untyped constants, so that
// they fit the plain strings here and the named types of other packages.
func (g *generator) enums() error {
	taken := map[string]string{}
	for _, name := range g.shapeNames() {
		s := g.model.Shapes[name]
		if len(s.Enum) == 0 {
			continue
		}
		if len(taken) == 0 {
			g.header("")
		}
		g.printf("// Values of %s.\nconst (\n", name)
		for _, value := range s.Enum {
			constant := enumName(name, value)
			if old, clash := taken[constant]; clash {
				return fmt.Errorf("enum %s: %q and %q would both be %s", name, old, value, constant)
			}
			taken[constant] = value
			g.printf("\t%s = %q\n", constant, value)
		}
		g.printf(")\n\n")
	}
	return nil
}
