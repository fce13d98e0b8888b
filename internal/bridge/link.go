package bridge

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/message"
	"thingd/internal/why"
)

// link is an integration at work. It outlives changes of the integration, and
// with it what waits and what was counted.
type link struct {
	service *Service
	queue   *queue
	counts  counts
	broken  error // why it cannot run; Service.changing guards it

	in   atomic.Pointer[Integration]
	hook atomic.Pointer[hook]

	cancel context.CancelFunc // of run; nil while it does not; Service.mu guards both
	ended  chan struct{}

	mu      sync.Mutex
	status  Status
	problem Problem
}

// hook is what a link has on the local topics for one filter.
type hook struct {
	filter string
	remove func()
}

func newLink(ctx context.Context, s *Service, in Integration) (*link, error) {
	l := &link{service: s, status: Status{State: Connecting, Since: s.Now()}}
	l.in.Store(&in)
	var err error
	l.queue, err = openQueue(ctx, in, s.Store, s.Log, &l.counts)
	return l, err
}

func (l *link) settings() Integration { return *l.in.Load() }

// hang makes the settings hold: for local messages from the next one on, for the
// connection from the next one on.
func (l *link) hang(in Integration) {
	l.in.Store(&in)
	l.queue.limit(in)
	old := l.hook.Load()
	if old != nil && old.filter == in.LocalFilter {
		return
	}
	h := &hook{filter: in.LocalFilter}
	h.remove = l.service.Broker.Handle(h.filter, func(m message.Message, done message.Done) {
		if l.hook.Load() != h {
			done(nil)
			return
		}
		l.take(h.filter, m, done)
	})
	l.hook.Store(h)
	if old != nil {
		old.remove()
	}
}

func (l *link) unhang() {
	if h := l.hook.Swap(nil); h != nil {
		h.remove()
	}
}

// take queues a local message for the far side. What came from a far side does
// not leave again.
func (l *link) take(filter string, m message.Message, done message.Done) {
	if m.Origin.Kind == message.FromBridge {
		done(nil)
		return
	}
	in := l.in.Load()
	rest := selected(filter, m.Topic)
	if !fitsThere(join(in.Prefix, rest)) {
		l.counts.invalid.Add(1)
		l.note(failed(why.IntegrationMessage, "the topic "+m.Topic+" has no form that brokers take"))
		done(nil)
		return
	}
	out := &message.Message{
		Topic: rest, Payload: m.Payload, QoS: min(m.QoS, in.QoS), Properties: m.Properties, Expires: m.Expires,
	}
	l.queue.put(out, done)
}

// fitsThere keeps messages from the line that no broker would take: it would
// hang up at them again and again. Boards end topics with U+0000, which thingd
// alone forgives.
func fitsThere(name string) bool {
	return name != "" && len(name) <= 65535 && !strings.ContainsAny(name, "\x00+#")
}

// launch runs the link. The caller holds Service.mu.
func (l *link) launch(ctx context.Context, work *sync.WaitGroup) {
	ctx, l.cancel = context.WithCancel(ctx)
	ended := make(chan struct{})
	l.ended = ended
	l.set(Status{State: Connecting, Since: l.service.Now()})
	work.Go(func() {
		defer close(ended)
		l.run(ctx)
	})
}

// stop ends run and waits for it.
func (l *link) stop() {
	l.service.mu.Lock()
	cancel, ended := l.cancel, l.ended
	l.cancel, l.ended = nil, nil
	l.service.mu.Unlock()
	if cancel != nil {
		cancel()
		<-ended
	}
}

// stableAfter is how long a connection must have lasted for the next failure to
// be a first one.
const stableAfter = 10 * time.Second

// run keeps a connection until ctx ends.
func (l *link) run(ctx context.Context) {
	if l.broken != nil {
		l.fail(failed(why.ServerError, l.broken.Error()), 0)
		return
	}
	for failures := 0; ; {
		began := time.Now()
		err := l.converse(ctx, l.settings())
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > stableAfter {
			failures = 0
		}
		failures++
		pause := l.pause(failures)
		l.fail(err, pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// pause doubles with every failure up to a bound. A fifth of it is chance, so
// that many who lost the same far side do not come back at once.
func (l *link) pause(failures int) time.Duration {
	p := l.service.RetryMin << min(failures-1, 20)
	p = min(max(p, l.service.RetryMin), l.service.RetryMax)
	return p - rand.N(p/5+1)
}

// converse makes one connection and uses it until it ends.
func (l *link) converse(ctx context.Context, in Integration) error {
	s, err := l.open(ctx, in)
	if err != nil {
		return err
	}
	defer l.queue.unanswered()
	return s.serve(ctx)
}

func (l *link) set(status Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = status
}

// fail shows an error and records it.
func (l *link) fail(err error, pause time.Duration) {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = failed(why.ServerError, err.Error())
	}
	l.counts.failures.Add(1)
	l.note(f)
	now := l.service.Now()
	status := Status{State: Failed, Since: now, Cause: f.cause, Detail: f.detail}
	if pause > 0 {
		status.Next = now.Add(pause)
	}
	l.mu.Lock()
	if l.status.State == Failed {
		status.Since = l.status.Since
	}
	l.status = status
	l.mu.Unlock()
}

// note keeps a problem for people to see, and records it.
func (l *link) note(f *failure) {
	now := l.service.Now()
	l.mu.Lock()
	l.problem = Problem{At: now, Cause: f.cause, Detail: f.detail}
	l.mu.Unlock()
	in := l.in.Load()
	if l.service.Journal == nil {
		l.service.Log.Warn("integration", "name", in.Name, "problem", f.Error())
		return
	}
	l.service.Journal.Record(why.Event{
		Time: now, ClientID: in.ClientID, Server: in.Host, Door: why.Outbound,
		Step: stepOf(f.cause), Cause: f.cause, Detail: in.Name + ": " + f.detail,
	})
}

func stepOf(cause why.Cause) why.Step {
	switch cause {
	case why.IntegrationTLS:
		return why.StepTLS
	case why.IntegrationSubscribe:
		return why.StepSubscribe
	case why.IntegrationMessage:
		return why.StepPublish
	case why.IntegrationLost:
		return why.StepConnection
	}
	return why.StepConnect
}

// view shows the link to people.
func (l *link) view() View {
	in := l.settings()
	v := View{Integration: in, HasPrivateKey: in.PrivateKey != "", HasPassword: in.Password != ""}
	v.PrivateKey, v.Password = "", ""
	if chain, err := readCertificates(in.Certificate); err == nil {
		v.Expires = chain[0].NotAfter
	}
	l.mu.Lock()
	v.Status, v.Problem = l.status, l.problem
	l.mu.Unlock()
	c := &l.counts
	v.Counts = Counts{
		Sent: c.sent.Load(), Received: c.received.Load(), Refused: c.refused.Load(), Dropped: c.dropped.Load(),
		Invalid: c.invalid.Load(), Connects: c.connects.Load(), Failures: c.failures.Load(),
	}
	v.Counts.Waiting, v.Counts.WaitingBytes = l.queue.waiting()
	return v
}
