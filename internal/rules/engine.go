package rules

import (
	"context"
	"maps"
	"strings"
	"sync/atomic"

	"thingd/internal/fault"
	"thingd/internal/message"
)

// basicIngest is how the topics begin whose messages go to one rule alone.
const basicIngest = "$aws/rules/"

// state is a rule as it runs. It outlives changes of the rule, so that the
// order of messages and the counts do too.
type state struct {
	name     string
	current  atomic.Pointer[compiled] // nil: it does not run
	hook     *hook                    // nil: no FROM, or disabled; guarded by Service.refreshing
	disabled bool                     // guarded by Service.refreshing
	line     line
	metrics  metrics
	history  history
}

func newState(name string) *state {
	st := &state{name: name}
	st.line.state = st
	return st
}

// hook hangs on the broker with one FROM filter. It goes on with its
// rule for messages that were routed to it before it was removed.
type hook struct {
	state   *state
	filter  string
	current atomic.Pointer[compiled]
	remove  func()
}

func (st *state) unhook() {
	if st.hook != nil {
		st.hook.remove()
		st.hook = nil
	}
}

// Refresh makes everything that runs follow the store, after another node has
// changed it.
func (s *Service) Refresh(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	seen := map[string]bool{}
	const page = 100
	for after := ""; ; {
		some, err := s.List(ctx, RuleFilter{After: after, Limit: page})
		if err != nil {
			return err
		}
		for _, r := range some {
			s.apply(r)
			seen[r.Name] = true
			after = r.Name
		}
		if len(some) < page {
			break
		}
	}
	for name := range s.states {
		if !seen[name] {
			s.drop(name)
		}
	}
	s.publishStates()
	return nil
}

// changed makes one rule follow the store. The lock is held over the reading, so
// that of two changes the later wins here as it did in the store.
func (s *Service) changed(ctx context.Context, name string) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	r, err := s.Get(context.WithoutCancel(ctx), name)
	switch {
	case fault.Is(err, fault.CodeUnauthorized): // gone
		s.drop(name)
	case err != nil:
		return err
	default:
		s.apply(r)
	}
	s.publishStates()
	return nil
}

// apply makes a rule run as it is kept. A rule of an older version of thingd
// that does not compile any more does not run.
func (s *Service) apply(r Rule) {
	st := s.states[r.Name]
	if st == nil {
		st = newState(r.Name)
		s.states[r.Name] = st
	}
	c, err := s.compile(&r)
	if err != nil {
		s.log.Error("a rule does not run", "rule", r.Name, "error", err)
	}
	if err != nil || r.Disabled {
		st.stop()
		if st.disabled = r.Disabled; st.disabled {
			s.abandon(st)
		}
		return
	}
	st.disabled = false
	st.current.Store(c)
	s.hang(st, c)
}

// stop takes a rule off the broker; what comes on routes found before is not
// for it any more.
func (st *state) stop() {
	st.current.Store(nil)
	if st.hook != nil {
		st.hook.current.Store(nil)
	}
	st.unhook()
}

// hang hangs a rule on the broker. With the same filter as before the next
// message finds the new rule; with another, the new hook is there before the old
// one goes.
func (s *Service) hang(st *state, c *compiled) {
	if st.hook != nil && st.hook.filter == c.rule.Topic {
		st.hook.current.Store(c)
		return
	}
	old := st.hook
	st.hook = nil
	if c.rule.Topic != "" {
		h := &hook{state: st, filter: c.rule.Topic}
		h.current.Store(c)
		h.remove = s.broker.Collect(h.filter, s, h)
		st.hook = h
	}
	if old != nil {
		old.remove()
	}
}

func (s *Service) drop(name string) {
	st := s.states[name]
	if st == nil {
		return
	}
	st.stop()
	s.abandon(st)
	s.queue.forget(&st.line)
	delete(s.states, name)
}

// publishStates lets the handlers see which rules there are.
func (s *Service) publishStates() {
	all := maps.Clone(s.states)
	s.running.Store(&all)
}

// state finds a rule by its name.
func (s *Service) state(name string) *state { return (*s.running.Load())[name] }

// Collect takes the messages that FROM filters select; the tags are hooks. It
// implements message.Collector. A filter such as $aws/# does not select what goes
// to other rules by name.
func (s *Service) Collect(m message.Message, tags []any, done message.Done) {
	if strings.HasPrefix(m.Topic, basicIngest) {
		done(nil)
		return
	}
	var room [4]job
	jobs := room[:0]
	for _, tag := range tags {
		h := tag.(*hook)
		if c := h.current.Load(); c != nil {
			jobs = append(jobs, job{state: h.state, rule: c})
		}
	}
	s.offer(jobs, m, done)
}

// ingest takes Basic Ingest. Neither its sender nor anybody else is told when
// there is no such rule, except in the log and the metrics.
func (s *Service) ingest(m message.Message, done message.Done) {
	name, _, _ := strings.Cut(strings.TrimPrefix(m.Topic, basicIngest), "/")
	st := s.state(name)
	if st == nil || st.current.Load() == nil {
		s.notFound.Add(1)
		s.log.Debug("Basic Ingest for a rule that does not run", "rule", name, "client", m.Origin.ClientID)
		done(nil)
		return
	}
	s.offer([]job{{state: st, rule: st.current.Load()}}, m, done)
}

// offer puts a message into the queue for some rules.
func (s *Service) offer(jobs []job, m message.Message, done message.Done) {
	if len(jobs) == 0 {
		done(nil)
		return
	}
	m.Origin.Reply = nil // a connection is not to be held by what waits here
	if m.Origin.TraceID == "" {
		m.Origin.TraceID = newID()
	}
	at := s.now()
	for i := range jobs {
		jobs[i].state.metrics.topicMatch.Add(1)
		jobs[i].message, jobs[i].arrived = m, at
	}
	if m.QoS > message.QoS0 {
		giveTickets(jobs, done)
	}
	for _, j := range s.queue.put(jobs) {
		j.state.metrics.throttled.Add(1)
	}
	if m.QoS == message.QoS0 {
		done(nil)
	}
}

// giveTickets makes firings of which none may be lost; done is called when all
// of them are safe.
func giveTickets(jobs []job, done message.Done) {
	r := &receipt{done: done}
	r.left.Store(int32(len(jobs)))
	for i := range jobs {
		j := &jobs[i]
		m := j.message
		j.ticket = &ticket{line: &j.state.line, receipt: r, StoredFiring: StoredFiring{
			FiringKey: FiringKey{Rule: j.state.name, Shared: len(jobs) > 1},
			Arrived:   j.arrived, Bytes: len(m.Payload), Message: &m,
		}}
	}
}
