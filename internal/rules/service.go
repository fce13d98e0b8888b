package rules

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"thingd/internal/arn"
	"thingd/internal/message"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

// Broker is where rules hang.
type Broker interface {
	// Handle gives every message that a filter selects to h, until remove.
	Handle(filter string, h message.Handler) (remove func())
	// Collect gives it to c with tag; a message that several filters select
	// comes once, with all their tags.
	Collect(filter string, c message.Collector, tag any) (remove func())
}

// Config is what a Service needs.
type Config struct {
	Store  Store
	Scope  arn.Scope
	Broker Broker

	// Actions is what actions act upon. Scope, Now, Destination and
	// VPCDestination are filled in here.
	Actions action.Config

	// Shadow and Registry answer get_thing_shadow() and get_registry_data();
	// nil: such calls fail.
	Shadow   func(ctx context.Context, thing, name string) ([]byte, error)
	Registry func(ctx context.Context, api, thing string) ([]byte, error)
	// DescriptorRole is assumed to read the descriptors of decode(…, 'proto', …).
	DescriptorRole string

	// PassRole says whether the caller of an API operation, who is in ctx, may
	// hand a role to a rule (iam:PassRole). Default: everybody may.
	PassRole func(ctx context.Context, roleARN string) error
	// BaseURL is the HTTPS address of this server, for enableUrl of
	// confirmations: "https://localhost:8443".
	BaseURL func() string

	QueueMessages int           // that wait for their rules in memory; default 10000
	QueueBytes    int           // of their payloads; default 64 MiB
	KeptFirings   int           // on disk, waiting or in work; default 1000000
	KeptBytes     int           // of their payloads; default 1 GiB
	Firings       int           // of one rule that may wait for others; default 32
	FiringsAll    int           // of all rules; default 1024
	Backoff       time.Duration // before the second try of an action; doubles. Default 250 ms

	DecimalDivision bool // see iotsql.Env

	Now func() time.Time // default: time.Now
	Log *slog.Logger     // default: slog.Default()
}

// Service keeps the rules of one account and runs them.
type Service struct {
	store    Store
	scope    arn.Scope
	broker   Broker
	targets  *action.Targets
	lookups  iotsql.Lookups
	passRole func(context.Context, string) error
	baseURL  func() string
	web      *http.Client
	backoff  time.Duration
	decimal  bool
	now      func() time.Time
	log      *slog.Logger

	queue    *queue
	keeper   *keeper
	notFound atomic.Int64 // Basic Ingest for rules that do not run
	orphaned atomic.Int64 // firings dropped because their rule was deleted or disabled
	open     atomic.Pointer[open]

	refreshing sync.Mutex // held while what runs is made to follow the store
	states     map[string]*state
	running    atomic.Pointer[map[string]*state] // a copy of states for the handlers
	unhook     func()                            // Basic Ingest

	work   context.Context // ends when Close has no more time
	cancel context.CancelFunc
	jobs   sync.WaitGroup
}

// New makes the Service; nothing runs before Start.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, scope: c.Scope, broker: c.Broker, passRole: c.PassRole, baseURL: c.BaseURL,
		backoff: c.Backoff, decimal: c.DecimalDivision, now: c.Now, log: c.Log, states: map[string]*state{},
	}
	if s.passRole == nil {
		s.passRole = func(context.Context, string) error { return nil }
	}
	if s.baseURL == nil {
		s.baseURL = func() string { return "https://localhost" }
	}
	if s.backoff == 0 {
		s.backoff = 250 * time.Millisecond
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.open.Store(&open{})
	s.running.Store(&map[string]*state{})
	s.work, s.cancel = context.WithCancel(context.Background())
	s.wireQueue(c)
	s.wireActions(c)
	return s
}

func (s *Service) wireQueue(c Config) {
	s.queue = newQueue(queueLimits{
		memory:  load{orDefault(c.QueueMessages, 10000), orDefault(c.QueueBytes, 64<<20)},
		owed:    load{orDefault(c.KeptFirings, 1_000_000), orDefault(c.KeptBytes, 1<<30)},
		firings: orDefault(c.Firings, 32), all: orDefault(c.FiringsAll, 1024),
	})
	s.keeper = newKeeper(c.Store, s.log, s.queue.spilled)
	s.queue.serve, s.queue.keep, s.queue.lost, s.queue.page = s.serve, s.keeper.keep, s.overflow, s.page
}

func (s *Service) wireActions(c Config) {
	c.Actions.Scope, c.Actions.Now = c.Scope, s.now
	c.Actions.Destination, c.Actions.VPCDestination = s.reachable, s.reachableNetwork
	s.targets = action.New(c.Actions)
	s.web = s.targets.Web
	s.lookups = &action.Lookups{Targets: s.targets, Shadow: c.Shadow, Registry: c.Registry, ObjectRole: c.DescriptorRole}
}

func orDefault(n, absent int) int {
	if n == 0 {
		return absent
	}
	return n
}

// Start reads the rules, hangs them on the broker, and goes on with the firings
// that an earlier run left on disk.
func (s *Service) Start(ctx context.Context) error {
	if err := s.readDestinations(ctx); err != nil {
		return err
	}
	left, err := s.countFirings(ctx)
	if err != nil {
		return err
	}
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	s.keeper.start()
	s.restore(left)
	s.unhook = s.broker.Handle(basicIngest+"#", s.ingest)
	return nil
}

// Close lets what is in memory run; what is still running when ctx ends is given
// up, and goes on at the next start if it must not be lost. The rules stay on the
// broker: whoever is still connected is not acknowledged what nobody takes.
func (s *Service) Close(ctx context.Context) error {
	s.queue.close()
	drained := make(chan struct{})
	go func() {
		s.queue.wait()
		s.jobs.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-ctx.Done():
		if lost := s.queue.giveUp(); lost > 0 {
			s.log.Warn("rules gave up messages of QoS 0", "messages", lost)
		}
	}
	s.cancel()
	<-drained
	s.keeper.close()
	s.targets.Close()
	return nil
}

// background runs fn until it is done or Close has no more time.
func (s *Service) background(fn func(ctx context.Context)) {
	s.jobs.Go(func() { fn(s.work) })
}

// env is what an evaluation may know. Its clock stands still, so that a
// statement and the templates of its actions agree on timestamp().
func (s *Service) env(ctx context.Context, at time.Time) *iotsql.Env {
	return &iotsql.Env{
		Context: ctx, Now: func() time.Time { return at }, Random: rand.Uint64,
		AccountID: s.scope.Account, Lookups: s.lookups, DecimalDivision: s.decimal,
	}
}

// timestamp is the time as the store keeps it.
func (s *Service) timestamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

func newID() string { return uuid.NewString() }
