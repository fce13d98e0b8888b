package broker

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// Peer is one connection as the door hands it over: the bytes that come out of
// Conn are MQTT, with TLS and WebSocket taken off.
type Peer struct {
	Conn        net.Conn
	Remote      netip.AddrPort
	Local       netip.AddrPort
	ServerName  string // TLS SNI; "" when not sent
	Door        string // "mqtts", "wss": for people
	ALPN        string
	Certificate *x509.Certificate // the client's leaf; nil without

	// Principal is who a signed WebSocket upgrade proved to be; otherwise nil, and the
	// Guard finds out.
	Principal *policy.Principal
	// Identity is what the door knows beyond that of who asked for a WebSocket,
	// for the Guard.
	Identity any

	// BeforeWait, where the door can, has fn called each time reading is about
	// to wait for the network. Answers gather until then.
	BeforeWait func(fn func())

	// Stalled, where the door can tell, says whether the client is slow to take what
	// it was sent. While it is not, a short Write returns at once. nil: any Write may
	// wait.
	Stalled func() bool

	// Parking, where the door can wait for the client without a goroutine; nil
	// where it cannot.
	Parking Parking
}

// Attempt is a client that wants in.
type Attempt struct {
	Peer       *Peer
	Version    mqtt.Version
	ClientID   string
	Username   string
	Password   []byte
	Persistent bool // the session shall outlive the connection
	Will       *mqtt.Will
}

// Admission is what a Guard lets in.
type Admission struct {
	Principal policy.Principal
	Rights    Rights
	Until     time.Time      // when the connection must end; zero: never
	UntilWhy  why.Disconnect // the reason given then

	// Holds is asked once more when the connection can be found by whoever
	// withdraws a principal, in case that happened in between; nil: it does.
	Holds func() bool
}

// Guard says who a client is and lets it in, or not.
type Guard interface {
	// Admit decides over an attempt before iot:Connect is asked for. A refusal
	// is an event with Step, Cause and, where there is more to say, Detail; the
	// broker adds who and where.
	Admit(ctx context.Context, a Attempt) (Admission, *why.Event)
}

// Rights are what one connection may do. Its methods are safe for use by many
// goroutines and quick.
type Rights interface {
	// Allows decides over an action ("iot:Publish") on a resource without the
	// ARN's front part ("topic/a/b").
	Allows(action, resource string) bool
	// Explain tells how Allows came to its answer.
	Explain(action, resource string) policy.Explanation
	// Generation moves when an earlier answer of Allows may be wrong.
	Generation() uint64
	// ThingName is the registry's thing behind the connection; "" without one.
	ThingName() string
	// UserProperties are added to every message that the connection publishes. They
	// are other ones only when Generation has moved.
	UserProperties() []message.UserProperty
	// Close ends the use of the rights.
	Close()
}
