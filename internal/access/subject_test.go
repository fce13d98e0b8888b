package access_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"thingd/internal/access"
	"thingd/internal/policy"
	"thingd/internal/registry"
)

// Each deed must reach the open connection before its verb returns: the decision
// changes, and the generation moves so that others forget what they keep.
func TestChangesReachSubjects(t *testing.T) {
	b := newBench(t).withLamp(false)
	for _, name := range []string{"site", "hall"} {
		parent := map[string]string{"hall": "site"}[name]
		_, err := b.things.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: name, Parent: parent})
		b.ok(err)
	}
	hall, site := scope.IoT("thinggroup", "hall"), scope.IoT("thinggroup", "site")
	b.attach("p", allow("iot:Publish", iotARN("topic/x")))
	b.attach("thing", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":[
		"arn:aws:iot:*:*:topic/type/${iot:Connection.Thing.ThingTypeName}","arn:aws:iot:*:*:topic/site/${iot:Connection.Thing.Attributes[site]}"]}]}`, c1)
	s := b.open(c1, "lamp-7")
	bystander := b.open(c2, "other")
	quiet := bystander.Generation()
	steps := []struct {
		name  string
		do    func() error
		topic string
		want  bool
	}{
		{"attach to the certificate", func() error { return b.AttachPolicy(b.ctx, "p", c1) }, "x", true},
		{"a version that is not the default", func() error {
			_, err := b.CreatePolicyVersion(b.ctx, "p", allow("iot:Publish", iotARN("topic/y")), false)
			return err
		}, "", false},
		{"make it the default", func() error { return b.SetDefaultPolicyVersion(b.ctx, "p", "2") }, "y", true},
		{"a new default version", func() error {
			_, err := b.CreatePolicyVersion(b.ctx, "p", allow("iot:Publish", iotARN("topic/z")), true)
			return err
		}, "y", false},
		{"detach from the certificate", func() error { return b.DetachPolicy(b.ctx, "p", c1) }, "z", false},
		{"attach to a group", func() error { return b.AttachPolicy(b.ctx, "p", site) }, "", false},
		{"join a group below it", func() error { return b.things.AddThingToThingGroup(b.ctx, "lamp-7", "hall") }, "z", true},
		{"detach from the group above", func() error { return b.DetachPolicy(b.ctx, "p", site) }, "z", false},
		{"attach to its group", func() error { return b.AttachPolicy(b.ctx, "p", hall) }, "z", true},
		{"delete the group", func() error { return b.things.DeleteThingGroup(b.ctx, "hall", nil) }, "z", false},
		{"the type", func() error { return nil }, "type/Lamp", true},
		{"the type goes", func() error {
			_, err := b.things.UpdateThing(b.ctx, "lamp-7", registry.ThingUpdate{RemoveType: true})
			return err
		}, "type/Lamp", false},
		{"the attribute", func() error { return nil }, "site/north", true},
		{"the attribute changes", func() error {
			_, err := b.things.UpdateThing(b.ctx, "lamp-7", registry.ThingUpdate{Attributes: &registry.AttributePatch{Values: map[string]string{"site": "south"}}})
			return err
		}, "site/south", true},
		{"the link goes", func() error { return b.things.DetachThingPrincipal(b.ctx, "lamp-7", c1) }, "site/south", false},
		{"the link comes", func() error { return b.things.AttachThingPrincipal(b.ctx, "lamp-7", c1, false) }, "site/south", true},
	}
	last := s.Generation()
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			if step.topic != "" {
				s.Allows("iot:Publish", "topic/"+step.topic) // remembered
			}
			before := s.Allows("iot:Publish", "topic/"+step.topic)
			b.ok(step.do())
			now := s.Generation()
			if now < last {
				t.Errorf("the generation went back from %d to %d", last, now)
			}
			after := s.Allows("iot:Publish", "topic/"+step.topic)
			same(t, step.want, after)
			if before != after && now == last {
				t.Error("the decision changed and the generation did not")
			}
			last = now
		})
	}
	same(t, quiet, bystander.Generation())
}

// An exclusive link to another thing turns the connection into that thing, and
// what happens to that thing reaches it.
func TestExclusiveThing(t *testing.T) {
	b := newBench(t).withLamp(false)
	b.ok(b.things.DetachThingPrincipal(b.ctx, "lamp-7", c1))
	b.attach("p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${iot:Connection.Thing.Attributes[site]}"}]}`, c1)
	s := b.open(c1, "anything")
	same(t, "", s.ThingName())
	b.ok(b.things.AttachThingPrincipal(b.ctx, "lamp-7", c1, true))
	same(t, "lamp-7", s.ThingName())
	same(t, true, s.Allows("iot:Publish", "topic/north"))
	_, err := b.things.UpdateThing(b.ctx, "lamp-7", registry.ThingUpdate{Attributes: &registry.AttributePatch{Values: map[string]string{"site": "s"}}})
	b.ok(err)
	same(t, false, s.Allows("iot:Publish", "topic/north"))
	same(t, true, s.Allows("iot:Publish", "topic/s"))
}

