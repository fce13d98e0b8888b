package wire

import (
	"context"
	"net"
	"net/http"

	"thingd/internal/aws/sigv4"
)

// Kind is how a caller proved who it is.
type Kind string

// The kinds of callers.
const (
	Anonymous   Kind = ""            // not at all
	AccessKey   Kind = "access-key"  // a SigV4 signature: user, role session or root
	Certificate Kind = "certificate" // a device certificate, verified during the TLS handshake
	Custom      Kind = "custom"      // a custom authorizer let it in
)

// Caller is who sends a request. Fields that make no sense for its kind are "".
type Caller struct {
	Kind      Kind
	AccountID string // twelve digits

	// ARN names an IAM identity: arn:aws:iam::ACCOUNT:user/NAME, an assumed
	// role's arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, or the root.
	ARN         string
	UserID      string // IAM's unique ID: AIDA..., AROA...:session
	AccessKeyID string

	CertificateID string // 64 hexadecimal digits
	Principal     string // what a custom authorizer calls the caller

	// Detail is for an Authenticator to leave something that its Authorizer
	// wants to find again. Nobody else looks inside.
	Detail any
}

// Authenticator says who sent a request. sig is what the request is signed
// with, its body's hash set but not yet verified; it is nil where the request
// carries no signature, as with custom authorizers. The error is a fault, such
// as sigv4.Unrecognized().
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request, sig *sigv4.Signature) (Caller, error)
}

// Authorizer says whether a caller may do what it asks. It comes before the
// input is held against its constraints, so it may see values that those refuse.
// The error is a fault with CodeAccessDenied or CodeForbidden.
type Authorizer interface {
	Authorize(ctx context.Context, caller Caller, call Call) error
}

// Call is what a caller asks for.
type Call struct {
	Service   *Service
	Operation *Operation
	Input     any // pointer to the operation's input structure

	members func(name string) string
}

// Action is the name of the call in policies, such as "iot:CreateThing".
func (c Call) Action() string { return c.Service.Action(c.Operation) }

// Member is the value of the input's string member with this AWS name
// ("thingName"), "" where it has none or it is absent: enough to build the
// resource's ARN from a table.
func (c Call) Member(name string) string {
	if c.members == nil {
		return ""
	}
	return c.members(name)
}

type contextKey int

const (
	callerKey contextKey = iota
	requestIDKey
	sourceIPKey
	connKey
)

// WithCaller tells the Mux who sends the request, for doors that know already:
// the TLS handshake has verified a device certificate. Signed requests are
// authenticated all the same.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey, c)
}

// CallerFrom is who sends the request; the zero Caller is Anonymous.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey).(Caller)
	return c
}

// RequestID is the request's UUID, which the answer carries too.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// SourceIP is the address that the request came from, without the port.
func SourceIP(ctx context.Context) string {
	ip, _ := ctx.Value(sourceIPKey).(string)
	return ip
}

func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
