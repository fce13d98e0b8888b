package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// place is where a member travels.
type place string

const (
	inBody    place = ""
	inURI     place = "uri"
	inQuery   place = "query"
	inHeader  place = "header"
	inStatus  place = "status"
	inPayload place = "payload" // the member is the whole body
)

// plan is what the tags of a generated structure say.
type plan struct {
	members []member
	payload *member // nil where the body holds members
}

// member is one field of a structure.
type member struct {
	index     int
	name      string // AWS's
	place     place
	wireName  string // of the query parameter or header, else name
	required  bool
	jsonValue bool   // base64 of JSON, in a header
	shape     string // row of Service.Shapes, "" where nothing constrains it
}

// schema is a service with its plans and rules, made when first needed: a
// server that starts should not compile what nobody calls.
type schema struct {
	service *Service
	rules   map[string]*rule
	plans   sync.Map // reflect.Type of a structure -> *plan
}

func newSchema(s *Service) *schema {
	sc := &schema{service: s, rules: make(map[string]*rule, len(s.Shapes))}
	for i := range s.Shapes {
		sc.rules[s.Shapes[i].Name] = newRule(&s.Shapes[i])
	}
	return sc
}

// plan gives the plan of a structure type.
func (sc *schema) plan(t reflect.Type) *plan {
	if p, ok := sc.plans.Load(t); ok {
		return p.(*plan)
	}
	p, _ := sc.plans.LoadOrStore(t, newPlan(t))
	return p.(*plan)
}

func newPlan(t reflect.Type) *plan {
	p := &plan{members: make([]member, t.NumField())}
	for i := range p.members {
		p.members[i] = newMember(i, t.Field(i).Tag)
		if p.members[i].place == inPayload {
			p.payload = &p.members[i]
		}
	}
	return p
}

// newMember reads tags such as `json:"shadowName,omitzero" wire:"query=name,shape=ShadowName"`.
func newMember(index int, tag reflect.StructTag) member {
	name, _, _ := strings.Cut(tag.Get("json"), ",")
	m := member{index: index, name: name, wireName: name}
	for part := range strings.SplitSeq(tag.Get("wire"), ",") {
		key, value, has := strings.Cut(part, "=")
		switch key {
		case "":
		case "required":
			m.required = true
		case "jsonvalue":
			m.jsonValue = true
		case "shape":
			m.shape = value
		case string(inURI), string(inQuery), string(inHeader), string(inStatus), string(inPayload):
			m.place = place(key)
			if has {
				m.wireName = value
			}
		default:
			panic(fmt.Sprintf("wire: unknown tag %q of member %s", part, name))
		}
	}
	return m
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	rawType   = reflect.TypeFor[json.RawMessage]()
	bytesType = reflect.TypeFor[[]byte]()
)
