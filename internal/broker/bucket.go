package broker

import "time"

// bucket bounds a rate: it fills with rate tokens a second, up to one second's
// worth. The zero bucket is full.
type bucket struct {
	used float64 // tokens taken and not yet refilled
	at   time.Time
}

// take takes n tokens if they are there. A rate of 0 is no bound.
func (b *bucket) take(now time.Time, rate, n int) bool {
	if rate <= 0 {
		return true
	}
	b.refill(now, rate)
	if b.used+float64(n) > float64(rate) {
		return false
	}
	b.used += float64(n)
	return true
}

// give puts n tokens back.
func (b *bucket) give(n int) { b.used = max(0, b.used-float64(n)) }

// borrow takes n tokens even if they are not there, and says how long to wait
// until they would have been.
func (b *bucket) borrow(now time.Time, rate, n int) time.Duration {
	if rate <= 0 {
		return 0
	}
	b.refill(now, rate)
	b.used += float64(n)
	if over := b.used - float64(rate); over > 0 {
		return time.Duration(over / float64(rate) * float64(time.Second))
	}
	return 0
}

func (b *bucket) refill(now time.Time, rate int) {
	if passed := now.Sub(b.at); passed > 0 {
		b.used = max(0, b.used-passed.Seconds()*float64(rate))
		b.at = now
	}
}

// spend takes n tokens, or as many as there are.
func (b *bucket) spend(now time.Time, rate, n int) {
	b.refill(now, rate)
	b.used = min(b.used+float64(n), float64(rate))
}
