package rules

import (
	"context"
	"fmt"
)

// countFirings says what an earlier run left, and lets numbers go on behind it.
func (s *Service) countFirings(ctx context.Context) (left []FiringCount, err error) {
	err = s.store.View(ctx, func(tx Tx) (err error) {
		left, err = tx.CountFirings()
		return err
	})
	for _, c := range left {
		s.queue.number = max(s.queue.number, c.Last)
	}
	return left, err
}

// restore puts what an earlier run left into its lines. What waits for a rule
// that is gone or disabled is dropped; for one that an older version of thingd
// made and this one does not understand, it goes on waiting.
func (s *Service) restore(left []FiringCount) {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	for _, c := range left {
		st := s.states[c.Rule]
		switch {
		case st == nil || st.disabled:
			s.orphan(c.Rule, c.Firings, c.Last)
		case st.current.Load() != nil:
			s.queue.restore(&st.line, c)
			s.log.Info("a rule goes on with what it had not finished", "rule", c.Rule, "messages", c.Firings)
		default:
			s.log.Warn("messages wait for a rule that does not run", "rule", c.Rule, "messages", c.Firings)
		}
	}
}

// abandon drops what waits for a rule that was deleted or disabled.
func (s *Service) abandon(st *state) {
	dropped, onDisk, upTo := s.queue.abandon(&st.line)
	for _, j := range dropped {
		s.keeper.finish(j.ticket)
	}
	s.orphan(st.name, len(dropped)+onDisk, upTo)
}

// orphan counts firings whose rule is gone, and deletes those on disk.
func (s *Service) orphan(rule string, firings int, upTo int64) {
	if firings == 0 {
		return
	}
	s.orphaned.Add(int64(firings))
	s.keeper.purge(rule, upTo)
	s.log.Warn("messages for a rule that was deleted or disabled were dropped", "rule", rule, "messages", firings)
}

// overflow drops firings for which there is no room.
func (s *Service) overflow(lost []job) {
	for _, j := range lost {
		j.state.metrics.dropped.Add(1)
		record := newRecord(&j)
		record.Outcome, record.Why = Dropped, s.whyDropped()
		j.state.history.drop(record)
		s.keeper.finish(j.ticket)
	}
	s.complain(lost[0].state, "the queue of the rules is full; the oldest messages of a rule were dropped",
		"rule", lost[0].state.name, "messages", len(lost))
}

func (s *Service) whyDropped() string {
	most := s.queue.limits.owed
	return fmt.Sprintf("the queue of the rules was full (%d messages or %d bytes), and this rule had most of it", most.messages, most.bytes)
}

// page reads firings of a rule that wait on disk alone. The rule runs as it is
// now.
func (s *Service) page(l *line, after int64, limit int) ([]job, error) {
	st := l.state
	var found []StoredFiring
	err := s.store.View(context.Background(), func(tx Tx) (err error) {
		found, err = tx.Firings(st.name, after, limit)
		return err
	})
	if err != nil {
		s.complain(st, "the queue of a rule could not be read", "rule", st.name, "error", err)
		return nil, err
	}
	jobs := make([]job, len(found))
	for i, f := range found {
		jobs[i] = job{state: st, rule: st.current.Load(), arrived: f.Arrived, ticket: &ticket{StoredFiring: f, line: l, stage: kept, asked: true}}
		if f.Message != nil {
			jobs[i].message = *f.Message
		}
	}
	return jobs, nil
}
