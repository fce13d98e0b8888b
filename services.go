package thingd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"thingd/internal/api"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/iam"
	"thingd/internal/rules"
	"thingd/internal/rules/action"
	"thingd/internal/s3gate"
	"thingd/internal/shadow"
)

// openObjects makes the embedded S3.
func (s *Server) openObjects(context.Context) (err error) {
	s.objects, err = s3gate.New(s3gate.Config{
		Dir: s.config.Data, Account: s.config.Account, Region: s.config.Region, Hosts: append(slices.Clone(s.config.Host), insideHost),
		IAM: s.iam, Now: s.now, Log: s.log,
	})
	if err == nil {
		s.onClose(func(context.Context) error { return s.objects.Close() })
	}
	return err
}

// openRules hangs the rules on the broker's topics.
func (s *Server) openRules(ctx context.Context) error {
	away := outside()
	s.onClose(func(context.Context) error { away.CloseIdleConnections(); return nil })
	s.rules = rules.New(rules.Config{
		Store: s.db.Rules(s.config.Account), Scope: s.scope, Broker: s.broker,
		Actions: action.Config{
			Publisher: s.broker, Topics: s.limits.Topics, PayloadMax: s.limits.PayloadBytes,
			Credentials: s.ruleCredentials, Allow: s.ruleAllowed,
			Endpoints: s.ruleEndpoints(), Webhooks: s.config.Functions,
			Client: &http.Client{Transport: inside{s.objects, away}},
		},
		Shadow: s.shadowDocument, Registry: s.registryData, PassRole: s.mayPassRole, Now: s.now, Log: s.log,
		BaseURL:     func() string { return "https://" + s.credentialsHost() },
		KeptFirings: s.config.RuleQueueMessages, KeptBytes: s.config.RuleQueueBytes,
	})
	if err := s.rules.Start(ctx); err != nil {
		return err
	}
	s.onClose(s.rules.Close)
	return nil
}

// ruleService is the principal that a rule's role must trust.
const ruleService = "iot.amazonaws.com"

// ruleCredentials opens a session of a rule's role.
func (s *Server) ruleCredentials(ctx context.Context, roleARN string) (action.Credentials, error) {
	c, err := s.iam.AssumeForService(ctx, ruleOrder(ctx, roleARN))
	return action.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expires: c.Expires,
	}, err
}

// ruleOrder asks for a role in the name of the rule that ctx is for.
func ruleOrder(ctx context.Context, roleARN string) iam.ServiceOrder {
	return iam.ServiceOrder{RoleARN: roleARN, Service: ruleService, SourceARN: action.SourceOf(ctx), SessionName: "rule"}
}

// ruleAllowed asks a rule's role about what thingd itself does for it.
func (s *Server) ruleAllowed(ctx context.Context, roleARN, action, resource string) error {
	actor, err := s.iam.ActForService(ctx, ruleOrder(ctx, roleARN))
	if err != nil {
		return err
	}
	return s.iam.Check(ctx, actor, action, resource, nil)
}

// mayPassRole says whether the caller of an API operation may hand a role to a
// rule.
func (s *Server) mayPassRole(ctx context.Context, roleARN string) error {
	actor, ok := iam.ActorOf(wire.CallerFrom(ctx))
	if !ok {
		return fault.New(fault.CodeAccessDenied, "only callers with an access key may pass a role")
	}
	if actor.Kind == iam.Root {
		return nil
	}
	return s.iam.Check(ctx, actor, "iam:PassRole", roleARN, iam.PassedTo(ruleService))
}

