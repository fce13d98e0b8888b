package main

// notEffective lists operations that are built but whose effect nothing obeys
// yet, and what is missing.
var notEffective = map[string]string{
	"AssumeRoleWithWebIdentity": "no identity provider can be named, so every token is refused",
}
