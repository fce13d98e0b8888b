package shadow

import (
	"context"
	"errors"
	"fmt"

	"thingd/internal/message"
)

// line holds the requests that wait for one shadow. While there are any, one
// goroutine serves it, so that requests for a shadow never overlap on a node.
type line struct{ waiting []*pending }

// pending is a request that is admitted and not answered.
type pending struct {
	request request
	topic   string         // of the request; the answers go to topics below it
	mqtt    bool           // it came by MQTT: refusals and gets are answered there too
	origin  message.Origin // of an MQTT request; of a call, its principal
	payload []byte         // what was sent

	// done is called once, when the outcome and what it announces are durable.
	done func(reply []byte, err error)
}

const (
	// batchMax bounds the requests that share one write.
	batchMax = 64
	// triesMax bounds how often a batch starts again because another node was
	// faster. Each time some node gets ahead, so this is far away.
	triesMax = 64
)

// admit puts p in the line of its shadow, or refuses it.
func (s *Service) admit(id ID, p *pending) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed()
	}
	client := p.client()
	if s.underWay >= s.limits.InFlight || client != "" && s.connection[client] >= s.limits.PerConnection {
		return errTooMany()
	}
	s.underWay++
	s.answered.Add(1)
	if client != "" {
		s.connection[client]++
	}
	l := s.lines[id]
	if l == nil {
		l = &line{}
		s.lines[id] = l
		s.serving.Go(func() { s.serve(id, l) })
	}
	l.waiting = append(l.waiting, p)
	return nil
}

// client names the MQTT connection that a request came on, "" for none.
func (p *pending) client() string {
	if p.origin.Kind != message.FromDevice {
		return ""
	}
	return p.origin.ClientID
}

// release makes room for the next request. It comes before the answer, which
// may be what the client waits for to send it.
func (s *Service) release(p *pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay--
	client := p.client()
	if client == "" {
		return
	}
	if s.connection[client]--; s.connection[client] == 0 {
		delete(s.connection, client)
	}
}

// serve works through a line until it is empty.
func (s *Service) serve(id ID, l *line) {
	for batch := s.take(id, l); batch != nil; batch = s.take(id, l) {
		outcomes := s.settle(id, batch)
		for i, p := range batch {
			s.remember(id, p, outcomes[i])
			s.announce(p, outcomes[i])
		}
	}
}

// take gives what waits, up to batchMax, or ends the line.
func (s *Service) take(id ID, l *line) []*pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.waiting) == 0 {
		delete(s.lines, id)
		return nil
	}
	n := min(batchMax, len(l.waiting))
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return batch
}

// settle brings a batch to its end: what it says happened is on disk.
func (s *Service) settle(id ID, batch []*pending) []outcome {
	base, remembered := s.cache.get(id)
	var err error
	for range triesMax {
		if !remembered {
			if base, err = s.load(id); err != nil {
				return failed(batch, err)
			}
		}
		next, outcomes := s.limits.playAll(id, base, batch)
		var stale bool
		if stale, err = s.keep(id, base, next, remembered); err != nil {
			return failed(batch, err)
		}
		if !stale {
			return outcomes
		}
		remembered = false
	}
	return failed(batch, fmt.Errorf("shadow %v: other nodes were faster %d times", id, triesMax))
}

// playAll plays the requests of a batch one upon the other.
func (l Limits) playAll(id ID, s shadow, batch []*pending) (shadow, []outcome) {
	outcomes := make([]outcome, len(batch))
	for i, p := range batch {
		s, outcomes[i] = l.play(id, s, p.request)
	}
	return s, outcomes
}

// keep makes sure that the batch played on the row as it is: it replaces base
// by next or, where nothing changed, sees whether base, which was only
// remembered, is still there. stale asks to play again.
func (s *Service) keep(id ID, base, next shadow, remembered bool) (stale bool, err error) {
	if next.Revision != base.Revision {
		return s.save(id, base, next)
	}
	if !remembered {
		return false, nil
	}
	row, err := s.store.Load(context.Background(), id)
	if err != nil {
		return false, fmt.Errorf("load shadow %v: %w", id, err)
	}
	if row.Revision != base.Revision {
		s.cache.drop(id)
		return true, nil
	}
	return false, nil
}

// load reads a shadow and remembers it. Names without a shadow are not
// remembered: there is no end of them.
func (s *Service) load(id ID) (shadow, error) {
	row, err := s.store.Load(context.Background(), id)
	if err != nil {
		return shadow{}, fmt.Errorf("load shadow %v: %w", id, err)
	}
	read, err := row.shadow()
	if err != nil {
		return shadow{}, fmt.Errorf("load shadow %v: %w", id, err)
	}
	if read.Version > 0 {
		s.cache.put(id, read)
	}
	return read, nil
}

// save writes next over base and waits for the disk. Whoever asked may be gone
// by then; a batch is many people's work, so nobody's context ends it.
func (s *Service) save(id ID, base, next shadow) (stale bool, err error) {
	saved := make(chan error, 1)
	err = s.store.Save(context.Background(), id, base.Revision, next.record(), func(err error) { saved <- err })
	if err == nil {
		err = <-saved
	}
	if err == nil {
		s.cache.put(id, next)
		return false, nil
	}
	s.cache.drop(id) // after a failure next may be on disk or not
	if errors.Is(err, ErrStale) {
		return true, nil
	}
	return false, fmt.Errorf("save shadow %v: %w", id, err)
}

func failed(batch []*pending, err error) []outcome {
	outcomes := make([]outcome, len(batch))
	for i := range outcomes {
		outcomes[i].err = err
	}
	return outcomes
}
