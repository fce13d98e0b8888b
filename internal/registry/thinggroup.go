package registry

import (
	"context"
	"maps"
	"strings"
	"time"

	"thingd/internal/fault"
)

// ThingGroup is a static thing group. Groups form trees: a group's place is
// fixed when it is created.
type ThingGroup struct {
	Name        string
	ID          string            // a UUID
	Ancestors   []string          // names, from the root to the parent; empty for a root
	Description string            //
	Attributes  map[string]string // never nil
	Version     int64
	Created     time.Time
}

// pathSeparator joins names to a path. It sorts right before "-", the first of
// the characters that names have, so that everything at or below path p lies
// from p to p+"-".
const pathSeparator = ","

// Path gives the names from the root to the group itself.
func (g ThingGroup) Path() string {
	return strings.Join(append(g.Ancestors[:len(g.Ancestors):len(g.Ancestors)], g.Name), pathSeparator)
}

// Parent gives the name of the parent, "" for a root.
func (g ThingGroup) Parent() string {
	if len(g.Ancestors) == 0 {
		return ""
	}
	return g.Ancestors[len(g.Ancestors)-1]
}

// SplitPath gives the ancestors and the name that a path is made of.
func SplitPath(path string) (ancestors []string, name string) {
	names := strings.Split(path, pathSeparator)
	return names[:len(names)-1], names[len(names)-1]
}

// PathRange gives the bounds, from and below, of the paths at and below path.
func PathRange(path string) (from, below string) { return path, path + "-" }

// root gives the name of the hierarchy that a path is in.
func root(path string) string {
	name, _, _ := strings.Cut(path, pathSeparator)
	return name
}

// NewThingGroup is what CreateThingGroup takes.
type NewThingGroup struct {
	Name        string
	Parent      string // "" makes a root
	Description string
	Attributes  map[string]string
	Tags        []Tag
}

// CreateThingGroup makes a static group, AWS operation CreateThingGroup. An
// existing group of the same parent and properties is given as it is.
func (s *Service) CreateThingGroup(ctx context.Context, n NewThingGroup) (ThingGroup, error) {
	if err := n.check(); err != nil {
		return ThingGroup{}, err
	}
	var group ThingGroup
	err := s.update(ctx, func(w *work) error {
		have, found, err := w.ThingGroup(n.Name)
		if err != nil {
			return err
		}
		if found {
			group = have
			return s.sameGroup(have, n)
		}
		group, err = s.createGroup(w, n)
		return err
	})
	return group, err
}

func (n NewThingGroup) check() error {
	if err := checkName("thingGroupName", n.Name); err != nil {
		return err
	}
	if err := checkDescription(n.Description); err != nil {
		return err
	}
	return n.patch().check()
}

func (n NewThingGroup) patch() *AttributePatch { return &AttributePatch{Values: n.Attributes} }

func (s *Service) sameGroup(have ThingGroup, n NewThingGroup) error {
	if have.Parent() == n.Parent && have.Description == n.Description && maps.Equal(have.Attributes, n.patch().apply(nil)) {
		return nil
	}
	return fault.AlreadyExists("Thing Group %s already exists in current account with different properties", have.Name).
		About(have.ID, s.ARN("thinggroup", have.Name))
}

func (s *Service) createGroup(w *work, n NewThingGroup) (ThingGroup, error) {
	group := ThingGroup{Name: n.Name, ID: s.newID(), Description: n.Description,
		Attributes: n.patch().apply(nil), Version: 1, Created: millis(w.now)}
	if err := checkGroupAttributes(group); err != nil {
		return ThingGroup{}, err
	}
	parent, err := placeForChild(w, n.Parent)
	if err != nil {
		return ThingGroup{}, err
	}
	if n.Parent != "" {
		group.Ancestors = append(parent.Ancestors, parent.Name)
	}
	if err := w.PutThingGroup(group); err != nil {
		return ThingGroup{}, err
	}
	if err := PutTags(w, s.ARN("thinggroup", group.Name), n.Tags); err != nil {
		return ThingGroup{}, err
	}
	w.changed(GroupChanged, group.Name)
	s.hierarchyEvent(w, added, parent, group)
	return group, s.groupEvent(w, created, group)
}

func checkGroupAttributes(g ThingGroup) error {
	if n := len(g.Attributes); n > attributesMax {
		return fault.InvalidRequest("Thing Group %s can have %d attributes, not %d", g.Name, attributesMax, n)
	}
	return nil
}

// placeForChild gives the group that can take one more child; the zero group for
// a root.
func placeForChild(tx Tx, parent string) (ThingGroup, error) {
	if parent == "" {
		return ThingGroup{}, nil
	}
	group, err := findGroup(tx, parent)
	if err != nil {
		return ThingGroup{}, err
	}
	if len(group.Ancestors)+2 > hierarchyDepthMax {
		return ThingGroup{}, fault.InvalidRequest("Thing Group %s cannot have children: a hierarchy is at most %d groups deep", parent, hierarchyDepthMax)
	}
	children, err := tx.ChildGroups(parent, "", "", childrenMax)
	if err == nil && len(children) >= childrenMax {
		err = fault.InvalidRequest("Thing Group %s already has %d direct children", parent, childrenMax)
	}
	return group, err
}

