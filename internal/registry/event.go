package registry

import (
	"context"
	"maps"
	"slices"
	"time"

	"thingd/internal/fault"
)

// EventType is a switch of AWS operation UpdateEventConfigurations.
type EventType string

// The switches. The registry publishes the first six kinds of events; jobs and
// provisioning read theirs. POLICY and CERTIFICATE have no published topic
// (unconfirmed): they are kept and do nothing.
const (
	EventThing                EventType = "THING"
	EventThingGroup           EventType = "THING_GROUP"
	EventThingType            EventType = "THING_TYPE"
	EventThingGroupMembership EventType = "THING_GROUP_MEMBERSHIP"
	EventThingGroupHierarchy  EventType = "THING_GROUP_HIERARCHY"
	EventTypeAssociation      EventType = "THING_TYPE_ASSOCIATION"
	EventJob                  EventType = "JOB"
	EventJobExecution         EventType = "JOB_EXECUTION"
	EventPolicy               EventType = "POLICY"
	EventCertificate          EventType = "CERTIFICATE"
	EventCACertificate        EventType = "CA_CERTIFICATE"
)

var eventTypes = []EventType{EventThing, EventThingGroup, EventThingType, EventThingGroupMembership,
	EventThingGroupHierarchy, EventTypeAssociation, EventJob, EventJobExecution, EventPolicy,
	EventCertificate, EventCACertificate}

// EventConfigurations says which events are published.
type EventConfigurations struct {
	Enabled  map[EventType]bool // all types; false: off
	Created  time.Time          // zero: never changed, everything is off
	Modified time.Time
}

// EventConfigurations gives the switches, AWS operation
// DescribeEventConfigurations. All are off in a fresh account.
func (s *Service) EventConfigurations(ctx context.Context) (EventConfigurations, error) {
	var c EventConfigurations
	err := s.store.View(ctx, func(tx Tx) (err error) {
		c, err = eventConfigurations(tx)
		return err
	})
	return c, err
}

func eventConfigurations(tx Tx) (EventConfigurations, error) {
	have, _, err := tx.EventConfigurations()
	all := map[EventType]bool{}
	for _, t := range eventTypes {
		all[t] = have.Enabled[t]
	}
	have.Enabled = all
	return have, err
}

// EventEnabled says whether events of the type are to be published. Packages
// that publish events of their own ask before they do.
func (s *Service) EventEnabled(ctx context.Context, t EventType) (bool, error) {
	c, err := s.EventConfigurations(ctx)
	return c.Enabled[t], err
}

// UpdateEventConfigurations sets the given switches and keeps the others, AWS
// operation UpdateEventConfigurations.
func (s *Service) UpdateEventConfigurations(ctx context.Context, switches map[EventType]bool) error {
	for t := range switches {
		if !slices.Contains(eventTypes, t) {
			return fault.InvalidRequest("event type %q is not known", string(t))
		}
	}
	return s.update(ctx, func(w *work) error {
		c, err := eventConfigurations(w)
		if err != nil {
			return err
		}
		maps.Copy(c.Enabled, switches)
		c.Modified = millis(w.now)
		if c.Created.IsZero() {
			c.Created = c.Modified
		}
		return w.PutEventConfigurations(c)
	})
}

// event is a message about a deed, not yet kept.
type event struct {
	enabledBy EventType
	topic     string // below $aws/events/
	body      map[string]any
}

// The operations of events, as in their topics.
const (
	created = "created"
	updated = "updated"
	deleted = "deleted"
	added   = "added"
	removed = "removed"
)

// operations are the same words as in payloads.
var operations = map[string]string{created: "CREATED", updated: "UPDATED", deleted: "DELETED", added: "ADDED", removed: "REMOVED"}

// event notes a message. The topic ends with the operation.
func (s *Service) event(w *work, enabledBy EventType, operation, topic string, body map[string]any) {
	if s.publisher == nil {
		return
	}
	body["eventType"] = string(enabledBy) + "_EVENT"
	body["eventId"] = s.newID()
	body["timestamp"] = w.now.UnixMilli()
	body["operation"] = operations[operation]
	body["accountId"] = s.scope.Account
	w.events = append(w.events, event{enabledBy, topic + "/" + operation, body})
}

