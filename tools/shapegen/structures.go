package main

import (
	"fmt"
	"slices"
	"strings"
)

// structures writes a Go type for every structure that is not an error.
func (g *generator) structures() error {
	body, err := g.structureText()
	if err != nil {
		return err
	}
	var imports []string
	for pkg, sign := range map[string]string{"encoding/json": "json.RawMessage", "time": "time.Time"} {
		if strings.Contains(body, sign) {
			imports = append(imports, pkg)
		}
	}
	slices.Sort(imports)
	g.header("", imports...)
	g.printf("%s", body)
	return nil
}

func (g *generator) structureText() (string, error) {
	var b strings.Builder
	comments := g.comments()
	for _, name := range g.shapeNames() {
		s := g.model.Shapes[name]
		if s.Kind != "structure" || s.Error != nil {
			continue
		}
		text, err := g.structure(name, s)
		if err != nil {
			return "", fmt.Errorf("shape %s: %w", name, err)
		}
		b.WriteString(comments[name] + text)
	}
	return b.String(), nil
}

// comments gives the doc comment of every structure: the operation it belongs
// to, or what holds it.
func (g *generator) comments() map[string]string {
	comments := map[string]string{}
	for name := range g.model.Shapes {
		comments[name] = fmt.Sprintf("// %s is a member of %s.\n", exported(name), some(g.users[name]))
	}
	for _, name := range g.operationNames() {
		op := g.model.Operations[name]
		comments[op.Input] = fmt.Sprintf("// %s is the input of %s.\n", exported(op.Input), g.describe(name, op))
		if op.Output != "" {
			comments[op.Output] = fmt.Sprintf("// %s is the output of %s.\n", exported(op.Output), name)
		}
	}
	return comments
}

// describe names an operation with its place on HTTP, where that says anything.
func (g *generator) describe(name string, op operation) string {
	if g.model.Protocol != "rest-json" {
		return name
	}
	return fmt.Sprintf("%s, %s %s", name, op.Method, op.URI)
}

// some names the first three.
func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

func (g *generator) structure(name string, s *shape) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "type %s struct {\n", exported(name))
	for _, f := range s.Fields {
		typ, err := g.memberType(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\t%s %s `%s`%s\n", exported(f.Member), typ, g.tag(s, f), remark(f))
	}
	b.WriteString("}\n\n")
	return b.String(), nil
}

func remark(f field) string {
	if f.Deprecated {
		return " // deprecated"
	}
	return ""
}

// memberType is the Go type of a member. Absent is "", nil or the zero time;
// scalars that may be absent are pointers.
func (g *generator) memberType(f field) (string, error) {
	if f.JSONValue {
		return "json.RawMessage", nil
	}
	typ, err := g.goType(f.Type)
	if err != nil {
		return "", err
	}
	switch g.model.Shapes[f.Type].Kind {
	case "structure":
		return "*" + typ, nil
	case "boolean", "integer", "long", "float", "double":
		if !f.Required {
			return "*" + typ, nil
		}
	}
	return typ, nil
}

var scalars = map[string]string{
	"string": "string", "boolean": "bool", "integer": "int", "long": "int64",
	"float": "float64", "double": "float64", "timestamp": "time.Time", "blob": "[]byte",
}

// goType is the Go type of a shape's values.
func (g *generator) goType(name string) (string, error) {
	s := g.model.Shapes[name]
	if s.Document {
		return "json.RawMessage", nil
	}
	switch s.Kind {
	case "structure":
		return exported(name), nil
	case "list":
		of, err := g.goType(s.Of)
		return "[]" + of, err
	case "map":
		value, err := g.goType(s.Value)
		return "map[string]" + value, err
	}
	if typ := scalars[s.Kind]; typ != "" {
		return typ, nil
	}
	return "", fmt.Errorf("shape %s has unknown kind %q", name, s.Kind)
}

var locations = map[string]string{
	"uri": "uri", "querystring": "query", "header": "header", "statusCode": "status",
}

// tag says where a member travels. The json key holds its AWS name, so that the
// types can also be kept as JSON; wire holds the rest, as package wire reads it.
func (g *generator) tag(owner *shape, f field) string {
	var parts []string
	place := locations[f.In]
	if owner.Payload == f.Member {
		place = "payload"
	}
	if f.Name != "" && f.Name != f.Member {
		place += "=" + f.Name
	}
	if place != "" {
		parts = append(parts, place)
	}
	if f.Required {
		parts = append(parts, "required")
	}
	if f.JSONValue {
		parts = append(parts, "jsonvalue")
	}
	if g.model.constrains(f.Type) {
		parts = append(parts, "shape="+f.Type)
	}
	tag := fmt.Sprintf(`json:"%s,omitzero"`, f.Member)
	if len(parts) > 0 {
		tag += fmt.Sprintf(` wire:"%s"`, strings.Join(parts, ","))
	}
	return tag
}
