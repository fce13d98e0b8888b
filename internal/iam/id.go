package iam

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// AWS's unique IDs begin with four letters that say of what.
const (
	userPrefix    = "AIDA"
	rolePrefix    = "AROA"
	policyPrefix  = "ANPA"
	keyPrefix     = "AKIA"
	sessionPrefix = "ASIA"
)

// Lengths as on AWS: some clients check them.
const (
	uniqueIDLength = 21 // with the prefix
	keyIDLength    = 20
	secretBytes    = 30 // 40 characters
	tokenBytes     = 96 // 128 characters
)

// newID gives a random ID of AWS's alphabet, base 32.
func newID(prefix string, length int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // a power of two, so that bytes fall on it evenly
	id := []byte(prefix)
	for _, b := range randomBytes(length - len(prefix)) {
		id = append(id, alphabet[int(b)%len(alphabet)])
	}
	return string(id)
}

func newSecret(bytes int) string { return base64.StdEncoding.EncodeToString(randomBytes(bytes)) }

func randomBytes(n int) []byte {
	random := make([]byte, n)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	return random
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
