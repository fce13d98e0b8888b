package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// model is one file of models/: a service's operations and shapes.
type model struct {
	Service      string               `json:"service"`
	Version      string               `json:"version"`
	Protocol     string               `json:"protocol"`
	JSONVersion  string               `json:"jsonVersion"`
	TargetPrefix string               `json:"targetPrefix"`
	SigningName  string               `json:"signingName"`
	ServiceID    string               `json:"serviceId"`
	XMLNamespace string               `json:"xmlNamespace"`
	Operations   map[string]operation `json:"operations"`
	Shapes       map[string]*shape    `json:"shapes"`
}

type operation struct {
	Method        string   `json:"method"`
	URI           string   `json:"uri"`
	Status        int      `json:"status"`
	Input         string   `json:"input"`
	Output        string   `json:"output"`
	ResultWrapper string   `json:"resultWrapper"`
	Errors        []string `json:"errors"`
	Auth          string   `json:"auth"`
	Deprecated    bool     `json:"deprecated"`
}

type shape struct {
	Kind      string    `json:"kind"`
	Min       *float64  `json:"min"`
	Max       *float64  `json:"max"`
	Pattern   string    `json:"pattern"`
	Enum      []string  `json:"enum"`
	Fields    fieldList `json:"fields"`
	Payload   string    `json:"payload"`
	Of        string    `json:"of"`
	Key       string    `json:"key"`
	Value     string    `json:"value"`
	Boxed     bool      `json:"boxed"` // all optional scalars are pointers, so this changes nothing
	Sensitive bool      `json:"sensitive"`
	Document  bool      `json:"document"`
	Error     *struct {
		Status int    `json:"status"`
		Code   string `json:"code"`
	} `json:"error"`
}

type field struct {
	Member      string `json:"-"`
	Type        string `json:"type"`
	Required    bool   `json:"required"`
	In          string `json:"in"`
	Name        string `json:"name"`
	JSONValue   bool   `json:"jsonvalue"`
	Idempotency bool   `json:"idempotencyToken"` // clients fill it in; to a server it is a string
	Deprecated  bool   `json:"deprecated"`
}

// fieldList keeps the model's order, which answers then follow.
type fieldList []field

// UnmarshalJSON reads an object as a list of its members.
func (l *fieldList) UnmarshalJSON(data []byte) error {
	dec := strict(data)
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		f := field{Member: name.(string)}
		if err := dec.Decode(&f); err != nil {
			return fmt.Errorf("field %s: %w", f.Member, err)
		}
		*l = append(*l, f)
	}
	return nil
}

// loadModel reads a model file. A key that the generator does not know is an
// error: what it means on the wire would be lost in silence.
func loadModel(path string) (*model, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m model
	if err := strict(data).Decode(&m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &m, m.check()
}

func strict(data []byte) *json.Decoder {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec
}

// check finds references to shapes that are not there.
func (m *model) check() error {
	for name, op := range m.Operations {
		for _, ref := range append([]string{op.Input, op.Output}, op.Errors...) {
			if ref != "" && m.Shapes[ref] == nil {
				return fmt.Errorf("%s: operation %s: no shape %q", m.Service, name, ref)
			}
		}
	}
	for name, s := range m.Shapes {
		for _, ref := range s.refs() {
			if m.Shapes[ref] == nil {
				return fmt.Errorf("%s: shape %s: no shape %q", m.Service, name, ref)
			}
		}
		if err := m.checkLocations(s); err != nil {
			return fmt.Errorf("%s: shape %s: %w", m.Service, name, err)
		}
	}
	return nil
}

// checkLocations finds members outside the body that package wire could not
// read there: it takes single values.
func (m *model) checkLocations(s *shape) error {
	for _, f := range s.Fields {
		if f.In == "" {
			continue
		}
		if locations[f.In] == "" {
			return fmt.Errorf("field %s travels in %q, which is not supported", f.Member, f.In)
		}
		switch kind := m.Shapes[f.Type].Kind; kind {
		case "list", "map", "structure":
			return fmt.Errorf("field %s is a %s in %q, which is not supported", f.Member, kind, f.In)
		}
	}
	return nil
}

// refs are the shapes that s is made of.
func (s *shape) refs() []string {
	var refs []string
	for _, f := range s.Fields {
		refs = append(refs, f.Type)
	}
	for _, ref := range []string{s.Of, s.Key, s.Value} {
		if ref != "" {
			refs = append(refs, ref)
		}
	}
	return refs
}

// constrains says whether values of the shape, or what they hold short of
// structures (which Go types describe), can be wrong.
func (m *model) constrains(name string) bool {
	s := m.Shapes[name]
	if s.Kind == "structure" {
		return false
	}
	if s.Min != nil || s.Max != nil || s.Pattern != "" || s.Enum != nil || s.Sensitive {
		return true
	}
	for _, ref := range s.refs() {
		if m.constrains(ref) {
			return true
		}
	}
	return false
}
