package registry

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"thingd/internal/message"
)

// Event is a message about a deed that is on disk and may not be published yet.
type Event struct {
	ID      string // its eventId
	Kept    time.Time
	Topic   string
	Payload []byte
}

const (
	// resendAge is how old an event must be to be published again: whoever did
	// the deed is given the time to do it.
	resendAge   = time.Minute
	resendBatch = 100 // events that are read at a time
)

// keepEvents writes the events whose kind is switched on, by the switches of the
// same transaction: an event is as durable as the deed that it tells of.
func (s *Service) keepEvents(w *work) error {
	if len(w.events) == 0 {
		return nil
	}
	c, _, err := w.EventConfigurations()
	if err != nil {
		return err
	}
	for _, e := range w.events {
		if !c.Enabled[e.enabledBy] {
			continue
		}
		kept := e.kept(w.now)
		if err := w.PutEvent(kept); err != nil {
			return err
		}
		w.kept = append(w.kept, kept)
	}
	return nil
}

func (e event) kept(now time.Time) Event {
	payload, _ := json.Marshal(e.body) // strings, numbers and maps of them always marshal
	id, _ := e.body["eventId"].(string)
	return Event{ID: id, Kept: millis(now), Topic: "$aws/events/" + e.topic, Payload: payload}
}

// publish sends events; each is forgotten when it is where it must survive.
func (s *Service) publish(events []Event) {
	for _, e := range events {
		s.publisher.Publish(message.Message{Topic: e.Topic, Payload: e.Payload, QoS: message.QoS1}, func(err error) {
			if err == nil {
				s.outbox.sent(s.store, e.ID)
			}
		})
	}
}

// Run publishes the events that an earlier process has left behind, and later
// those whose publishing failed, until ctx ends. They come at least once and in
// any order, as AWS's do.
func (s *Service) Run(ctx context.Context) {
	if s.publisher == nil {
		return
	}
	tick := time.NewTicker(resendAge)
	defer tick.Stop()
	for age := time.Duration(0); ; age = resendAge {
		_ = s.resend(ctx, s.now().Add(-age)) // what fails stays for the next time
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// resend publishes the events that were kept up to a time, a batch at a time:
// each batch is forgotten before the next is read.
func (s *Service) resend(ctx context.Context, until time.Time) error {
	for {
		var left []Event
		err := s.store.View(ctx, func(tx Tx) (err error) {
			left, err = tx.Events(until.Add(time.Millisecond), resendBatch)
			return err
		})
		if err != nil || len(left) == 0 {
			return err
		}
		sent, err := s.sendAgain(ctx, left)
		if err != nil || sent < len(left) || len(left) < resendBatch {
			return err
		}
	}
}

// sendAgain publishes events, waits until they are durable and forgets them; it
// gives how many.
func (s *Service) sendAgain(ctx context.Context, events []Event) (int, error) {
	var sent []string
	for _, e := range events {
		m := message.Message{Topic: e.Topic, Payload: e.Payload, QoS: message.QoS1}
		if message.Publish(ctx, s.publisher, m) == nil {
			sent = append(sent, e.ID)
		}
	}
	return len(sent), forget(ctx, s.store, sent)
}

func forget(ctx context.Context, store Store, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return store.Update(ctx, func(tx Tx) error {
		for _, id := range ids {
			if err := tx.DeleteEvent(id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close waits until what was published is forgotten, so that the next process
// does not send it again.
func (s *Service) Close(context.Context) error {
	s.outbox.busy.Wait()
	return nil
}

// outbox forgets events that were published. Publishers must not be kept waiting
// for that: one goroutine does it, while there is something to forget, and takes
// all that has come meanwhile in one write.
type outbox struct {
	busy sync.WaitGroup

	mu      sync.Mutex
	ids     []string // published, and still in the store
	working bool
}

// sent notes an event to forget.
func (o *outbox) sent(store Store, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids = append(o.ids, id)
	if !o.working {
		o.working = true
		o.busy.Go(func() { o.forget(store) })
	}
}

func (o *outbox) forget(store Store) {
	for ids := o.take(); len(ids) > 0; ids = o.take() {
		_ = forget(context.Background(), store, ids) // what stays is sent again: at least once
	}
}

// take empties the outbox; with nothing in it the work ends.
func (o *outbox) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := slices.Clone(o.ids)
	o.ids = o.ids[:0]
	o.working = len(ids) > 0
	return ids
}