func (s *Service) thingEvent(w *work, operation string, t Thing) {
	s.event(w, EventThing, operation, "thing/"+t.Name, map[string]any{
		"thingId":       t.ID,
		"thingName":     t.Name,
		"versionNumber": t.Version,
		"thingTypeName": orNull(t.Type),
		"attributes":    t.Attributes,
	})
}

func (s *Service) typeEvent(w *work, operation string, t ThingType) {
	var deprecated any
	if t.IsDeprecated() {
		deprecated = t.Deprecated.UnixMilli()
	}
	searchable := t.Properties.Searchable
	if searchable == nil {
		searchable = []string{}
	}
	s.event(w, EventThingType, operation, "thingType/"+t.Name, map[string]any{
		"thingTypeId":          t.ID,
		"thingTypeName":        t.Name,
		"isDeprecated":         t.IsDeprecated(),
		"deprecationDate":      deprecated,
		"searchableAttributes": searchable,
		// AWS's own library for Lambda refuses an event without it.
		"propagatingAttributes": propagatingMembers(t.Properties.Propagating),
		"description":           t.Properties.Description,
	})
}

// propagatingMembers writes propagating attributes as the API does: of the two sources
// the one that there is.
func propagatingMembers(all []PropagatingAttribute) []map[string]string {
	members := []map[string]string{}
	for _, a := range all {
		one := map[string]string{"userPropertyKey": a.UserPropertyKey}
		if a.ThingAttribute != "" {
			one["thingAttribute"] = a.ThingAttribute
		} else {
			one["connectionAttribute"] = a.ConnectionAttribute
		}
		members = append(members, one)
	}
	return members
}

// typeAssociationEvents says that a thing lost or gained a type; the zero Thing
// stands for one that is not there.
func (s *Service) typeAssociationEvents(w *work, before, after Thing) {
	if before.Type == after.Type {
		return
	}
	s.typeAssociationEvent(w, removed, before)
	s.typeAssociationEvent(w, added, after)
}

func (s *Service) typeAssociationEvent(w *work, operation string, t Thing) {
	if t.Type == "" {
		return
	}
	topic := "thingTypeAssociation/thing/" + t.Name + "/thingType/" + t.Type
	s.event(w, EventTypeAssociation, operation, topic, map[string]any{
		"thingId":       t.ID,
		"thingName":     t.Name,
		"thingTypeName": t.Type,
	})
}

func (s *Service) groupEvent(w *work, operation string, g ThingGroup) error {
	if s.publisher == nil {
		return nil
	}
	above := []map[string]any{}
	var parentID any
	for _, name := range g.Ancestors {
		ancestor, err := findGroup(w, name)
		if err != nil {
			return err
		}
		above = append(above, map[string]any{"groupArn": s.ARN("thinggroup", name), "groupId": ancestor.ID})
		parentID = ancestor.ID
	}
	s.event(w, EventThingGroup, operation, "thingGroup/"+g.Name, map[string]any{
		"thingGroupId":            g.ID,
		"thingGroupName":          g.Name,
		"versionNumber":           g.Version,
		"parentGroupName":         orNull(g.Parent()),
		"parentGroupId":           parentID,
		"description":             orNull(g.Description),
		"rootToParentThingGroups": above,
		"attributes":              g.Attributes,
		"dynamicGroupMappingId":   nil,
	})
	return nil
}

func (s *Service) hierarchyEvent(w *work, operation string, parent, child ThingGroup) {
	if parent.Name == "" {
		return
	}
	topic := "thingGroupHierarchy/thingGroup/" + parent.Name + "/childThingGroup/" + child.Name
	s.event(w, EventThingGroupHierarchy, operation, topic, map[string]any{
		"thingGroupId":   parent.ID,
		"thingGroupName": parent.Name,
		"childGroupId":   child.ID,
		"childGroupName": child.Name,
	})
}

func (s *Service) membershipEvent(w *work, operation string, g ThingGroup, t Thing, m Membership) {
	topic := "thingGroupMembership/thingGroup/" + g.Name + "/thing/" + t.Name
	s.event(w, EventThingGroupMembership, operation, topic, map[string]any{
		"groupArn":     s.ARN("thinggroup", g.Name),
		"groupId":      g.ID,
		"thingArn":     s.ARN("thing", t.Name),
		"thingId":      t.ID,
		"membershipId": m.ID,
	})
}

// orNull gives JSON null for "".
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
