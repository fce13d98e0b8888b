package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"thingd/internal/fault"
	"thingd/internal/registry"
)

func TestCreateThing(t *testing.T) {
	b := newBench(t)
	_, err := b.CreateThingType(b.ctx, "Pump", registry.TypeProperties{}, nil)
	b.ok(err)
	_, err = b.CreateThingType(b.ctx, "Old", registry.TypeProperties{}, nil)
	b.ok(err)
	b.ok(b.DeprecateThingType(b.ctx, "Old", false))
	_, err = b.CreateBillingGroup(b.ctx, "north", "", nil)
	b.ok(err)
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint("a", i)] = "1"
	}

	full := registry.NewThing{Name: "pump:7", Type: "Pump", BillingGroup: "north", Attributes: map[string]string{"site": "n", "gone": ""}}
	made := b.thing(full)
	same(t, registry.Thing{Name: "pump:7", ID: made.ID, Type: "Pump", BillingGroup: "north",
		Attributes: map[string]string{"site": "n"}, Version: 1}, made)

	t.Run("ok/the same again has the same ID", func(t *testing.T) { same(t, made, b.thing(full)) })
	t.Run("ok/described", func(t *testing.T) {
		got, err := b.Thing(b.ctx, "pump:7")
		b.ok(err)
		same(t, made, got)
	})
	t.Run("exists/other attributes", func(t *testing.T) {
		_, err := b.CreateThing(b.ctx, registry.NewThing{Name: "pump:7", Type: "Pump", BillingGroup: "north"})
		var f *fault.Error
		if !errors.As(err, &f) {
			t.Fatal(err)
		}
		same(t, []string{string(fault.CodeAlreadyExists), "Thing pump:7 already exists in account with different properties",
			made.ID, "arn:aws:iot:eu-west-1:111122223333:thing/pump:7"},
			[]string{string(f.Code), f.Message, f.ResourceID, f.ResourceARN})
	})
	for _, test := range []struct {
		name    string
		thing   registry.NewThing
		code    fault.Code
		message string
	}{
		{"unknown type", registry.NewThing{Name: "x", Type: "No"}, fault.CodeNotFound, "Thing type No not found"},
		{"unknown billing group", registry.NewThing{Name: "x", BillingGroup: "no"}, fault.CodeNotFound, "Billing group no not found"},
		{"deprecated type", registry.NewThing{Name: "x", Type: "Old"}, fault.CodeInvalidRequest, "Can not create new thing with depreated thing type:Old"},
		{"four attributes without type", registry.NewThing{Name: "x", Attributes: map[string]string{"a": "1", "b": "1", "c": "1", "d": "1"}},
			fault.CodeInvalidRequest, "Thing x without a thing type can have 3 attributes, not 4"},
		{"51 attributes", registry.NewThing{Name: "x", Type: "Pump", Attributes: many}, fault.CodeInvalidRequest, "Thing x can have 50 attributes, not 51"},
		{"no name", registry.NewThing{}, fault.CodeInvalidRequest, "thingName must not be empty"},
		{"long name", registry.NewThing{Name: strings.Repeat("x", 129)}, fault.CodeInvalidRequest, "thingName is longer than 128 characters"},
	} {
		t.Run("refused/"+test.name, func(t *testing.T) {
			_, err := b.CreateThing(b.ctx, test.thing)
			b.want(err, test.code, test.message)
		})
	}
	for _, attributes := range []map[string]string{{"a b": "1"}, {"a": "1 2"}, {"a": "\u00fc"}, {"a": strings.Repeat("x", 801)}, {"": "x"}} {
		if _, err := b.CreateThing(b.ctx, registry.NewThing{Name: "x", Attributes: attributes}); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("%q: %v", attributes, err)
		}
	}
}

