package registry

import (
	"context"
	"time"

	"thingd/internal/fault"
)

// BillingGroup collects things for the accounts. A thing is in at most one.
type BillingGroup struct {
	Name        string
	ID          string // a UUID
	Description string
	Version     int64
	Created     time.Time
}

// CreateBillingGroup makes a billing group, AWS operation CreateBillingGroup. An
// existing one of the same description is given as it is.
func (s *Service) CreateBillingGroup(ctx context.Context, name, description string, tags []Tag) (BillingGroup, error) {
	if err := checkName("billingGroupName", name); err != nil {
		return BillingGroup{}, err
	}
	if err := checkDescription(description); err != nil {
		return BillingGroup{}, err
	}
	var group BillingGroup
	err := s.update(ctx, func(w *work) error {
		have, found, err := w.BillingGroup(name)
		if err != nil {
			return err
		}
		if found {
			group = have
			return s.sameBillingGroup(have, description)
		}
		group = BillingGroup{Name: name, ID: s.newID(), Description: description, Version: 1, Created: millis(w.now)}
		if err := w.PutBillingGroup(group); err != nil {
			return err
		}
		w.changed(BillingGroupChanged, name)
		return PutTags(w, s.ARN("billinggroup", name), tags)
	})
	return group, err
}

func (s *Service) sameBillingGroup(have BillingGroup, description string) error {
	if have.Description == description {
		return nil
	}
	return fault.AlreadyExists("Billing Group %s already exists in current account with different properties", have.Name).
		About(have.ID, s.ARN("billinggroup", have.Name))
}

// BillingGroup gives a billing group by name, AWS operation DescribeBillingGroup.
func (s *Service) BillingGroup(ctx context.Context, name string) (BillingGroup, error) {
	var group BillingGroup
	err := s.store.View(ctx, func(tx Tx) (err error) {
		group, err = findBillingGroup(tx, name)
		return err
	})
	return group, err
}

func findBillingGroup(tx Tx, name string) (BillingGroup, error) {
	group, found, err := tx.BillingGroup(name)
	if err == nil && !found {
		err = fault.NotFound("Billing group %s not found", name)
	}
	return group, err
}

// UpdateBillingGroup changes a billing group, AWS operation UpdateBillingGroup.
func (s *Service) UpdateBillingGroup(ctx context.Context, name string, u GroupUpdate) (BillingGroup, error) {
	var group BillingGroup
	err := s.update(ctx, func(w *work) (err error) {
		if group, err = findBillingGroup(w, name); err != nil {
			return err
		}
		if err := checkVersion("billing group", name, group.Version, u.ExpectedVersion); err != nil {
			return err
		}
		group.Version++
		if u.Description != nil {
			group.Description = *u.Description
		}
		if err := checkDescription(group.Description); err != nil {
			return err
		}
		w.changed(BillingGroupChanged, name)
		return w.PutBillingGroup(group)
	})
	return group, err
}

// DeleteBillingGroup deletes a billing group and clears the field of its things,
// AWS operation DeleteBillingGroup. That there is none is a success.
func (s *Service) DeleteBillingGroup(ctx context.Context, name string, expectedVersion *int64) error {
	return s.update(ctx, func(w *work) error {
		group, found, err := w.BillingGroup(name)
		if err != nil || !found {
			return err
		}
		if err := checkVersion("billing group", name, group.Version, expectedVersion); err != nil {
			return err
		}
		if err := w.DeleteBillingGroup(name); err != nil {
			return err
		}
		w.deleted(BillingGroupChanged, name)
		return w.DeleteTags(s.ARN("billinggroup", name))
	})
}

// BillingGroups lists the billing groups whose names begin with prefix, AWS
// operation ListBillingGroups.
func (s *Service) BillingGroups(ctx context.Context, prefix string, p Page) (groups []BillingGroup, next string, err error) {
	if err := checkPrefix("namePrefixFilter", prefix); err != nil {
		return nil, "", err
	}
	list := List{"billing groups", prefix}
	err = s.store.View(ctx, func(tx Tx) error {
		after, err := list.after(p)
		if err != nil {
			return err
		}
		rows, err := tx.BillingGroups(prefix, after, p.Limit()+1)
		groups, next = cut(list, rows, p.Limit(), func(g BillingGroup) []string { return []string{g.Name} })
		return err
	})
	return groups, next, err
}

// AddThingToBillingGroup puts the thing into the billing group, AWS operation
// AddThingToBillingGroup. A thing of another billing group moves (unconfirmed).
func (s *Service) AddThingToBillingGroup(ctx context.Context, thing, group string) error {
	return s.bill(ctx, thing, group, func(t *Thing) { t.BillingGroup = group })
}

// RemoveThingFromBillingGroup takes the thing out of the billing group, AWS
// operation RemoveThingFromBillingGroup. That it is not in it is a success
// (unconfirmed).
func (s *Service) RemoveThingFromBillingGroup(ctx context.Context, thing, group string) error {
	return s.bill(ctx, thing, group, func(t *Thing) {
		if t.BillingGroup == group {
			t.BillingGroup = ""
		}
	})
}

// bill changes a thing's billing group; its version stays, as with all
// memberships.
func (s *Service) bill(ctx context.Context, thing, group string, change func(*Thing)) error {
	return s.update(ctx, func(w *work) error {
		t, err := findThing(w, thing)
		if err != nil {
			return err
		}
		if _, err := findBillingGroup(w, group); err != nil {
			return err
		}
		before := t.BillingGroup
		if change(&t); t.BillingGroup == before {
			return nil
		}
		w.changed(ThingChanged, thing)
		return w.PutThing(t)
	})
}

// ThingsInBillingGroup lists names of things, AWS operation
// ListThingsInBillingGroup.
func (s *Service) ThingsInBillingGroup(ctx context.Context, group string, p Page) (things []string, next string, err error) {
	list := List{"things of billing group", group}
	err = s.store.View(ctx, func(tx Tx) error {
		after, err := list.after(p)
		if err != nil {
			return err
		}
		if _, err := findBillingGroup(tx, group); err != nil {
			return err
		}
		rows, err := tx.ThingsOfBillingGroup(group, after, p.Limit()+1)
		things, next = cut(list, rows, p.Limit(), func(name string) []string { return []string{name} })
		return err
	})
	return things, next, err
}
