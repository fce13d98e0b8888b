// Package sigv4 checks and makes AWS signatures, version 4, in headers and in
// the query string (AWS, "Signature Version 4 signing process").
//
// Checking is done in two steps, because between them somebody has to look up a
// secret:
//
//	sig, err := sigv4.Parse(r)
//	sig.SetBody(body)
//	secret := ... // of sig.AccessKeyID
//	err = verifier.Verify(sig, secret)
//
// A signature covers bytes as they were sent, so everything here works on the
// raw path and query, never on what package url made of them. Where clients
// disagree on what they sign (the host with or without its port, the session
// token inside or outside), Verify accepts each of the known ways.
package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"
	dateFormat = "20060102"

	// UnsignedPayload stands where the body's hash would, for bodies that the
	// signature does not cover.
	UnsignedPayload = "UNSIGNED-PAYLOAD"

	// SkewMax is how far a client's clock may be off.
	SkewMax = 5 * time.Minute
	// ExpiresMax is the longest life of a presigned request.
	ExpiresMax = 7 * 24 * time.Hour

	headersMax    = 64      // signed headers in one request
	queryMax      = 256     // parameters
	credentialMax = 1 << 10 // bytes
)

// Scope is what a signing key is good for.
type Scope struct {
	Date    string // yyyymmdd
	Region  string
	Service string
}

func (s Scope) String() string {
	return strings.Join([]string{s.Date, s.Region, s.Service, terminator}, "/")
}

// Signature is a signed request taken apart, not yet believed.
type Signature struct {
	Scope
	AccessKeyID   string
	SessionToken  string // of temporary credentials, else ""
	SignedHeaders []string
	Time          time.Time     // when it was signed, says the client
	Expires       time.Duration // presigned: how long it lives; 0 where not said
	Presigned     bool          // signed in the query string

	// PayloadHash is what the client says it signed as the body's hash:
	// lower-case hex, a word such as UnsignedPayload, or "" where it says nothing.
	PayloadHash string

	signature []byte
	bodyHash  string // of the body that came
	request   request
}

// request is what a signature covers, as it arrived.
type request struct {
	method string
	path   string // escaped, as sent
	query  string // raw, as sent
	host   string
	port   string // of the listener; "" where not known
	header http.Header
	length int64
}

// Parse takes the signature of r apart. The error is a fault: CodeMissing where
// r carries none, CodeIncomplete where it makes no sense.
func Parse(r *http.Request) (*Signature, error) {
	switch {
	case inHeader(r):
		return parseHeader(r, r.Header.Get("Authorization"))
	case inQuery(r):
		return parseQuery(r)
	}
	return nil, missing()
}

// Signed says whether r carries a signature, good or bad. An Authorization header of
// another scheme, such as a custom authorizer's Bearer token, is none.
func Signed(r *http.Request) bool { return inHeader(r) || inQuery(r) }

func inHeader(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-")
}

func inQuery(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=") || strings.Contains(r.URL.RawQuery, "X-Amz-Signature=")
}

// SetBody tells which body came with the request. Without it the body counts as
// empty, or as what the client says where it says something.
func (s *Signature) SetBody(body []byte) { s.bodyHash = HashOf(body) }

// HashOf is the hash of a body as signatures have it.
func HashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func requestOf(r *http.Request) request {
	return request{
		method: r.Method,
		path:   r.URL.EscapedPath(),
		query:  r.URL.RawQuery,
		host:   r.Host,
		port:   listenerPort(r),
		header: r.Header,
		length: r.ContentLength,
	}
}

func listenerPort(r *http.Request) string {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return ""
	}
	return port
}
