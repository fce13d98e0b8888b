package rules

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

// firing is one message on its way through one rule.
type firing struct {
	s       *Service
	state   *state
	rule    *compiled
	message message.Message
	ticket  *ticket        // nil: it may be lost
	seen    iotsql.Message // what the statement sees
	env     *iotsql.Env
	record  Firing
	began   time.Time
	broken  bool // it was interrupted by the end of the server, and has not ended
}

// serve runs a rule for a message as far as that needs nobody else, and gives
// the rest; nil when there is none. A statement that asks others is part of the
// rest as a whole.
func (s *Service) serve(j job) func() {
	if !s.wanted(&j) {
		s.keeper.finish(j.ticket)
		return nil
	}
	f := s.newFiring(s.work, &j)
	rest := f.outside
	if !j.rule.outside {
		rest = f.evaluate()
	}
	if rest == nil {
		f.end()
		return nil
	}
	return func() {
		rest()
		f.end()
	}
}

// wanted says whether a message is still to be run. One that waited on disk may
// be unreadable; the rule may have been deleted or disabled.
func (s *Service) wanted(j *job) bool {
	switch {
	case j.ticket != nil && j.ticket.Message == nil:
		j.state.metrics.dropped.Add(1)
		s.log.Error("a message that waited for a rule is damaged and was dropped", "rule", j.state.name, "number", j.ticket.Number)
		return false
	case j.rule == nil || j.state.current.Load() == nil:
		s.orphaned.Add(1)
		return false
	}
	return true
}

// newFiring sets the clock of the statement to the time of arrival: a firing that
// runs again after a crash renders the same keys, and overwrites what it wrote.
func (s *Service) newFiring(ctx context.Context, j *job) *firing {
	return &firing{
		s: s, state: j.state, rule: j.rule, message: j.message, ticket: j.ticket,
		seen: view(j.message).Prepared(), env: s.env(action.ForRule(ctx, s.scope.IoT("rule", j.rule.rule.Name)), j.arrived), began: s.now(), record: newRecord(j),
	}
}

// newRecord is a message for the history.
func newRecord(j *job) Firing {
	m := &j.message
	return Firing{At: j.arrived, TraceID: m.Origin.TraceID, Topic: m.Topic, ClientID: m.Origin.ClientID, Payload: excerpt(m.Payload)}
}

// outside runs a statement that asks others.
func (f *firing) outside() {
	f.keep()
	if rest := f.evaluate(); rest != nil {
		rest()
	}
}

// keep is called before the firing waits for somebody outside: from here on it
// may take long.
func (f *firing) keep() { f.s.keeper.keep(f.ticket) }

// end says that the firing has ended. What was interrupted stays on disk.
func (f *firing) end() {
	if f.broken {
		f.keep()
		return
	}
	f.s.keeper.finish(f.ticket)
}

// view is a message as a statement sees it.
func view(m message.Message) iotsql.Message {
	seen := iotsql.Message{Topic: m.Topic, Payload: m.Payload, Principal: m.Origin.Principal, SourceIP: m.Origin.SourceIP}
	if m.Origin.Kind == message.FromDevice || m.Origin.Kind == message.FromWill {
		seen.ClientID, seen.TraceID = m.Origin.ClientID, m.Origin.TraceID
	}
	if p := m.Properties; p != nil {
		seen.Properties = iotsql.Properties{
			UTF8Payload: p.PayloadFormat.Present && p.PayloadFormat.Value == mqtt.UTF8Data,
			ContentType: string(p.ContentType), ResponseTopic: string(p.ResponseTopic), CorrelationData: p.CorrelationData,
		}
		for _, u := range p.UserProperties {
			seen.Properties.User = append(seen.Properties.User, iotsql.UserProperty{Key: string(u.Name), Value: string(u.Value)})
		}
	}
	return seen
}

// evaluate runs the statement, and begins the actions if it matched.
func (f *firing) evaluate() func() {
	f.state.metrics.executed.Add(1)
	result, err := f.rule.query.Evaluate(f.env, f.seen)
	if result.NotJSON {
		f.state.metrics.parseError.Add(1)
	}
	switch {
	case err != nil && f.s.work.Err() != nil:
		f.broken = true
		return nil
	case err != nil: // a failed statement is no failed action: the error action does not run
		f.state.metrics.failed.Add(1)
		f.record.Outcome, f.record.Why = StatementFailed, err.Error()
		f.s.complain(f.state, "a rule's statement failed", "rule", f.rule.rule.Name, "error", err)
		f.state.history.add(f.record)
		return nil
	case !result.Matched:
		f.record.Outcome = NotMatched
		f.state.history.miss(f.record, result.Unmet)
		return nil
	}
	f.record.Outcome, f.record.Output = Matched, excerpt(result.Payload)
	return f.begin(result)
}

