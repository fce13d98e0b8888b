package registry_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"thingd/internal/message"
	"thingd/internal/registry"
	"thingd/internal/store"
)

// lossy is a publisher that loses what comes while it is down, as a process does
// that ends between a deed and its message.
type lossy struct {
	mu   sync.Mutex
	down bool
	got  []message.Message
}

func (l *lossy) Publish(m message.Message, done message.Done) {
	l.mu.Lock()
	down := l.down
	if !down {
		l.got = append(l.got, m)
	}
	l.mu.Unlock()
	if down {
		done(errors.New("down"))
		return
	}
	done(nil)
}

func (l *lossy) taken() []message.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.got
	l.got = nil
	return all
}

func (l *lossy) set(down bool) {
	l.mu.Lock()
	l.down = down
	l.mu.Unlock()
}

func TestEventsOutliveTheirProcess(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), filepath.Join(dir, "thingd.db"), quiet())
		if err != nil {
			t.Fatal(err)
		}
		out := &lossy{}
		open := func() *registry.Service {
			return registry.New(registry.Config{Store: db.Registry(scope.Account), Scope: scope, Publisher: out})
		}
		run := func(s *registry.Service) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { s.Run(ctx); close(ended) }()
			return func() { cancel(); <-ended }
		}
		s := open()
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		ok(s.UpdateEventConfigurations(t.Context(), map[registry.EventType]bool{registry.EventThing: true}))

		_, err = s.CreateThing(t.Context(), registry.NewThing{Name: "told"})
		ok(err)
		same(t, 1, len(out.taken()))
		ok(s.Close(t.Context()))

		out.set(true)
		for i := range 250 { // more than two batches
			_, err := s.CreateThing(t.Context(), registry.NewThing{Name: "lost" + string(rune('a'+i%26)) + string(rune('a'+i/26))})
			ok(err)
		}
		ok(s.Close(t.Context()))

		out.set(false)
		s = open()
		stop := run(s)
		time.Sleep(time.Second)
		synctest.Wait()
		ids := map[string]bool{}
		for _, m := range out.taken() {
			ids[string(m.Payload)] = true
		}
		same(t, 250, len(ids))
		stop()

		out.set(true)
		stop = run(open())
		ok(s.DeleteThing(t.Context(), "told", nil))
		out.set(false)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		same(t, 1, len(out.taken()))
		stop()

		stop = run(open())
		time.Sleep(time.Hour)
		synctest.Wait()
		same(t, []message.Message(nil), out.taken())
		stop()
		ok(s.Close(t.Context()))
		ok(db.Close())
	})
}

func TestRefusedDeedsLeaveNoEvents(t *testing.T) {
	b := newBench(t)
	b.ok(b.UpdateEventConfigurations(b.ctx, map[registry.EventType]bool{registry.EventThing: true, registry.EventThingGroupMembership: true}))
	b.group("a", "")
	b.thing(registry.NewThing{Name: "t"})
	b.published = nil
	if b.UpdateThingGroupsForThing(b.ctx, "t", []string{"a", "missing"}, nil) == nil {
		t.Fatal("a missing group was joined")
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	b.Run(ctx)
	same(t, []message.Message(nil), b.published)
	b.ok(b.Close(b.ctx))
}