// registryData answers get_registry_data() with what the API would say.
func (s *Server) registryData(ctx context.Context, operation, thing string) (text []byte, err error) {
	var found any
	control := &api.IoT{Registry: s.registry}
	switch operation {
	case "DescribeThing":
		found, err = control.DescribeThing(ctx, &iot.DescribeThingRequest{ThingName: thing})
	case "ListThingGroupsForThing":
		found, err = control.ListThingGroupsForThing(ctx, &iot.ListThingGroupsForThingRequest{ThingName: thing})
	default:
		return nil, fault.InvalidRequest("get_registry_data() does not know %s", operation)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(found)
}

// shadowDocument reads a shadow for get_thing_shadow().
func (s *Server) shadowDocument(ctx context.Context, thing, name string) ([]byte, error) {
	text, err := s.shadows.Get(ctx, shadow.ID{Thing: thing, Name: name})
	if fault.Is(err, fault.CodeNotFound) {
		return nil, nil
	}
	return text, err
}

// insideHost names the embedded S3 for requests that do not leave the process.
const insideHost = "s3.thingd.internal"

// ruleEndpoints says where the actions find the services: S3 is this server's
// own unless a setting says otherwise.
func (s *Server) ruleEndpoints() map[string]action.Endpoint {
	all := map[string]action.Endpoint{"s3": {URL: "http://" + insideHost}}
	for service, address := range s.config.Endpoints {
		all[service], _ = parseEndpoint(address) // config.check has seen it
	}
	return all
}

// parseEndpoint reads the address of a service. An access key before the host
// is for services that do not know our roles, such as AWS itself; a region may
// follow: https://KEY:SECRET@s3.eu-west-1.amazonaws.com?region=eu-west-1.
func parseEndpoint(address string) (action.Endpoint, error) {
	at, err := url.Parse(address)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return action.Endpoint{}, fmt.Errorf("it must be a URL such as https://sqs.example.net, or https://KEY:SECRET@sqs.example.net?region=eu-west-1 with an access key of that service (a / in the secret is written %%2F)")
	}
	e := action.Endpoint{Region: at.Query().Get("region")}
	if at.User != nil {
		e.Credentials.AccessKeyID = at.User.Username()
		e.Credentials.SecretAccessKey, _ = at.User.Password()
	}
	at.User, at.RawQuery = nil, ""
	e.URL = at.String()
	return e, nil
}

// outside carries requests to other servers. Every firing of a rule may have a
// connection to the same one: closing and opening them costs more than the
// requests do.
func outside() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 32
	return t
}

// inside carries requests to the embedded S3 without a network, and others with
// one.
type inside struct {
	objects http.Handler
	others  http.RoundTripper // nil: http.DefaultTransport
}

// RoundTrip implements http.RoundTripper.
func (t inside) RoundTrip(r *http.Request) (*http.Response, error) {
	if host := r.URL.Host; host != insideHost && !strings.HasSuffix(host, "."+insideHost) {
		return cmp.Or(t.others, http.DefaultTransport).RoundTrip(r)
	}
	asServer := r.Clone(r.Context())
	asServer.RequestURI = r.URL.RequestURI()
	asServer.Host = r.URL.Host
	if asServer.Body == nil {
		asServer.Body = http.NoBody
	}
	read, write := io.Pipe()
	reply := &pipedReply{header: http.Header{}, begun: make(chan struct{}), body: write}
	go func() {
		// As in a server of net/http, a handler that panics ends its own request
		// and not the process.
		defer func() {
			if p := recover(); p != nil {
				reply.WriteHeader(http.StatusInternalServerError)
				write.CloseWithError(fmt.Errorf("the embedded S3 broke off: %v", p))
			}
		}()
		t.objects.ServeHTTP(reply, asServer)
		reply.WriteHeader(http.StatusOK)
		write.Close()
	}()
	<-reply.begun
	return &http.Response{
		StatusCode: reply.status, Status: http.StatusText(reply.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: reply.header, Body: read, ContentLength: -1, Request: r,
	}, nil
}

// pipedReply is an http.ResponseWriter whose body is read at the other end of a pipe.
type pipedReply struct {
	header http.Header
	status int
	begun  chan struct{} // closed when header and status are settled
	body   *io.PipeWriter
}

// Header implements http.ResponseWriter.
func (a *pipedReply) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *pipedReply) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.header = status, a.header.Clone()
		close(a.begun)
	}
}

// Write implements http.ResponseWriter.
func (a *pipedReply) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
