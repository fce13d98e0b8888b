package topic

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		filter, name string
		aws, mqtt    bool
	}{
		{"a/#", "a", false, true},
		{"a/#", "a/", true, true},
		{"a/#", "a/b/c", true, true},
		{"#", "a", true, true},
		{"#", "/", true, true},
		{"#", "$aws/events/presence/connected/c1", false, false},
		{"+/events", "$aws/events", false, false},
		{"$aws/events/presence/#", "$aws/events/presence/connected/c1", true, true},
		{"$aws/+/x", "$aws/y/x", true, true},
		{"+/b", "/b", true, true},
		{"+", "a/b", false, false},
		{"+", "", true, true},
		{"+/+", "/", true, true},
		{"a/+/c", "a//c", true, true},
		{"a/+", "a", false, false},
		{"a/+/#", "a", false, false},
		{"a/+/#", "a/b", false, true},
		{"a", "A", false, false},
		{"a/b", "a/b", true, true},
		{"a/b", "a/b/", false, false},
		{"a/b/", "a/b", false, false},
	}
	for _, test := range tests {
		if got := AWS.Match(test.filter, test.name); got != test.aws {
			t.Errorf("aws: %q selects %q: %v", test.filter, test.name, got)
		}
		if got := MQTT.Match(test.filter, test.name); got != test.mqtt {
			t.Errorf("mqtt: %q selects %q: %v", test.filter, test.name, got)
		}
	}
}

func TestCheckName(t *testing.T) {
	long := strings.Repeat("x", 256)
	tests := []struct {
		name  string
		rules Rules
		ok    bool
	}{
		{"a", AWS, true},
		{"/", AWS, true},
		{"", AWS, false},
		{"", MQTT, false},
		{long, AWS, true},
		{long + "x", AWS, false},
		{long + "x", MQTT, true},
		{strings.Repeat("x", 65535), MQTT, true},
		{strings.Repeat("x", 65536), MQTT, false},
		{"1/2/3/4/5/6/7/8", AWS, true},
		{"1/2/3/4/5/6/7/8/9", AWS, false},
		{"1/2/3/4/5/6/7/8/9", MQTT, true},
		{"$aws/rules/R/1/2/3/4/5/6/7/8", AWS, true},
		{"$aws/rules/R/1/2/3/4/5/6/7/8/9", AWS, false},
		{"$aws/rules/R/" + long, AWS, true},
		{"a/+", AWS, false},
		{"a#", AWS, false},
		{"a\xff", AWS, false},
		{"board/\x00", AWS, true}, // boards end their topics so
	}
	for _, test := range tests {
		if err := test.rules.CheckName(test.name); (err == nil) != test.ok {
			t.Errorf("%.40q: %v", test.name, err)
		}
	}
}

func TestCheckFilter(t *testing.T) {
	tests := []struct {
		filter string
		ok     bool
	}{
		{"a", true}, {"#", true}, {"+", true}, {"a/+/b/#", true}, {"/", true}, {"+/+/+", true},
		{"", false}, {"a#", false}, {"a/#/b", false}, {"a+/b", false}, {"#/a", false}, {"a\x00", false},
		{"$share/g/a/#", true}, {"$share/g/1/2/3/4/5/6/7/8", true}, {"$share/g/1/2/3/4/5/6/7/8/9", false},
		{"$share/g", false}, {"$share//a", false}, {"$share/g/", false}, {"$share/g+/a", false}, {"$share/g/a#", false},
	}
	for _, test := range tests {
		if err := AWS.CheckFilter(test.filter); (err == nil) != test.ok {
			t.Errorf("%q: %v", test.filter, err)
		}
	}
}

func TestReserved(t *testing.T) {
	publish := map[string]bool{
		"$aws/things/t/shadow/update":               true,
		"$aws/things/t/shadow/name/n/get":           true,
		"$aws/things/t/shadow/update/accepted":      false,
		"$aws/things/t/shadow/foo":                  false,
		"$aws/things/t/jobs/$next/get":              true,
		"$aws/things/t/jobs/notify":                 false,
		"$aws/rules/R":                              true,
		"$aws/rules/R/a/b":                          true,
		"$aws/events/presence/connected/c":          false,
		"$aws/certificates/create/json":             true,
		"$aws/provisioning-templates/t/provision/x": true,
		"$SYS/broker":                               false,
		"$aws/nothing":                              false,
	}
	for name, want := range publish {
		if got := MayPublish(name); got != want {
			t.Errorf("publish %s: %v", name, got)
		}
	}
	subscribe := map[string]bool{
		"$aws/things/t/shadow/update/+":              true,
		"$aws/things/+/shadow/#":                     true,
		"$aws/things/t/shadow/update":                true,
		"$aws/#":                                     true,
		"$aws/rules/R":                               false,
		"$aws/rules/#":                               false,
		"$aws/events/presence/+/+":                   true,
		"$aws/certificates/create/json":              false,
		"$aws/certificates/create/json/accepted":     true,
		"$aws/certificates/create/json/+":            true,
		"$SYS/#":                                     false,
		"$share/g/$aws/things/t/shadow/update/delta": true,
		"$share/g/$SYS/x":                            false,
	}
	for filter, want := range subscribe {
		if got := MaySubscribe(filter); got != want {
			t.Errorf("subscribe %s: %v", filter, got)
		}
	}
}

