package shadow_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"thingd/internal/message"
	"thingd/internal/shadow"
	"thingd/internal/store"
)

// house is a Service on a real database, with a clock that stands still and a
// publisher that writes down what it is given.
type house struct {
	*shadow.Service
	*recorder
	clock *clock
}

// open builds a house; change, which may be nil, changes what it is built of.
func open(t testing.TB, change func(*shadow.Config)) *house {
	t.Helper()
	h := &house{recorder: &recorder{}, clock: &clock{now: time.Unix(1700000000, 0)}}
	c := shadow.Config{
		Store:     database(t).Shadows("111122223333"),
		Publisher: h.recorder,
		Now:       h.clock.read,
		Log:       quiet(),
	}
	if change != nil {
		change(&c)
	}
	h.Service = shadow.New(c)
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func database(t testing.TB) *store.DB {
	t.Helper()
	return openDatabase(t, filepath.Join(t.TempDir(), "thingd.db"))
}

func openDatabase(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// send hands a device's message to the service and waits for its
// acknowledgement.
func (h *house) send(topic, payload string) error {
	return h.deliver(message.Message{
		Topic: topic, Payload: []byte(payload), QoS: message.QoS1,
		Origin: message.Origin{Kind: message.FromDevice, ClientID: "pump7", TraceID: "trace-1", Rules: 2},
	})
}

func (h *house) deliver(m message.Message) error {
	done := make(chan error, 1)
	h.Handler()(m, func(err error) { done <- err })
	return <-done
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) pass(d time.Duration) { c.set(c.read().Add(d)) }

// recorder is a message.Publisher for which everything is durable at once.
type recorder struct {
	mu   sync.Mutex
	all  []message.Message
	fail error // what becomes of all messages
}

func (r *recorder) Publish(m message.Message, done message.Done) {
	r.mu.Lock()
	r.all = append(r.all, m)
	err := r.fail
	r.mu.Unlock()
	if done != nil {
		done(err)
	}
}

// heard gives what was published since it was last asked.
func (r *recorder) heard() []message.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// lines gives the same as text, a line each: topic and payload.
func (r *recorder) lines() []string {
	var lines []string
	for _, m := range r.heard() {
		lines = append(lines, strings.TrimPrefix(m.Topic, "$aws/things/")+" "+string(m.Payload))
	}
	return lines
}
