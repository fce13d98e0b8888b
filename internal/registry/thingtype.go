package registry

import (
	"context"
	"slices"
	"time"

	"thingd/internal/fault"
)

// ThingType is what things of one make have in common.
type ThingType struct {
	Name       string
	ID         string // a UUID
	Properties TypeProperties
	Created    time.Time
	Deprecated time.Time // zero: it is not
}

// TypeProperties are what the caller says of a type. The JSON names are the
// database's.
type TypeProperties struct {
	Description string                 `json:"description,omitzero"`
	Searchable  []string               `json:"searchable,omitempty"` // names of attributes, in the order given
	Propagating []PropagatingAttribute `json:"propagating,omitempty"`
}

// PropagatingAttribute is an MQTT 5 user property that the broker adds to what
// things of the type publish. Its value comes from exactly one of the two
// sources.
type PropagatingAttribute struct {
	UserPropertyKey     string `json:"key"`
	ThingAttribute      string `json:"thing,omitzero"`      // the name of an attribute of the thing
	ConnectionAttribute string `json:"connection,omitzero"` // ConnectionClientID or ConnectionThingName
}

// The connection attributes that can propagate.
const (
	ConnectionClientID  = "iot:ClientId"
	ConnectionThingName = "iot:Thing.ThingName"
)

// IsDeprecated says whether things can no longer take the type.
func (t ThingType) IsDeprecated() bool { return !t.Deprecated.IsZero() }

func (p TypeProperties) equal(q TypeProperties) bool {
	return p.Description == q.Description && slices.Equal(p.Searchable, q.Searchable) &&
		slices.Equal(p.Propagating, q.Propagating)
}

func (p TypeProperties) check() error {
	if err := checkDescription(p.Description); err != nil {
		return err
	}
	if len(p.Searchable) > searchableMax {
		return fault.InvalidRequest("a thing type can have %d searchable attributes, not %d", searchableMax, len(p.Searchable))
	}
	for _, name := range p.Searchable {
		if err := checkText("searchable attribute", name, attributeNameMax, attributeNameChars); err != nil {
			return err
		}
	}
	if len(p.Propagating) > propagatingMax {
		return fault.InvalidRequest("a thing type can have %d propagating attributes, not %d", propagatingMax, len(p.Propagating))
	}
	for _, a := range p.Propagating {
		if err := a.check(); err != nil {
			return err
		}
	}
	return nil
}

func (a PropagatingAttribute) check() error {
	if err := checkText("userPropertyKey", a.UserPropertyKey, userPropertyKeyMax, userPropertyChars); err != nil {
		return err
	}
	switch {
	case (a.ThingAttribute == "") == (a.ConnectionAttribute == ""):
		return fault.InvalidRequest("propagating attribute %s needs either thingAttribute or connectionAttribute", a.UserPropertyKey)
	case a.ThingAttribute != "":
		return checkText("thingAttribute", a.ThingAttribute, attributeNameMax, attributeNameChars)
	case a.ConnectionAttribute != ConnectionClientID && a.ConnectionAttribute != ConnectionThingName:
		return fault.InvalidRequest("connectionAttribute must be %s or %s", ConnectionClientID, ConnectionThingName)
	}
	return nil
}

// CreateThingType makes a thing type, AWS operation CreateThingType. An existing
// type of the same properties is given as it is.
func (s *Service) CreateThingType(ctx context.Context, name string, p TypeProperties, tags []Tag) (ThingType, error) {
	if err := checkName("thingTypeName", name); err != nil {
		return ThingType{}, err
	}
	if err := p.check(); err != nil {
		return ThingType{}, err
	}
	var thingType ThingType
	err := s.update(ctx, func(w *work) error {
		have, found, err := w.ThingType(name)
		if err != nil {
			return err
		}
		if found {
			thingType = have
			return s.sameType(have, p)
		}
		thingType = ThingType{Name: name, ID: s.newID(), Properties: p, Created: millis(w.now)}
		if err := w.PutThingType(thingType); err != nil {
			return err
		}
		w.changed(TypeChanged, name)
		s.typeEvent(w, created, thingType)
		return PutTags(w, s.ARN("thingtype", name), tags)
	})
	return thingType, err
}

func (s *Service) sameType(have ThingType, p TypeProperties) error {
	if have.Properties.equal(p) {
		return nil
	}
	return fault.AlreadyExists("Thing type %s already exists in account with different properties", have.Name).
		About(have.ID, s.ARN("thingtype", have.Name))
}

