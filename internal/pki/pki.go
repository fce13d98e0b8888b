// Package pki knows whose certificate this is. It keeps the installation's own
// authority, with which the server shows itself to clients, and the certificates
// that devices show to the server.
//
// # Two directions, two meanings
//
// Clients trust the server by one file, root-ca.pem. The server trusts a device
// by registration alone: a certificate's ID is the SHA-256 of its DER, and the
// record under that ID says what the device may do. Who signed it does not
// matter on a connect; a chain is checked when a certificate is registered under
// a CA, and when a device with an unknown certificate first connects (JITR).
//
// # Why one RSA root
//
// Everybody downloads one file, and small clients accept one PEM in it. Clients
// that verify ECDSA nearly all verify RSA, while many (old embedded stacks, old
// Java) verify RSA alone, so the one root that serves all of them is RSA-2048.
// It signs two server certificates: an ECDSA P-256 one, which is far cheaper to
// prove, for whoever offers ECDSA, and an RSA-2048 one for the rest. A handshake
// sends one certificate and no chain: small buffers on the other side are real.
//
// Making an RSA key takes 50 to 200 ms. The root's is waited for at the first
// start, and the RSA server key is made beside it on another core. Device
// certificates that we issue are signed by a key of their own, ECDSA P-256: it
// makes them small, takes no time, and its theft gains nothing, because a
// signature of it proves nothing.
//
// # Files
//
//	root-ca.pem       0644  what clients trust
//	root-ca.key       0600
//	server-ecdsa.pem  0644  renewed when two thirds of its life are over, or when
//	server-ecdsa.key  0600  the host has a name or address that it lacks
//	server-rsa.pem    0644
//	server-rsa.key    0600
//	device-ca.pem     0644  signs what CreateKeysAndCertificate hands out
//	device-ca.key     0600
//
// Nodes of one cluster share root-ca.pem and root-ca.key, copied by hand; the rest
// may differ. A root of one's own works too, if it is a CA and its key is beside it.
package pki

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// CertificateID is the SHA-256 of a certificate's DER in 64 lower-case hex
// digits.
type CertificateID string

// IDOf computes the ID of a certificate from its DER.
func IDOf(der []byte) CertificateID {
	sum := sha256.Sum256(der)
	return CertificateID(hex.EncodeToString(sum[:]))
}

// NormalID gives the ID that a caller wrote in any letter case.
func NormalID(text string) CertificateID { return CertificateID(strings.ToLower(text)) }

// Status is where a device certificate is in its life.
type Status string

// The statuses (CertificateStatus in the service model). Only Active connects.
const (
	Active            Status = "ACTIVE"
	Inactive          Status = "INACTIVE"
	Revoked           Status = "REVOKED"
	PendingTransfer   Status = "PENDING_TRANSFER"
	PendingActivation Status = "PENDING_ACTIVATION"
)

// Mode says how a certificate came to be trusted (CertificateMode).
type Mode string

// The modes. AWS wants the account's endpoint as SNI for SNIOnly; thingd records
// the mode and does not ask, because old clients send no SNI.
const (
	ModeDefault Mode = "DEFAULT"  // issued here, or registered under a CA of this mode
	ModeSNIOnly Mode = "SNI_ONLY" // registered without a CA, or under one of this mode
)

// Certificate is the record of a device certificate.
type Certificate struct {
	ID            CertificateID
	Status        Status
	PEM           string        // byte for byte as it was registered, chain included
	CA            CertificateID // under which it was registered; "" if none
	Mode          Mode
	PreviousOwner string // account, after a transfer; "" if none
	Created       time.Time
	Modified      time.Time
	Version       int    // counts changes of status, from 1
	Generation    string // a UUID, new with every issue or registration
	NotBefore     time.Time
	NotAfter      time.Time
	Claim         bool     // of CreateProvisioningClaim: short-lived, in no list
	Transfer      Transfer // zero where none was ever begun
}

// Transfer is the story of a certificate's move to another account.
type Transfer struct {
	From     string // the account that gives, on the receiver's record
	To       string // the account that should get it, on the giver's record
	Message  string
	Reason   string // of the rejection
	Date     time.Time
	Accepted time.Time
	Rejected time.Time
}

// Connects says whether a device may connect with it now.
func (c Certificate) Connects(now time.Time) bool {
	return c.Status == Active && now.Before(c.NotAfter)
}
