package policy

import (
	"crypto/x509"
	"net/netip"
)

// PrincipalKind says how a principal proved who it is.
type PrincipalKind uint8

// The ways to be somebody.
const (
	NoPrincipal   PrincipalKind = iota
	ByCertificate               // an X.509 certificate over mutual TLS
	BySignature                 // SigV4: an IAM user, role session or the root key
	ByAuthorizer                // a custom authorizer vouched
)

// Principal is who is at the other end of a connection, and from where. The
// door fills it in; whoever decides reads it.
type Principal struct {
	Kind PrincipalKind

	// ID is what lifecycle events and logs call principalIdentifier: the
	// certificate ID (64 hex digits), the IAM unique ID or RoleID:session, the
	// authorizer's principalId.
	ID  string
	ARN string // of the certificate or IAM identity; "" for a custom authorizer

	Certificate *x509.Certificate // the leaf, ByCertificate only

	SourceIP   netip.Addr
	ServerName string // TLS SNI or HTTP Host without port; "" when not said
	UserAgent  string // HTTP only
}