// begin renders the actions, begins those that keep the order of messages, and
// gives the rest.
func (f *firing) begin(result iotsql.Result) func() {
	f.seen.Variables = result.Variables
	attempts := make([]*attempt, len(f.rule.actions))
	event := &action.Event{
		Rule: f.rule.rule.Name, Message: f.seen, Origin: f.message.Origin, Env: f.env,
		Payload: result.Payload, JSON: result.JSON, Value: result.Value,
	}
	open := false // is there anything to wait for?
	for i, a := range f.rule.actions {
		one := prepare(a, event)
		one.begin(f.env.Context)
		open = open || !one.settled || one.err != nil
		attempts[i] = one
	}
	if open {
		return func() { f.finish(attempts) }
	}
	f.finish(attempts)
	return nil
}

// attempt is an action for a message, and what became of it.
type attempt struct {
	action   *action.Action
	delivery *action.Delivery
	err      error
	tries    int
	begun    bool // it is under way already
	settled  bool // nothing is left to be done
}

func (a *attempt) begin(ctx context.Context) {
	if a.err != nil {
		a.settled = true
		return
	}
	a.begun, a.settled, a.err = a.delivery.Begin(ctx)
	if a.settled {
		a.tries = 1
	}
}

func prepare(a *action.Action, event *action.Event) *attempt {
	delivery, err := a.Prepare(event)
	return &attempt{action: a, delivery: delivery, err: err}
}

// finish runs the actions side by side, then the error action if it must.
func (f *firing) finish(attempts []*attempt) {
	f.deliverAll(attempts)
	var failed []*attempt
	for _, a := range attempts {
		f.state.metrics.action(a.action.Name, a.err == nil, false)
		f.record.Actions = append(f.record.Actions, a.result())
		if a.err != nil {
			failed = append(failed, a)
		}
	}
	if len(failed) > 0 && f.s.work.Err() != nil {
		f.broken = true
		return
	}
	if len(failed) > 0 {
		f.s.complain(f.state, "a rule's action failed", "rule", f.rule.rule.Name, "action", failed[0].action.Name,
			"resource", failed[0].delivery.Resource, "error", failed[0].err)
		f.runErrorAction(failed)
	}
	if f.broken {
		return
	}
	f.record.Took = f.s.now().Sub(f.began)
	f.state.history.add(f.record)
}

// result is the attempt for the history.
func (a *attempt) result() ActionResult {
	r := ActionResult{Action: a.action.Name, Resource: a.delivery.Resource, Tries: a.tries}
	if a.err != nil {
		r.Error = a.delivery.Explain(a.err)
	}
	return r
}

func (f *firing) deliverAll(attempts []*attempt) {
	var others sync.WaitGroup
	for i, a := range attempts {
		switch {
		case a.settled:
		case i == len(attempts)-1:
			f.deliver(a)
		default:
			others.Go(func() { f.deliver(a) })
		}
	}
	others.Wait()
}

// tryTimeout bounds one try of an action.
const tryTimeout = 15 * time.Second

// deliver sends until it succeeds, has failed for good, or the budget is used
// up. An action that is under way waits for thingd's own store, which is no
// slower than keeping the firing would be.
func (f *firing) deliver(a *attempt) {
	ctx, cancel := context.WithTimeout(f.env.Context, a.delivery.Budget)
	defer cancel()
	for wait := f.s.backoff; ; wait *= 2 {
		if a.tries > 0 || !a.begun {
			f.keep()
		}
		a.tries++
		a.err = f.s.once(ctx, a.delivery)
		if a.err == nil || a.tries >= a.delivery.Tries || !action.Retryable(a.err) || !pause(ctx, wait) {
			return
		}
	}
}

func (s *Service) once(ctx context.Context, d *action.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	return d.Send(ctx)
}

// pause waits between half and all of wait, so that those who failed together do
// not come back together. It says whether there is time for another try.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
