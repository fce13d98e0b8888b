package access

import (
	"context"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/policy"
	"thingd/internal/registry"
)

// Limits of AWS IoT's policies.
const (
	nameMax     = 128 // characters of a policy's name
	versionsMax = 5   // versions kept of one policy
)

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-"

func checkName(name string) error {
	if name == "" || len(name) > nameMax || strings.Trim(name, nameChars) != "" {
		return fault.InvalidRequest("a policy name has 1 to %d of the characters %s", nameMax, nameChars)
	}
	return nil
}

// CreatePolicy makes a policy with its first version, AWS operation CreatePolicy.
// A name that is taken is AlreadyExists, even for the same document; a bad
// document is MalformedPolicy.
func (s *Service) CreatePolicy(ctx context.Context, name, document string, tags []registry.Tag) (Version, error) {
	if err := checkName(name); err != nil {
		return Version{}, err
	}
	if _, err := policy.Parse(document, policy.IoT); err != nil {
		return Version{}, err
	}
	now := s.time()
	first := Version{Policy: name, ID: 1, Document: document, Created: now}
	err := s.update(ctx, func(tx Tx) ([]Change, error) {
		_, found, err := tx.Policy(name)
		if err != nil {
			return nil, err
		}
		if found {
			return nil, fault.AlreadyExists("Policy cannot be created - name already exists (name=%s)", name).About(name, s.ARN(name))
		}
		err = tx.PutPolicy(Policy{Name: name, Generation: s.newID(), Default: 1, Last: 1, Created: now, Modified: now})
		if err != nil {
			return nil, err
		}
		if err := tx.PutVersion(first); err != nil {
			return nil, err
		}
		return nil, registry.PutTags(tx, s.ARN(name), tags)
	})
	return first, err
}

// time gives the time in what a database keeps of it.
func (s *Service) time() time.Time { return time.UnixMilli(s.now().UnixMilli()).UTC() }

// Policy gives a policy and its default version, AWS operation GetPolicy.
func (s *Service) Policy(ctx context.Context, name string) (p Policy, v Version, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		if p, err = findPolicy(tx, name); err != nil {
			return err
		}
		v, err = findVersion(tx, name, p.Default)
		return err
	})
	return p, v, err
}

func findPolicy(tx Tx, name string) (Policy, error) {
	p, found, err := tx.Policy(name)
	if err == nil && !found {
		err = fault.NotFound("Policy not found")
	}
	return p, err
}

func findVersion(tx Tx, name string, id VersionID) (Version, error) {
	v, found, err := tx.Version(name, id)
	if err == nil && !found {
		err = fault.NotFound("Policy version not found")
	}
	return v, err
}

// parseVersion reads an ID; one that is no number is of no version.
func parseVersion(text string) (VersionID, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != text {
		return 0, fault.NotFound("Policy version not found")
	}
	return VersionID(id), nil
}

// PolicyVersion gives one version of a policy, AWS operation GetPolicyVersion.
func (s *Service) PolicyVersion(ctx context.Context, name, versionID string) (p Policy, v Version, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		if p, err = findPolicy(tx, name); err != nil {
			return err
		}
		id, err := parseVersion(versionID)
		if err != nil {
			return err
		}
		v, err = findVersion(tx, name, id)
		return err
	})
	return p, v, err
}

// PolicyVersions gives a policy and its versions, the newest first, AWS operation
// ListPolicyVersions.
func (s *Service) PolicyVersions(ctx context.Context, name string) (p Policy, versions []Version, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		if p, err = findPolicy(tx, name); err != nil {
			return err
		}
		versions, err = tx.Versions(name)
		return err
	})
	return p, versions, err
}

// CreatePolicyVersion adds a version, AWS operation CreatePolicyVersion. The sixth
// is VersionsLimitExceeded.
func (s *Service) CreatePolicyVersion(ctx context.Context, name, document string, setAsDefault bool) (Version, error) {
	if _, err := policy.Parse(document, policy.IoT); err != nil {
		return Version{}, err
	}
	var v Version
	err := s.update(ctx, func(tx Tx) ([]Change, error) {
		p, err := findPolicy(tx, name)
		if err != nil {
			return nil, err
		}
		versions, err := tx.Versions(name)
		if err != nil {
			return nil, err
		}
		if len(versions) >= versionsMax {
			return nil, fault.New(fault.CodeVersionsLimitExceeded, "The policy %s already has the maximum number of versions (%d)", name, versionsMax)
		}
		p.Last++
		p.Modified = s.time()
		v = Version{Policy: name, ID: p.Last, Document: document, Created: p.Modified}
		if err := tx.PutVersion(v); err != nil {
			return nil, err
		}
		if !setAsDefault {
			return nil, tx.PutPolicy(p)
		}
		p.Default = v.ID
		return []Change{{PolicyChanged, name}}, tx.PutPolicy(p)
	})
	return v, err
}

