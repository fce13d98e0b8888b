package edgefleet

import (
	"context"

	"thingd/internal/credentials"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

// aliasPrefix begins the names of fleets' role aliases.
const aliasPrefix = "SageMakerEdge-"

// CreateFleet makes a fleet, AWS operation CreateDeviceFleet. With a role it also
// makes the role alias SageMakerEdge-NAME, unless alias says no: clients that
// never ask for the alias go on to use it. A name that is taken is AlreadyExists,
// and so is a role alias of that name for another role.
func (s *Service) CreateFleet(ctx context.Context, f Fleet, alias *bool, tags []registry.Tag) error {
	f.Created = s.time()
	f.Modified, f.RoleAlias = f.Created, ""
	if alias == nil && f.RoleARN != "" {
		alias = new(true)
	}
	return s.store.Update(ctx, func(tx Tx) error {
		f := f
		if _, taken, err := tx.Fleet(f.Name); err != nil {
			return err
		} else if taken {
			return fault.AlreadyExists("Device fleet %s already exists", f.Name).About(f.Name, s.FleetARN(f.Name))
		}
		if err := s.settleAlias(tx, &f, f.RoleARN, alias); err != nil {
			return err
		}
		if err := tx.PutFleet(f); err != nil {
			return err
		}
		return registry.PutTags(tx, s.FleetARN(f.Name), tags)
	})
}

// settleAlias makes the role alias what it should be, and notes it in the fleet:
// there, of the fleet's role, where want is true or it is there already; gone
// where want is false. before is the role until now.
func (s *Service) settleAlias(tx Tx, f *Fleet, before string, want *bool) error {
	if f.RoleARN != "" {
		if err := s.credentials.CheckRole(f.RoleARN); err != nil {
			return err
		}
	}
	switch {
	case want == nil && f.RoleAlias == "":
		return nil
	case want != nil && !*want:
		return s.dropAlias(tx, f, before)
	case f.RoleARN == "":
		return fault.InvalidRequest("EnableIotRoleAlias needs a RoleArn")
	case f.RoleAlias != "" && before == f.RoleARN:
		return nil
	}
	return s.pointAlias(tx, f, before)
}

// pointAlias makes the fleet's role alias, or points it at the fleet's role. One
// of another role is somebody else's: to redirect it would hand its devices to
// whoever may create fleets.
func (s *Service) pointAlias(tx Tx, f *Fleet, before string) error {
	name := aliasPrefix + f.Name
	alias, found, err := tx.RoleAlias(name)
	if err != nil {
		return err
	}
	f.RoleAlias = name
	switch {
	case !found:
		return s.credentials.CreateIn(tx, credentials.RoleAlias{Name: name, RoleARN: f.RoleARN}, nil)
	case alias.RoleARN == f.RoleARN:
		return nil
	case alias.RoleARN == before:
		return s.credentials.UpdateIn(tx, name, f.RoleARN, 0)
	}
	return fault.AlreadyExists("Role alias %s already exists, for the role %s", name, alias.RoleARN).About(name, s.credentials.ARN(name))
}

// dropAlias deletes the fleet's role alias, unless somebody pointed it elsewhere.
func (s *Service) dropAlias(tx Tx, f *Fleet, before string) error {
	name := f.RoleAlias
	if name == "" {
		return nil
	}
	f.RoleAlias = ""
	alias, found, err := tx.RoleAlias(name)
	if err != nil || !found || alias.RoleARN != before {
		return err
	}
	return s.credentials.DeleteIn(tx, name)
}

// Fleet gives a fleet, AWS operation DescribeDeviceFleet.
func (s *Service) Fleet(ctx context.Context, name string) (f Fleet, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		f, err = findFleet(tx, name)
		return err
	})
	return f, err
}

func findFleet(tx Tx, name string) (Fleet, error) {
	f, found, err := tx.Fleet(name)
	if err == nil && !found {
		err = fault.NotFound("Device fleet %s does not exist", name)
	}
	return f, err
}

// UpdateFleet changes a fleet, AWS operation UpdateDeviceFleet. The output is
// replaced; an empty role or description leaves what there is. A new role goes
// for the fleet's role alias too; alias says to make it or to delete it.
func (s *Service) UpdateFleet(ctx context.Context, change Fleet, alias *bool) error {
	return s.store.Update(ctx, func(tx Tx) error {
		f, err := findFleet(tx, change.Name)
		if err != nil {
			return err
		}
		before := f.RoleARN
		f.Output, f.Modified = change.Output, s.time()
		if change.RoleARN != "" {
			f.RoleARN = change.RoleARN
		}
		if change.Description != "" {
			f.Description = change.Description
		}
		if err := s.settleAlias(tx, &f, before, alias); err != nil {
			return err
		}
		return tx.PutFleet(f)
	})
}

// DeleteFleet deletes a fleet without devices and plans and its role alias, AWS
// operation DeleteDeviceFleet; else it is DeleteConflict.
func (s *Service) DeleteFleet(ctx context.Context, name string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		f, err := findFleet(tx, name)
		if err != nil {
			return err
		}
		if err := checkEmpty(tx, f); err != nil {
			return err
		}
		if err := s.dropAlias(tx, &f, f.RoleARN); err != nil {
			return err
		}
		if err := tx.DeleteFleet(name); err != nil {
			return err
		}
		return tx.DeleteTags(s.FleetARN(name))
	})
}

func checkEmpty(tx Tx, f Fleet) error {
	devices, err := tx.Devices(DeviceQuery{Fleet: f.Name, Limit: 1})
	if err != nil {
		return err
	}
	if len(devices) > 0 {
		return fault.DeleteConflict("Device fleet %s has devices; deregister them first", f.Name)
	}
	planned, err := tx.HasPlans(f.Name)
	if err == nil && planned {
		err = fault.DeleteConflict("Device fleet %s has edge deployment plans; delete them first", f.Name)
	}
	return err
}

// Fleets lists fleets, AWS operation ListDeviceFleets.
func (s *Service) Fleets(ctx context.Context, q Query, p registry.Page) ([]Fleet, string, error) {
	return listing[Fleet]{"fleets", Tx.Fleets, func(f Fleet, by Sort) Place {
		return placeOf(by, f.Name, f.Created, f.Modified)
	}}.page(ctx, s, q, p)
}
