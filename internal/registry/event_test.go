package registry_test

import (
	"encoding/json"
	"testing"

	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/registry"
)

// everything does each deed that has an event.
func everything(b *bench) {
	b.t.Helper()
	_, err := b.CreateThingType(b.ctx, "Pump", registry.TypeProperties{Description: "d"}, nil)
	b.ok(err)
	b.group("site", "")
	b.group("hall", "site")
	b.thing(registry.NewThing{Name: "pump7", Type: "Pump", Attributes: map[string]string{"a": "1"}})
	b.thing(registry.NewThing{Name: "pump7", Type: "Pump", Attributes: map[string]string{"a": "1"}}) // no event
	b.ok(b.AddThingToThingGroup(b.ctx, "pump7", "hall"))
	_, err = b.UpdateThing(b.ctx, "pump7", registry.ThingUpdate{RemoveType: true})
	b.ok(err)
	b.ok(b.DeleteThing(b.ctx, "pump7", nil))
	b.ok(b.DeleteThing(b.ctx, "pump7", nil)) // no event
	_, err = b.UpdateThingGroup(b.ctx, "hall", registry.GroupUpdate{})
	b.ok(err)
	b.ok(b.DeleteThingGroup(b.ctx, "hall", nil))
	b.ok(b.DeprecateThingType(b.ctx, "Pump", false))
	b.now = b.now.Add(b.wait())
	b.ok(b.DeleteThingType(b.ctx, "Pump"))
	b.ok(b.DeleteThingGroup(b.ctx, "site", nil))
}

func TestEventsAreOffAtFirst(t *testing.T) {
	b := newBench(t)
	c, err := b.EventConfigurations(b.ctx)
	b.ok(err)
	same(t, 11, len(c.Enabled))
	for kind, on := range c.Enabled {
		if on {
			t.Error(kind, "is on")
		}
	}
	everything(b)
	same(t, []message.Message(nil), b.published)
}

func TestEventTopics(t *testing.T) {
	topics := map[registry.EventType][]string{
		registry.EventThing:      {"thing/pump7/created", "thing/pump7/updated", "thing/pump7/deleted"},
		registry.EventThingGroup: {"thingGroup/site/created", "thingGroup/hall/created", "thingGroup/hall/updated", "thingGroup/hall/deleted", "thingGroup/site/deleted"},
		registry.EventThingType:  {"thingType/Pump/created", "thingType/Pump/updated", "thingType/Pump/deleted"},
		registry.EventThingGroupMembership: {"thingGroupMembership/thingGroup/hall/thing/pump7/added",
			"thingGroupMembership/thingGroup/hall/thing/pump7/removed"},
		registry.EventThingGroupHierarchy: {"thingGroupHierarchy/thingGroup/site/childThingGroup/hall/added",
			"thingGroupHierarchy/thingGroup/site/childThingGroup/hall/removed"},
		registry.EventTypeAssociation: {"thingTypeAssociation/thing/pump7/thingType/Pump/added",
			"thingTypeAssociation/thing/pump7/thingType/Pump/removed"},
		registry.EventPolicy: nil,
	}
	for kind, want := range topics {
		t.Run(string(kind), func(t *testing.T) {
			b := newBench(t)
			b.ok(b.UpdateEventConfigurations(b.ctx, map[registry.EventType]bool{kind: true}))
			everything(b)
			var got []string
			for _, m := range b.published {
				got = append(got, m.Topic[len("$aws/events/"):])
			}
			same(t, want, got)
		})
	}
}

