package thingd

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// garbage is how much may gather before it is collected, bytes. A small
	// server under load makes megabytes of it a second; Go's rule, to collect
	// when the heap has doubled, would have it collect all the time (a quarter of
	// the CPU with 15 MB in use).
	garbage = 32 << 20
	// goPercent is Go's own rule, and the least that we allow.
	goPercent = 100
	// most bounds the rule for a nearly empty heap.
	mostPercent = 800
)

// tuneCollector keeps the collector's rule in proportion to the heap in use,
// until ctx ends. Whoever sets GOGC or GOMEMLIMIT knows better and is left alone.
func tuneCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	defer debug.SetGCPercent(goPercent)
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		debug.SetGCPercent(collectorPercent(heapInUse()))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// collectorPercent gives the rule for a heap of so many live bytes.
func collectorPercent(live uint64) int {
	if live == 0 {
		return mostPercent
	}
	return int(min(max(garbage*100/live, goPercent), mostPercent))
}

// heapInUse is what the last collection left, in bytes.
func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
