package broker

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Latency counts how long something took, in classes whose limits double. Its
// zero value is ready.
type Latency struct{ classes [latencyClasses]atomic.Int64 }

const (
	latencyClasses = 24
	latencyFirst   = 16 * time.Microsecond // the limit of the first class; that of the last is 134 s
)

// LatencyCounts are the counts of a Latency at one moment, by class. Those of two
// moments give what happened between them.
type LatencyCounts [latencyClasses]int64

// add counts one.
func (l *Latency) add(took time.Duration) {
	class := bits.Len64(uint64(max(took, 0) / latencyFirst))
	l.classes[min(class, latencyClasses-1)].Add(1)
}

// Counts reads all classes.
func (l *Latency) Counts() (c LatencyCounts) {
	for i := range c {
		c[i] = l.classes[i].Load()
	}
	return c
}

// Since gives what was counted after before.
func (c LatencyCounts) Since(before LatencyCounts) LatencyCounts {
	for i := range c {
		c[i] -= before[i]
	}
	return c
}

// Quantile estimates the time within which a share of all was done, 0.99 for
// ninety-nine of a hundred; ok is false where nothing was counted. Within a class
// all times are taken to be equally likely.
func (c LatencyCounts) Quantile(share float64) (within time.Duration, ok bool) {
	var all int64
	for _, n := range c {
		all += n
	}
	if all == 0 {
		return 0, false
	}
	rank, low, high := share*float64(all), time.Duration(0), latencyFirst
	for _, n := range c {
		if n > 0 && rank <= float64(n) {
			return low + time.Duration(rank/float64(n)*float64(high-low)), true
		}
		rank -= float64(n)
		low, high = high, 2*high
	}
	return low, true
}
