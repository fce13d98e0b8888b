package registry

import (
	"context"
	"maps"

	"thingd/internal/fault"
)

// Thing is a device as the registry knows it.
type Thing struct {
	Name         string
	ID           string            // a UUID; another one after deletion and creation
	Type         string            // "" if it has none
	BillingGroup string            // "" if it is in none
	Attributes   map[string]string // never nil
	Version      int64             // 1 when created, one more with each update
}

// NewThing is what CreateThing takes.
type NewThing struct {
	Name         string
	Type         string // "" for none
	BillingGroup string // "" for none
	Attributes   map[string]string
	Groups       []string // to join in the same breath, if the thing is made; CreateThing on AWS has none
}

// CreateThing makes a thing, AWS operation CreateThing. An existing thing of the
// same configuration is given as it is, with no event; another configuration is
// fault AlreadyExists about the existing thing. An unknown type or billing group
// is NotFound, a deprecated type InvalidRequest.
func (s *Service) CreateThing(ctx context.Context, n NewThing) (Thing, error) {
	patch := &AttributePatch{Values: n.Attributes}
	if err := checkName("thingName", n.Name); err != nil {
		return Thing{}, err
	}
	if err := patch.check(); err != nil {
		return Thing{}, err
	}
	var thing Thing
	err := s.update(ctx, func(w *work) (err error) {
		want := Thing{Name: n.Name, Type: n.Type, BillingGroup: n.BillingGroup, Attributes: patch.apply(nil), Version: 1}
		thing, err = s.createThing(w, want, n.Groups)
		return err
	})
	return thing, err
}

func (s *Service) createThing(w *work, want Thing, groups []string) (Thing, error) {
	have, found, err := w.Thing(want.Name)
	if err != nil {
		return Thing{}, err
	}
	if found {
		return have, s.sameThing(have, want)
	}
	if err := checkNewType(w, want.Type, "Can not create new thing with depreated thing type:%s"); err != nil {
		return Thing{}, err
	}
	if err := checkBillingGroup(w, want.BillingGroup); err != nil {
		return Thing{}, err
	}
	if err := checkAttributeCount(want); err != nil {
		return Thing{}, err
	}
	want.ID = s.newID()
	if err := w.PutThing(want); err != nil {
		return Thing{}, err
	}
	w.changed(ThingChanged, want.Name)
	s.thingEvent(w, created, want)
	s.typeAssociationEvents(w, Thing{}, want)
	for _, group := range groups {
		if err := s.join(w, want, group); err != nil {
			return Thing{}, err
		}
	}
	return want, nil
}

func (s *Service) sameThing(have, want Thing) error {
	if have.Type == want.Type && have.BillingGroup == want.BillingGroup && maps.Equal(have.Attributes, want.Attributes) {
		return nil
	}
	return fault.AlreadyExists("Thing %s already exists in account with different properties", have.Name).
		About(have.ID, s.ARN("thing", have.Name))
}

// checkNewType refuses an unknown type and, with AWS's words, a deprecated one.
func checkNewType(tx Tx, name, deprecated string) error {
	if name == "" {
		return nil
	}
	thingType, err := findType(tx, name)
	if err != nil {
		return err
	}
	if thingType.IsDeprecated() {
		return fault.InvalidRequest(deprecated, name)
	}
	return nil
}

func checkBillingGroup(tx Tx, name string) error {
	if name == "" {
		return nil
	}
	_, err := findBillingGroup(tx, name)
	return err
}

// checkAttributeCount applies the limit that a type lifts.
func checkAttributeCount(t Thing) error {
	switch n := len(t.Attributes); {
	case t.Type == "" && n > attributesUntyped:
		return fault.InvalidRequest("Thing %s without a thing type can have %d attributes, not %d", t.Name, attributesUntyped, n)
	case n > attributesMax:
		return fault.InvalidRequest("Thing %s can have %d attributes, not %d", t.Name, attributesMax, n)
	}
	return nil
}

// Thing gives a thing by name, AWS operation DescribeThing.
func (s *Service) Thing(ctx context.Context, name string) (Thing, error) {
	var thing Thing
	err := s.store.View(ctx, func(tx Tx) (err error) {
		thing, err = findThing(tx, name)
		return err
	})
	return thing, err
}

func findThing(tx Tx, name string) (Thing, error) {
	thing, found, err := tx.Thing(name)
	if err == nil && !found {
		err = fault.NotFound("Thing %s not found", name)
	}
	return thing, err
}

// ThingUpdate is what UpdateThing changes.
type ThingUpdate struct {
	Type            string // "" keeps it
	RemoveType      bool
	Attributes      *AttributePatch // nil keeps them
	ExpectedVersion *int64          // nil: any
}

// UpdateThing changes a thing, AWS operation UpdateThing. The version grows even
// when nothing else changes (unconfirmed).
func (s *Service) UpdateThing(ctx context.Context, name string, u ThingUpdate) (Thing, error) {
	if err := u.Attributes.check(); err != nil {
		return Thing{}, err
	}
	if u.RemoveType && u.Type != "" {
		return Thing{}, fault.InvalidRequest("removeThingType and thingTypeName exclude each other")
	}
	var after Thing
	err := s.update(ctx, func(w *work) error {
		before, err := findThing(w, name)
		if err != nil {
			return err
		}
		if after, err = u.apply(w, before); err != nil {
			return err
		}
		if err := w.PutThing(after); err != nil {
			return err
		}
		w.changed(ThingChanged, name)
		s.thingEvent(w, updated, after)
		s.typeAssociationEvents(w, before, after)
		return nil
	})
	return after, err
}

