package main

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// result is what several clients measured together.
type result struct {
	times []time.Duration // of each call, ascending
	took  time.Duration
}

func (r result) count() int    { return len(r.times) }
func (r result) rate() float64 { return float64(len(r.times)) / r.took.Seconds() }

func (r result) quantile(q float64) time.Duration {
	if len(r.times) == 0 {
		return 0
	}
	return r.times[int(q*float64(len(r.times)-1))].Round(10 * time.Microsecond)
}

// together lets clients call fn until it says that there is no more; a last call
// that did nothing is not counted.
func together(clients int, fn func(client, i int) (more bool, err error)) (result, error) {
	times, errs := make([][]time.Duration, clients), make([]error, clients)
	began := time.Now()
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := 0; ; i++ {
				before := time.Now()
				more, err := fn(client, i)
				if err != nil {
					errs[client] = err
					return
				}
				times[client] = append(times[client], time.Since(before))
				if !more {
					return
				}
			}
		})
	}
	wg.Wait()
	r := result{took: time.Since(began), times: slices.Concat(times...)}
	slices.Sort(r.times)
	return r, errors.Join(errs...)
}
