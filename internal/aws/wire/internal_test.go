package wire

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type probeItem struct {
	Name string `json:"name,omitzero" wire:"required"`
	Size int    `json:"size,omitzero" wire:"required"`
}

type probe struct {
	Text   string               `json:"text,omitzero" wire:"shape=Text"`
	Flag   *bool                `json:"flag,omitzero"`
	Count  *int                 `json:"count,omitzero" wire:"shape=Count"`
	Big    *int64               `json:"big,omitzero"`
	Ratio  *float64             `json:"ratio,omitzero"`
	When   time.Time            `json:"when,omitzero"`
	Data   []byte               `json:"data,omitzero"`
	Item   *probeItem           `json:"item,omitzero"`
	Items  []probeItem          `json:"items,omitzero"`
	Names  []string             `json:"names,omitzero" wire:"shape=Names"`
	Map    map[string]string    `json:"map,omitzero"`
	Groups map[string][]string  `json:"groups,omitzero"`
	ByName map[string]probeItem `json:"byName,omitzero"`
	Secret string               `json:"secret,omitzero" wire:"shape=Secret"`
}

var probeService = &Service{
	Name: "probe", Protocol: RESTJSON, Operations: []Operation{{Name: "Probe", In: (*probe)(nil), Out: (*probe)(nil), Status: 200}},
	Shapes: []Shape{
		{Name: "Text", Min: 1, HasMin: true, Max: 4, HasMax: true},
		{Name: "Count", Min: 0, HasMin: true, Max: 9, HasMax: true},
		{Name: "Names", Max: 2, HasMax: true, Of: "Text"},
		{Name: "Secret", Pattern: "[a-z]*", Sensitive: true},
	},
}

