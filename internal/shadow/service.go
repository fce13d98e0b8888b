package shadow

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"sync"
	"time"

	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/message"
)

// Config is what a Service needs.
type Config struct {
	Store     Store
	Publisher message.Publisher
	Now       func() time.Time // nil: time.Now
	Limits    Limits
	Log       *slog.Logger // nil: slog.Default()

	// CacheBytes bounds the memory for parsed shadows; 32 MiB. A shadow that
	// is not there is read and parsed once more.
	CacheBytes int
}

// Service keeps the shadows of one account. It decides nothing about rights:
// whoever calls has made sure of them.
type Service struct {
	store     Store
	publisher message.Publisher
	now       func() time.Time
	limits    Limits
	log       *slog.Logger
	cache     cache
	history   waiting

	writing sync.Mutex // held while changes of the history are written
	written Keep       // since the last look at how much there is
	trimmed bool       // there was one

	mu         sync.Mutex
	closed     bool
	lines      map[ID]*line
	underWay   int            // requests that are admitted and not answered
	connection map[string]int // the same, by client ID of MQTT connections
	answered   sync.WaitGroup // the same, for Close
	serving    sync.WaitGroup // goroutines that serve a line
}

// New makes a Service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = 32 << 20
	}
	return &Service{
		store:      c.Store,
		publisher:  c.Publisher,
		now:        c.Now,
		limits:     c.Limits.withDefaults(),
		log:        c.Log,
		cache:      cache{max: c.CacheBytes},
		lines:      map[ID]*line{},
		connection: map[string]int{},
	}
}

// Update applies the update request in payload and gives the body of the
// answer, the same as on update/accepted. It returns when the change is on
// disk and announced. Errors are faults: InvalidRequest, Conflict (another
// version is current), EntityTooLarge, UnsupportedEncoding, Throttling.
func (s *Service) Update(ctx context.Context, id ID, payload []byte) ([]byte, error) {
	return s.ask(ctx, updating, id, payload)
}

// Get gives the shadow's document with its delta, or a NotFound.
func (s *Service) Get(ctx context.Context, id ID) ([]byte, error) {
	return s.ask(ctx, getting, id, nil)
}

// Delete removes the shadow and gives the body of the answer, or a NotFound.
func (s *Service) Delete(ctx context.Context, id ID) ([]byte, error) {
	return s.ask(ctx, deleting, id, nil)
}

// ask puts a request in its shadow's line and waits for the answer.
func (s *Service) ask(ctx context.Context, v verb, id ID, payload []byte) ([]byte, error) {
	if err := id.check(); err != nil {
		return nil, err
	}
	r, err := s.limits.read(v, payload, s.now())
	if err != nil {
		return nil, err
	}
	type answer struct {
		reply []byte
		err   error
	}
	answers := make(chan answer, 1)
	p := &pending{request: r, topic: id.topic(v), payload: payload, done: func(reply []byte, err error) {
		answers <- answer{reply, err}
	}}
	p.origin.Principal = principalOf(wire.CallerFrom(ctx))
	err = s.admit(id, p)
	if err != nil {
		return nil, err
	}
	select {
	case a := <-answers:
		return a.reply, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// principalOf names whoever calls over HTTPS, for the shadow's history.
func principalOf(c wire.Caller) string {
	return cmp.Or(c.ARN, c.CertificateID, c.Principal)
}

// The page sizes of ListNamedShadowsForThing (service model of iot-data).
const (
	pageDefault = 25
	pageMax     = 100
)

// Page is a part of the named shadows of a thing.
type Page struct {
	Names []string
	Next  string    // hand it back for the next page; "" on the last one
	Now   time.Time // of the answer
}

// ListNamed lists the named shadows of a thing by name. A thing that nobody
// knows has none. size 0 means 25; next is "" for the first page.
func (s *Service) ListNamed(ctx context.Context, thing, next string, size int) (Page, error) {
	if err := checkThing(thing); err != nil {
		return Page{}, err
	}
	if size == 0 {
		size = pageDefault
	}
	if size < 1 || size > pageMax {
		return Page{}, fault.InvalidRequest("Invalid pageSize: it must be between 1 and %d", pageMax)
	}
	after, err := base64.StdEncoding.DecodeString(next)
	if err != nil || len(after) > shadowNameMax {
		return Page{}, fault.InvalidRequest("Invalid nextToken")
	}
	names, err := s.store.Named(ctx, thing, string(after), size+1)
	if err != nil {
		return Page{}, err
	}
	page := Page{Names: names, Now: s.now()}
	if len(names) > size {
		page.Names = names[:size]
		page.Next = base64.StdEncoding.EncodeToString([]byte(names[size-1]))
	}
	return page, nil
}

// Purge forgets the shadows deleted more than 48 hours ago; their names count
// from 1 again either way. The server calls it now and then, on one node.
func (s *Service) Purge(ctx context.Context) error {
	const atOnce = 1000 // rows, so that no other write waits long
	for {
		n, err := s.store.Purge(ctx, s.now().Add(-tombstoneLife), atOnce)
		if err != nil || n < atOnce {
			return err
		}
	}
}

// Close refuses new requests and waits until those under way are answered, or
// ctx ends.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	done := s.underWay == 0 && len(s.lines) == 0
	s.mu.Unlock()
	if done {
		return s.writeAll(context.WithoutCancel(ctx)) // even where others have used up the time
	}
	idle := make(chan struct{})
	go func() {
		s.answered.Wait()
		s.serving.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return s.writeAll(ctx)
	case <-ctx.Done():
		return errors.Join(errors.New("shadow requests are still under way"), ctx.Err())
	}
}
