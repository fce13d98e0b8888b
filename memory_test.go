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
		{"a small heap may gather 32 MiB", 8 << 20, 400},
		{"a heap of that size doubles", 32 << 20, 100},
		{"a large heap follows Go's rule", 4 << 30, 100},
	}
	for _, test := range tests {
		if got := collectorPercent(test.live); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}