// Changes of another node come as names over the bus.
func TestInvalidateFromElsewhere(t *testing.T) {
	b := newBench(t)
	var told []access.Change
	b.OnChange = func(c access.Change) { told = append(told, c) }
	elsewhere := access.New(access.Config{Store: b.db.Access(scope.Account), Scope: scope})
	s, err := elsewhere.Open(b.ctx, access.Connection{Principal: byCertificate(c1), MQTT: true, ClientID: "x"})
	b.ok(err)
	defer s.Close()
	same(t, false, s.Allows("iot:Publish", "topic/x"))
	b.attach("p", allow("iot:Publish", "*"), c1)
	for _, c := range told {
		elsewhere.Invalidate(c)
	}
	same(t, true, s.Allows("iot:Publish", "topic/x"))
	same(t, []access.Change{{Kind: access.AttachmentChanged, Name: c1}}, told)
}

func TestStoreFailure(t *testing.T) {
	b := newBench(t)
	b.attach("p", anything, c1)
	s := b.open(c1, "x")
	same(t, true, s.Allows("iot:Publish", "topic/x"))
	b.store.broken.Store(true)
	same(t, true, s.Allows("iot:Publish", "topic/x")) // nothing changed, nothing to read
	b.attach("q", anything, c1)
	same(t, false, s.Allows("iot:Publish", "topic/x"))
	same(t, false, s.Allows("iot:Publish", "topic/x"))
	same(t, policy.ImplicitDeny, s.Explain("iot:Publish", "topic/x").Decision.Outcome)
	same(t, 1, strings.Count(b.log.String(), "the disk is gone"))
	if _, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(c1)}); err == nil {
		t.Error("opened without a store")
	}
	b.store.broken.Store(false)
	same(t, true, s.Allows("iot:Publish", "topic/x"))
}

func TestClosed(t *testing.T) {
	b := newBench(t)
	b.attach("p", anything, c1)
	s := b.open(c1, "x")
	s.Close()
	s.Close()
	same(t, false, s.Allows("iot:Publish", "topic/x"))
	b.ok(b.DetachPolicy(b.ctx, "p", c1))
	same(t, false, s.Allows("iot:Publish", "topic/x"))
}

func TestDeciders(t *testing.T) {
	b := newBench(t).withLamp(false)
	b.attach("own", anything, c1)
	doc, err := policy.Parse(allow("iot:Publish", "arn:aws:iot:*:*:topic/${iot:ClientId}"), policy.IoT)
	b.ok(err)
	set := policy.NewSet(doc.Compile("authorizer", "", "1"))
	vouched := policy.Principal{Kind: policy.ByAuthorizer, ID: "someone"}
	s := b.connect(access.Connection{Principal: vouched, MQTT: true, ClientID: "x", Decider: set})
	check(t, s, map[string]string{"PUBLISH x": "A", "PUBLISH y": "I", "CONNECT x": "I"})

	// Another decider may change its mind.
	fickle := &fickle{Set: set}
	s = b.connect(access.Connection{Principal: policy.Principal{Kind: policy.BySignature, ID: "AIDA"}, MQTT: true, ClientID: "x", Decider: fickle})
	same(t, true, s.Allows("iot:Publish", "topic/x"))
	fickle.Set = policy.NewSet()
	same(t, false, s.Allows("iot:Publish", "topic/x"))

	// Who has no certificate and no decider has nothing.
	s = b.connect(access.Connection{Principal: policy.Principal{Kind: policy.BySignature, ID: "AIDA", ARN: c1}, MQTT: true, ClientID: "lamp-7"})
	same(t, false, s.Allows("iot:Publish", "topic/x"))
	same(t, "", s.ThingName())
}

type fickle struct{ *policy.Set }

