// Package console is the web console: pages rendered here, htmx and a little
// JavaScript in the browser, and nothing that has to be built.
//
// # What protects it
//
// The console sits on the plain door, which answers to loopback alone. Whoever
// comes has to sign in: by the one-time link that the server prints when it
// starts, or with an access key and its secret. What a visit may do follows from
// the IAM policies of that access key, action by action as in the API; every
// handler asks before it acts. A change needs the session's CSRF token, and is
// logged with the name of who made it.
//
// Pages carry a Content-Security-Policy without inline script or style. What
// devices said is hostile: templates escape it, and scripts put it into the page
// as text, never as HTML.
//
// # Where things are
//
// routes.go lists every page; a file beside it has the handlers of one family.
// visit.go is one request, session.go who is signed in, words.go the languages.
package console

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/audit"
	"thingd/internal/authorizer"
	"thingd/internal/bridge"
	"thingd/internal/broker"
	"thingd/internal/credentials"
	"thingd/internal/edgefleet"
	"thingd/internal/iam"
	"thingd/internal/journal"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
	"thingd/internal/rules"
	"thingd/internal/settings"
	"thingd/internal/shadow"
)

// Root is the path under which the console lives. The paths beside it belong to
// the AWS API.
const Root = "/console/"

// Config is what a Console needs. All of it must be given.
type Config struct {
	Scope   arn.Scope
	Host    string // of the data endpoint
	Profile string // of the broker
	Limits  broker.Limits
	RootCA  []byte          // PEM
	Hosts   func() []string // names and addresses that the server's certificate covers

	Registry *registry.Service
	Access   *access.Service
	PKI      *pki.Service
	IAM      *iam.Service
	Shadows  *shadow.Service
	Broker   *broker.Broker
	Bridge   *bridge.Service
	Journal  *journal.Journal
	Rules    *rules.Service
	Aliases  *credentials.Service
	Fleets   *edgefleet.Service

	Audit        *audit.Log
	Settings     *settings.Service
	Authorizers  *authorizer.Service
	Provisioning *provisioning.Service

	// Objects carries requests to the embedded S3, which answers at ObjectsURL.
	Objects    http.RoundTripper
	ObjectsURL string

	Accounts Accounts
	Data     string            // the data folder
	Others   func() []*Console // of the further accounts; nil: this is one of them

	Now func() time.Time
	Log *slog.Logger
}

// Console serves the pages under Root.
type Console struct {
	Config
	handler  http.Handler
	sessions *sessions
	ports    atomic.Pointer[[]int]
	streams  atomic.Int64 // open
	samples  samples

	mu     sync.Mutex
	once   string    // token of the sign-in link; "" when it was used
	ends   time.Time // when the link stops working
	closed chan struct{}
	close  sync.Once
}

// linkLife is how long the printed link works.
const linkLife = 24 * time.Hour

// New makes a Console.
func New(c Config) *Console {
	console := &Console{
		Config: c, sessions: newSessions(c.Now), once: rand.Text() + rand.Text(), ends: c.Now().Add(linkLife),
		closed: make(chan struct{}),
	}
	console.ports.Store(&[]int{8883})
	console.handler = console.front()
	return console
}

// ServeHTTP implements http.Handler, for this account and the others.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.of(r).handler.ServeHTTP(w, r) }

// Listening tells the console the ports of the TLS doors, the first one first.
func (c *Console) Listening(ports []int) {
	if len(ports) > 0 {
		c.ports.Store(&ports)
	}
}

// Ports are those of the TLS doors.
func (c *Console) Ports() []int { return *c.ports.Load() }

// SignInPath is the one-time link without scheme and host. It works once, and
// for a day; it is for the eyes of whoever started the server.
func (c *Console) SignInPath() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Root + "signin?" + url.Values{"once": {c.once}}.Encode()
}

// Close ends what is streamed to browsers, so that the door can close.
func (c *Console) Close() { c.close.Do(func() { close(c.closed) }) }
