package iam

import (
	"context"
	"slices"

	"thingd/internal/fault"
	"thingd/internal/policy"
)

const (
	attachedMax = 20 // managed policies of one user or role; AWS's quota after an increase
	inlineMax   = 50 // inline policies of one user or role; AWS bounds their length together
)

// CreatePolicy adds a managed policy (CreatePolicy).
func (s *Service) CreatePolicy(ctx context.Context, p Policy) (Policy, error) {
	if _, err := policy.Parse(p.Document, policy.Identity); err != nil {
		return Policy{}, err
	}
	p.Path, p.ID, p.Created = path(p.Path), newID(policyPrefix, uniqueIDLength), s.timestamp()
	p.ARN = s.policyARN(p.Path, p.Name)
	return p, s.update(ctx, func(tx Tx) error {
		if _, taken, err := tx.PolicyNamed(p.Name); err != nil {
			return err
		} else if taken {
			return fault.AlreadyExists("A policy called %s already exists. Duplicate names are not allowed.", p.Name)
		}
		return tx.PutPolicy(p)
	})
}

// Policy gives a managed policy of the account, or one of those that AWS manages
// and thingd knows (GetPolicy, GetPolicyVersion).
func (s *Service) Policy(ctx context.Context, arn string) (Policy, error) {
	return read(ctx, s, func(tx Tx) (Policy, error) { return existingPolicy(tx, arn) })
}

func existingPolicy(tx Tx, arn string) (Policy, error) {
	if p, known := ManagedByAWS(arn); known {
		return p, nil
	}
	p, found, err := tx.Policy(arn)
	if err == nil && !found {
		err = fault.NotFound("Policy %s does not exist or is not attachable.", arn)
	}
	return p, err
}

// DeletePolicy removes a managed policy that nobody has (DeletePolicy).
func (s *Service) DeletePolicy(ctx context.Context, arn string) error {
	return s.update(ctx, func(tx Tx) error {
		p, found, err := tx.Policy(arn)
		if err != nil {
			return err
		}
		if !found {
			return fault.NotFound("Policy %s was not found.", arn)
		}
		if p.Attachments > 0 {
			return fault.DeleteConflict("Cannot delete a policy attached to entities.")
		}
		return tx.DeletePolicy(arn)
	})
}

// Policies lists the account's managed policies by name (ListPolicies).
func (s *Service) Policies(ctx context.Context, p Page) ([]Policy, string, error) {
	return page(ctx, s, p, func(tx Tx, after string, limit int) ([]Policy, error) {
		return tx.Policies(p.PathPrefix, after, limit)
	}, func(p Policy) string { return p.Name })
}

// exists makes sure that a user or role is there.
func exists(tx Tx, kind Kind, name string) error {
	if kind == ByUser {
		_, err := existingUser(tx, name)
		return err
	}
	_, err := existingRole(tx, name)
	return err
}

// Attach gives a user or role a managed policy (AttachUserPolicy,
// AttachRolePolicy). Doing it twice is fine.
func (s *Service) Attach(ctx context.Context, kind Kind, name, policyARN string) error {
	return s.update(ctx, func(tx Tx) error {
		if err := exists(tx, kind, name); err != nil {
			return err
		}
		if _, err := existingPolicy(tx, policyARN); err != nil {
			return err
		}
		attached, err := tx.Attached(kind, name, "", attachedMax+1)
		if err != nil {
			return err
		}
		if len(attached) >= attachedMax && !slices.Contains(attached, policyARN) {
			return fault.LimitExceeded("Cannot exceed quota for PoliciesPer%s: %d", quotaNames[kind], attachedMax)
		}
		return tx.Attach(kind, name, policyARN)
	})
}

var quotaNames = map[Kind]string{ByUser: "User", ByRole: "Role"}

// Detach takes a managed policy from a user or role (DetachUserPolicy,
// DetachRolePolicy).
func (s *Service) Detach(ctx context.Context, kind Kind, name, policyARN string) error {
	return s.update(ctx, func(tx Tx) error {
		if err := exists(tx, kind, name); err != nil {
			return err
		}
		had, err := tx.Detach(kind, name, policyARN)
		if err == nil && !had {
			err = fault.NotFound("Policy %s was not found.", policyARN)
		}
		return err
	})
}

// Attached lists the ARNs of an owner's managed policies
// (ListAttachedUserPolicies, ListAttachedRolePolicies).
func (s *Service) Attached(ctx context.Context, kind Kind, name string, p Page) ([]string, string, error) {
	return page(ctx, s, p, func(tx Tx, after string, limit int) ([]string, error) {
		if err := exists(tx, kind, name); err != nil {
			return nil, err
		}
		return tx.Attached(kind, name, after, limit)
	}, func(arn string) string { return arn })
}

// PutInline writes a policy that belongs to one user or role (PutUserPolicy,
// PutRolePolicy).
func (s *Service) PutInline(ctx context.Context, kind Kind, name, policyName, document string) error {
	if _, err := policy.Parse(document, policy.Identity); err != nil {
		return err
	}
	return s.update(ctx, func(tx Tx) error {
		if err := exists(tx, kind, name); err != nil {
			return err
		}
		names, err := tx.InlineNames(kind, name, "", inlineMax+1)
		if err != nil {
			return err
		}
		if len(names) >= inlineMax && !slices.Contains(names, policyName) {
			return fault.LimitExceeded("Cannot have more than %d inline policies", inlineMax)
		}
		return tx.PutInline(kind, name, policyName, document)
	})
}

// Inline gives an inline policy (GetUserPolicy, GetRolePolicy).
func (s *Service) Inline(ctx context.Context, kind Kind, name, policyName string) (string, error) {
	return read(ctx, s, func(tx Tx) (string, error) {
		if err := exists(tx, kind, name); err != nil {
			return "", err
		}
		return existingInline(tx, kind, name, policyName)
	})
}

func existingInline(tx Tx, kind Kind, name, policyName string) (string, error) {
	document, found, err := tx.Inline(kind, name, policyName)
	if err == nil && !found {
		err = fault.NotFound("The %s policy with name %s cannot be found.", kind, policyName)
	}
	return document, err
}

// DeleteInline removes an inline policy (DeleteUserPolicy, DeleteRolePolicy).
func (s *Service) DeleteInline(ctx context.Context, kind Kind, name, policyName string) error {
	return s.update(ctx, func(tx Tx) error {
		if err := exists(tx, kind, name); err != nil {
			return err
		}
		if _, err := existingInline(tx, kind, name, policyName); err != nil {
			return err
		}
		return tx.DeleteInline(kind, name, policyName)
	})
}

// InlineNames lists the names of an owner's inline policies (ListUserPolicies,
// ListRolePolicies).
func (s *Service) InlineNames(ctx context.Context, kind Kind, name string, p Page) ([]string, string, error) {
	return page(ctx, s, p, func(tx Tx, after string, limit int) ([]string, error) {
		if err := exists(tx, kind, name); err != nil {
			return nil, err
		}
		return tx.InlineNames(kind, name, after, limit)
	}, func(name string) string { return name })
}