// SetDefaultPolicyVersion says which version decides, AWS operation
// SetDefaultPolicyVersion.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, name, versionID string) error {
	return s.update(ctx, func(tx Tx) ([]Change, error) {
		p, err := findPolicy(tx, name)
		if err != nil {
			return nil, err
		}
		id, err := parseVersion(versionID)
		if err != nil {
			return nil, err
		}
		if _, err := findVersion(tx, name, id); err != nil {
			return nil, err
		}
		p.Default, p.Modified = id, s.time()
		return []Change{{PolicyChanged, name}}, tx.PutPolicy(p)
	})
}

// DeletePolicyVersion deletes a version that is not the default one, AWS operation
// DeletePolicyVersion. For the default one AWS's model has DeleteConflict, too
// (unconfirmed which).
func (s *Service) DeletePolicyVersion(ctx context.Context, name, versionID string) error {
	return s.update(ctx, func(tx Tx) ([]Change, error) {
		p, err := findPolicy(tx, name)
		if err != nil {
			return nil, err
		}
		id, err := parseVersion(versionID)
		if err != nil {
			return nil, err
		}
		if _, err := findVersion(tx, name, id); err != nil {
			return nil, err
		}
		if p.Default == id {
			return nil, fault.InvalidRequest("Cannot delete the default version of a policy")
		}
		return nil, tx.DeleteVersion(name, id)
	})
}

// DeletePolicy deletes a policy that is attached to nothing and has no version
// but the default one, AWS operation DeletePolicy; else it is DeleteConflict.
func (s *Service) DeletePolicy(ctx context.Context, name string) error {
	return s.update(ctx, func(tx Tx) ([]Change, error) {
		if _, err := findPolicy(tx, name); err != nil {
			return nil, err
		}
		if err := checkFree(tx, name); err != nil {
			return nil, err
		}
		if err := tx.DeletePolicy(name); err != nil {
			return nil, err
		}
		return []Change{{PolicyChanged, name}}, tx.DeleteTags(s.ARN(name))
	})
}

func checkFree(tx Tx, name string) error {
	targets, err := tx.Targets(name, "", false, 1)
	if err != nil {
		return err
	}
	if len(targets) > 0 {
		return fault.DeleteConflict("The policy cannot be deleted as the policy is attached to one or more principals (name=%s)", name)
	}
	versions, err := tx.Versions(name)
	if err == nil && len(versions) > 1 {
		err = fault.DeleteConflict("Cannot delete the policy because it has one or more policy versions attached to it (name=%s)", name)
	}
	return err
}

// Exists says whether there is a policy of this name; tags ask it.
func (s *Service) Exists(ctx context.Context, name string) (found bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		_, found, err = tx.Policy(name)
		return err
	})
	return found, err
}

// pageSize is the default of the listings with markers.
const pageSize = 25

// limit gives the size of a page of a listing with markers.
func limit(p registry.Page) int {
	if p.Size <= 0 {
		return pageSize
	}
	return p.Limit()
}

// Policies lists policies by time of creation, AWS operation ListPolicies: the
// newest first unless ascending.
func (s *Service) Policies(ctx context.Context, ascending bool, p registry.Page) (policies []Policy, next string, err error) {
	list := registry.List{"policies", strconv.FormatBool(ascending)}
	keys, err := list.Keys(p.Token, 2)
	if err != nil {
		return nil, "", err
	}
	after := PolicyKey{Name: keys[1]}
	if keys[0] != "" {
		ms, _ := strconv.ParseInt(keys[0], 10, 64) // the token's digest vouches for it
		after.Created = time.UnixMilli(ms).UTC()
	}
	err = s.store.View(ctx, func(tx Tx) error {
		policies, err = tx.Policies(after, !ascending, limit(p)+1)
		return err
	})
	if err != nil || len(policies) <= limit(p) {
		return policies, "", err
	}
	policies = policies[:limit(p)]
	last := policies[limit(p)-1]
	return policies, list.Token(strconv.FormatInt(last.Created.UnixMilli(), 10), last.Name), nil
}
