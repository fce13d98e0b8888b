package credentials_test

import (
	"sync/atomic"
	"testing"
)

// BenchmarkAssume is a whole answer of the provider below the door: policies,
// alias, role, and a session on disk. Devices in parallel share fsyncs.
func BenchmarkAssume(b *testing.B) {
	h := open(b).furnish()
	b.Run("one device", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := h.Assume(b.Context(), order(id1, "lamp-7")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("64 devices", func(b *testing.B) {
		var failed atomic.Int64
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, _, err := h.Assume(b.Context(), order(id1, "")); err != nil {
					failed.Add(1)
				}
			}
		})
		if n := failed.Load(); n > 0 {
			b.Errorf("%d failed", n)
		}
	})
}
