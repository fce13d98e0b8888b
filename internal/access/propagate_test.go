package access_test

import (
	"fmt"
	"testing"

	"thingd/internal/access"
	"thingd/internal/policy"
	"thingd/internal/registry"
)

// Propagating attributes of every source.
var (
	site   = registry.PropagatingAttribute{UserPropertyKey: "site", ThingAttribute: "site"}
	none   = registry.PropagatingAttribute{UserPropertyKey: "none", ThingAttribute: "none"}
	client = registry.PropagatingAttribute{UserPropertyKey: "iot:ClientId", ConnectionAttribute: registry.ConnectionClientID}
	thing  = registry.PropagatingAttribute{UserPropertyKey: "thing", ConnectionAttribute: registry.ConnectionThingName}
	key    = registry.PropagatingAttribute{UserPropertyKey: "site", ConnectionAttribute: registry.ConnectionThingName}
)

// propagates settles what the type Lamp adds to messages.
func (b *bench) propagates(all ...registry.PropagatingAttribute) error {
	return b.things.UpdateThingType(b.ctx, "Lamp", registry.TypeUpdate{Propagating: &all})
}

// added writes a Subject's user properties as name=value.
func added(s *access.Subject) (all []string) {
	for _, p := range s.UserProperties() {
		all = append(all, fmt.Sprintf("%s=%s", p.Name, p.Value))
	}
	return all
}

// Each deed must reach the open connection before its verb returns, and move the
// generation, so that whoever keeps the answer asks again.
func TestPropagatingAttributesReachSubjects(t *testing.T) {
	b := newBench(t).withLamp(false)
	b.attach("p", anything, c1)
	_, err := b.things.CreateThingType(b.ctx, "Other", registry.TypeProperties{Propagating: []registry.PropagatingAttribute{thing}}, nil)
	b.ok(err)
	s := b.open(c1, "lamp-7")
	bystander := b.open(c2, "other")
	quiet := bystander.Generation()
	update := func(u registry.ThingUpdate) func() error {
		return func() error { _, err := b.things.UpdateThing(b.ctx, "lamp-7", u); return err }
	}
	attributes := func(values map[string]string) *registry.AttributePatch {
		return &registry.AttributePatch{Values: values}
	}
	last := s.Generation()
	for _, step := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"the type begins to add", func() error { return b.propagates(none, site, client, thing, key) },
			[]string{"site=north", "iot:ClientId=lamp-7", "thing=lamp-7", "site=lamp-7"}},
		{"the type adds something else", func() error { return b.propagates(site) }, []string{"site=north"}},
		{"the attribute changes", update(registry.ThingUpdate{Attributes: attributes(map[string]string{"site": "south"})}), []string{"site=south"}},
		{"the attribute goes", update(registry.ThingUpdate{Attributes: attributes(map[string]string{"else": "x"})}), nil},
		{"the attribute comes", update(registry.ThingUpdate{Attributes: attributes(map[string]string{"site": "west"})}), []string{"site=west"}},
		{"another type", update(registry.ThingUpdate{Type: "Other"}), []string{"thing=lamp-7"}},
		{"no type", update(registry.ThingUpdate{RemoveType: true}), nil},
		{"the type again", update(registry.ThingUpdate{Type: "Lamp"}), []string{"site=west"}},
		{"the link goes", func() error { return b.things.DetachThingPrincipal(b.ctx, "lamp-7", c1) }, nil},
		{"the link comes", func() error { return b.things.AttachThingPrincipal(b.ctx, "lamp-7", c1, false) }, []string{"site=west"}},
		{"the type adds nothing", func() error { return b.propagates() }, nil},
	} {
		t.Run(step.name, func(t *testing.T) {
			b.ok(step.do())
			now := s.Generation()
			if now <= last {
				t.Errorf("the generation went from %d to %d", last, now)
			}
			last = now
			same(t, step.want, added(s))
		})
	}
	same(t, quiet, bystander.Generation())
}

// A connection is the thing of its certificate, under whatever client ID where the
// certificate is the thing's alone.
func TestWhoHasPropagatingAttributes(t *testing.T) {
	b := newBench(t).withLamp(true)
	b.ok(b.propagates(client, thing))
	same(t, []string{"iot:ClientId=x", "thing=lamp-7"}, added(b.open(c1, "x")))
	same(t, []string{"iot:ClientId=y", "thing=lamp-7"}, added(b.open(c1, "y"))) // whose policies the other has read
	same(t, []string(nil), added(b.open(c2, "lamp-7")))
	same(t, []string(nil), added(b.connect(access.Connection{Principal: byCertificate(c1)})))
	same(t, []string(nil), added(b.connect(access.Connection{Principal: byCertificate(c1), ThingName: "lamp-7"})))
	vouched := access.Connection{Principal: policy.Principal{Kind: policy.ByAuthorizer, ID: "alice"}, MQTT: true, ClientID: "lamp-7"}
	vouched.Decider = policy.NewSet()
	same(t, []string(nil), added(b.connect(vouched)))
}

// A change of the type that comes while a connection loads must not be missed.
func TestPropagatingAttributesChangeWhileLoading(t *testing.T) {
	b := newBench(t).withLamp(false)
	b.attach("p", anything, c1)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			s, err := b.Open(b.ctx, access.Connection{Principal: byCertificate(c1), MQTT: true, ClientID: "lamp-7"})
			if err != nil {
				t.Error(err)
				return
			}
			s.UserProperties()
			s.Close()
		}
	}()
	s := b.open(c1, "lamp-7")
	for i := range 60 {
		a := registry.PropagatingAttribute{UserPropertyKey: fmt.Sprint(i), ConnectionAttribute: registry.ConnectionThingName}
		b.ok(b.propagates(a))
		want := []string{fmt.Sprintf("%d=lamp-7", i)}
		same(t, want, added(s))
		late := b.open(c1, "lamp-7")
		same(t, want, added(late))
	}
	close(stop)
	<-done
}
