package iam

import (
	"context"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/policy"
)

// sessionDefault is how long a role's sessions last where nobody says, and the
// longest that a role allows where it does not say.
const sessionDefault = time.Hour

// CreateRole adds a role (CreateRole). Trust says who may assume it.
func (s *Service) CreateRole(ctx context.Context, r Role) (Role, error) {
	if _, err := policy.Parse(r.Trust, policy.Trust); err != nil {
		return Role{}, err
	}
	r.Path, r.ID, r.Created = path(r.Path), newID(rolePrefix, uniqueIDLength), s.timestamp()
	if r.SessionMax == 0 {
		r.SessionMax = sessionDefault
	}
	return r, s.update(ctx, func(tx Tx) error {
		if _, taken, err := tx.Role(r.Name); err != nil {
			return err
		} else if taken {
			return fault.AlreadyExists("Role with name %s already exists.", r.Name)
		}
		return tx.PutRole(r)
	})
}

// Role gives a role (GetRole).
func (s *Service) Role(ctx context.Context, name string) (Role, error) {
	return read(ctx, s, func(tx Tx) (Role, error) { return existingRole(tx, name) })
}

func existingRole(tx Tx, name string) (Role, error) {
	r, found, err := tx.Role(name)
	if err == nil && !found {
		err = fault.NotFound("The role with name %s cannot be found.", name)
	}
	return r, err
}

// RoleByARN gives the role that an ARN names; found is false where there is none
// or the ARN is no role's.
func (s *Service) RoleByARN(ctx context.Context, roleARN string) (role Role, found bool, err error) {
	name := roleARN[strings.LastIndexByte(roleARN, '/')+1:]
	err = s.store.View(ctx, func(tx Tx) (err error) {
		role, found, err = tx.Role(name)
		return err
	})
	if !found || s.RoleARN(role) != roleARN {
		return Role{}, false, err
	}
	return role, true, err
}

// ChangeRole lets change decide what becomes of a role: its trust (which is
// checked), description or tags (UpdateAssumeRolePolicy, TagRole, UntagRole).
func (s *Service) ChangeRole(ctx context.Context, name string, change func(*Role)) error {
	return s.update(ctx, func(tx Tx) error {
		r, err := existingRole(tx, name)
		if err != nil {
			return err
		}
		trust := r.Trust
		if change(&r); r.Trust != trust {
			if _, err := policy.Parse(r.Trust, policy.Trust); err != nil {
				return err
			}
		}
		if len(r.Tags) > tagsMax {
			return fault.LimitExceeded("The number of tags has reached the maximum limit: %d", tagsMax)
		}
		return tx.PutRole(r)
	})
}

// tagsMax bounds the tags of one role (AWS's quota).
const tagsMax = 50

// DeleteRole removes a role that has no policies (DeleteRole). Its sessions end.
func (s *Service) DeleteRole(ctx context.Context, name string) error {
	return s.update(ctx, func(tx Tx) error {
		if _, err := existingRole(tx, name); err != nil {
			return err
		}
		if err := withoutPolicies(tx, owner{ByRole, name}); err != nil {
			return err
		}
		return tx.DeleteRole(name)
	})
}

// Roles lists roles by name (ListRoles).
func (s *Service) Roles(ctx context.Context, p Page) ([]Role, string, error) {
	return page(ctx, s, p, func(tx Tx, after string, limit int) ([]Role, error) {
		return tx.Roles(p.PathPrefix, after, limit)
	}, func(r Role) string { return r.Name })
}
