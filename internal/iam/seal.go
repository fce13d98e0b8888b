package iam

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// Sealer encrypts secrets at rest. The name of a secret is bound into the
// result, so that one row's secret cannot be put into another.
type Sealer interface {
	Seal(name string, plain []byte) ([]byte, error)
	Open(name string, sealed []byte) ([]byte, error)
}

// sealedMark begins what a Sealer wrote, so that secrets from before there was
// one can still be read. No plain secret begins so.
const sealedMark = "\x00sealed1"

// AESSealer seals with AES-256-GCM.
type AESSealer struct{ gcm cipher.AEAD }

// NewSealer makes a Sealer from a key of 32 random bytes.
func NewSealer(key []byte) (*AESSealer, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("a seal key has 32 bytes, not %d; make one with: head -c 32 /dev/urandom", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	return &AESSealer{gcm}, err
}

// Seal encrypts plain.
func (s *AESSealer) Seal(name string, plain []byte) ([]byte, error) {
	return s.gcm.Seal([]byte(sealedMark), nil, plain, []byte(name)), nil
}

// Open gives what was sealed under the name.
func (s *AESSealer) Open(name string, sealed []byte) ([]byte, error) {
	rest := sealed[min(len(sealed), len(sealedMark)):]
	plain, err := s.gcm.Open(nil, nil, rest, []byte(name))
	if err != nil {
		return nil, errors.New("it was sealed with another key, or is damaged")
	}
	return plain, nil
}