func decodeProbe(body string) (probe, error) {
	sc := newSchema(probeService)
	in, wrong, err := sc.jsonInput(&probeService.Operations[0], []byte(body))
	if err == nil {
		err = wrong.fault()
	}
	return in.Elem().Interface().(probe), err
}

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       probe
		err        string
	}{
		{name: "ok/empty body"},
		{name: "ok/null is absent", body: `{"text":null,"item":null,"names":null}`},
		{name: "ok/unknown members", body: `{"other":{"deep":[1,2]}}`},
		{name: "ok/empty collections are not absent", body: `{"names":[],"map":{},"items":[]}`, want: probe{Names: []string{}, Map: map[string]string{}, Items: []probeItem{}}},
		{name: "ok/false and zero are not absent", body: `{"flag":false,"count":0}`, want: probe{Flag: new(false), Count: new(0)}},
		{name: "ok/whole number with a fraction", body: `{"count":5.0,"big":9007199254740993}`, want: probe{Count: new(5), Big: new(int64(9007199254740993))}},
		{name: "ok/times", body: `{"when":1700000000.123}`, want: probe{When: time.UnixMilli(1700000000123).UTC()}},
		{name: "ok/time as text", body: `{"when":"2026-01-02T03:04:05Z"}`, want: probe{When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{name: "ok/base64", body: `{"data":"AAE="}`, want: probe{Data: []byte{0, 1}}},
		{name: "ok/characters, not bytes, are counted", body: `{"text":"äöüß"}`, want: probe{Text: "äöüß"}},
		{name: "ok/null in a map is no entry", body: `{"map":{"a":null,"b":"c"}}`, want: probe{Map: map[string]string{"b": "c"}}},
		{name: "ok/maps of lists and structures", body: `{"groups":{"a":["b"]},"byName":{"x":{"name":"n","size":1}}}`, want: probe{
			Groups: map[string][]string{"a": {"b"}}, ByName: map[string]probeItem{"x": {Name: "n", Size: 1}},
		}},
		{name: "ok/a required string may be empty where nothing forbids it", body: `{"item":{"name":"","size":0}}`, want: probe{Item: &probeItem{}}},
		{name: "invalid/required, nested", body: `{"items":[{"name":"a","size":1},{}]}`, err: "2 validation errors detected: " +
			"Value null at 'items.2.member.name' failed to satisfy constraint: Member must not be null; Value null at 'items.2.member.size' failed to satisfy constraint: Member must not be null"},
		{name: "invalid/null in a list", body: `{"items":[null]}`, err: "1 validation error detected: Value null at 'items.1.member' failed to satisfy constraint: Member must not be null"},
		{name: "invalid/too short", body: `{"text":""}`, err: "1 validation error detected: Value '' at 'text' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{name: "invalid/number", body: `{"count":10}`, err: "1 validation error detected: Value '10' at 'count' failed to satisfy constraint: Member must have value less than or equal to 9"},
		{name: "invalid/list and its elements", body: `{"names":["a","toolong","b"]}`, err: "2 validation errors detected: " +
			"Value '[a, toolong, b]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 4, Member must have length greater than or equal to 1]; " +
			"Value '[a, toolong, b]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{name: "invalid/secrets are not repeated", body: `{"secret":"ABC"}`, err: "1 validation error detected: Value at 'secret' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*"},
		{name: "malformed/number beyond 32 bits", body: `{"count":2147483648}`, err: "NUMBER_VALUE can not be converted to an Integer at 'count'"},
		{name: "malformed/number beyond 64 bits", body: `{"big":9223372036854775808}`, err: "NUMBER_VALUE can not be converted to an Integer at 'big'"},
		{name: "malformed/fraction", body: `{"count":1.5}`, err: "NUMBER_VALUE can not be converted to an Integer at 'count'"},
		{name: "malformed/huge number", body: `{"ratio":1e999}`, err: "NUMBER_VALUE can not be converted to a Double at 'ratio'"},
		{name: "malformed/time of no calendar", body: `{"when":1e300}`, err: "NUMBER_VALUE can not be converted to a Timestamp at 'when'"},
		{name: "malformed/base64", body: `{"data":"*"}`, err: "The value at 'data' is not valid base64."},
		{name: "malformed/list for structure", body: `{"item":[]}`, err: "START_ARRAY can not be converted to a structure at 'item'"},
		{name: "malformed/structure for list", body: `{"items":{}}`, err: "START_OBJECT can not be converted to a list at 'items'"},
		{name: "malformed/string for map", body: `{"map":"x"}`, err: "STRING_VALUE can not be converted to a map at 'map'"},
		{name: "malformed/body that is no object", body: `[]`, err: "START_ARRAY can not be converted to a structure at ''"},
		{name: "malformed/quotes hide brackets", body: `{"text":"[[[["`, err: "The request body is not valid JSON: it ends too early."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := decodeProbe(tc.body)
			if tc.err != "" {
				if err == nil || !strings.HasSuffix(err.Error(), ": "+tc.err) {
					t.Errorf("error %v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	sc := newSchema(probeService)
	for _, tc := range []struct {
		name string
		out  probe
		json string
		xml  string
	}{
		{"nothing", probe{}, `{}`, ``},
		{"empty and not absent", probe{Names: []string{}, Map: map[string]string{}}, `{"names":[],"map":{}}`, `<names></names><map></map>`},
		{"scalars", probe{Flag: new(false), Count: new(0), Big: new(int64(-1)), Ratio: new(0.5)}, `{"flag":false,"count":0,"big":-1,"ratio":0.5}`, `<flag>false</flag><count>0</count><big>-1</big><ratio>0.5</ratio>`},
		{"numbers that JSON has not", probe{Ratio: new(math.Inf(-1))}, `{"ratio":"-Infinity"}`, ``},
		{"text", probe{Text: "<&>\"\\\n\x01\xffä"}, `{"text":"<&>\"\\\n\u0001` + "�" + `ä"}`, "<text>&lt;&amp;&gt;&#34;\\&#xA;��ä</text>"},
		{"times", probe{When: time.UnixMilli(1700000000123)}, `{"when":1700000000.123}`, `<when>2023-11-14T22:13:20Z</when>`},
		{"whole seconds", probe{When: time.Unix(1700000000, 0)}, `{"when":1700000000}`, `<when>2023-11-14T22:13:20Z</when>`},
		{"bytes", probe{Data: []byte{0, 1}}, `{"data":"AAE="}`, `<data>AAE=</data>`},
		{"required members that are empty", probe{Items: []probeItem{{}}}, `{"items":[{"name":"","size":0}]}`, `<items><member><name></name><size>0</size></member></items>`},
		{"maps in order", probe{Map: map[string]string{"b": "", "a": "1"}}, `{"map":{"a":"1","b":""}}`, `<map><entry><key>a</key><value>1</value></entry><entry><key>b</key><value></value></entry></map>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.json, string(sc.jsonOutput(&probeService.Operations[0], reflect.ValueOf(&tc.out)))); diff != "" {
				t.Errorf("JSON: %s", diff)
			}
			if tc.xml == "" {
				return
			}
			w := &xmlWriter{schema: sc}
			w.members(reflect.ValueOf(tc.out))
			if diff := cmp.Diff(tc.xml, w.b.String()); diff != "" {
				t.Errorf("XML: %s", diff)
			}
		})
	}
}

func TestTranslatePattern(t *testing.T) {
	for _, tc := range []struct {
		pattern string
		yes, no []string
	}{
		{`[\p{Graph}\x20]*`, []string{"", "a b~", "!"}, []string{"\t", "é"}},
		{`\p{Alnum}+`, []string{"aZ9"}, []string{"", "_", "é"}},
		{`[\p{Upper}\p{Digit}_]+`, []string{"A_1"}, []string{"a"}},
		{`[^\p{Cntrl}]*`, []string{"é x"}, []string{"\x7f", "a\nb"}},
		{`[^\p{C}]{1,2048}`, []string{"a", strings.Repeat("b", 2000)}, []string{"", "\x00"}},
		{`[\u0020-\u00FF]+`, []string{" ÿ"}, []string{"Ā"}},
		{`[\u0009\uE000-\uFFFD\u10000-\u10FFFF]+`, []string{"\t", "😀"}, []string{"a"}},
		{`a|b`, []string{"a", "b"}, []string{"ab", "xa", "bx"}},
		{`^[^$].*`, []string{"ab"}, []string{"$a", ""}},
		{`([\p{L}\p{Z}\p{N}_.:/=+\-@]*)`, []string{"ключ 1/x"}, []string{"#"}},
	} {
		re, err := compilePattern(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range tc.yes {
			if !re.MatchString(s) {
				t.Errorf("%s does not match %q", tc.pattern, s)
			}
		}
		for _, s := range tc.no {
			if re.MatchString(s) {
				t.Errorf("%s matches %q", tc.pattern, s)
			}
		}
	}
}

// CheckTables lets the external tests try every pattern and plan of a service.
func CheckTables(s *Service) {
	sc := newSchema(s)
	for _, r := range sc.rules {
		if r.Pattern != "" {
			r.pattern()
		}
	}
	for _, op := range s.Operations {
		sc.check(reflect.TypeOf(op.In))
		if op.Out != nil {
			sc.check(reflect.TypeOf(op.Out))
		}
	}
}

func (sc *schema) check(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		sc.check(t.Elem())
	case reflect.Struct:
		if t == timeType {
			return
		}
		for _, m := range sc.plan(t).members {
			if m.shape != "" && sc.rules[m.shape] == nil {
				panic("no shape " + m.shape)
			}
			sc.check(t.Field(m.index).Type)
		}
	}
}