func TestUpdateThing(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"Pump", "Valve", "Old"} {
		_, err := b.CreateThingType(b.ctx, name, registry.TypeProperties{}, nil)
		b.ok(err)
	}
	attributes := map[string]string{"a": "1", "b": "2"}
	patch := func(merge bool, pairs ...string) *registry.AttributePatch {
		p := &registry.AttributePatch{Values: map[string]string{}, Merge: merge}
		for i := 0; i < len(pairs); i += 2 {
			p.Values[pairs[i]] = pairs[i+1]
		}
		return p
	}
	tests := []struct {
		name      string
		update    registry.ThingUpdate
		wantType  string
		want      map[string]string
		code      fault.Code
		message   string
		startType string
	}{
		{name: "ok/nothing", want: attributes},
		{name: "ok/replace", update: registry.ThingUpdate{Attributes: patch(false, "c", "3")}, want: map[string]string{"c": "3"}},
		{name: "ok/replace, empty value", update: registry.ThingUpdate{Attributes: patch(false, "a", "", "c", "3")}, want: map[string]string{"c": "3"}},
		{name: "ok/replace by nothing", update: registry.ThingUpdate{Attributes: patch(false)}, want: map[string]string{}},
		{name: "ok/merge", update: registry.ThingUpdate{Attributes: patch(true, "b", "9", "c", "3")}, want: map[string]string{"a": "1", "b": "9", "c": "3"}},
		{name: "ok/merge removes", update: registry.ThingUpdate{Attributes: patch(true, "b", "", "zz", "")}, want: map[string]string{"a": "1"}},
		{name: "ok/type", update: registry.ThingUpdate{Type: "Valve"}, wantType: "Valve", want: attributes},
		{name: "ok/no type", update: registry.ThingUpdate{RemoveType: true}, want: attributes, startType: "Pump"},
		{name: "ok/keeps its deprecated type", update: registry.ThingUpdate{Type: "Old"}, startType: "Old", wantType: "Old", want: attributes},
		{name: "ok/expected version", update: registry.ThingUpdate{ExpectedVersion: new(int64(1))}, want: attributes},
		{name: "conflict/version", update: registry.ThingUpdate{ExpectedVersion: new(int64(2))}, code: fault.CodeVersionConflict,
			message: "The version for thing pump7 does not match the expected version."},
		{name: "refused/deprecated type", update: registry.ThingUpdate{Type: "Old"}, code: fault.CodeInvalidRequest,
			message: "Can not update a thing to use deprecated thing type: Old"},
		{name: "refused/unknown type", update: registry.ThingUpdate{Type: "No"}, code: fault.CodeNotFound, message: "Thing type No not found"},
		{name: "refused/type and no type", update: registry.ThingUpdate{Type: "Pump", RemoveType: true}, code: fault.CodeInvalidRequest,
			message: "removeThingType and thingTypeName exclude each other"},
		{name: "refused/too many without type", update: registry.ThingUpdate{RemoveType: true, Attributes: patch(true, "c", "1", "d", "1")}, startType: "Pump",
			code: fault.CodeInvalidRequest, message: "Thing pump7 without a thing type can have 3 attributes, not 4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b.ok(b.DeprecateThingType(b.ctx, "Old", true))
			before := b.thing(registry.NewThing{Name: "pump7", Type: test.startType, Attributes: attributes})
			b.ok(b.DeprecateThingType(b.ctx, "Old", false))
			defer func() { b.ok(b.DeleteThing(b.ctx, "pump7", nil)) }()
			_, err := b.UpdateThing(b.ctx, "pump7", test.update)
			b.want(err, test.code, test.message)
			want := before
			if test.code == "" {
				want = registry.Thing{Name: "pump7", ID: before.ID, Type: test.wantType, Attributes: test.want, Version: 2}
			}
			got, err := b.Thing(b.ctx, "pump7")
			b.ok(err)
			same(t, want, got)
		})
	}
	_, err := b.UpdateThing(b.ctx, "nobody", registry.ThingUpdate{})
	b.want(err, fault.CodeNotFound, "Thing nobody not found")
}

