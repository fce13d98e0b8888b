package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"thingd/internal/access"
	"thingd/internal/authorizer"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// Web answers HTTPS requests on the TLS doors: WebSocket upgrades go to the
// broker, devices that want credentials to the provider, everything else is the
// AWS API. A request without a signature is judged by its client certificate.
type Web struct {
	Guard     *Guard
	API       http.Handler // the AWS front
	WebSocket http.Handler

	Credentials http.Handler // the CredentialProvider
	Objects     Objects      // the embedded S3
}

// Objects is an S3 service that shares the door.
type Objects interface {
	http.Handler
	// Owns says whether a request is for it: by the scope of its signature, or
	// by a host name that names a bucket.
	Owns(r *http.Request) bool
}

// ServeHTTP implements http.Handler.
func (w *Web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if isUpgrade(r) {
		w.WebSocket.ServeHTTP(rw, r)
		return
	}
	if _, ok := asksForCredentials(r); ok {
		w.Credentials.ServeHTTP(rw, r)
		return
	}
	r = w.withCertificate(r)
	if w.Objects.Owns(r) {
		w.Objects.ServeHTTP(rw, r)
		return
	}
	w.API.ServeHTTP(rw, r)
}

func isUpgrade(r *http.Request) bool {
	return r.URL.Path == "/mqtt" && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// withCertificate lets the AWS front know the device behind a request.
func (w *Web) withCertificate(r *http.Request) *http.Request {
	p := peerFrom(r.Context())
	if p == nil {
		return r
	}
	r.TLS = &p.state // the server does not see it below the door's own wrapping
	if sigv4.Signed(r) {
		return r
	}
	if r = w.withAuthorizer(r, p); p.leaf() == nil || wire.CallerFrom(r.Context()).Kind == wire.Custom {
		return r
	}
	id := string(pki.IDOf(p.leaf().Raw))
	return r.WithContext(wire.WithCaller(r.Context(), wire.Caller{Kind: wire.Certificate, CertificateID: id, Detail: p}))
}

// Authorizer decides over API calls: those of devices by IoT policies, all
// others by IAM.
type Authorizer struct {
	Guard   *Guard
	IAM     wire.Authorizer
	Journal why.Recorder
	Now     func() time.Time
}

// Authorize implements wire.Authorizer.
func (a *Authorizer) Authorize(ctx context.Context, caller wire.Caller, call wire.Call) error {
	switch who := caller.Detail.(type) {
	case *peer:
		c, err := a.identify(ctx, who, caller.CertificateID)
		return a.decide(ctx, who, call, c, err)
	case *customCaller:
		if a.outOfDomain(who.peer, authorizer.ByAuthorizer) {
			return errForbidden
		}
		c, err := a.vouch(ctx, who)
		return a.decide(ctx, who.peer, call, c, err)
	}
	if caller.Kind == wire.Certificate || caller.Kind == wire.Custom {
		return errForbidden
	}
	return a.IAM.Authorize(ctx, caller, call)
}

// identify finds out whose certificate a request came with.
func (a *Authorizer) identify(ctx context.Context, p *peer, certificate string) (access.Connection, error) {
	if a.outOfDomain(p, authorizer.ByCertificate) {
		return access.Connection{}, errForbidden
	}
	principal, event := a.Guard.identify(ctx, p.leaf())
	if event != nil {
		a.record(p, certificate, *event)
		return access.Connection{}, errForbidden
	}
	principal.SourceIP, principal.ServerName = p.remote.Addr(), p.state.ServerName
	return access.Connection{Principal: principal}, nil
}

// outOfDomain records that the domain configuration of the server name does not
// allow a request.
func (a *Authorizer) outOfDomain(p *peer, proof string) bool {
	detail := a.Guard.Authorizers.Refuses(p.state.ServerName, proof, authorizer.HTTPS)
	if !detail.IsZero() {
		a.record(p, "", *refusal(why.DomainRefused, detail))
	}
	return !detail.IsZero()
}

// decide puts the questions of a call to the policies of the caller.
func (a *Authorizer) decide(ctx context.Context, p *peer, call wire.Call, c access.Connection, err error) error {
	if err != nil {
		return err
	}
	if in, ok := call.Input.(*iotdata.GetConnectionRequest); ok {
		c.SocketInformation = strconv.FormatBool(in.IncludeSocketInformation != nil && *in.IncludeSocketInformation)
	}
	subject, err := a.Guard.Access.Open(ctx, c)
	if err != nil {
		return err
	}
	defer subject.Close()
	for _, ask := range deviceQuestions(call) {
		if !subject.Allows(ask.action, ask.resource) {
			a.refused(p, c.Principal, subject, ask)
			return errForbidden
		}
	}
	return nil
}

// errForbidden says no more than AWS does; the journal has the reasons.
var errForbidden = fault.Forbidden("Forbidden")

// question is one thing a policy must allow.
type question struct{ action, resource string }

// deviceQuestions gives what an IoT policy must allow for a call of a device.
func deviceQuestions(call wire.Call) []question {
	name := call.Operation.Name
	action := "iot:" + name
	switch name {
	case "Publish":
		asks := []question{{action, "topic/" + call.Member("topic")}}
		if retains(call) {
			asks = append(asks, question{"iot:RetainPublish", "topic/" + call.Member("topic")})
		}
		return asks
	case "GetRetainedMessage":
		return []question{{action, "topic/" + call.Member("topic")}}
	case "ListRetainedMessages":
		return []question{{action, "*"}}
	case "GetThingShadow", "UpdateThingShadow", "DeleteThingShadow":
		resource := "thing/" + call.Member("thingName")
		if shadow := call.Member("shadowName"); shadow != "" {
			resource += "/" + shadow
		}
		return []question{{action, resource}}
	case "DeleteConnection", "GetConnection", "ListSubscriptions", "SendDirectMessage":
		return []question{{action, "client/" + call.Member("clientId")}}
	}
	return []question{{action, "thing/" + call.Member("thingName")}}
}

func retains(call wire.Call) bool {
	in, ok := call.Input.(*iotdata.PublishRequest)
	return ok && in.Retain != nil && *in.Retain
}

func (a *Authorizer) refused(p *peer, who policy.Principal, subject *access.Subject, ask question) {
	event := why.Event{Action: ask.action, Resource: ask.resource}
	subject.Explain(ask.action, ask.resource).Tell(&event)
	a.record(p, who.ID, event)
}

func (a *Authorizer) record(p *peer, principal string, e why.Event) {
	e.Time, e.Principal, e.Source, e.Door, e.Server = a.Now(), principal, p.remote.String(), "https", p.state.ServerName
	e.Step = why.StepHTTP
	a.Journal.Record(e)
}
