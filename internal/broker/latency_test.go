package broker

import (
	"testing"
	"time"
)

func TestQuantilesLieInTheirClass(t *testing.T) {
	var l Latency
	if _, ok := l.Counts().Quantile(0.5); ok {
		t.Error("nothing has a quantile")
	}
	for range 99 {
		l.add(3 * time.Millisecond)
	}
	l.add(time.Hour) // beyond the last class, and counted in it
	before := l.Counts()
	tests := []struct {
		share     float64
		low, high time.Duration
	}{
		{0, 2048 * time.Microsecond, 2048 * time.Microsecond},
		{0.5, 2048 * time.Microsecond, 4096 * time.Microsecond},
		{0.99, 2048 * time.Microsecond, 4096 * time.Microsecond},
		{1, 60 * time.Second, 150 * time.Second},
	}
	for _, tt := range tests {
		if got, ok := before.Quantile(tt.share); !ok || got < tt.low || got > tt.high {
			t.Errorf("%v of all within %v, %v; want %v to %v", tt.share, got, ok, tt.low, tt.high)
		}
	}
	l.add(-time.Second) // a clock that was set back
	if got, ok := l.Counts().Since(before).Quantile(1); !ok || got > latencyFirst {
		t.Errorf("the latest took %v, %v", got, ok)
	}
}