func TestEventBodies(t *testing.T) {
	b := newBench(t)
	b.ok(b.UpdateEventConfigurations(b.ctx, map[registry.EventType]bool{
		registry.EventThing: true, registry.EventThingGroup: true, registry.EventThingGroupMembership: true}))
	site, err := b.CreateThingGroup(b.ctx, registry.NewThingGroup{Name: "site"})
	b.ok(err)
	hall := b.group("hall", "site")
	pump := b.thing(registry.NewThing{Name: "pump7", Attributes: map[string]string{"site": "north"}})
	b.ok(b.AddThingToThingGroup(b.ctx, "pump7", "hall"))
	var bodies []map[string]any
	for _, m := range b.published {
		same(t, message.QoS1, m.QoS)
		var body map[string]any
		if err := json.Unmarshal(m.Payload, &body); err != nil {
			t.Fatal(err)
		}
		if body["eventId"] == "" {
			t.Error("no eventId")
		}
		delete(body, "eventId")
		bodies = append(bodies, body)
	}
	common := func(kind, operation string, more map[string]any) map[string]any {
		more["eventType"], more["operation"] = kind, operation
		more["timestamp"], more["accountId"] = float64(1_700_000_000_123), "111122223333"
		return more
	}
	membership, _ := bodies[3]["membershipId"].(string)
	same(t, []map[string]any{
		common("THING_GROUP_EVENT", "CREATED", map[string]any{"thingGroupId": site.ID, "thingGroupName": "site", "versionNumber": 1.0,
			"parentGroupName": nil, "parentGroupId": nil, "description": nil, "rootToParentThingGroups": []any{},
			"attributes": map[string]any{}, "dynamicGroupMappingId": nil}),
		common("THING_GROUP_EVENT", "CREATED", map[string]any{"thingGroupId": hall.ID, "thingGroupName": "hall", "versionNumber": 1.0,
			"parentGroupName": "site", "parentGroupId": site.ID, "description": nil,
			"rootToParentThingGroups": []any{map[string]any{"groupArn": b.ARN("thinggroup", "site"), "groupId": site.ID}},
			"attributes":              map[string]any{}, "dynamicGroupMappingId": nil}),
		common("THING_EVENT", "CREATED", map[string]any{"thingId": pump.ID, "thingName": "pump7", "versionNumber": 1.0,
			"thingTypeName": nil, "attributes": map[string]any{"site": "north"}}),
		common("THING_GROUP_MEMBERSHIP_EVENT", "ADDED", map[string]any{"groupArn": b.ARN("thinggroup", "hall"), "groupId": hall.ID,
			"thingArn": b.ARN("thing", "pump7"), "thingId": pump.ID, "membershipId": membership}),
	}, bodies)
}

func TestEventConfigurations(t *testing.T) {
	b := newBench(t)
	b.ok(b.UpdateEventConfigurations(b.ctx, map[registry.EventType]bool{registry.EventThing: true, registry.EventJob: true}))
	created := b.now
	b.now = b.now.Add(b.wait())
	b.ok(b.UpdateEventConfigurations(b.ctx, map[registry.EventType]bool{registry.EventThing: false}))
	c, err := b.EventConfigurations(b.ctx)
	b.ok(err)
	same(t, []any{false, true, created, b.now}, []any{c.Enabled[registry.EventThing], c.Enabled[registry.EventJob], c.Created, c.Modified})
	on, err := b.EventEnabled(b.ctx, registry.EventJob)
	b.ok(err)
	same(t, true, on)
	b.want(b.UpdateEventConfigurations(b.ctx, map[registry.EventType]bool{"X": true}), fault.CodeInvalidRequest, `event type "X" is not known`)
}

// The event of a thing type has all its properties, and every change of them is one.
func TestThingTypeEvents(t *testing.T) {
	b := newBench(t)
	b.ok(b.UpdateEventConfigurations(b.ctx, map[registry.EventType]bool{registry.EventThingType: true}))
	made, err := b.CreateThingType(b.ctx, "Pump", registry.TypeProperties{Description: "a pump"}, nil)
	b.ok(err)
	b.ok(b.UpdateThingType(b.ctx, "Pump", registry.TypeUpdate{Propagating: &[]registry.PropagatingAttribute{
		{UserPropertyKey: "site", ThingAttribute: "Site"},
		{UserPropertyKey: "iot:ClientId", ConnectionAttribute: registry.ConnectionClientID},
	}}))
	b.ok(b.UpdateThingType(b.ctx, "Pump", registry.TypeUpdate{Propagating: &[]registry.PropagatingAttribute{}}))
	var got []map[string]any
	for _, m := range b.published {
		var body map[string]any
		b.ok(json.Unmarshal(m.Payload, &body))
		delete(body, "eventId")
		got = append(got, body)
	}
	event := func(operation string, propagating ...any) map[string]any {
		return map[string]any{
			"eventType": "THING_TYPE_EVENT", "operation": operation, "timestamp": float64(b.now.UnixMilli()), "accountId": "111122223333",
			"thingTypeId": made.ID, "thingTypeName": "Pump", "isDeprecated": false, "deprecationDate": nil,
			"searchableAttributes": []any{}, "propagatingAttributes": append([]any{}, propagating...), "description": "a pump",
		}
	}
	same(t, []map[string]any{
		event("CREATED"),
		event("UPDATED", map[string]any{"userPropertyKey": "site", "thingAttribute": "Site"},
			map[string]any{"userPropertyKey": "iot:ClientId", "connectionAttribute": "iot:ClientId"}),
		event("UPDATED"),
	}, got)
}
