// Package bridge carries messages between this server and foreign brokers: an
// integration is one outbound MQTT connection that publishes what local modules
// send and brings back what the other side has for them.
//
// # The two directions
//
// Uplink: what the local filter selects ("modules/+/up") goes to the far side on
// the prefix, a slash and what the filter's wildcards stood for:
// modules/u123/up becomes sakura/hoge/u123. Downlink: what comes on the one
// subscribed topic of the far side is published on the local topic
// ("modules/{module}/down"), where {module} is the payload's member of that
// name. A message that came from an integration never leaves by one, so two
// integrations cannot feed each other. RETAIN is not carried over: it means
// something on one broker only.
//
// # What is promised
//
// A message goes over at the lower of its own QoS and the integration's. QoS 1
// is written before the local publisher is acknowledged and forgotten when the
// far side has acknowledged it; a message of the far side is acknowledged to it
// when the local broker has it where it must survive. While the far side is
// away, QoS 1 waits on disk and QoS 0 in memory, each up to a bound; then the
// oldest goes and is counted (queue.go).
//
// # Who does what
//
// A link is an integration at work. Its hook on the local topics fills the
// queue, always; run, one goroutine, dials, and tries again after a pause that
// grows (link.go). A session is one connection: one goroutine reads, one writes
// (session.go). Saving an integration ends its connection and makes a new one.
package bridge

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/topic"
	"thingd/internal/why"
)

// Spine is the local broker as integrations see it.
type Spine interface {
	message.Publisher
	Handle(filter string, h message.Handler) (remove func())
}

// Sealer encrypts secrets at rest; the name is bound into the result.
type Sealer interface {
	Seal(name string, plain []byte) ([]byte, error)
	Open(name string, sealed []byte) ([]byte, error)
}

// Config is what a Service needs. Store, Broker and NewID must be given.
type Config struct {
	Store      Store
	Broker     Spine
	Sealer     Sealer       // default: secrets are kept in the clear
	Journal    why.Recorder // default: refusals are only logged
	Topics     topic.Rules  // of the local broker
	PayloadMax int          // bytes of a local message; default 128 KiB
	NewID      func() string
	Now        func() time.Time // default time.Now
	Log        *slog.Logger     // default slog.Default

	RetryMin time.Duration // pause after a first failure; default 1 s
	RetryMax time.Duration // the longest pause; default 2 minutes
}

// IntegrationsMax bounds the integrations of one account: each is a connection
// and a queue.
const IntegrationsMax = 100

// Service has the verbs on integrations.
type Service struct {
	Config
	checks checks

	changing sync.Mutex // held over a change in the store and in what runs

	mu    sync.Mutex
	links map[string]*link // by ID
	run   context.Context  // of Run; nil before it
	ended bool
	work  sync.WaitGroup // links that run
}