// What depends on the time is asked for anew; what does not is remembered.
func TestTimeIsNotRemembered(t *testing.T) {
	b := newBench(t)
	b.attach("p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"*",
		"Condition":{"DateLessThan":{"aws:CurrentTime":"2023-11-14T23:00:00Z"}}}]}`, c1)
	s := b.open(c1, "x")
	same(t, true, s.Allows("iot:Publish", "topic/x"))
	b.now = b.now.Add(time.Hour)
	same(t, false, s.Allows("iot:Publish", "topic/x"))
}

func TestAllowsDoesNotAllocateOnAHit(t *testing.T) {
	b := newBench(t)
	b.attach("p", anything, c1)
	s := b.open(c1, "x")
	long := strings.Repeat("level/", 40)
	resource := "topic/" + long
	s.Allows("iot:Publish", resource)
	if n := testing.AllocsPerRun(100, func() {
		if !s.Allows("iot:Publish", resource) || !s.AllowsNamed("iot:Publish", "topic/", long) {
			t.Error("denied")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A cache must never change an answer, whatever was asked before.
func TestCacheChangesNothing(t *testing.T) {
	b := newBench(t)
	b.attach("p", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"`+iotARN("topic/a*")+`"},
		{"Effect":"Allow","Action":"iot:Subscribe","Resource":"`+iotARN("topicfilter/*b")+`"}]}`, c1)
	s := b.open(c1, "x")
	rapid.Check(t, func(r *rapid.T) {
		action := rapid.SampledFrom([]string{"iot:Publish", "iot:Receive", "iot:Subscribe"}).Draw(r, "action")
		kind := rapid.SampledFrom([]string{"topic/", "topicfilter/", ""}).Draw(r, "kind")
		name := rapid.StringMatching(`[ab/]{0,3}`).Draw(r, "name")
		want := s.Explain(action, kind+name).Decision.Allowed()
		if s.Allows(action, kind+name) != want || s.AllowsNamed(action, kind, name) != want {
			r.Fatalf("%s on %s%s is not %v", action, kind, name, want)
		}
	})
}

// Requests and connections come and go while policies change; an answer that was
// asked for after a change must know of it.
func TestConcurrentChanges(t *testing.T) {
	b := newBench(t).withLamp(false)
	b.attach("p", allow("iot:Publish", iotARN("topic/0")), c1)
	shared := b.open(c1, "lamp-7")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				shared.Allows("iot:Receive", fmt.Sprint("topic/", i))
				shared.ThingName()
				shared.Generation()
				s, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(c1), MQTT: true, ClientID: fmt.Sprint("client", i)})
				if err != nil {
					t.Error(err)
					return
				}
				s.Allows("iot:Publish", "topic/0")
				s.Close()
			}
		})
	}
	for i := 1; i <= 60; i++ {
		topic := fmt.Sprint("topic/", i)
		v, err := b.CreatePolicyVersion(b.ctx, "p", allow("iot:Publish", iotARN(topic)), true)
		b.ok(err)
		if !shared.Allows("iot:Publish", topic) || shared.Allows("iot:Publish", fmt.Sprint("topic/", i-1)) {
			t.Fatal("the change is not seen at", i)
		}
		b.ok(b.DeletePolicyVersion(b.ctx, "p", (v.ID - 1).String()))
		if i%3 == 0 {
			_, err := b.things.UpdateThing(b.ctx, "lamp-7", registry.ThingUpdate{})
			b.ok(err)
		}
	}
	close(stop)
	wg.Wait()
}

func BenchmarkAllows(bench *testing.B) {
	b := newBench(bench)
	b.attach("p", anything, c1)
	s := b.open(c1, "x")
	bench.Run("hit", func(bench *testing.B) {
		for bench.Loop() {
			s.AllowsNamed("iot:Publish", "topic/", "t/lamp-7/state")
		}
	})
	bench.Run("miss", func(bench *testing.B) {
		names := make([]string, 1024)
		for i := range names {
			names[i] = fmt.Sprintf("t/lamp-%d/state", i)
		}
		i := 0
		for bench.Loop() {
			i++
			s.AllowsNamed("iot:Publish", "topic/", names[i%len(names)])
		}
	})
	bench.Run("open", func(bench *testing.B) {
		for bench.Loop() {
			s, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(c1), MQTT: true, ClientID: "y"})
			if err != nil {
				bench.Fatal(err)
			}
			s.Close()
		}
	})
}
