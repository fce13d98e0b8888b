package registry

import (
	"context"

	"thingd/internal/fault"
)

// Membership is a thing's place in a group.
type Membership struct {
	ID    string // a UUID
	Thing string
	Path  string // of the group, which never changes
}

// Group gives the name of the group.
func (m Membership) Group() string {
	_, name := SplitPath(m.Path)
	return name
}

// AddThingToThingGroup makes the thing a member, AWS operation
// AddThingToThingGroup. Repeating is a success. A second group of one hierarchy
// and an eleventh group are InvalidRequest.
func (s *Service) AddThingToThingGroup(ctx context.Context, thing, group string) error {
	return s.UpdateThingGroupsForThing(ctx, thing, []string{group}, nil)
}

// RemoveThingFromThingGroup ends the membership, AWS operation
// RemoveThingFromThingGroup. That there is none is a success.
func (s *Service) RemoveThingFromThingGroup(ctx context.Context, thing, group string) error {
	return s.UpdateThingGroupsForThing(ctx, thing, nil, []string{group})
}

// UpdateThingGroupsForThing leaves groups and then joins others, all of it or
// nothing, AWS operation UpdateThingGroupsForThing.
func (s *Service) UpdateThingGroupsForThing(ctx context.Context, thing string, add, remove []string) error {
	return s.update(ctx, func(w *work) error {
		t, err := findThing(w, thing)
		if err != nil {
			return err
		}
		for _, name := range remove {
			if err := s.leave(w, t, name); err != nil {
				return err
			}
		}
		for _, name := range add {
			if err := s.join(w, t, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) join(w *work, thing Thing, name string) error {
	group, err := findGroup(w, name)
	if err != nil {
		return err
	}
	have, err := w.Memberships(thing.Name)
	if err != nil {
		return err
	}
	path := group.Path()
	for _, m := range have {
		if m.Path == path {
			return nil
		}
		if root(m.Path) == root(path) {
			return fault.InvalidRequest("Thing %s is already in thing group %s, which belongs to the same hierarchy as %s", thing.Name, m.Group(), name)
		}
	}
	if len(have) >= groupsOfThingMax {
		return fault.InvalidRequest("Thing %s is already in %d thing groups", thing.Name, groupsOfThingMax)
	}
	m := Membership{ID: s.newID(), Thing: thing.Name, Path: path}
	if err := w.PutMembership(m); err != nil {
		return err
	}
	w.changed(MembershipChanged, thing.Name)
	s.membershipEvent(w, added, group, thing, m)
	return nil
}

func (s *Service) leave(w *work, thing Thing, name string) error {
	group, err := findGroup(w, name)
	if err != nil {
		return err
	}
	have, err := w.Memberships(thing.Name)
	if err != nil {
		return err
	}
	path := group.Path()
	for _, m := range have {
		if m.Path == path {
			return s.end(w, group, thing, m)
		}
	}
	return nil
}

func (s *Service) end(w *work, group ThingGroup, thing Thing, m Membership) error {
	if err := w.DeleteMembership(m); err != nil {
		return err
	}
	w.changed(MembershipChanged, thing.Name)
	s.membershipEvent(w, removed, group, thing, m)
	return nil
}

// leaveAll ends all memberships of a thing that goes.
func (s *Service) leaveAll(w *work, thing Thing) error {
	have, err := w.Memberships(thing.Name)
	if err != nil {
		return err
	}
	for _, m := range have {
		group, err := findGroup(w, m.Group())
		if err != nil {
			return err
		}
		if err := s.end(w, group, thing, m); err != nil {
			return err
		}
	}
	return nil
}

// ThingGroupsForThing lists the names of the groups that the thing is directly
// in, AWS operation ListThingGroupsForThing.
func (s *Service) ThingGroupsForThing(ctx context.Context, thing string, p Page) (groups []string, next string, err error) {
	list := List{"groups of thing", thing}
	err = s.store.View(ctx, func(tx Tx) error {
		after, err := list.after(p)
		if err != nil {
			return err
		}
		if _, err := findThing(tx, thing); err != nil {
			return err
		}
		have, err := tx.Memberships(thing)
		if err != nil {
			return err
		}
		for len(have) > 0 && have[0].Path <= after {
			have = have[1:]
		}
		have, next = cut(list, have, p.Limit(), func(m Membership) []string { return []string{m.Path} })
		groups = []string{}
		for _, m := range have {
			groups = append(groups, m.Group())
		}
		return nil
	})
	return groups, next, err
}

// ThingsInThingGroup lists the names of the group's members and, if recursive,
// of the members of the groups below it, AWS operation ListThingsInThingGroup.
func (s *Service) ThingsInThingGroup(ctx context.Context, group string, recursive bool, p Page) (things []string, next string, err error) {
	list := List{"things of group", group, map[bool]string{true: "recursive"}[recursive]}
	err = s.store.View(ctx, func(tx Tx) error {
		keys, err := list.Keys(p.Token, 2)
		if err != nil {
			return err
		}
		g, err := findGroup(tx, group)
		if err != nil {
			return err
		}
		rows, err := tx.Members(g.Path(), recursive, MemberKey{keys[0], keys[1]}, p.Limit()+1)
		rows, next = cut(list, rows, p.Limit(), func(m Membership) []string { return []string{m.Path, m.Thing} })
		things = make([]string, len(rows))
		for i, m := range rows {
			things[i] = m.Thing
		}
		return err
	})
	return things, next, err
}
