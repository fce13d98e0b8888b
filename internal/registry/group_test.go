package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

func TestThingTypes(t *testing.T) {
	b := newBench(t)
	properties := registry.TypeProperties{Description: "a pump", Searchable: []string{"site", "floor"},
		Propagating: []registry.PropagatingAttribute{{UserPropertyKey: "k", ConnectionAttribute: registry.ConnectionClientID}}}
	made, err := b.CreateThingType(b.ctx, "Pump", properties, []registry.Tag{{Key: "team", Value: "x"}})
	b.ok(err)
	same(t, registry.ThingType{Name: "Pump", ID: made.ID, Properties: properties, Created: b.now}, made)
	again, err := b.CreateThingType(b.ctx, "Pump", properties, nil)
	b.ok(err)
	same(t, made, again)
	_, err = b.CreateThingType(b.ctx, "Pump", registry.TypeProperties{}, nil)
	b.want(err, fault.CodeAlreadyExists, "Thing type Pump already exists in account with different properties")

	b.ok(b.UpdateThingType(b.ctx, "Pump", registry.TypeUpdate{Description: new("new"), Searchable: []string{"site", "floor"}}))
	b.want(b.UpdateThingType(b.ctx, "Pump", registry.TypeUpdate{Searchable: []string{"site"}}), fault.CodeInvalidRequest,
		"the searchable attributes of thing type Pump cannot be changed")
	got, err := b.ThingType(b.ctx, "Pump")
	b.ok(err)
	same(t, "new", got.Properties.Description)
	same(t, properties.Propagating, got.Properties.Propagating)

	for _, bad := range []registry.TypeProperties{
		{Searchable: []string{"a", "b", "c", "d"}},
		{Searchable: []string{"a b"}},
		{Description: strings.Repeat("x", 2029)},
		{Description: "a\nb"},
		{Propagating: []registry.PropagatingAttribute{{UserPropertyKey: "k"}}},
		{Propagating: []registry.PropagatingAttribute{{UserPropertyKey: "k", ThingAttribute: "a", ConnectionAttribute: "iot:ClientId"}}},
		{Propagating: []registry.PropagatingAttribute{{UserPropertyKey: "k", ConnectionAttribute: "iot:Nothing"}}},
		{Propagating: []registry.PropagatingAttribute{{UserPropertyKey: "k-k", ThingAttribute: "a"}}},
	} {
		if _, err := b.CreateThingType(b.ctx, "Bad", bad, nil); !fault.Is(err, fault.CodeInvalidRequest) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestDeleteThingType(t *testing.T) {
	b := newBench(t)
	_, err := b.CreateThingType(b.ctx, "Pump", registry.TypeProperties{}, nil)
	b.ok(err)
	b.thing(registry.NewThing{Name: "pump7", Type: "Pump"})

	b.want(b.DeleteThingType(b.ctx, "No"), fault.CodeNotFound, "Thing type No not found")
	b.want(b.DeleteThingType(b.ctx, "Pump"), fault.CodeInvalidRequest, "Can not delete thing type Pump: it must be deprecated first")
	b.ok(b.DeprecateThingType(b.ctx, "Pump", false))
	deprecated := b.now
	b.now = b.now.Add(5*time.Minute - time.Millisecond)
	b.ok(b.DeprecateThingType(b.ctx, "Pump", false)) // the first date stays
	got, err := b.ThingType(b.ctx, "Pump")
	b.ok(err)
	same(t, deprecated, got.Deprecated)
	b.want(b.DeleteThingType(b.ctx, "Pump"), fault.CodeInvalidRequest, "Can not delete thing type Pump: it must have been deprecated for 5m0s")
	b.now = b.now.Add(time.Millisecond)
	b.want(b.DeleteThingType(b.ctx, "Pump"), fault.CodeInvalidRequest, "Can not delete thing type Pump: things have it, such as pump7")
	b.ok(b.DeleteThing(b.ctx, "pump7", nil))
	b.ok(b.DeleteThingType(b.ctx, "Pump"))

	_, err = b.CreateThingType(b.ctx, "Pump", registry.TypeProperties{}, nil)
	b.ok(err)
	b.ok(b.DeprecateThingType(b.ctx, "Pump", false))
	b.ok(b.DeprecateThingType(b.ctx, "Pump", true))
	b.thing(registry.NewThing{Name: "pump7", Type: "Pump"})
}

func TestThingTypeListing(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"Pump", "Pumpe", "Valve", "P", "pump"} {
		_, err := b.CreateThingType(b.ctx, name, registry.TypeProperties{}, nil)
		b.ok(err)
	}
	for prefix, want := range map[string]string{"": "P Pump Pumpe Valve pump", "Pump": "Pump Pumpe", "X": ""} {
		var names []string
		for _, thingType := range pages(t, 1, func(p registry.Page) ([]registry.ThingType, string, error) {
			return b.ThingTypes(b.ctx, prefix, p)
		}) {
			names = append(names, thingType.Name)
		}
		same(t, want, strings.Join(names, " "))
	}
}

func TestThingGroups(t *testing.T) {
	b := newBench(t)
	n := registry.NewThingGroup{Name: "site", Description: "d", Attributes: map[string]string{"a": "1"}}
	site, err := b.CreateThingGroup(b.ctx, n)
	b.ok(err)
	same(t, registry.ThingGroup{Name: "site", ID: site.ID, Description: "d", Attributes: n.Attributes, Version: 1, Created: b.now}, site)
	again, err := b.CreateThingGroup(b.ctx, n)
	b.ok(err)
	same(t, site.ID, again.ID)
	_, err = b.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "site"})
	b.want(err, fault.CodeAlreadyExists, "Thing Group site already exists in current account with different properties")
	_, err = b.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "x", Parent: "no"})
	b.want(err, fault.CodeNotFound, "Thing group no not found")

	north := b.group("north", "site")
	hall, err := b.ThingGroup(b.ctx, b.group("hall", "north").Name)
	b.ok(err)
	same(t, []string{"site"}, north.Ancestors)
	same(t, []string{"site", "north"}, hall.Ancestors)

	updated, err := b.UpdateThingGroup(b.ctx, "site", registry.GroupUpdate{
		Attributes: &registry.AttributePatch{Values: map[string]string{"b": "2"}, Merge: true}, ExpectedVersion: new(int64(1))})
	b.ok(err)
	same(t, map[string]string{"a": "1", "b": "2"}, updated.Attributes)
	same(t, "d", updated.Description)
	same(t, int64(2), updated.Version)
	_, err = b.UpdateThingGroup(b.ctx, "site", registry.GroupUpdate{ExpectedVersion: new(int64(1))})
	b.want(err, fault.CodeVersionConflict, "The version for thing group site does not match the expected version.")
	_, err = b.UpdateThingGroup(b.ctx, "no", registry.GroupUpdate{})
	b.want(err, fault.CodeNotFound, "Thing group no not found")

	b.want(b.DeleteThingGroup(b.ctx, "north", nil), fault.CodeInvalidRequest,
		"Cannot delete thing group : north when there are still child groups attached to it")
	b.want(b.DeleteThingGroup(b.ctx, "hall", new(int64(7))), fault.CodeVersionConflict, "The version for thing group hall does not match the expected version.")
	b.ok(b.DeleteThingGroup(b.ctx, "hall", new(int64(1))))
	b.ok(b.DeleteThingGroup(b.ctx, "hall", nil))
	b.ok(b.DeleteThingGroup(b.ctx, "north", nil))
}