func TestDeleteThing(t *testing.T) {
	b := newBench(t)
	b.ok(b.DeleteThing(b.ctx, "pump7", nil))
	b.ok(b.DeleteThing(b.ctx, "pump7", new(int64(4))))

	b.group("site", "")
	first := b.thing(registry.NewThing{Name: "pump7", Attributes: map[string]string{"a": "1"}})
	b.ok(b.AddThingToThingGroup(b.ctx, "pump7", "site"))
	b.ok(b.AttachThingPrincipal(b.ctx, "pump7", "cert", false))
	b.want(b.DeleteThing(b.ctx, "pump7", new(int64(2))), fault.CodeVersionConflict, "The version for thing pump7 does not match the expected version.")
	b.want(b.DeleteThing(b.ctx, "pump7", new(int64(1))), fault.CodeInvalidRequest, "Cannot delete. Thing pump7 is still attached to one or more principals")
	b.ok(b.DetachThingPrincipal(b.ctx, "pump7", "cert"))
	b.ok(b.DeleteThing(b.ctx, "pump7", new(int64(1))))

	_, err := b.Thing(b.ctx, "pump7")
	b.want(err, fault.CodeNotFound, "Thing pump7 not found")
	members, _, err := b.ThingsInThingGroup(b.ctx, "site", false, registry.Page{})
	b.ok(err)
	same(t, []string{}, members)
	found, _, err := b.Things(b.ctx, registry.ThingFilter{AttributeName: "a"}, registry.Page{})
	b.ok(err)
	same(t, []registry.Thing{}, found)
	if again := b.thing(registry.NewThing{Name: "pump7"}); again.ID == first.ID {
		t.Error("a thing made anew has the ID of the old one")
	}
}

func TestThings(t *testing.T) {
	b := newBench(t)
	_, err := b.CreateThingType(b.ctx, "Pump", registry.TypeProperties{}, nil)
	b.ok(err)
	for i := range 251 {
		n := registry.NewThing{Name: fmt.Sprintf("t%03d", i)}
		if i%2 == 0 {
			n.Type = "Pump"
		}
		if i%10 == 0 {
			n.Attributes = map[string]string{"site": fmt.Sprint("s", i%3)}
		}
		b.thing(n)
	}
	count := func(f registry.ThingFilter, size int) int {
		return len(pages(t, size, func(p registry.Page) ([]registry.Thing, string, error) { return b.Things(b.ctx, f, p) }))
	}
	same(t, 251, count(registry.ThingFilter{}, 250))
	same(t, 126, count(registry.ThingFilter{Type: "Pump"}, 7))
	same(t, 0, count(registry.ThingFilter{Type: "No"}, 7))
	same(t, 9, count(registry.ThingFilter{AttributeName: "site", AttributeValue: "s0"}, 4))
	same(t, 26, count(registry.ThingFilter{AttributeName: "site", AttributeValue: "s", AttributeValuePrefix: true}, 4))
	same(t, 26, count(registry.ThingFilter{AttributeName: "site"}, 3))

	t.Run("ok/nothing twice and nothing missed while things are deleted", func(t *testing.T) {
		seen := map[string]bool{}
		pages(t, 20, func(p registry.Page) ([]registry.Thing, string, error) {
			things, next, err := b.Things(b.ctx, registry.ThingFilter{}, p)
			for _, thing := range things {
				if seen[thing.Name] {
					t.Error("twice:", thing.Name)
				}
				seen[thing.Name] = true
			}
			if len(things) > 0 {
				b.ok(b.DeleteThing(b.ctx, things[len(things)-1].Name, nil))
			}
			return things, next, err
		})
		same(t, 251, len(seen))
	})
	t.Run("refused", func(t *testing.T) {
		_, _, err := b.Things(b.ctx, registry.ThingFilter{AttributeName: "a", Type: "Pump"}, registry.Page{})
		b.want(err, fault.CodeInvalidRequest, "Listing things by the combination of attribute and thing type is not supported")
		_, _, err = b.Things(b.ctx, registry.ThingFilter{AttributeValue: "a"}, registry.Page{})
		b.want(err, fault.CodeInvalidRequest, "attributeValue needs an attributeName")
		_, next, err := b.Things(b.ctx, registry.ThingFilter{}, registry.Page{Size: 1})
		b.ok(err)
		if _, _, err = b.Things(b.ctx, registry.ThingFilter{Type: "Pump"}, registry.Page{Token: next}); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Error("a token of other filters:", err)
		}
	})
}