// ThingType gives a type by name, AWS operation DescribeThingType.
func (s *Service) ThingType(ctx context.Context, name string) (ThingType, error) {
	var thingType ThingType
	err := s.store.View(ctx, func(tx Tx) (err error) {
		thingType, err = findType(tx, name)
		return err
	})
	return thingType, err
}

func findType(tx Tx, name string) (ThingType, error) {
	thingType, found, err := tx.ThingType(name)
	if err == nil && !found {
		err = fault.NotFound("Thing type %s not found", name)
	}
	return thingType, err
}

// changeType loads a type, lets change alter it and writes it back.
func (s *Service) changeType(ctx context.Context, name string, change func(w *work, t *ThingType) error) error {
	return s.update(ctx, func(w *work) error {
		thingType, err := findType(w, name)
		if err != nil {
			return err
		}
		if err := change(w, &thingType); err != nil {
			return err
		}
		if err := w.PutThingType(thingType); err != nil {
			return err
		}
		w.changed(TypeChanged, name)
		s.typeEvent(w, updated, thingType)
		return nil
	})
}

// TypeUpdate is what UpdateThingType changes.
type TypeUpdate struct {
	Description *string                 // nil keeps it
	Searchable  []string                // nil keeps them; others than there are are refused
	Propagating *[]PropagatingAttribute // nil keeps them
}

// UpdateThingType changes a type, AWS operation UpdateThingType. Searchable
// attributes are fixed: AWS doesn't say that they may change (unconfirmed).
func (s *Service) UpdateThingType(ctx context.Context, name string, u TypeUpdate) error {
	return s.changeType(ctx, name, func(_ *work, t *ThingType) error {
		if u.Searchable != nil && !slices.Equal(u.Searchable, t.Properties.Searchable) {
			return fault.InvalidRequest("the searchable attributes of thing type %s cannot be changed", name)
		}
		if u.Description != nil {
			t.Properties.Description = *u.Description
		}
		if u.Propagating != nil {
			t.Properties.Propagating = *u.Propagating
		}
		return t.Properties.check()
	})
}

// DeprecateThingType takes a type out of use or, with undo, back into it, AWS
// operation DeprecateThingType. Repeating is harmless: the first date stays.
func (s *Service) DeprecateThingType(ctx context.Context, name string, undo bool) error {
	return s.changeType(ctx, name, func(w *work, t *ThingType) error {
		switch {
		case undo:
			t.Deprecated = time.Time{}
		case !t.IsDeprecated():
			t.Deprecated = millis(w.now)
		}
		return nil
	})
}

// DeleteThingType deletes a type that was deprecated long enough and that no
// thing has, AWS operation DeleteThingType.
func (s *Service) DeleteThingType(ctx context.Context, name string) error {
	return s.update(ctx, func(w *work) error {
		thingType, err := findType(w, name)
		if err != nil {
			return err
		}
		if err := s.checkUnused(w, thingType); err != nil {
			return err
		}
		if err := w.DeleteThingType(name); err != nil {
			return err
		}
		w.deleted(TypeChanged, name)
		s.typeEvent(w, deleted, thingType)
		return w.DeleteTags(s.ARN("thingtype", name))
	})
}

func (s *Service) checkUnused(w *work, t ThingType) error {
	if !t.IsDeprecated() {
		return fault.InvalidRequest("Can not delete thing type %s: it must be deprecated first", t.Name)
	}
	if w.now.Sub(t.Deprecated) < s.deprecationWait {
		return fault.InvalidRequest("Can not delete thing type %s: it must have been deprecated for %s", t.Name, s.deprecationWait)
	}
	things, err := w.ThingsOfType(t.Name, "", 1)
	if err != nil || len(things) == 0 {
		return err
	}
	return fault.InvalidRequest("Can not delete thing type %s: things have it, such as %s", t.Name, things[0].Name)
}

// ThingTypes lists the types whose names begin with prefix, AWS operation
// ListThingTypes.
func (s *Service) ThingTypes(ctx context.Context, prefix string, p Page) (types []ThingType, next string, err error) {
	list := List{"thing types", prefix}
	err = s.store.View(ctx, func(tx Tx) error {
		after, err := list.after(p)
		if err != nil {
			return err
		}
		rows, err := tx.ThingTypes(prefix, after, p.Limit()+1)
		types, next = cut(list, rows, p.Limit(), func(t ThingType) []string { return []string{t.Name} })
		return err
	})
	return types, next, err
}
