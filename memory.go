package thingd

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// garbage is how much may gather before it is collected, bytes. A small
	// server under load makes a hundred megabytes of it a second; Go's rule, to
	// collect when the heap has doubled, would have it collect all the time (a
	// quarter of the CPU with 15 MB in use). It is given back when there is less to
	// do.
	garbage = 64 << 20
	// goPercent is Go's own rule, and the least that we allow.
	goPercent = 100
	// most bounds the rule for a nearly empty heap.
	mostPercent = 800

	// lookEvery is how often the heap is looked at.
	lookEvery = 3 * time.Second
	// calm is what a server may allocate between two looks that has nothing to
	// do, bytes.
	calm = 4 << 20
	// worthwhile is what must be there to be given back, bytes.
	worthwhile = 4 << 20
	// touched is what a server allocates when it touches much of its program, bytes.
	// The program is left when so much was allocated, and no more is.
	touched = 256 << 10
)

// tuneCollector keeps the collector's rule in proportion to the heap in use, and
// gives memory back when there is little to do, the program's own too, until ctx
// ends. Whoever sets GOGC or GOMEMLIMIT knows better and is left alone.
func tuneCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	defer debug.SetGCPercent(goPercent)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last heap
	left := uint64(0) // what had been allocated when the program was left last
	for {
		now := readHeap()
		debug.SetGCPercent(collectorPercent(now.live))
		if now.worthTidying(last) {
			debug.FreeOSMemory()
			now = readHeap()
		}
		if now.since(last) < touched && now.allocated-left >= touched {
			leaveProgram()
			left = now.allocated
		}
		last = now
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

// heap is how the heap stands, in bytes.
type heap struct {
	live      uint64 // what the last collection left
	objects   uint64 // live, and garbage since
	free      uint64 // held for objects to come
	allocated uint64 // since the process began
}

// worthTidying says whether to collect now and give back what is free: little has
// been allocated since the last look, and there is something to give back. The
// collector itself would wait until the heap has doubled, which takes a quiet
// server for ever, and keep what a storm of connects once needed.
func (h heap) worthTidying(last heap) bool {
	return h.since(last) < calm && h.objects+h.free > h.live+h.live/8+worthwhile
}

// since gives what has been allocated since the last look; a lot, where there was
// none.
func (h heap) since(last heap) uint64 {
	if last.allocated == 0 {
		return math.MaxUint64
	}
	return h.allocated - last.allocated
}

func readHeap() heap {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return samples[i].Value.Uint64()
	}
	return heap{live: value(0), objects: value(1), free: value(2), allocated: value(3)}
}
