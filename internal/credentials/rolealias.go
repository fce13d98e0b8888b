package credentials

import (
	"context"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/registry"
)

// Limits of AWS IoT's role aliases.
const (
	nameMax         = 128 // characters
	durationMin     = 15 * time.Minute
	durationMax     = 12 * time.Hour
	durationDefault = time.Hour
	pageSize        = 25 // names of a page where nobody says (unconfirmed)
)

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=,@-"

// Create makes a role alias, AWS operation CreateRoleAlias. A Duration of 0 is an
// hour. A name that is taken is AlreadyExists.
func (s *Service) Create(ctx context.Context, alias RoleAlias, tags []registry.Tag) error {
	return s.store.Update(ctx, func(tx Tx) error { return s.CreateIn(tx, alias, tags) })
}

// CreateIn is Create as a part of somebody else's transaction.
func (s *Service) CreateIn(tx Tx, alias RoleAlias, tags []registry.Tag) error {
	if alias.Duration == 0 {
		alias.Duration = durationDefault
	}
	if err := s.check(alias); err != nil {
		return err
	}
	_, taken, err := tx.RoleAlias(alias.Name)
	if err != nil {
		return err
	}
	if taken {
		return fault.AlreadyExists("Role alias %s already exists", alias.Name).About(alias.Name, s.ARN(alias.Name))
	}
	alias.Created = s.time()
	alias.Modified = alias.Created
	if err := tx.PutRoleAlias(alias); err != nil {
		return err
	}
	return registry.PutTags(tx, s.ARN(alias.Name), tags)
}

// time gives the time in what a database keeps of it.
func (s *Service) time() time.Time { return time.UnixMilli(s.now().UnixMilli()).UTC() }

func (s *Service) check(alias RoleAlias) error {
	if err := s.CheckRole(alias.RoleARN); err != nil {
		return err
	}
	switch {
	case alias.Name == "" || len(alias.Name) > nameMax || strings.Trim(alias.Name, nameChars) != "":
		return fault.InvalidRequest("a role alias has 1 to %d of the characters %s", nameMax, nameChars)
	case alias.Duration < durationMin || alias.Duration > durationMax:
		return fault.InvalidRequest("credentialDurationSeconds is %d to %d, not %d",
			int(durationMin.Seconds()), int(durationMax.Seconds()), int(alias.Duration.Seconds()))
	}
	return nil
}

// CheckRole refuses what names no role of this account: nobody here could assume
// it. Whether the role exists counts when a device asks, so that role and alias
// can be made in any order.
func (s *Service) CheckRole(roleARN string) error {
	if name, ok := strings.CutPrefix(roleARN, s.scope.IAM("role/")); !ok || name == "" {
		return fault.InvalidRequest("%q is not the ARN of a role of account %s", roleARN, s.scope.Account)
	}
	return nil
}

// Describe gives a role alias, AWS operation DescribeRoleAlias.
func (s *Service) Describe(ctx context.Context, name string) (alias RoleAlias, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		alias, err = find(tx, name)
		return err
	})
	return alias, err
}

func find(tx Tx, name string) (RoleAlias, error) {
	alias, found, err := tx.RoleAlias(name)
	if err == nil && !found {
		err = fault.NotFound("Role alias %s does not exist", name)
	}
	return alias, err
}

// Exists says whether there is a role alias of this name; tags ask it.
func (s *Service) Exists(ctx context.Context, name string) (found bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		_, found, err = tx.RoleAlias(name)
		return err
	})
	return found, err
}

// Update points an alias at another role or changes how long sessions last, AWS
// operation UpdateRoleAlias. "" and 0 leave what there is. Sessions that are open
// stay as they are.
func (s *Service) Update(ctx context.Context, name, roleARN string, duration time.Duration) error {
	return s.store.Update(ctx, func(tx Tx) error { return s.UpdateIn(tx, name, roleARN, duration) })
}

// UpdateIn is Update as a part of somebody else's transaction.
func (s *Service) UpdateIn(tx Tx, name, roleARN string, duration time.Duration) error {
	alias, err := find(tx, name)
	if err != nil {
		return err
	}
	if roleARN != "" {
		alias.RoleARN = roleARN
	}
	if duration != 0 {
		alias.Duration = duration
	}
	if err := s.check(alias); err != nil {
		return err
	}
	alias.Modified = s.time()
	return tx.PutRoleAlias(alias)
}

// Delete removes a role alias, AWS operation DeleteRoleAlias.
func (s *Service) Delete(ctx context.Context, name string) error {
	return s.store.Update(ctx, func(tx Tx) error { return s.DeleteIn(tx, name) })
}

// DeleteIn is Delete as a part of somebody else's transaction.
func (s *Service) DeleteIn(tx Tx, name string) error {
	if _, err := find(tx, name); err != nil {
		return err
	}
	if err := tx.DeleteRoleAlias(name); err != nil {
		return err
	}
	return tx.DeleteTags(s.ARN(name))
}

// List lists the names of role aliases in alphabetical order, AWS operation
// ListRoleAliases: backwards unless ascending, which is what absent means in
// AWS's other listings with this member (unconfirmed here).
func (s *Service) List(ctx context.Context, ascending bool, p registry.Page) (names []string, next string, err error) {
	limit := pageSize
	if p.Size > 0 {
		limit = p.Limit()
	}
	list := registry.List{"rolealiases", strconv.FormatBool(ascending)}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		names, err = tx.RoleAliases(keys[0], !ascending, limit+1)
		return err
	})
	if err != nil || len(names) <= limit {
		return names, "", err
	}
	return names[:limit], list.Token(names[limit-1]), nil
}