// ThingGroup gives a group by name, AWS operation DescribeThingGroup.
func (s *Service) ThingGroup(ctx context.Context, name string) (ThingGroup, error) {
	var group ThingGroup
	err := s.store.View(ctx, func(tx Tx) (err error) {
		group, err = findGroup(tx, name)
		return err
	})
	return group, err
}

func findGroup(tx Tx, name string) (ThingGroup, error) {
	group, found, err := tx.ThingGroup(name)
	if err == nil && !found {
		err = fault.NotFound("Thing group %s not found", name)
	}
	return group, err
}

// GroupUpdate is what UpdateThingGroup and UpdateBillingGroup change.
type GroupUpdate struct {
	Description     *string         // nil keeps it
	Attributes      *AttributePatch // nil keeps them; billing groups have none
	ExpectedVersion *int64          // nil: any
}

// UpdateThingGroup changes a group, AWS operation UpdateThingGroup.
func (s *Service) UpdateThingGroup(ctx context.Context, name string, u GroupUpdate) (ThingGroup, error) {
	if err := u.Attributes.check(); err != nil {
		return ThingGroup{}, err
	}
	var group ThingGroup
	err := s.update(ctx, func(w *work) (err error) {
		if group, err = findGroup(w, name); err != nil {
			return err
		}
		if err := u.applyTo(&group); err != nil {
			return err
		}
		if err := w.PutThingGroup(group); err != nil {
			return err
		}
		w.changed(GroupChanged, name)
		return s.groupEvent(w, updated, group)
	})
	return group, err
}

func (u GroupUpdate) applyTo(g *ThingGroup) error {
	if err := checkVersion("thing group", g.Name, g.Version, u.ExpectedVersion); err != nil {
		return err
	}
	g.Version++
	g.Attributes = u.Attributes.apply(g.Attributes)
	if u.Description != nil {
		g.Description = *u.Description
	}
	if err := checkDescription(g.Description); err != nil {
		return err
	}
	return checkGroupAttributes(*g)
}

// DeleteThingGroup deletes a group without children, AWS operation
// DeleteThingGroup. That there is none is a success. Its things leave it without
// an event each: that would be one message for every device of the fleet, and
// the group's own event says the same.
func (s *Service) DeleteThingGroup(ctx context.Context, name string, expectedVersion *int64) error {
	return s.update(ctx, func(w *work) error {
		group, found, err := w.ThingGroup(name)
		if err != nil || !found {
			return err
		}
		if err := checkVersion("thing group", name, group.Version, expectedVersion); err != nil {
			return err
		}
		if err := checkChildless(w, name); err != nil {
			return err
		}
		return s.deleteGroup(w, group)
	})
}

func checkChildless(tx Tx, name string) error {
	children, err := tx.ChildGroups(name, "", "", 1)
	if err != nil || len(children) == 0 {
		return err
	}
	return fault.InvalidRequest("Cannot delete thing group : %s when there are still child groups attached to it", name)
}

func (s *Service) deleteGroup(w *work, group ThingGroup) error {
	if err := s.groupEvent(w, deleted, group); err != nil {
		return err
	}
	if parent := group.Parent(); parent != "" {
		above, err := findGroup(w, parent)
		if err != nil {
			return err
		}
		s.hierarchyEvent(w, removed, above, group)
	}
	resource := s.ARN("thinggroup", group.Name)
	if err := w.DeleteThingGroup(group, resource); err != nil {
		return err
	}
	w.deleted(GroupChanged, group.Name)
	return w.DeleteTags(resource)
}

// GroupFilter selects thing groups.
type GroupFilter struct {
	Parent string // "": no parent in particular
	Prefix string // of the name
	Direct bool   // only direct children of Parent or, without Parent, only roots
}

// ThingGroups lists groups, AWS operation ListThingGroups; Direct is its
// recursive=false.
func (s *Service) ThingGroups(ctx context.Context, f GroupFilter, p Page) (groups []ThingGroup, next string, err error) {
	if err := checkPrefix("namePrefixFilter", f.Prefix); err != nil {
		return nil, "", err
	}
	list := List{"thing groups", f.Parent, f.Prefix, map[bool]string{true: "direct"}[f.Direct]}
	err = s.store.View(ctx, func(tx Tx) error {
		after, err := list.after(p)
		if err != nil {
			return err
		}
		rows, err := f.rows(tx, after, p.Limit()+1)
		groups, next = cut(list, rows, p.Limit(), f.key)
		return err
	})
	return groups, next, err
}

func (f GroupFilter) rows(tx Tx, after string, limit int) ([]ThingGroup, error) {
	if f.Parent == "" && !f.Direct {
		return tx.ThingGroups(f.Prefix, after, limit)
	}
	if f.Parent == "" {
		return tx.ChildGroups("", f.Prefix, after, limit)
	}
	parent, err := findGroup(tx, f.Parent)
	if err != nil {
		return nil, err
	}
	if f.Direct {
		return tx.ChildGroups(f.Parent, f.Prefix, after, limit)
	}
	return tx.DescendantGroups(parent.Path(), f.Prefix, after, limit)
}

// key gives what the selected list is sorted by.
func (f GroupFilter) key(g ThingGroup) []string {
	if f.Parent != "" && !f.Direct {
		return []string{g.Path()}
	}
	return []string{g.Name}
}