// levels draws short topics over a small alphabet, so that filters and names
// often meet.
func levels(wild bool) *rapid.Generator[string] {
	words := []string{"a", "b", "", "$x"}
	if wild {
		words = append(words, "+", "+")
	}
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom(words), 1, 5).Draw(t, "levels")
		if wild && rapid.Bool().Draw(t, "open") {
			parts = append(parts, "#")
		}
		return strings.Join(parts, "/")
	})
}

// The tree finds exactly the subscribers whose filters match, whatever was added
// and removed before.
func TestTreeAgreesWithMatch(t *testing.T) {
	for _, rules := range []Rules{AWS, MQTT} {
		rapid.Check(t, func(t *rapid.T) {
			tree := Tree[int]{Rules: rules}
			filters := rapid.SliceOfN(levels(true), 1, 12).Draw(t, "filters")
			for i, f := range filters {
				tree.Add(f, i)
			}
			gone := rapid.SliceOfDistinct(rapid.IntRange(0, len(filters)-1), rapid.ID[int]).Draw(t, "gone")
			for _, i := range gone {
				if !tree.Remove(filters[i], i) {
					t.Fatalf("%q was not there", filters[i])
				}
			}
			if tree.Len() != len(filters)-len(gone) {
				t.Fatalf("%d subscriptions", tree.Len())
			}
			name := levels(false).Draw(t, "name")
			got := tree.Match(name, nil)
			slices.Sort(got)
			var want []int
			for i, f := range filters {
				if !slices.Contains(gone, i) && rules.Match(f, name) {
					want = append(want, i)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%q: found %v, want %v of %q", name, got, want, filters)
			}
		})
	}
}

// MaySubscribe must not refuse a filter that selects a topic open to
// subscribers.
func TestMaySubscribeIsGenerous(t *testing.T) {
	names := []string{"$aws/things/t/shadow/update/delta", "$aws/events/presence/connected/c", "$aws/things/t/jobs/notify"}
	rapid.Check(t, func(t *rapid.T) {
		parts := strings.Split(rapid.SampledFrom(names).Draw(t, "name"), "/")
		name := strings.Join(parts, "/")
		for i := 1; i < len(parts); i++ {
			if rapid.Bool().Draw(t, "wild") {
				parts[i] = "+"
			}
		}
		if filter := strings.Join(parts, "/"); AWS.Match(filter, name) && !MaySubscribe(filter) {
			t.Fatalf("%s is refused", filter)
		}
	})
}

func TestTreeGenerationMovesOnlyWithChanges(t *testing.T) {
	var tree Tree[string]
	steps := []struct {
		do    func()
		moves bool
	}{
		{func() { tree.Add("a/b", "x") }, true},
		{func() { tree.Add("a/b", "x") }, false},
		{func() { tree.Match("a/b", nil) }, false},
		{func() { tree.Remove("a/c", "x") }, false},
		{func() { tree.Remove("a/b", "y") }, false},
		{func() { tree.Remove("a/b", "x") }, true},
	}
	for i, step := range steps {
		before := tree.Generation()
		step.do()
		if moved := tree.Generation() != before; moved != step.moves {
			t.Errorf("step %d: moved %v", i, moved)
		}
	}
	if len(tree.root.children) != 0 {
		t.Error("an empty tree keeps nodes")
	}
}

func FuzzTopic(f *testing.F) {
	for _, seed := range []string{"a/b", "$share/g/a/#", "$aws/rules/R/x", "+/#", "a\x00", "//"} {
		f.Add(seed, "a/b")
	}
	f.Fuzz(func(t *testing.T, filter, name string) {
		nameErr, filterErr := AWS.CheckName(name), AWS.CheckFilter(filter)
		MayPublish(name)
		MaySubscribe(filter)
		if nameErr != nil || filterErr != nil {
			return
		}
		if _, inner, shared := Share(filter); shared {
			filter = inner
		}
		tree := Tree[int]{Rules: AWS}
		tree.Add(filter, 1)
		if found := len(tree.Match(name, nil)) > 0; found != AWS.Match(filter, name) {
			t.Fatalf("tree and Match disagree about %q and %q", filter, name)
		}
		if !tree.Remove(filter, 1) || tree.Len() != 0 {
			t.Fatal("the filter cannot be removed")
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	tree := Tree[int]{Rules: AWS}
	for i := range 1000 {
		tree.Add("site/"+strings.Repeat("x", i%20)+"/pump/+", i)
	}
	tree.Add("site/#", -1)
	var found [16]int
	b.ReportAllocs()
	for b.Loop() {
		tree.Match("site/none/pump/7", found[:0])
	}
}
