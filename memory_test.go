package thingd

import "testing"

func TestCollectorPercent(t *testing.T) {
	tests := []struct {
		name string
		live uint64
		want int
	}{
		{"nothing known yet", 0, mostPercent},
		{"a tiny heap is bounded", 1 << 20, mostPercent},
		{"a small heap may gather 64 MiB", 16 << 20, 400},
		{"a heap of that size doubles", 64 << 20, 100},
		{"a large heap follows Go's rule", 4 << 30, 100},
	}
	for _, test := range tests {
		if got := collectorPercent(test.live); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestWorthTidying(t *testing.T) {
	last := heap{live: 50 << 20, objects: 90 << 20, free: 10 << 20, allocated: 1 << 30}
	quiet := last.allocated + calm - 1
	tests := []struct {
		name string
		now  heap
		last heap
		want bool
	}{
		{"calm, with garbage", heap{live: 50 << 20, objects: 90 << 20, allocated: quiet}, last, true},
		{"calm, with room that is not needed", heap{live: 50 << 20, objects: 50 << 20, free: 40 << 20, allocated: quiet}, last, true},
		{"calm, and tidy", heap{live: 50 << 20, objects: 51 << 20, free: 5 << 20, allocated: quiet}, last, false},
		{"busy, with garbage", heap{live: 50 << 20, objects: 90 << 20, allocated: last.allocated + calm}, last, false},
		{"nothing to compare with yet", heap{live: 50 << 20, objects: 90 << 20, allocated: 1}, heap{}, false},
	}
	for _, test := range tests {
		if got := test.now.worthTidying(test.last); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
