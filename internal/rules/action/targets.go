package action

import (
	"context"
	"net/http"
	"time"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/topic"
)

// Credentials sign requests: a session of a rule's role, or the keys of a
// foreign service.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expires         time.Time // zero: never
}

// Endpoint is where a service is.
type Endpoint struct {
	URL    string // "https://localhost:8443"
	Region string // default: the region of the scope

	// Credentials are for services that do not know our roles, such as AWS
	// itself. The zero value stands for a session of the action's role.
	Credentials Credentials
}

// Anywhere is the key of the endpoint of services that have none of their own.
const Anywhere = "*"

// Config is what actions need of the world. The zero value works as far as
// nothing is needed of it.
type Config struct {
	Scope arn.Scope

	// Publisher takes the messages of the republish action.
	Publisher message.Publisher
	// Topics are the rules for topics to republish to. Default: AWS's.
	Topics topic.Rules
	// PayloadMax bounds a republished payload, bytes. Default: 128 KiB.
	PayloadMax int
	// HopsMax bounds how often a message may be republished by rules that feed
	// each other. Default: 10.
	HopsMax int

	// Credentials gives a session of a role on behalf of the rules engine
	// (iot.amazonaws.com) for the rule of the context, see SourceOf. They are kept
	// until shortly before they expire.
	Credentials func(ctx context.Context, roleARN string) (Credentials, error)
	// Allow says whether a role permits what thingd itself does for an action
	// (iot:Publish) or lookup (iot:GetThingShadow). Default: everything is.
	Allow func(ctx context.Context, roleARN, action, resource string) error

	// Endpoints of services by their signing names: s3, sqs, sns, kinesis,
	// firehose, dynamodb, monitoring, logs, states, lambda, timestream, geo,
	// secretsmanager, iotevents, iotanalytics, iotsitewise, es; Anywhere for the
	// rest. Nothing is sent to a service without an endpoint.
	Endpoints map[string]Endpoint
	// Webhooks stand in for Lambda functions: ARN (without version or alias) to
	// the URL that gets the event as a POST.
	Webhooks map[string]string

	// Client speaks to the Endpoints and Webhooks. Default: http.DefaultClient's
	// transport. Its certificate authorities decide who is trusted.
	Client *http.Client
	// Web speaks to the URLs of http actions. Default: Client.
	Web *http.Client
	// AnyURL lets http actions speak plain HTTP and to any port, for endpoints
	// within one's own network. AWS allows https on 443 and 8443.
	AnyURL bool
	// Destination says whether a URL belongs to an enabled HTTP destination, and
	// VPCDestination whether a destination ARN names an enabled one. Default: yes.
	Destination    func(url string) bool
	VPCDestination func(arn string) bool

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Targets is what actions and lookups act upon. Close it after the last use.
type Targets struct {
	Config
	web     *http.Client // Config.Web, without redirects
	clients clients
	batches batches
	kafkas  producers
}

// New makes the Targets.
func New(c Config) *Targets {
	if c.Topics == (topic.Rules{}) {
		c.Topics = topic.AWS
	}
	c.PayloadMax = orDefault(c.PayloadMax, 128<<10)
	c.HopsMax = orDefault(c.HopsMax, 10)
	if c.Client == nil {
		c.Client = &http.Client{}
	}
	if c.Web == nil {
		c.Web = c.Client
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Allow == nil {
		c.Allow = func(context.Context, string, string, string) error { return nil }
	}
	if c.Destination == nil {
		c.Destination = func(string) bool { return true }
	}
	if c.VPCDestination == nil {
		c.VPCDestination = func(string) bool { return true }
	}
	return &Targets{Config: c, web: withoutRedirects(c.Web)}
}

// withoutRedirects is a client that takes an answer as it is: a redirect could
// lead from a confirmed URL to one that nobody confirmed.
func withoutRedirects(c *http.Client) *http.Client {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

func orDefault(n, absent int) int {
	if n == 0 {
		return absent
	}
	return n
}

// Close sends what is being gathered and ends the connections that the actions
// hold open.
func (t *Targets) Close() {
	t.batches.close()
	t.kafkas.close()
	t.Client.CloseIdleConnections()
	t.Web.CloseIdleConnections()
}

// endpoint finds a service.
func (t *Targets) endpoint(service string) (Endpoint, error) {
	found, ok := t.Endpoints[service]
	if !ok {
		found, ok = t.Endpoints[Anywhere]
	}
	if !ok {
		return Endpoint{}, fault.InvalidRequest("no endpoint is configured for the service %s", service)
	}
	if found.Region == "" {
		found.Region = t.Scope.Region
	}
	return found, nil
}
