package access

import (
	"context"
	"slices"

	"thingd/internal/fault"
	"thingd/internal/registry"
)

// groupsOf gives the names of the groups that a thing is in and of all groups
// above them, each once, sorted.
func groupsOf(tx Tx, thing string) ([]string, error) {
	memberships, err := tx.Memberships(thing)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range memberships {
		ancestors, name := registry.SplitPath(m.Path)
		names = append(append(names, ancestors...), name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// effective collects the policies of a principal and of groups, by name, each once.
// An empty principal has none.
func (s *Service) effective(tx Tx, principal string, groups []string) ([]Policy, error) {
	var all []Policy
	if principal != "" {
		attached, err := tx.Attached(principal)
		if err != nil {
			return nil, err
		}
		all = attached
	}
	for _, group := range groups {
		attached, err := tx.Attached(s.scope.IoT("thinggroup", group))
		if err != nil {
			return nil, err
		}
		all = append(all, attached...)
	}
	return distinct(all), nil
}

// EffectivePolicy is a policy with the document that decides.
type EffectivePolicy struct {
	Name     string
	Document string
}

// EffectivePolicies gives the policies of a principal and of the groups of a thing,
// AWS operation GetEffectivePolicies. Either may be "".
func (s *Service) EffectivePolicies(ctx context.Context, principal, thing string) ([]EffectivePolicy, error) {
	if principal != "" {
		t, err := s.parseTarget(principal)
		if err != nil {
			return nil, err
		}
		if err := s.checkCertificate(ctx, t); err != nil {
			return nil, err
		}
	}
	found := []EffectivePolicy{}
	err := s.store.View(ctx, func(tx Tx) error {
		groups, err := groupsOfExisting(tx, thing)
		if err != nil {
			return err
		}
		policies, err := s.effective(tx, principal, groups)
		if err != nil {
			return err
		}
		for _, p := range policies {
			v, err := findVersion(tx, p.Name, p.Default)
			if err != nil {
				return err
			}
			found = append(found, EffectivePolicy{p.Name, v.Document})
		}
		return nil
	})
	return found, err
}

func groupsOfExisting(tx Tx, thing string) ([]string, error) {
	if thing == "" {
		return nil, nil
	}
	_, found, err := tx.Thing(thing)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.NotFound("Thing %s not found", thing)
	}
	return groupsOf(tx, thing)
}
