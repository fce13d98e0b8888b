package pki

import "time"

// Provider is a certificate provider: a function that signs in our place.
type Provider struct {
	Name       string
	LambdaARN  string
	Operations []string // for which it is the account's default: CreateCertificateFromCsr
	Created    time.Time
	Modified   time.Time
}
