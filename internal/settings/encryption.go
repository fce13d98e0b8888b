package settings

import (
	"context"
	"time"

	"thingd/internal/fault"
)

// OwnedKey is the one type of encryption there is: the server's own key, see
// --seal-key-file. AWS calls it so where its own keys encrypt.
const OwnedKey = "AWS_OWNED_KMS_KEY"

// Encryption says whose key encrypts the account's data at rest.
type Encryption struct {
	Type     string
	Modified time.Time // zero if it was never set
}

// Encryption gives the setting, AWS operation DescribeEncryptionConfiguration.
func (s *Service) Encryption(ctx context.Context) (Encryption, error) {
	e := Encryption{Type: OwnedKey}
	err := s.view(ctx, func(tx Tx) error {
		_, err := tx.Document(documentEncryption, &e)
		return err
	})
	return e, err
}

// SetEncryption sets it, AWS operation UpdateEncryptionConfiguration. Keys of a
// customer are refused: there is no key service here that would hold them.
func (s *Service) SetEncryption(ctx context.Context, kind, keyARN, roleARN string) error {
	if kind != OwnedKey {
		return fault.InvalidRequest("the encryption type %s is not supported; data is sealed with the server's own key", kind)
	}
	if keyARN != "" || roleARN != "" {
		return fault.InvalidRequest("the encryption type %s has neither kmsKeyArn nor kmsAccessRoleArn", OwnedKey)
	}
	e := Encryption{Type: kind, Modified: s.now().UTC().Truncate(time.Millisecond)}
	return s.update(ctx, func(tx Tx) error { return tx.PutDocument(documentEncryption, e) })
}