// New makes a Service; Start brings the integrations back.
func New(c Config) *Service {
	c.PayloadMax = cmp.Or(c.PayloadMax, 128<<10)
	c.RetryMin, c.RetryMax = cmp.Or(c.RetryMin, time.Second), cmp.Or(c.RetryMax, 2*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Service{Config: c, checks: checks{c.Topics}, links: map[string]*link{}}
}

// Start loads the integrations and begins to queue for them. Nobody is dialed
// before Run.
func (s *Service) Start(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	for after := ""; ; {
		page, err := s.records(ctx, after, recordsPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := s.revive(ctx, r); err != nil {
				return err
			}
			after = r.ID
		}
		if len(page) < recordsPage {
			return nil
		}
	}
}

// recordsPage is how many integrations are read at once.
const recordsPage = 50

// revive makes one stored integration work. One whose secrets cannot be read is
// shown with that error, and its messages wait.
func (s *Service) revive(ctx context.Context, r Record) error {
	in, sealed := s.unseal(r)
	l, err := newLink(ctx, s, in)
	if err != nil {
		return err
	}
	if sealed != nil {
		s.Log.Error("an integration's secrets cannot be read", "integration", r.Name, "error", sealed)
		l.broken = sealed
	}
	l.hang(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[in.ID] = l
	return nil
}

// Run connects the integrations until ctx ends, and then says goodbye to the
// other sides. What local modules send afterwards still waits for the next start.
func (s *Service) Run(ctx context.Context) {
	s.mu.Lock()
	s.run = ctx
	for _, l := range s.links {
		s.launch(l)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.work.Wait()
}

// launch lets a link run, if anything does. The caller holds s.mu.
func (s *Service) launch(l *link) {
	if s.run != nil && !s.ended {
		l.launch(s.run, &s.work)
	}
}

// Close takes the integrations off the local topics. It comes after the end of Run
// and of the local broker; the store, which is closed later, writes what it was
// given.
func (s *Service) Close(context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	links := s.links
	s.links, s.ended = map[string]*link{}, true
	s.mu.Unlock()
	for _, l := range links {
		l.unhang()
		l.stop()
	}
	return nil
}

// Create checks, keeps and connects a new integration. Its ID and times are set
// here.
func (s *Service) Create(ctx context.Context, in Integration) (View, error) {
	in.ID, in.Created = s.NewID(), s.Now().UTC().Truncate(time.Millisecond)
	in.Updated = in.Created
	in = in.withDefaults()
	if err := s.checks.check(&in); err != nil {
		return View{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.keep(ctx, in, true); err != nil {
		return View{}, err
	}
	l, err := newLink(ctx, s, in)
	if err != nil {
		return View{}, err
	}
	l.hang(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[in.ID] = l
	s.launch(l)
	return l.view(), nil
}

// keep writes an integration; a new one must find room.
func (s *Service) keep(ctx context.Context, in Integration, isNew bool) error {
	r, err := s.seal(in)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx Tx) error {
		if !isNew {
			return tx.PutIntegration(r)
		}
		n, err := tx.CountIntegrations()
		if err != nil {
			return err
		}
		if n >= IntegrationsMax {
			return fault.LimitExceeded("there are %d integrations already, and no more are allowed", n)
		}
		return tx.PutIntegration(r)
	})
}

// Update replaces the settings of the integration with in.ID and connects it
// anew, also when nothing changed: saving is how a person says "try again".
// Secrets that are left out stay, as long as there is what they belong to.
func (s *Service) Update(ctx context.Context, in Integration) (View, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	l := s.link(in.ID)
	if l == nil {
		return View{}, unknown(in.ID)
	}
	old := l.settings()
	in.Created, in.Updated = old.Created, s.Now().UTC().Truncate(time.Millisecond)
	in = in.withDefaults().withSecretsOf(old)
	if err := s.checks.check(&in); err != nil {
		return View{}, err
	}
	if err := s.keep(ctx, in, false); err != nil {
		return View{}, err
	}
	l.stop()
	l.broken = nil
	l.hang(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launch(l)
	return l.view(), nil
}

// Delete ends an integration; what waits for the far side goes with it.
func (s *Service) Delete(ctx context.Context, id string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	l := s.link(id)
	if l == nil {
		return unknown(id)
	}
	l.unhang()
	l.stop()
	if err := s.Store.Update(ctx, func(tx Tx) error { return tx.DeleteIntegration(id) }); err != nil {
		l.hang(l.settings())
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, id)
	return nil
}

// Describe gives an integration and how it is doing.
func (s *Service) Describe(id string) (View, error) {
	l := s.link(id)
	if l == nil {
		return View{}, unknown(id)
	}
	return l.view(), nil
}

// List gives integrations in the order of their IDs, from the one above after.
func (s *Service) List(after string, limit int) []View {
	var found []View
	for _, v := range s.all() {
		if v.ID > after && len(found) < limit {
			found = append(found, v)
		}
	}
	return found
}

// All gives every integration, by name.
func (s *Service) All() []View {
	all := s.all()
	slices.SortStableFunc(all, func(a, b View) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (s *Service) all() []View {
	s.mu.Lock()
	all := make([]View, 0, len(s.links))
	for _, l := range s.links {
		all = append(all, l.view())
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b View) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (s *Service) link(id string) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[id]
}

func unknown(id string) error { return fault.NotFound("integration %q does not exist", id) }

func (s *Service) records(ctx context.Context, after string, limit int) (page []Record, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		page, err = tx.Integrations(after, limit)
		return err
	})
	return page, err
}
