package edgefleet

import (
	"context"
	"strconv"

	"thingd/internal/fault"
	"thingd/internal/registry"
)

// Register adds devices to a fleet, all or none, AWS operation RegisterDevices.
// A device that is there already is fine if it is the same, so that scripts may
// run again; with another thing or description it is AlreadyExists.
func (s *Service) Register(ctx context.Context, fleet string, devices []Device, tags []registry.Tag) error {
	return s.store.Update(ctx, func(tx Tx) error {
		f, err := findFleet(tx, fleet)
		if err != nil {
			return err
		}
		for _, d := range devices {
			if err := s.register(tx, f, d, tags); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) register(tx Tx, f Fleet, d Device, tags []registry.Tag) error {
	have, found, err := tx.Device(f.Name, d.Name)
	if err != nil {
		return err
	}
	if found && (have.Thing != d.Thing || have.Description != d.Description) {
		return fault.AlreadyExists("Device %s is already registered in device fleet %s", d.Name, f.Name).About(d.Name, s.DeviceARN(f.Name, d.Name))
	}
	if !found {
		d.Fleet, d.Registered = f.Name, s.time()
		if err := tx.PutDevice(d); err != nil {
			return err
		}
	}
	return registry.PutTags(tx, s.DeviceARN(f.Name, d.Name), tags)
}

func findDevice(tx Tx, fleet, name string) (Device, error) {
	d, found, err := tx.Device(fleet, name)
	if err == nil && !found {
		err = fault.NotFound("Device %s is not registered in device fleet %s", name, fleet)
	}
	return d, err
}

// UpdateDevices changes description and thing of devices, all or none, AWS
// operation UpdateDevices. What is empty stays.
func (s *Service) UpdateDevices(ctx context.Context, fleet string, changes []Device) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := findFleet(tx, fleet); err != nil {
			return err
		}
		for _, change := range changes {
			d, err := findDevice(tx, fleet, change.Name)
			if err != nil {
				return err
			}
			if change.Description != "" {
				d.Description = change.Description
			}
			if change.Thing != "" {
				d.Thing = change.Thing
			}
			if err := tx.PutDevice(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// Deregister removes devices from a fleet, AWS operation DeregisterDevices. A
// device that is not there is a success.
func (s *Service) Deregister(ctx context.Context, fleet string, names []string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, err := findFleet(tx, fleet); err != nil {
			return err
		}
		for _, name := range names {
			if err := s.deregister(tx, fleet, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) deregister(tx Tx, fleet, name string) error {
	deployments, err := tx.DeploymentsOf(fleet, name)
	if err != nil {
		return err
	}
	for _, d := range deployments {
		if err := s.withdraw(tx, d); err != nil {
			return err
		}
	}
	if err := tx.DeleteDevice(fleet, name); err != nil {
		return err
	}
	return tx.DeleteTags(s.DeviceARN(fleet, name))
}

// Device gives a device and a page of its models, AWS operation DescribeDevice.
func (s *Service) Device(ctx context.Context, fleet, name string, p registry.Page) (d Device, next string, err error) {
	list := registry.List{"models", Key(fleet), Key(name)}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return Device{}, "", err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		if _, err := findFleet(tx, fleet); err != nil {
			return err
		}
		d, err = findDevice(tx, fleet, name)
		return err
	})
	from, _ := strconv.Atoi(keys[0]) // "" begins; the token's digest vouches for the rest
	from = min(from, len(d.Models))
	end := min(from+limitOf(p), len(d.Models))
	if end < len(d.Models) {
		next = list.Token(strconv.Itoa(end))
	}
	d.Models = d.Models[from:end]
	return d, next, err
}

// Devices lists devices by fleet and name, AWS operation ListDevices.
func (s *Service) Devices(ctx context.Context, q DeviceQuery, p registry.Page) (devices []Device, next string, err error) {
	list := registry.List{"devices", Key(q.Fleet), q.Model, q.HeartbeatAfter.String()}
	keys, err := list.Keys(p.Token, 2)
	if err != nil {
		return nil, "", err
	}
	limit := limitOf(p)
	q.AfterFleet, q.AfterDevice, q.Limit = keys[0], keys[1], limit+1
	err = s.store.View(ctx, func(tx Tx) error {
		if q.Fleet != "" {
			if _, err := findFleet(tx, q.Fleet); err != nil {
				return err
			}
		}
		devices, err = tx.Devices(q)
		return err
	})
	if err != nil || len(devices) <= limit {
		return devices, "", err
	}
	last := devices[limit-1]
	return devices[:limit], list.Token(Key(last.Fleet), Key(last.Name)), nil
}
