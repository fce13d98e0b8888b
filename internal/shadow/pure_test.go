package shadow

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// compareShadows looks inside; an object without members has none, whichever
// way it came to be.
var compareShadows = cmp.Options{
	cmp.AllowUnexported(shadow{}, document{}, section{}, value{}, member{}),
	cmpopts.EquateEmpty(),
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

func parsed(t testing.TB, text string, stamp int64) value {
	t.Helper()
	if text == "" {
		return value{}
	}
	v, err := parse([]byte(text), stamp)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func shown(v value) string {
	if v.kind == none {
		return ""
	}
	return string(appendState(nil, v))
}

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct{ section, patch, want string }{
		"unchanged/no patch":                       {`{"a":1}`, ``, `{"a":1}`},
		"unchanged/empty patch":                    {`{"a":1}`, `{}`, `{"a":1}`},
		"unchanged/null of what is absent":         {`{"a":1}`, `{"b":null}`, `{"a":1}`},
		"unchanged/empty object on an object":      {`{"a":{"b":1}}`, `{"a":{}}`, `{"a":{"b":1}}`},
		"unchanged/object of nulls alone is added": {`{"a":1}`, `{"b":{"c":{"d":null}}}`, `{"a":1}`},
		"removed/section":                          {`{"a":1}`, `null`, ``},
		"removed/key":                              {`{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		"removed/last key takes the section":       {`{"a":1}`, `{"a":null}`, ``},
		"removed/last key leaves an inner object":  {`{"a":{"b":1}}`, `{"a":{"b":null}}`, `{"a":{}}`},
		"removed/whole object":                     {`{"a":{"b":1},"c":2}`, `{"a":null}`, `{"c":2}`},
		"removed/scalar by an object of nulls":     {`{"a":1,"c":2}`, `{"a":{"b":null}}`, `{"c":2}`},
		"added/to nothing":                         {``, `{"a":1}`, `{"a":1}`},
		"added/nothing to nothing":                 {``, `{}`, ``},
		"added/at the end":                         {`{"b":1}`, `{"a":[1],"c":"x"}`, `{"b":1,"a":[1],"c":"x"}`},
		"added/without its nulls":                  {`{}`, `{"a":{"b":null,"c":{"d":null,"e":{}}}}`, `{"a":{"c":{"e":{}}}}`},
		"added/literally empty object":             {``, `{"a":{}}`, `{"a":{}}`},
		"merged/objects":                           {`{"a":{"b":1,"c":{"d":2}}}`, `{"a":{"c":{"e":3}}}`, `{"a":{"b":1,"c":{"d":2,"e":3}}}`},
		"replaced/scalar by empty object":          {`{"a":1}`, `{"a":{}}`, `{"a":{}}`},
		"replaced/array by object":                 {`{"a":[1]}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		"replaced/object by scalar":                {`{"a":{"b":1}}`, `{"a":"x"}`, `{"a":"x"}`},
		"replaced/object by array":                 {`{"a":{"b":1}}`, `{"a":[{"b":2}]}`, `{"a":[{"b":2}]}`},
		"replaced/array by array":                  {`{"a":[1,2,3]}`, `{"a":[4]}`, `{"a":[4]}`},
		"replaced/array by empty array":            {`{"a":[1]}`, `{"a":[]}`, `{"a":[]}`},
		"replaced/objects in arrays as given":      {`{"a":[{"b":1,"c":2}]}`, `{"a":[{"b":null}]}`, `{"a":[{"b":null}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			section := parsed(t, c.section, 1)
			if got := shown(merge(section, parsed(t, c.patch, 2))); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := shown(section); got != c.section {
				t.Errorf("the merge changed its input: %s", got)
			}
		})
	}
}

func TestMergeKeepsTimeStamps(t *testing.T) {
	section := parsed(t, `{"a":1,"b":{"c":1,"d":[1,[2]]},"e":{}}`, 1)
	merged := merge(section, parsed(t, `{"b":{"d":[1]},"f":{"g":null,"h":"x"},"a":1}`, 2))
	want := `{"a":{"timestamp":2},"b":{"c":{"timestamp":1},"d":[{"timestamp":2}]},"e":{},"f":{"h":{"timestamp":2}}}`
	if got := string(appendMetadata(nil, merged)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDelta(t *testing.T) {
	for name, c := range map[string]struct{ desired, reported, want string }{
		"agree/nothing desired":              {``, `{"a":1}`, ``},
		"agree/same":                         {`{"a":{"b":[1,"x",null]}}`, `{"a":{"b":[1,"x",null]},"c":1}`, ``},
		"agree/one and 1.0":                  {`{"a":1,"b":[1e2]}`, `{"a":1.0,"b":[100]}`, ``},
		"agree/order of keys":                {`{"l":[{"a":1,"b":2}]}`, `{"l":[{"b":2,"a":1}]}`, ``},
		"agree/empty object on an object":    {`{"a":{}}`, `{"a":{"b":1}}`, ``},
		"differ/nothing reported":            {`{"a":{"b":1},"c":{}}`, ``, `{"a":{"b":1},"c":{}}`},
		"differ/path to the root":            {`{"a":{"b1":{"c":"d"},"b2":"x"}}`, `{"a":{"b1":{"c":"d"}}}`, `{"a":{"b2":"x"}}`},
		"differ/whole array":                 {`{"list":["v1"]}`, `{"list":["v1","v2"]}`, `{"list":["v1"]}`},
		"differ/order in an array":           {`{"list":[1,2]}`, `{"list":[2,1]}`, `{"list":[1,2]}`},
		"differ/other keys do not matter":    {`{"enabled":true}`, `{"online":true}`, `{"enabled":true}`},
		"differ/number and string":           {`{"a":1}`, `{"a":"1"}`, `{"a":1}`},
		"differ/number and boolean":          {`{"a":true,"b":false}`, `{"a":1,"b":true}`, `{"a":true,"b":false}`},
		"differ/object and scalar":           {`{"a":{},"b":1}`, `{"a":1,"b":{}}`, `{"a":{},"b":1}`},
		"differ/beyond exact floating point": {`{"a":9007199254740993}`, `{"a":9007199254740992}`, `{"a":9007199254740993}`},
		"differ/objects in arrays":           {`{"l":[{"a":1}]}`, `{"l":[{"a":1,"b":2}]}`, `{"l":[{"a":1}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shown(delta(parsed(t, c.desired, 1), parsed(t, c.reported, 2))); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestEqualNumbers(t *testing.T) {
	equal := [][]string{
		{"1", "1.0", "10e-1", "0.1e1", "0.01E+2", "1e0", "1e-0", "1000e-3"},
		{"0", "-0", "0.0", "0e99999999999999999999", "-0.00e-5"},
		{"-1.5", "-15e-1", "-1.50"},
		{"1e99999999999999999999999", "10e99999999999999999999998"},
		{"123456789012345678901234567890", "1.2345678901234567890123456789e29"},
		{"1e-99999999999999999999999", "0.1e-99999999999999999999998"},
	}
	for i, group := range equal {
		for j, other := range equal {
			for _, a := range group {
				for _, b := range other {
					if equalNumbers(a, b) != (i == j) {
						t.Errorf("%s and %s: equal is %v", a, b, i != j)
					}
				}
			}
		}
	}
}

func TestStampsRefuseWhatDoesNotFit(t *testing.T) {
	for name, r := range map[string]Record{
		"too few":     {Desired: `{"a":1,"b":2}`, Stamps: "5"},
		"none":        {Desired: `{"a":1}`},
		"no number":   {Desired: `{"a":1}`, Stamps: "x"},
		"bad run":     {Desired: `{"a":1,"b":2}`, Stamps: "5*-2"},
		"no document": {Reported: `{"a":`, Stamps: "5"},
	} {
		if _, err := r.shadow(); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDocumentSizeIsCountedAfterTheMerge(t *testing.T) {
	limits := Limits{}.withDefaults()
	fill := func(n int) string { // a section of n bytes
		return `{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}`
	}
	full := sent(t, shadow{}, `{"state":{"desired":`+fill(8000)+`}}`)
	for size, fits := range map[int]bool{192: true, 193: false} {
		r := readable(t, `{"state":{"reported":`+fill(size)+`}}`)
		next, o := limits.play(ID{Thing: "pump7"}, full, r)
		if fits != (o.err == nil) {
			t.Errorf("%d bytes: %v", 8000+size, o.err)
		}
		if code, _ := status(o.err); !fits && (code != 413 || !cmp.Equal(next, full, compareShadows)) {
			t.Errorf("%d bytes: code %d, shadow %v", 8000+size, code, next.Revision)
		}
	}
	// What is removed makes room in the same update.
	r := readable(t, `{"state":{"desired":null,"reported":`+fill(8192)+`}}`)
	if _, o := limits.play(ID{Thing: "pump7"}, full, r); o.err != nil {
		t.Error(o.err)
	}
}

func TestRequestTooLargeToParse(t *testing.T) {
	limits := Limits{}.withDefaults()
	payload := []byte(`{"state":{"desired":{"a":1}}}` + strings.Repeat(" ", limits.payloadBytes()))
	_, err := limits.read(updating, payload, at(1))
	if code, message := status(err); code != 413 || message != "The payload exceeds the maximum size allowed" {
		t.Error(code, message)
	}
	if _, err := limits.read(updating, payload[:limits.payloadBytes()], at(1)); err != nil {
		t.Error(err)
	}
}

func TestStatus(t *testing.T) {
	if code, message := status(fmt.Errorf("secret: %w", ErrStale)); code != 500 || message != "Internal service failure" {
		t.Error(code, message)
	}
	_, err := Limits{}.withDefaults().read(updating, []byte("{\"state\":\"\xc3\"}"), at(1))
	if code, message := status(err); code != 415 || message != "Unsupported documented encoding; supported encoding is UTF-8" {
		t.Error(code, message)
	}
	if code, message := status(errNode(strings.Repeat("é", 500))); code != 400 || len(message) > 200 {
		t.Error(code, message)
	}
}

func readable(t testing.TB, payload string) request {
	t.Helper()
	r, err := Limits{}.withDefaults().read(updating, []byte(payload), at(100))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sent is s after an update that must be taken.
func sent(t testing.TB, s shadow, payload string) shadow {
	t.Helper()
	next, o := Limits{}.withDefaults().play(ID{Thing: "pump7"}, s, readable(t, payload))
	if o.err != nil {
		t.Fatal(o.err)
	}
	return next
}

func TestCacheForgetsTheLongestUnused(t *testing.T) {
	one := shadow{Revision: Revision{1, 1}, document: document{desired: newSection(parsed(t, `{"a":1}`, 1))}}
	weight := perEntry + one.weight()
	c := &cache{max: 3 * weight}
	for i := range 3 {
		c.put(ID{Thing: strconv.Itoa(i)}, one)
	}
	c.get(ID{Thing: "0"})
	c.put(ID{Thing: "3"}, one)
	c.put(ID{Thing: "3"}, one) // the same once more takes no more room
	c.drop(ID{Thing: "2"})
	var held []string
	for i := range 4 {
		if _, ok := c.get(ID{Thing: strconv.Itoa(i)}); ok {
			held = append(held, strconv.Itoa(i))
		}
	}
	if diff := cmp.Diff([]string{"0", "3"}, held); diff != "" || c.weight != 2*weight {
		t.Errorf("weight %d of %d, -want +got\n%s", c.weight, 2*weight, diff)
	}
	c.put(ID{Thing: "huge"}, shadow{document: document{desired: section{text: strings.Repeat("x", 4*weight)}}})
	if c.weight != 0 || c.order.Len() != 0 {
		t.Errorf("what never fits is kept: %d bytes", c.weight)
	}
}

// sections draws objects of few keys, so that they meet.
func sections(t *rapid.T, label string, nulls bool) value {
	return value{kind: object, members: members(t, label, 3, nulls)}
}

func members(t *rapid.T, label string, levels int, nulls bool) []member {
	var all []member
	for _, key := range []string{"a", "b", "c"} {
		if v := anything(t, label+key, levels-1, nulls); v.kind != none {
			all = append(all, member{key, v})
		}
	}
	return all
}

func anything(t *rapid.T, label string, levels int, nulls bool) value {
	stamp := rapid.Int64Range(1, 9).Draw(t, label+" stamp")
	kinds := []kind{none, boolean, number, text, array, object, null}
	if !nulls {
		kinds = kinds[:6]
	}
	switch k := rapid.SampledFrom(kinds).Draw(t, label); k {
	case boolean:
		return value{kind: k, text: "true", stamp: stamp}
	case number:
		return value{kind: k, text: rapid.SampledFrom([]string{"1", "1.0", "2"}).Draw(t, label+" number"), stamp: stamp}
	case text:
		return value{kind: k, text: "1", stamp: stamp}
	case array:
		return value{kind: k, members: []member{{value: value{kind: number, text: "1", stamp: stamp}}}}
	case object:
		if levels == 0 {
			return value{kind: k}
		}
		return value{kind: k, members: members(t, label, levels, nulls)}
	case null:
		return value{kind: k, stamp: stamp}
	}
	return value{}
}

func TestDeltaTakesReportedToDesired(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		desired, reported := sections(t, "desired ", false), sections(t, "reported ", false)
		told := merge(reported, delta(desired, reported))
		if d := delta(desired, told); d.kind != none {
			t.Fatalf("desired %s, reported %s: after the delta %s still differs", shown(desired), shown(reported), shown(d))
		}
	})
}

func TestMergeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		section, patch := sections(t, "section ", false), sections(t, "patch ", true)
		once := merge(section, patch)
		// A section without members does not exist, so an empty patch may leave none.
		if asked := withoutNulls(patch); len(asked.members) > 0 && delta(asked, once).kind != none {
			t.Fatalf("%s with %s is %s: not what the patch asks for", shown(section), shown(patch), shown(once))
		}
		if twice := merge(once, patch); !equal(twice, once) {
			t.Fatalf("%s with %s twice: %s, then %s", shown(section), shown(patch), shown(once), shown(twice))
		}
		if same := merge(once, value{kind: object}); shown(same) != shown(once) {
			t.Fatalf("merging nothing changed %s to %s", shown(once), shown(same))
		}
		if hasNull(once) {
			t.Fatalf("%s keeps a null", shown(once))
		}
	})
}

func hasNull(v value) bool {
	for _, m := range v.members {
		if m.value.kind == null || hasNull(m.value) {
			return true
		}
	}
	return false
}

func TestVersionGrowsByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{}.withDefaults()
		var s shadow
		for i := range rapid.IntRange(1, 20).Draw(t, "requests") {
			r := request{verb: rapid.SampledFrom([]verb{updating, updating, getting, deleting}).Draw(t, "verb"), now: at(int64(100 + i))}
			r.desired, r.reported = sections(t, "desired ", true), sections(t, "reported ", true)
			next, o := limits.play(ID{Thing: "pump7"}, s, r)
			want := s.Version
			if o.err == nil && r.verb != getting {
				want++
			}
			if next.Version != want {
				t.Fatalf("%s took version %d to %d (%v)", r.verb, s.Version, next.Version, o.err)
			}
			back, err := next.record().shadow()
			if err != nil || !cmp.Equal(next, back, compareShadows) {
				t.Fatalf("at rest: %v %s", err, cmp.Diff(next, back, compareShadows))
			}
			s = next
		}
	})
}
