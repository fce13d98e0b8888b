package rules_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"thingd/internal/arn"
	"thingd/internal/aws/iot"
	"thingd/internal/message"
	"thingd/internal/rules"
	"thingd/internal/rules/action"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
	"thingd/internal/topic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const role = "arn:aws:iam::111122223333:role/rules"

var scope = arn.Scope{Region: "eu-west-1", Account: "111122223333"}

// spine is a broker as far as rules see one. Messages are given to the handlers
// by the goroutine that publishes, as the broker does.
type spine struct {
	mu    sync.Mutex
	hooks []*hook
	heard []message.Message
	more  *sync.Cond
}

// hook is a handler, or a collector's filter with its tag.
type hook struct {
	filter string
	handle message.Handler
	by     message.Collector
	tag    any
}

func newSpine() *spine {
	s := &spine{}
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *spine) Handle(filter string, h message.Handler) func() {
	return s.hang(&hook{filter: filter, handle: h})
}

func (s *spine) Collect(filter string, c message.Collector, tag any) func() {
	return s.hang(&hook{filter: filter, by: c, tag: tag})
}

func (s *spine) hang(one *hook) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, one)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range s.hooks {
			if s.hooks[i] == one {
				s.hooks = append(s.hooks[:i:i], s.hooks[i+1:]...)
				return
			}
		}
	}
}

// Publish implements message.Publisher.
func (s *spine) Publish(m message.Message, done message.Done) {
	s.mu.Lock()
	to := s.route(m.Topic)
	if m.Origin.Kind == message.FromRule {
		s.heard = append(s.heard, m)
		s.more.Broadcast()
	}
	s.mu.Unlock()
	if done == nil {
		done = func(error) {}
	}
	var left atomic.Int32
	left.Store(int32(len(to)) + 1)
	var failed atomic.Pointer[error]
	settle := func(err error) {
		if err != nil {
			failed.Store(&err)
		}
		if left.Add(-1) > 0 {
			return
		}
		if failed := failed.Load(); failed != nil {
			err = *failed
		}
		done(err)
	}
	for _, handle := range to {
		handle(m, settle)
	}
	settle(nil)
}

// route finds who gets the messages of a topic: a collector once.
func (s *spine) route(name string) (to []message.Handler) {
	var by message.Collector
	var tags []any
	for _, h := range s.hooks {
		switch {
		case !topic.AWS.Match(h.filter, name):
		case h.handle != nil:
			to = append(to, h.handle)
		default:
			by, tags = h.by, append(tags, h.tag)
		}
	}
	if by != nil {
		to = append(to, func(m message.Message, done message.Done) { by.Collect(m, tags, done) })
	}
	return to
}

// republished waits until rules have published n messages and gives all.
func (s *spine) republished(n int) []message.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.heard) < n {
		s.more.Wait()
	}
	return append([]message.Message(nil), s.heard...)
}

// await waits like republished and gives nothing.
func (s *spine) await(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.heard) < n {
		s.more.Wait()
	}
}

// house is a Service on a real database and a spine.
type house struct {
	*rules.Service
	t     testing.TB
	ctx   context.Context
	dir   string
	db    *store.DB
	spine *spine
	web   *recorder
}

// at is the time in the house.
var at = time.UnixMilli(1700000000123).UTC()

func open(t *testing.T, change func(*rules.Config)) *house {
	t.Helper()
	return openOn(t, change)
}

func openOn(t testing.TB, change func(*rules.Config)) *house {
	t.Helper()
	return openIn(t, t.TempDir(), listen(t), change)
}

// openIn opens a house in a folder that may have been lived in before.
func openIn(t testing.TB, dir string, web *recorder, change func(*rules.Config)) *house {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(context.Background(), storetest.Ready(t, filepath.Join(dir, "thingd.db")), log)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, ctx: context.Background(), dir: dir, db: db, spine: newSpine(), web: web}
	config := rules.Config{
		Store: db.Rules(scope.Account), Scope: scope, Broker: h.spine, Log: log, Now: func() time.Time { return at },
		Backoff: time.Millisecond, BaseURL: func() string { return "https://iot.example" },
		Actions: action.Config{
			Publisher: h.spine, AnyURL: true, Webhooks: map[string]string{function: h.web.URL + "/function"},
		},
	}
	if change != nil {
		change(&config)
	}
	h.Service = rules.New(config)
	if err := h.Start(h.ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(h.ctx); err != nil {
			t.Error(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// function is a Lambda function that a webhook stands in for.
const function = "arn:aws:lambda:eu-west-1:111122223333:function:f"

func lambda() iot.Action { return iot.Action{Lambda: &iot.LambdaAction{FunctionArn: function}} }

func republish(to string) iot.Action {
	return iot.Action{Republish: &iot.RepublishAction{Topic: to, RoleArn: role}}
}

// rule makes a rule that must be good.
func (h *house) rule(name, sql string, failed *iot.Action, actions ...iot.Action) {
	h.t.Helper()
	r := rules.Rule{Name: name, SQL: sql, Version: "2016-03-23", Actions: actions, ErrorAction: failed}
	if err := h.Create(h.ctx, r, nil); err != nil {
		h.t.Fatal(err)
	}
}

// publish sends as a device does.
func (h *house) publish(name, payload string) {
	h.spine.Publish(device(name, payload), nil)
}

func device(name, payload string) message.Message {
	return message.Message{Topic: name, Payload: []byte(payload), Origin: message.Origin{
		Kind: message.FromDevice, ClientID: "dev-7", Principal: "cert", SourceIP: "192.0.2.44", TraceID: "0b6f3a52-93c4-4f3e-8a55-0d5b9f6f6c11",
	}}
}

// recorder is an HTTP server that remembers what it got and answers as told.
type recorder struct {
	*httptest.Server
	mu     sync.Mutex
	more   *sync.Cond
	got    []received
	answer func(n int, r *http.Request) int // nil: 200
}

type received struct {
	Path   string
	Body   string
	Header http.Header
}

func listen(t testing.TB) *recorder {
	rec := &recorder{}
	rec.more = sync.NewCond(&rec.mu)
	rec.Server = httptest.NewServer(rec)
	t.Cleanup(rec.Close)
	return rec
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rec.mu.Lock()
	rec.got = append(rec.got, received{r.URL.RequestURI(), string(body), r.Header})
	n, answer := len(rec.got), rec.answer
	rec.more.Broadcast()
	rec.mu.Unlock()
	if answer != nil {
		w.WriteHeader(answer(n, r))
	}
}

func (rec *recorder) answers(fn func(n int, r *http.Request) int) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.answer = fn
}

// body gives what the nth request carried.
func (rec *recorder) body(n int) string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.got[n-1].Body
}

// wait waits for n requests and gives all.
func (rec *recorder) wait(n int) []received {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for len(rec.got) < n {
		rec.more.Wait()
	}
	return append([]received(nil), rec.got...)
}

// asJSON makes JSON comparable.
func asJSON(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}
