package pki

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"thingd/internal/fault"
)

// RegistrationCode gives the account's code for proofs of CA keys, 64 hex
// digits; it stays the same until it is deleted (GetRegistrationCode).
func (s *Service) RegistrationCode(ctx context.Context) (string, error) {
	var code string
	var found bool
	err := s.store.View(ctx, func(tx Tx) (err error) {
		code, found, err = tx.RegistrationCode()
		return err
	})
	if err != nil || found {
		return code, err
	}
	fresh := newRegistrationCode()
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		if code, found, err = tx.RegistrationCode(); err != nil || found {
			return err
		}
		code = fresh
		return tx.PutRegistrationCode(fresh)
	})
	return code, err
}

func newRegistrationCode() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(random[:])
}

// DeleteRegistrationCode forgets the code; the next caller gets a new one
// (DeleteRegistrationCode).
func (s *Service) DeleteRegistrationCode(ctx context.Context) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if _, found, err := tx.RegistrationCode(); err != nil {
			return err
		} else if !found {
			return fault.NotFound("The account has no registration code")
		}
		return tx.DeleteRegistrationCode()
	})
}
