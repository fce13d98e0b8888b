package access_test

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"thingd/internal/access"
	"thingd/internal/registry"
)

func TestAConnectReadsWhatIsNotKnown(t *testing.T) {
	connect := func(b *bench, principal, client string) int64 {
		before := b.store.reads.Load()
		s, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(principal), MQTT: true, ClientID: client})
		b.ok(err)
		s.Close()
		return b.store.reads.Load() - before
	}
	t.Run("once for a certificate without a thing", func(t *testing.T) {
		b := newBench(t)
		same(t, int64(1), connect(b, c2, "x"))
		same(t, int64(0), connect(b, c2, "x"))
		same(t, int64(0), connect(b, c2, "y"))
		same(t, int64(1), connect(b, c1, "x"))
	})
	t.Run("once for a certificate of one thing alone", func(t *testing.T) {
		b := newBench(t).withLamp(true)
		connect(b, c1, "x")
		same(t, int64(0), connect(b, c1, "lamp-7"))
	})
	t.Run("once for each client ID that may be a thing", func(t *testing.T) {
		b := newBench(t).withLamp(false)
		same(t, int64(1), connect(b, c1, "lamp-7"))
		same(t, int64(0), connect(b, c1, "lamp-7"))
		same(t, int64(1), connect(b, c1, "x"))
	})
	t.Run("again after a change", func(t *testing.T) {
		b := newBench(t)
		connect(b, c2, "x")
		b.attach("p", anything, c2)
		same(t, int64(1), connect(b, c2, "x"))
		same(t, int64(0), connect(b, c2, "x"))
	})
	t.Run("never while another is connected", func(t *testing.T) {
		b := newBench(t)
		b.open(c2, "first")
		same(t, int64(0), connect(b, c2, "x"))
	})
	t.Run("apart for requests and connections", func(t *testing.T) {
		b := newBench(t)
		connect(b, c2, "x")
		before := b.store.reads.Load()
		s, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(c2)})
		b.ok(err)
		s.Close()
		same(t, int64(1), b.store.reads.Load()-before)
	})
}

// Whatever was connected before and whatever was changed, a new connection is
// judged as by a server that knows nothing yet.
func TestAConnectSeesWhatIsThere(t *testing.T) {
	b := newBench(t).withLamp(false)
	_, err := b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "hall"})
	b.ok(err)
	_, err = b.things.CreateThing(b.ctx, registry.NewThing{Name: "other"})
	b.ok(err)
	b.attach("p", allow("iot:Publish", iotARN("topic/x")))
	b.attach("q", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${iot:Connection.Thing.Attributes[site]}"}}`)
	hall := scope.IoT("thinggroup", "hall")
	versions := 1
	deeds := []func(){
		func() { _ = b.AttachPolicy(b.ctx, "p", c1) },
		func() { _ = b.DetachPolicy(b.ctx, "p", c1) },
		func() { _ = b.AttachPolicy(b.ctx, "q", c1) },
		func() { _ = b.AttachPolicy(b.ctx, "p", hall) },
		func() { _ = b.DetachPolicy(b.ctx, "p", hall) },
		func() { _ = b.things.AddThingToThingGroup(b.ctx, "lamp-7", "hall") },
		func() { _ = b.things.RemoveThingFromThingGroup(b.ctx, "lamp-7", "hall") },
		func() { _ = b.things.AttachThingPrincipal(b.ctx, "lamp-7", c1, false) },
		func() { _ = b.things.AttachThingPrincipal(b.ctx, "other", c1, true) },
		func() { _ = b.things.DetachThingPrincipal(b.ctx, "lamp-7", c1) },
		func() { _ = b.things.DetachThingPrincipal(b.ctx, "other", c1) },
		func() {
			_, _ = b.things.UpdateThing(b.ctx, "lamp-7", registry.ThingUpdate{Attributes: &registry.AttributePatch{Values: map[string]string{"site": "s"}}})
		},
		func() { _ = b.propagates(key) },
		func() { _ = b.propagates(key, site, client) },
		func() {
			topic := []string{"topic/x", "topic/y"}[versions%2]
			if _, err := b.CreatePolicyVersion(b.ctx, "p", allow("iot:Publish", iotARN(topic)), true); err == nil {
				versions++
			}
		},
	}
	rapid.Check(t, func(rt *rapid.T) {
		connect := func(service *access.Service, client string) (*access.Subject, string) {
			s, err := service.Open(b.ctx, access.Connection{Principal: byCertificate(c1), MQTT: true, ClientID: client})
			b.ok(err)
			said := s.ThingName() + fmt.Sprintf("%s", s.UserProperties())
			for _, topic := range []string{"x", "y", "north", "s"} {
				said += fmt.Sprint(" ", s.Allows("iot:Publish", "topic/"+topic))
			}
			return s, said
		}
		var open []*access.Subject
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0, 1:
				deeds[rapid.IntRange(0, len(deeds)-1).Draw(rt, "deed")]()
			case 2:
				if len(open) > 0 {
					open[0].Close()
					open = open[1:]
				}
			}
			client := rapid.SampledFrom([]string{"lamp-7", "other", "x"}).Draw(rt, "client")
			s, got := connect(b.Service, client)
			open = append(open, s)
			fresh, want := connect(access.New(access.Config{Store: b.db.Access(scope.Account), Scope: scope}), client)
			fresh.Close()
			if got != want {
				rt.Fatalf("%s is judged %q, want %q", client, got, want)
			}
		}
		for _, s := range open {
			s.Close()
		}
	})
}

// A connect that begins after a change was answered sees it, whoever connects and
// leaves at the same time.
func TestAConnectSeesAnAnsweredChange(t *testing.T) {
	b := newBench(t)
	b.attach("p", anything)
	stop := make(chan struct{})
	var others sync.WaitGroup
	for i := range 3 {
		others.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				s, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(c1), MQTT: true, ClientID: fmt.Sprint(i, n)})
				if err != nil {
					t.Error(err)
					return
				}
				s.Allows("iot:Publish", "topic/x")
				s.Close()
			}
		})
	}
	for n := range 200 {
		attached := n%2 == 0
		if attached {
			b.ok(b.AttachPolicy(b.ctx, "p", c1))
		} else {
			b.ok(b.DetachPolicy(b.ctx, "p", c1))
		}
		for range 3 {
			s, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(c1), MQTT: true, ClientID: "me"})
			b.ok(err)
			if got := s.Allows("iot:Publish", "topic/x"); got != attached {
				t.Fatalf("after change %d the policy is attached: %v, and the connection may publish: %v", n, attached, got)
			}
			s.Close()
		}
	}
	close(stop)
	others.Wait()
}

func TestDormantSubjectsAreBounded(t *testing.T) {
	b := newBench(t)
	const many = 9000
	for i := range many {
		s, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(scope.IoT("cert", fmt.Sprintf("%064d", i))), MQTT: true, ClientID: "x"})
		b.ok(err)
		s.Close()
	}
	if n := b.Dormant(); n == 0 || n >= many {
		t.Errorf("%d Subjects stay behind", n)
	}
}