func TestPrincipals(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"a", "b", "c"} {
		b.thing(registry.NewThing{Name: name})
	}
	b.PrincipalExists = func(_ context.Context, principal string) (bool, error) { return principal != "ghost", nil }

	b.want(b.AttachThingPrincipal(b.ctx, "a", "ghost", false), fault.CodeNotFound, "Principal ghost not found")
	b.want(b.AttachThingPrincipal(b.ctx, "no", "cert", false), fault.CodeNotFound, "Thing no not found")
	b.ok(b.AttachThingPrincipal(b.ctx, "a", "cert", false))
	b.ok(b.AttachThingPrincipal(b.ctx, "a", "cert", false))
	b.ok(b.AttachThingPrincipal(b.ctx, "b", "cert", false))
	b.want(b.AttachThingPrincipal(b.ctx, "c", "cert", true), fault.CodeInvalidRequest,
		"the principal is attached to thing a and so cannot be exclusive to c")
	b.want(b.AttachThingPrincipal(b.ctx, "a", "cert", true), fault.CodeInvalidRequest,
		"the principal is attached to thing b and so cannot be exclusive to a")
	b.ok(b.AttachThingPrincipal(b.ctx, "c", "own", false))
	b.ok(b.AttachThingPrincipal(b.ctx, "c", "own", true)) // the same pair changes
	b.want(b.AttachThingPrincipal(b.ctx, "a", "own", false), fault.CodeInvalidRequest,
		"the principal is exclusive to thing c; detach it there first")
	b.ok(b.AttachThingPrincipal(b.ctx, "c", "cert", false)) // a thing may have both sorts

	things := func(principal string, exclusive *bool) []registry.Link {
		return pages(t, 1, func(p registry.Page) ([]registry.Link, string, error) {
			return b.PrincipalThings(b.ctx, principal, exclusive, p)
		})
	}
	principals := func(thing string, exclusive *bool) []registry.Link {
		return pages(t, 1, func(p registry.Page) ([]registry.Link, string, error) {
			return b.ThingPrincipals(b.ctx, thing, exclusive, p)
		})
	}
	same(t, []registry.Link{{Thing: "a", Principal: "cert"}, {Thing: "b", Principal: "cert"}, {Thing: "c", Principal: "cert"}}, things("cert", nil))
	same(t, []registry.Link{{Thing: "c", Principal: "own", Exclusive: true}}, things("own", new(true)))
	same(t, []registry.Link{}, things("own", new(false)))
	same(t, []registry.Link{}, things("nobody", nil))
	same(t, []registry.Link{{Thing: "c", Principal: "cert"}, {Thing: "c", Principal: "own", Exclusive: true}}, principals("c", nil))
	same(t, []registry.Link{{Thing: "c", Principal: "cert"}}, principals("c", new(false)))
	_, _, err := b.ThingPrincipals(b.ctx, "X", nil, registry.Page{})
	b.want(err, fault.CodeNotFound, "Failed to list principals for thing X because the thing does not exist in your account")

	b.changes = nil
	b.ok(b.DetachThingPrincipal(b.ctx, "c", "own"))
	same(t, []registry.Change{{Kind: registry.LinkChanged, Name: "own", Deleted: true}}, b.changes)
	b.want(b.DetachThingPrincipal(b.ctx, "c", "own"), fault.CodeNotFound, "Principal own is not attached to thing c")
	b.want(b.DetachThingPrincipal(b.ctx, "no", "own"), fault.CodeNotFound, "Thing no not found")
}
