package edgefleet

import (
	"context"
	"strings"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/registry"
)

// AddTags puts tags on a fleet, device, plan or job and gives all that it has, AWS
// operation AddTags.
func (s *Service) AddTags(ctx context.Context, resource string, tags []registry.Tag) (all []registry.Tag, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		name, err := s.tagged(tx, resource)
		if err != nil {
			return err
		}
		if err := registry.PutTags(tx, name, tags); err != nil {
			return err
		}
		all, err = tx.Tags(name)
		return err
	})
	return all, err
}

// Tags lists the tags of a resource by key, AWS operation ListTags. It has at
// most 50, which are one page.
func (s *Service) Tags(ctx context.Context, resource string) (all []registry.Tag, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		name, err := s.tagged(tx, resource)
		if err != nil {
			return err
		}
		all, err = tx.Tags(name)
		return err
	})
	return all, err
}

// DeleteTags takes tags off a resource, AWS operation DeleteTags. A key that is
// not there is a success.
func (s *Service) DeleteTags(ctx context.Context, resource string, keys []string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		name, err := s.tagged(tx, resource)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := tx.DeleteTag(name, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// tagged gives the name under which the tags of a resource are kept. A resource
// that does not exist is NotFound.
func (s *Service) tagged(tx Tx, resource string) (string, error) {
	parsed, err := arn.Parse(resource)
	if err != nil {
		return "", err
	}
	if !parsed.In(s.scope, "sagemaker") {
		return "", fault.NotFound("%s is no resource of this account", resource)
	}
	kind, id := parsed.Kind()
	id = Key(id)
	fleet, device, isDevice := strings.Cut(id, "/device/")
	switch {
	case kind == "device-fleet" && isDevice:
		_, err = findDevice(tx, fleet, device)
	case kind == "device-fleet":
		_, err = findFleet(tx, id)
	case kind == "edge-deployment":
		_, err = findPlan(tx, id)
	case kind == "edge-packaging-job":
		_, err = findJob(tx, id)
	default:
		err = fault.InvalidRequest("resources of kind %q cannot be tagged", kind)
	}
	return s.scope.Of("sagemaker", kind+"/"+id), err
}
