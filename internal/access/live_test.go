package access

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func newLive() *live {
	l := &live{}
	l.init()
	return l
}

func TestGrantsAreShared(t *testing.T) {
	l := newLive()
	first, _ := l.acquire(&grants{key: "k"}, 0)
	second, _ := l.acquire(&grants{key: "k"}, 0)
	if first != second || first.refs != 2 {
		t.Error("two Subjects of the same policies have grants of their own")
	}
	l.release(first)
	l.release(second)
	if third, _ := l.acquire(&grants{key: "k"}, 0); third != first {
		t.Error("grants without a Subject are forgotten at once")
	}
}

func TestStaleGrantsAreNotEntered(t *testing.T) {
	s := &Service{}
	s.live.init()
	clock := s.live.clock()
	old, _ := s.live.acquire(&grants{key: "k", policies: []string{"p"}}, clock)
	s.Invalidate(Change{PolicyChanged, "p"})
	if old.moved.Load() == 0 {
		t.Error("the grants are not stale")
	}
	late, fresh := s.live.acquire(&grants{key: "k"}, clock)
	if fresh || len(s.live.grants) != 0 {
		t.Error("grants read before a change were entered after it")
	}
	s.live.release(late)
	s.live.release(old)
	if len(s.live.idle) != 0 {
		t.Error("stale grants are kept")
	}
}

func TestIdleGrantsAreBounded(t *testing.T) {
	l := newLive()
	for i := range idleMax + 100 {
		g, _ := l.acquire(&grants{key: fmt.Sprint(i)}, 0)
		l.release(g)
	}
	if len(l.idle) != idleMax || len(l.grants) != idleMax {
		t.Errorf("%d idle of %d", len(l.idle), len(l.grants))
	}
}

func TestCompiledPoliciesAreBounded(t *testing.T) {
	var c compiledPolicies
	for i := range 3 * compiledMax {
		c.put(versionKey{"g", VersionID(i)}, compiledPolicy{})
		if len(c.kept) > compiledMax {
			t.Fatal(len(c.kept))
		}
	}
}

// The lists of the index hold exactly the Subjects that entered and did not leave,
// each under its present thing.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := newLive()
		var inside []*Subject
		name := rapid.SampledFrom([]string{"", "a", "b"})
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			if len(inside) == 0 || rapid.Bool().Draw(r, "enter") {
				s := &Subject{conn: Connection{MQTT: true, ClientID: name.Draw(r, "client")}}
				l.enter(s)
				inside = append(inside, s)
				continue
			}
			i := rapid.IntRange(0, len(inside)-1).Draw(r, "which")
			if rapid.Bool().Draw(r, "leave") {
				l.leave(inside[i])
				inside = slices.Delete(inside, i, i+1)
				continue
			}
			l.index(inside[i], name.Draw(r, "thing"))
		}
		want, got := map[*Subject]string{}, map[*Subject]string{}
		for _, s := range inside {
			if s.indexed != "" {
				want[s] = s.indexed
			}
		}
		for thing, head := range l.byThing {
			for s := head; s != nil; s = s.ofThing.next {
				got[s] = thing
			}
		}
		if len(want) != len(got) {
			r.Fatalf("%d in lists, want %d", len(got), len(want))
		}
		for s, thing := range want {
			if got[s] != thing {
				r.Fatalf("under %q, want %q", got[s], thing)
			}
		}
	})
}

func TestAsksForThings(t *testing.T) {
	got := map[string]bool{}
	for _, document := range []string{"*", "${iot:Connection.Thing.ThingName}", "${iot:Connection.Thing.THINGTYPENAME}",
		"${iot:Thing.Attributes[a]}", `${iot:Connection.Thing.\u0041ttributes[a]}`} {
		got[document] = asksForThings(document)
	}
	want := map[string]bool{"*": false, "${iot:Connection.Thing.ThingName}": false, "${iot:Connection.Thing.THINGTYPENAME}": true,
		"${iot:Thing.Attributes[a]}": true, `${iot:Connection.Thing.\u0041ttributes[a]}`: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzAlternatives(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x82, 0x01, 'a'})
	f.Add([]byte{0x30, 0x04, 0xa4, 0x02, 0x30, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		found := map[string][]string{}
		addAlternatives(found, "p.", der)
		for name, values := range found {
			if slices.Contains(values, "") {
				t.Error(name, "has an empty value")
			}
		}
	})
}