func TestHierarchyLimits(t *testing.T) {
	b := newBench(t)
	parent := ""
	for depth := 1; depth <= 7; depth++ {
		parent = b.group(fmt.Sprint("level", depth), parent).Name
	}
	_, err := b.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "level8", Parent: parent})
	b.want(err, fault.CodeInvalidRequest, "Thing Group level7 cannot have children: a hierarchy is at most 7 groups deep")
	for i := range 99 { // level2 is the first child
		b.group(fmt.Sprint("child", i), "level1")
	}
	_, err = b.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "more", Parent: "level1"})
	b.want(err, fault.CodeInvalidRequest, "Thing Group level1 already has 100 direct children")
}

func TestThingGroupListing(t *testing.T) {
	b := newBench(t)
	for _, pair := range []string{"a ", "a-b ", "b a", "c b", "b2 a", "z "} {
		name, parent, _ := strings.Cut(pair, " ")
		b.group(name, parent)
	}
	for _, test := range []struct {
		filter registry.GroupFilter
		want   string
	}{
		{registry.GroupFilter{}, "a a-b b b2 c z"},
		{registry.GroupFilter{Prefix: "b"}, "b b2"},
		{registry.GroupFilter{Direct: true}, "a a-b z"},
		{registry.GroupFilter{Direct: true, Prefix: "a-"}, "a-b"},
		{registry.GroupFilter{Parent: "a"}, "b c b2"},
		{registry.GroupFilter{Parent: "a", Prefix: "b"}, "b b2"},
		{registry.GroupFilter{Parent: "a", Direct: true}, "b b2"},
		{registry.GroupFilter{Parent: "c"}, ""},
	} {
		var names []string
		for _, g := range pages(t, 1, func(p registry.Page) ([]registry.ThingGroup, string, error) {
			return b.ThingGroups(b.ctx, test.filter, p)
		}) {
			names = append(names, g.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%+v: %q, want %q", test.filter, got, test.want)
		}
	}
	_, _, err := b.ThingGroups(b.ctx, registry.GroupFilter{Parent: "no"}, registry.Page{})
	b.want(err, fault.CodeNotFound, "Thing group no not found")
}

func TestMemberships(t *testing.T) {
	b := newBench(t)
	b.thing(registry.NewThing{Name: "t"})
	b.thing(registry.NewThing{Name: "u"})
	for _, pair := range []string{"a ", "b a", "c b", "d a", "z "} {
		name, parent, _ := strings.Cut(pair, " ")
		b.group(name, parent)
	}
	groups := func() []string {
		return pages(t, 1, func(p registry.Page) ([]string, string, error) { return b.ThingGroupsForThing(b.ctx, "t", p) })
	}
	members := func(group string, recursive bool) []string {
		return pages(t, 1, func(p registry.Page) ([]string, string, error) {
			return b.ThingsInThingGroup(b.ctx, group, recursive, p)
		})
	}
	b.want(b.AddThingToThingGroup(b.ctx, "no", "b"), fault.CodeNotFound, "Thing no not found")
	b.want(b.AddThingToThingGroup(b.ctx, "t", "no"), fault.CodeNotFound, "Thing group no not found")
	b.ok(b.AddThingToThingGroup(b.ctx, "t", "b"))
	b.ok(b.AddThingToThingGroup(b.ctx, "t", "b"))
	b.ok(b.AddThingToThingGroup(b.ctx, "t", "z"))
	b.ok(b.AddThingToThingGroup(b.ctx, "u", "a"))
	for _, other := range []string{"a", "c", "d"} { // ancestor, descendant, sibling
		b.want(b.AddThingToThingGroup(b.ctx, "t", other), fault.CodeInvalidRequest,
			"Thing t is already in thing group b, which belongs to the same hierarchy as "+other)
	}
	same(t, []string{"b", "z"}, groups())
	same(t, []string{"u"}, members("a", false))
	same(t, []string{"u", "t"}, members("a", true))
	same(t, []string{}, members("c", true))

	b.ok(b.UpdateThingGroupsForThing(b.ctx, "t", []string{"d"}, []string{"b", "a"})) // leaves first, then joins
	same(t, []string{"d", "z"}, groups())
	b.want(b.UpdateThingGroupsForThing(b.ctx, "t", []string{"no"}, []string{"d"}), fault.CodeNotFound, "Thing group no not found")
	same(t, []string{"d", "z"}, groups()) // all or nothing
	b.ok(b.RemoveThingFromThingGroup(b.ctx, "t", "d"))
	b.ok(b.RemoveThingFromThingGroup(b.ctx, "t", "d"))
	b.ok(b.DeleteThingGroup(b.ctx, "z", nil))
	same(t, []string{}, groups())

	for i := range 10 {
		b.ok(b.AddThingToThingGroup(b.ctx, "t", b.group(fmt.Sprint("g", i), "").Name))
	}
	b.group("g10", "")
	b.want(b.AddThingToThingGroup(b.ctx, "t", "g10"), fault.CodeInvalidRequest, "Thing t is already in 10 thing groups")
	_, _, err := b.ThingGroupsForThing(b.ctx, "no", registry.Page{})
	b.want(err, fault.CodeNotFound, "Thing no not found")
	_, _, err = b.ThingsInThingGroup(b.ctx, "no", true, registry.Page{})
	b.want(err, fault.CodeNotFound, "Thing group no not found")
}

func TestBillingGroups(t *testing.T) {
	b := newBench(t)
	made, err := b.CreateBillingGroup(b.ctx, "north", "d", nil)
	b.ok(err)
	same(t, registry.BillingGroup{Name: "north", ID: made.ID, Description: "d", Version: 1, Created: b.now}, made)
	again, err := b.CreateBillingGroup(b.ctx, "north", "d", nil)
	b.ok(err)
	same(t, made, again)
	_, err = b.CreateBillingGroup(b.ctx, "north", "other", nil)
	b.want(err, fault.CodeAlreadyExists, "Billing Group north already exists in current account with different properties")
	_, err = b.CreateBillingGroup(b.ctx, "south", "", nil)
	b.ok(err)

	updated, err := b.UpdateBillingGroup(b.ctx, "north", registry.GroupUpdate{Description: new("new"), ExpectedVersion: new(int64(1))})
	b.ok(err)
	same(t, int64(2), updated.Version)
	_, err = b.UpdateBillingGroup(b.ctx, "north", registry.GroupUpdate{ExpectedVersion: new(int64(1))})
	b.want(err, fault.CodeVersionConflict, "The version for billing group north does not match the expected version.")

	b.thing(registry.NewThing{Name: "a", BillingGroup: "north"})
	b.thing(registry.NewThing{Name: "b"})
	b.ok(b.AddThingToBillingGroup(b.ctx, "b", "north"))
	b.ok(b.AddThingToBillingGroup(b.ctx, "a", "south")) // moves
	b.ok(b.RemoveThingFromBillingGroup(b.ctx, "a", "north"))
	b.want(b.AddThingToBillingGroup(b.ctx, "a", "no"), fault.CodeNotFound, "Billing group no not found")
	b.want(b.AddThingToBillingGroup(b.ctx, "no", "north"), fault.CodeNotFound, "Thing no not found")
	members := pages(t, 1, func(p registry.Page) ([]string, string, error) { return b.ThingsInBillingGroup(b.ctx, "north", p) })
	same(t, []string{"b"}, members)
	names := pages(t, 1, func(p registry.Page) ([]registry.BillingGroup, string, error) { return b.BillingGroups(b.ctx, "s", p) })
	same(t, "south", names[0].Name)

	b.want(b.DeleteBillingGroup(b.ctx, "south", new(int64(9))), fault.CodeVersionConflict, "The version for billing group south does not match the expected version.")
	b.ok(b.DeleteBillingGroup(b.ctx, "south", nil))
	b.ok(b.DeleteBillingGroup(b.ctx, "south", nil))
	got, err := b.Thing(b.ctx, "a")
	b.ok(err)
	same(t, registry.Thing{Name: "a", ID: got.ID, Attributes: map[string]string{}, Version: 1}, got)
}

func TestTags(t *testing.T) {
	b := newBench(t)
	_, err := b.CreateThingType(b.ctx, "Pump", registry.TypeProperties{}, []registry.Tag{{Key: "b", Value: "1"}})
	b.ok(err)
	b.group("site", "")
	pump, job := b.ARN("thingtype", "Pump"), b.ARN("job", "j1")
	b.TagExists = map[string]func(context.Context, arn.ARN) (bool, error){
		"job": func(_ context.Context, a arn.ARN) (bool, error) { return a.Resource == "job/j1", nil },
	}
	b.ok(b.TagResource(b.ctx, pump, []registry.Tag{{Key: "a", Value: ""}, {Key: "b", Value: "2"}}))
	tags, err := b.TagsForResource(b.ctx, pump)
	b.ok(err)
	same(t, []registry.Tag{{Key: "a"}, {Key: "b", Value: "2"}}, tags)
	b.ok(b.UntagResource(b.ctx, pump, []string{"a", "none"}))
	b.ok(b.TagResource(b.ctx, job, []registry.Tag{{Key: "k", Value: "v"}}))
	b.ok(b.ForgetTags(b.ctx, job))
	tags, err = b.TagsForResource(b.ctx, job)
	b.ok(err)
	same(t, []registry.Tag{}, tags)

	var many []registry.Tag
	for i := range 50 {
		many = append(many, registry.Tag{Key: fmt.Sprint("k", i)})
	}
	b.want(b.TagResource(b.ctx, pump, many), fault.CodeLimitExceeded, "a resource can have 50 tags, not 51")
	tags, err = b.TagsForResource(b.ctx, pump)
	b.ok(err)
	same(t, []registry.Tag{{Key: "b", Value: "2"}}, tags) // nothing of it stayed

	for _, test := range []struct {
		resource string
		tag      registry.Tag
		code     fault.Code
	}{
		{b.ARN("thingtype", "No"), registry.Tag{Key: "k"}, fault.CodeNotFound},
		{b.ARN("thinggroup", "No"), registry.Tag{Key: "k"}, fault.CodeNotFound},
		{b.ARN("billinggroup", "No"), registry.Tag{Key: "k"}, fault.CodeNotFound},
		{b.ARN("job", "j2"), registry.Tag{Key: "k"}, fault.CodeNotFound},
		{"arn:aws:iot:eu-west-1:999999999999:thingtype/Pump", registry.Tag{Key: "k"}, fault.CodeNotFound},
		{b.ARN("thing", "t"), registry.Tag{Key: "k"}, fault.CodeInvalidRequest},
		{"Pump", registry.Tag{Key: "k"}, fault.CodeInvalidRequest},
		{pump, registry.Tag{Key: "aws:k"}, fault.CodeInvalidRequest},
		{pump, registry.Tag{Key: ""}, fault.CodeInvalidRequest},
		{pump, registry.Tag{Key: strings.Repeat("k", 129)}, fault.CodeInvalidRequest},
		{pump, registry.Tag{Key: "k", Value: strings.Repeat("v", 257)}, fault.CodeInvalidRequest},
	} {
		if err := b.TagResource(b.ctx, test.resource, []registry.Tag{test.tag}); !fault.Is(err, test.code) {
			t.Errorf("%s %+v: %v, want %s", test.resource, test.tag, err, test.code)
		}
	}

	b.ok(b.TagResource(b.ctx, b.ARN("thinggroup", "site"), []registry.Tag{{Key: "k"}}))
	b.ok(b.DeleteThingGroup(b.ctx, "site", nil))
	b.group("site", "")
	tags, err = b.TagsForResource(b.ctx, b.ARN("thinggroup", "site"))
	b.ok(err)
	same(t, []registry.Tag{}, tags) // a new group has no old tags
}