// apply gives the thing after the update, or says why it cannot be.
func (u ThingUpdate) apply(tx Tx, before Thing) (Thing, error) {
	if err := checkVersion("thing", before.Name, before.Version, u.ExpectedVersion); err != nil {
		return Thing{}, err
	}
	after := before
	after.Version++
	after.Attributes = u.Attributes.apply(before.Attributes)
	if u.RemoveType {
		after.Type = ""
	}
	if u.Type != "" {
		after.Type = u.Type
	}
	if after.Type != before.Type { // a thing keeps its deprecated type
		if err := checkNewType(tx, after.Type, "Can not update a thing to use deprecated thing type: %s"); err != nil {
			return Thing{}, err
		}
	}
	return after, checkAttributeCount(after)
}

// checkVersion compares an expected version, nil for none, with the one there is.
func checkVersion(kind, name string, have int64, expected *int64) error {
	if expected == nil || *expected == have {
		return nil
	}
	return fault.VersionConflict("The version for %s %s does not match the expected version.", kind, name)
}

// DeleteThing deletes a thing, AWS operation DeleteThing: it leaves its groups
// and its billing group. That there is none is a success; that principals are
// attached is InvalidRequest.
func (s *Service) DeleteThing(ctx context.Context, name string, expectedVersion *int64) error {
	return s.update(ctx, func(w *work) error {
		thing, found, err := w.Thing(name)
		if err != nil || !found {
			return err
		}
		if err := checkVersion("thing", name, thing.Version, expectedVersion); err != nil {
			return err
		}
		if err := checkNoPrincipals(w, name); err != nil {
			return err
		}
		if err := s.leaveAll(w, thing); err != nil {
			return err
		}
		if err := w.DeleteThing(name); err != nil {
			return err
		}
		w.deleted(ThingChanged, name)
		s.thingEvent(w, deleted, thing)
		s.typeAssociationEvents(w, thing, Thing{})
		return nil
	})
}

func checkNoPrincipals(tx Tx, thing string) error {
	links, err := tx.LinksOfThing(thing, nil, "", 1)
	if err != nil || len(links) == 0 {
		return err
	}
	return fault.InvalidRequest("Cannot delete. Thing %s is still attached to one or more principals", thing)
}

// ThingFilter selects things: by one attribute, by type, or not at all.
type ThingFilter struct {
	AttributeName        string
	AttributeValue       string
	AttributeValuePrefix bool // AttributeValue is only the beginning
	Type                 string
}

func (f ThingFilter) check() error {
	switch {
	case f.AttributeName != "" && f.Type != "":
		return fault.InvalidRequest("Listing things by the combination of attribute and thing type is not supported")
	case f.AttributeName == "" && f.AttributeValue != "":
		return fault.InvalidRequest("attributeValue needs an attributeName")
	}
	return nil
}

// Things lists things, AWS operation ListThings, and gives the token of the next
// page. An attribute name without a value selects every thing that has it.
func (s *Service) Things(ctx context.Context, f ThingFilter, p Page) (things []Thing, next string, err error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	err = s.store.View(ctx, func(tx Tx) (err error) {
		if f.AttributeName != "" {
			things, next, err = thingsWithAttribute(tx, f, p)
			return err
		}
		things, next, err = thingsByName(tx, f.Type, p)
		return err
	})
	return things, next, err
}

func thingsByName(tx Tx, thingType string, p Page) ([]Thing, string, error) {
	list := List{"things", thingType}
	after, err := list.after(p)
	if err != nil {
		return nil, "", err
	}
	var rows []Thing
	if thingType == "" {
		rows, err = tx.Things(after, p.Limit()+1)
	} else {
		rows, err = tx.ThingsOfType(thingType, after, p.Limit()+1)
	}
	things, next := cut(list, rows, p.Limit(), func(t Thing) []string { return []string{t.Name} })
	return things, next, err
}

func thingsWithAttribute(tx Tx, f ThingFilter, p Page) ([]Thing, string, error) {
	prefix := f.AttributeValuePrefix || f.AttributeValue == ""
	list := List{"things by attribute", f.AttributeName, f.AttributeValue, map[bool]string{true: "prefix"}[prefix]}
	keys, err := list.Keys(p.Token, 2)
	if err != nil {
		return nil, "", err
	}
	rows, err := tx.ThingsWithAttribute(AttributeRange{
		Name: f.AttributeName, Value: f.AttributeValue, Prefix: prefix,
		AfterValue: keys[0], AfterThing: keys[1],
	}, p.Limit()+1)
	if err != nil {
		return nil, "", err
	}
	rows, next := cut(list, rows, p.Limit(), func(m AttributeMatch) []string { return []string{m.Value, m.Thing.Name} })
	things := make([]Thing, len(rows))
	for i, row := range rows {
		things[i] = row.Thing
	}
	return things, next, nil
}
