package gateway

import (
	"crypto/x509"
	"net/http"

	"thingd/internal/aws/sigv4"
)

// Clue is what a client shows of the account that it means, before anybody has
// looked whether it is who it says.
type Clue struct {
	AccessKeyID string            // of a signature; "" without one
	Certificate *x509.Certificate // of the TLS connection; nil without one
	ServerName  string            // TLS SNI; "" where not said
	Path        string            // of a request, as sent; "" for MQTT
}

// ClueOf reads a request. Requests over the plain door bring signatures alone.
func ClueOf(r *http.Request) Clue {
	c := Clue{Path: r.URL.EscapedPath()}
	if signature, err := sigv4.Parse(r); err == nil {
		c.AccessKeyID = signature.AccessKeyID
	}
	if p := peerFrom(r.Context()); p != nil {
		c.Certificate, c.ServerName = p.leaf(), p.state.ServerName
	}
	return c
}
