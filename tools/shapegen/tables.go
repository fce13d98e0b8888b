package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// tables writes the Service value: operations, errors and constraints.
func (g *generator) tables() error {
	m := g.model
	g.header(fmt.Sprintf("// Package %s holds the wire shapes and tables of %s\n// (API version %s).\n",
		g.service.pkg, g.service.title, m.Version), "thingd/internal/aws/wire")
	g.printf("// Service is the interface of %s.\nvar Service = &wire.Service{\n", m.ServiceID)
	g.set("Name", m.Service)
	g.set("ID", m.ServiceID)
	g.set("Version", m.Version)
	g.printf("\tProtocol: wire.%s,\n", protocols[m.Protocol])
	g.set("JSONVersion", m.JSONVersion)
	g.set("TargetPrefix", m.TargetPrefix)
	g.set("XMLNamespace", m.XMLNamespace)
	g.printf("\tSigningNames: %#v,\n", append([]string{m.SigningName}, g.service.signingNames...))
	g.set("ActionPrefix", g.service.actionPrefix)
	g.flag("Devices", g.service.devices)
	g.operations()
	g.errors()
	g.shapes()
	g.printf("}\n")
	return nil
}

var protocols = map[string]string{"rest-json": "RESTJSON", "json": "JSON", "query": "Query"}

// set writes a string field, unless it is empty.
func (g *generator) set(field, value string) {
	if value != "" {
		g.printf("\t%s: %q,\n", field, value)
	}
}

// flag writes a boolean field, unless it is false.
func (g *generator) flag(field string, value bool) {
	if value {
		g.printf("\t%s: true,\n", field)
	}
}

func (g *generator) operations() {
	g.printf("\tOperations: []wire.Operation{\n")
	for _, name := range g.operationNames() {
		op := g.model.Operations[name]
		g.printf("\t\t{\n")
		g.set("Name", name)
		g.set("Method", op.Method)
		g.set("URI", g.greedyURI(op.URI))
		g.printf("\tStatus: %d,\n", cmp.Or(op.Status, 200))
		g.printf("\tIn: (*%s)(nil),\n", exported(op.Input))
		if op.Output != "" {
			g.printf("\tOut: (*%s)(nil),\n", exported(op.Output))
		}
		g.set("ResultWrapper", op.ResultWrapper)
		if len(op.Errors) > 0 {
			g.printf("\tErrors: %#v,\n", op.Errors)
		}
		g.flag("Anonymous", op.Auth == "none")
		g.flag("Deprecated", op.Deprecated)
		g.flag("Acknowledged", slices.Contains(g.service.acknowledged, name))
		g.printf("\t\t},\n")
	}
	g.printf("\t},\n")
}

// greedyURI lets the labels that service.greedy names take the whole rest.
func (g *generator) greedyURI(uri string) string {
	for _, label := range g.service.greedy {
		uri = strings.ReplaceAll(uri, "{"+label+"}", "{"+label+"+}")
	}
	return uri
}

func (g *generator) errors() {
	g.printf("\tErrors: []wire.ErrorShape{\n")
	for _, name := range g.shapeNames() {
		s := g.model.Shapes[name]
		if s.Error == nil {
			continue
		}
		message, members := splitMessage(s.Fields)
		g.printf("\t\t{Name: %q, Status: %d, Message: %q", name, s.Error.Status, message)
		if s.Error.Code != "" {
			g.printf(", Code: %q", s.Error.Code)
		}
		if len(members) > 0 {
			g.printf(", Members: %#v", members)
		}
		g.printf("},\n")
	}
	g.printf("\t},\n")
}

// splitMessage tells the member with the text from the others.
func splitMessage(fields fieldList) (message string, members []string) {
	for _, f := range fields {
		if strings.EqualFold(f.Member, "message") {
			message = f.Member
		} else {
			members = append(members, f.Member)
		}
	}
	return message, members
}

func (g *generator) shapes() {
	g.printf("\tShapes: []wire.Shape{\n")
	for _, name := range g.shapeNames() {
		s := g.model.Shapes[name]
		if !g.model.constrains(name) {
			continue
		}
		g.printf("\t\t{%s},\n", strings.Join(g.constraints(name, s), ", "))
	}
	g.printf("\t},\n")
}

// constraints lists the fields of a shape's row that say something.
func (g *generator) constraints(name string, s *shape) []string {
	row := []string{fmt.Sprintf("Name: %q", name)}
	if s.Min != nil {
		row = append(row, fmt.Sprintf("Min: %v, HasMin: true", *s.Min))
	}
	if s.Max != nil {
		row = append(row, fmt.Sprintf("Max: %.10g, HasMax: true", *s.Max))
	}
	for _, ref := range []struct{ field, shape string }{{"Of", s.Of}, {"Key", s.Key}, {"Value", s.Value}} {
		if ref.shape != "" && g.model.constrains(ref.shape) {
			row = append(row, fmt.Sprintf("%s: %q", ref.field, ref.shape))
		}
	}
	if s.Pattern != "" {
		row = append(row, fmt.Sprintf("Pattern: %q", s.Pattern))
	}
	if len(s.Enum) > 0 {
		row = append(row, fmt.Sprintf("Enum: %#v", s.Enum))
	}
	if s.Sensitive {
		row = append(row, "Sensitive: true")
	}
	return row
}
