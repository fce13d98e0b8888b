package broker

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A list that is taken from at its front holds what a plain one would, and in its
// memory is nothing else.
func TestALineHoldsWhatWasPutIntoIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list, room []entry
		var want []int64
		next := int64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch take := rapid.IntRange(0, 3).Draw(t, "take"); {
			case take == 0 && len(list) > 1:
				i := rapid.IntRange(1, len(list)-1).Draw(t, "from the middle")
				list, want = slices.Delete(list, i, i+1), slices.Delete(want, i, i+1)
			case take == 1 && len(list) > 0:
				clear(list[:1])
				list, room = trim(list[1:], room)
				want = want[1:]
			default:
				next++
				list, room = lineUp(list, room, entry{number: next})
				want = append(want, next)
			}
		}
		var got []int64
		for _, e := range list {
			got = append(got, e.number)
		}
		if !slices.Equal(want, got) {
			t.Fatalf("it holds %v, want %v", got, want)
		}
		held := 0
		for _, e := range room[:cap(room)] {
			if e.number != 0 {
				held++
			}
		}
		if held > len(list) {
			t.Fatalf("the memory holds %d entries, the list %d", held, len(list))
		}
	})
}

func TestALineOfSteadyLengthNeedsNoNewMemory(t *testing.T) {
	var list, room []entry
	for range 100 {
		list, room = lineUp(list, room, entry{})
	}
	if n := testing.AllocsPerRun(10_000, func() {
		list, room = trim(list[1:], room)
		list, room = lineUp(list, room, entry{})
	}); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func TestAnOutboxGrowsThroughTheSizes(t *testing.T) {
	var o outbox
	var want []byte
	for i := range 3000 {
		piece := bytes.Repeat([]byte{byte(i)}, 1+i%900)
		buf, ok := o.begin(1 << 30)
		if !ok {
			t.Fatal("it takes no more")
		}
		want = append(want, piece...)
		o.end(append(buf, piece...))
	}
	if !bytes.Equal(o.waiting.bytes, want) {
		t.Error("it does not hold what was put into it")
	}
	last := bufferSize(bufferSizes - 1)
	if last != 1<<20 || cap(o.waiting.bytes) < last {
		t.Errorf("the last size is %d, the outbox has room for %d", last, cap(o.waiting.bytes))
	}
	o.waiting.release()
}
