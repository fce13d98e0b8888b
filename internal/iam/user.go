package iam

import (
	"context"

	"thingd/internal/fault"
)

// CreateUser adds a user without keys and policies (CreateUser).
func (s *Service) CreateUser(ctx context.Context, u User) (User, error) {
	u.Path, u.ID, u.Created = path(u.Path), newID(userPrefix, uniqueIDLength), s.timestamp()
	return u, s.update(ctx, func(tx Tx) error {
		if _, taken, err := tx.User(u.Name); err != nil {
			return err
		} else if taken {
			return fault.AlreadyExists("User with name %s already exists.", u.Name)
		}
		return tx.PutUser(u)
	})
}

// User gives a user (GetUser).
func (s *Service) User(ctx context.Context, name string) (User, error) {
	return read(ctx, s, func(tx Tx) (User, error) { return existingUser(tx, name) })
}

// read runs a query on a snapshot.
func read[T any](ctx context.Context, s *Service, query func(Tx) (T, error)) (result T, err error) {
	err = s.store.View(ctx, func(tx Tx) (err error) {
		result, err = query(tx)
		return err
	})
	return result, err
}

func existingUser(tx Tx, name string) (User, error) {
	u, found, err := tx.User(name)
	if err == nil && !found {
		err = fault.NotFound("The user with name %s cannot be found.", name)
	}
	return u, err
}

// DeleteUser removes a user that has neither keys nor policies (DeleteUser).
func (s *Service) DeleteUser(ctx context.Context, name string) error {
	return s.update(ctx, func(tx Tx) error {
		if _, err := existingUser(tx, name); err != nil {
			return err
		}
		keys, err := tx.AccessKeys(name)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			return fault.DeleteConflict("Cannot delete entity, must remove access keys first.")
		}
		if err := withoutPolicies(tx, owner{ByUser, name}); err != nil {
			return err
		}
		return tx.DeleteUser(name)
	})
}

// withoutPolicies refuses to delete what has policies.
func withoutPolicies(tx Tx, o owner) error {
	attached, err := tx.Attached(o.kind, o.name, "", 1)
	if err != nil {
		return err
	}
	if len(attached) > 0 {
		return fault.DeleteConflict("Cannot delete entity, must detach all policies first.")
	}
	inline, err := tx.InlineNames(o.kind, o.name, "", 1)
	if err == nil && len(inline) > 0 {
		err = fault.DeleteConflict("Cannot delete entity, must delete policies first.")
	}
	return err
}

// Users lists users by name (ListUsers).
func (s *Service) Users(ctx context.Context, p Page) ([]User, string, error) {
	return page(ctx, s, p, func(tx Tx, after string, limit int) ([]User, error) {
		return tx.Users(p.PathPrefix, after, limit)
	}, func(u User) string { return u.Name })
}
