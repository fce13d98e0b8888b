package iam

import (
	"context"
	"strings"

	"thingd/internal/fault"
)

// keysMax bounds the access keys of a user (AWS's quota).
const keysMax = 2

// CreateAccessKey makes a key for a user, or with "" for the root
// (CreateAccessKey). Its secret is told here alone.
func (s *Service) CreateAccessKey(ctx context.Context, user string) (AccessKey, error) {
	key, stored, err := s.newKey(user)
	if err != nil {
		return AccessKey{}, err
	}
	return key, s.update(ctx, func(tx Tx) error {
		keys, err := s.keysOf(tx, user)
		if err != nil {
			return err
		}
		if len(keys) >= keysMax {
			return fault.LimitExceeded("Cannot exceed quota for AccessKeysPerUser: %d", keysMax)
		}
		return tx.PutAccessKey(stored)
	})
}

func (s *Service) newKey(user string) (AccessKey, StoredKey, error) {
	key := AccessKey{ID: newID(keyPrefix, keyIDLength), User: user, Secret: newSecret(secretBytes), Active: true, Created: s.timestamp()}
	secret, err := s.seal(key.ID, key.Secret)
	return key, StoredKey{ID: key.ID, User: user, Secret: secret, Active: true, Created: key.Created}, err
}

func (s *Service) seal(name, secret string) ([]byte, error) {
	if s.sealer == nil {
		return []byte(secret), nil
	}
	return s.sealer.Seal(name, []byte(secret))
}

func (s *Service) unseal(name string, stored []byte) (string, error) {
	if !strings.HasPrefix(string(stored), sealedMark) {
		return string(stored), nil
	}
	if s.sealer == nil {
		return "", fault.New(fault.Internal, "the secret of %s is sealed; start with the seal key it was sealed with", name)
	}
	plain, err := s.sealer.Open(name, stored)
	if err != nil {
		return "", fault.New(fault.Internal, "the secret of %s cannot be unsealed", name).Because(err)
	}
	return string(plain), nil
}

func (s *Service) keysOf(tx Tx, user string) ([]StoredKey, error) {
	if user != "" {
		if _, err := existingUser(tx, user); err != nil {
			return nil, err
		}
	}
	return tx.AccessKeys(user)
}

// RootKey gives the root's access key with its secret, and makes it if there is
// none, as at the first start.
func (s *Service) RootKey(ctx context.Context) (AccessKey, error) {
	keys, err := read(ctx, s, func(tx Tx) ([]StoredKey, error) { return tx.AccessKeys("") })
	if err != nil {
		return AccessKey{}, err
	}
	if len(keys) == 0 {
		return s.firstRootKey(ctx)
	}
	return s.plainKey(keys[0])
}

// firstRootKey minds that another node may be starting too.
func (s *Service) firstRootKey(ctx context.Context) (AccessKey, error) {
	_, stored, err := s.newKey("")
	if err != nil {
		return AccessKey{}, err
	}
	err = s.update(ctx, func(tx Tx) error {
		keys, err := tx.AccessKeys("")
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			stored = keys[0]
			return nil
		}
		return tx.PutAccessKey(stored)
	})
	if err != nil {
		return AccessKey{}, err
	}
	return s.plainKey(stored)
}

func (s *Service) plainKey(k StoredKey) (AccessKey, error) {
	secret, err := s.unseal(k.ID, k.Secret)
	return AccessKey{ID: k.ID, User: k.User, Secret: secret, Active: k.Active, Created: k.Created}, err
}

// AccessKeys lists the keys of a user, or with "" of the root, without secrets
// (ListAccessKeys). There are never many.
func (s *Service) AccessKeys(ctx context.Context, user string) ([]AccessKey, error) {
	stored, err := read(ctx, s, func(tx Tx) ([]StoredKey, error) { return s.keysOf(tx, user) })
	keys := make([]AccessKey, 0, len(stored))
	for _, k := range stored {
		keys = append(keys, AccessKey{ID: k.ID, User: k.User, Active: k.Active, Created: k.Created})
	}
	return keys, err
}

// SetAccessKey turns a key of the user on or off (UpdateAccessKey).
func (s *Service) SetAccessKey(ctx context.Context, user, id string, active bool) error {
	return s.update(ctx, func(tx Tx) error {
		key, err := existingKey(tx, user, id)
		if err != nil {
			return err
		}
		key.Active = active
		return tx.PutAccessKey(key)
	})
}

// DeleteAccessKey removes a key of the user (DeleteAccessKey). The last key of
// the root stays: without it nobody could enter.
func (s *Service) DeleteAccessKey(ctx context.Context, user, id string) error {
	return s.update(ctx, func(tx Tx) error {
		if _, err := existingKey(tx, user, id); err != nil {
			return err
		}
		keys, err := tx.AccessKeys(user)
		if err != nil {
			return err
		}
		if user == "" && len(keys) == 1 {
			return fault.InvalidRequest("The last access key of the root cannot be deleted. Create another one first.")
		}
		return tx.DeleteAccessKey(id)
	})
}

func existingKey(tx Tx, user, id string) (StoredKey, error) {
	key, found, err := tx.AccessKey(id)
	if err == nil && (!found || key.User != user) {
		err = fault.NotFound("The Access Key with id %s cannot be found.", id)
	}
	return key, err
}
