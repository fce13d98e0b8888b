package journal

import (
	"sync"

	"thingd/internal/why"
)

// viewMax is how many events wait for a viewer; a slower one misses some.
const viewMax = 64

// viewers are those who watch events as they come.
type viewers struct {
	mu     sync.Mutex
	open   map[chan why.Event]struct{}
	closed bool
}

// Subscribe gives all events from now on, repeats too, as far as they are taken
// from the channel in time. The channel is closed by cancel, which may be called
// twice, and when the journal ends.
func (j *Journal) Subscribe() (events <-chan why.Event, cancel func()) {
	v := &j.viewers
	channel := make(chan why.Event, viewMax)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		close(channel)
		return channel, func() {}
	}
	if v.open == nil {
		v.open = map[chan why.Event]struct{}{}
	}
	v.open[channel] = struct{}{}
	return channel, func() { v.remove(channel) }
}

func (v *viewers) remove(channel chan why.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.open[channel]; ok {
		delete(v.open, channel)
		close(channel)
	}
}

func (v *viewers) show(e why.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for channel := range v.open {
		select {
		case channel <- e:
		default:
		}
	}
}

func (v *viewers) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	for channel := range v.open {
		close(channel)
	}
	clear(v.open)
}
