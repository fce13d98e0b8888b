package gateway

import (
	"context"
	"encoding/pem"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"thingd/internal/access"
	"thingd/internal/authorizer"
	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/fault"
	"thingd/internal/pki"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// wantsAuthorizer says whether a client is for a custom authorizer: the door or
// the domain says so, or it names one; or it brings neither certificate nor
// signature, and there is a default one. Who offers the ALPN for certificates has
// said otherwise.
func (g *Guard) wantsAuthorizer(ctx context.Context, a broker.Attempt, o authorizer.Offer) (bool, error) {
	if a.Peer.ALPN == alpnCustomAuth {
		return true, nil
	}
	if d, ok := g.Authorizers.DomainOf(a.Peer.ServerName); ok {
		switch d.AuthenticationType {
		case authorizer.ByAuthorizer, authorizer.ByAuthorizerX509:
			return true, nil
		case authorizer.ByCertificate, authorizer.BySignature:
			return false, nil
		}
	}
	if a.Peer.Certificate != nil || a.Peer.ALPN == alpnMQTT {
		return false, nil
	}
	return g.Authorizers.Expects(ctx, o)
}

// ofAuthorizers says whether the domain of a server name is for clients of custom
// authorizers.
func (g *Guard) ofAuthorizers(serverName string) bool {
	d, ok := g.Authorizers.DomainOf(serverName)
	return ok && (d.AuthenticationType == authorizer.ByAuthorizer || d.AuthenticationType == authorizer.ByAuthorizerX509)
}

// offerOf gathers what a client brings for an authorizer.
func offerOf(a broker.Attempt) authorizer.Offer {
	o := authorizer.Offer{
		ServerName: a.Peer.ServerName,
		MQTT:       &authorizer.MQTT{Username: a.Username, Password: a.Password, ClientID: a.ClientID},
	}
	o.HTTP, _ = a.Peer.Identity.(*authorizer.HTTP)
	return o
}

// httpOffer is what came with a request.
func httpOffer(r *http.Request) *authorizer.HTTP {
	h := &authorizer.HTTP{Headers: map[string]string{"Host": r.Host}}
	for name, values := range r.Header {
		h.Headers[name] = strings.Join(values, ", ")
	}
	if r.URL.RawQuery != "" {
		h.Query = "?" + r.URL.RawQuery
	}
	return h
}

// admitVouched lets in whom an authorizer vouches for.
func (g *Guard) admitVouched(ctx context.Context, a broker.Attempt, o authorizer.Offer) (broker.Admission, *why.Event) {
	if event := g.addCertificate(ctx, a, &o); event != nil {
		return broker.Admission{}, event
	}
	verdict, err := g.Authorizers.Vouch(ctx, o)
	if err != nil {
		return broker.Admission{}, refusedBy(err)
	}
	c := access.Connection{
		Principal: vouchedFor(verdict, a.Peer.Remote.Addr(), a.Peer.ServerName),
		MQTT:      true, ClientID: a.ClientID, PersistentConnect: a.Persistent,
	}
	if a.Will != nil {
		c.HasWill, c.WillTopic = true, a.Will.Topic
	}
	rights, err := g.openVouched(ctx, c, verdict)
	if err != nil {
		return broker.Admission{}, refusal(why.ServerError, why.Words(err.Error()))
	}
	rights.offer, rights.peer = o, a.Peer
	return broker.Admission{
		Principal: c.Principal, Rights: rights,
		Until: g.Now().Add(verdict.Disconnect), UntilWhy: why.CustomAuthTTL,
	}, nil
}

// addCertificate judges the certificate where the domain wants one beside the
// authorizer.
func (g *Guard) addCertificate(ctx context.Context, a broker.Attempt, o *authorizer.Offer) *why.Event {
	d, ok := g.Authorizers.DomainOf(o.ServerName)
	if !ok || d.AuthenticationType != authorizer.ByAuthorizerX509 {
		return nil
	}
	leaf := a.Peer.Certificate
	if leaf == nil {
		return refusal(why.NoCertificate, why.Say("domain configuration %s wants a certificate beside the custom authorizer", d.Name))
	}
	if _, event := g.identify(ctx, leaf); event != nil {
		return event
	}
	o.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	o.CertificateID = string(pki.IDOf(leaf.Raw))
	return nil
}

// refusedBy words why an authorizer did not let a client in. What is no fault is
// a failure of ours.
func refusedBy(err error) *why.Event {
	if fault.CodeOf(err) == fault.Internal {
		return refusal(why.ServerError, why.Words(err.Error()))
	}
	f, _ := errors.AsType[*fault.Error](err)
	detail := why.Say(f.Form, f.Of...)
	if cause := errors.Unwrap(f); cause != nil {
		detail = why.Say("%s: %v", detail, cause)
	}
	return refusal(why.AuthorizerRefused, detail)
}

// vouchedFor is who an authorizer vouches for.
func vouchedFor(v authorizer.Verdict, from netip.Addr, server string) policy.Principal {
	return policy.Principal{Kind: policy.ByAuthorizer, ID: v.PrincipalID, SourceIP: from, ServerName: server}
}

// vouched are the rights that an authorizer gave. When its answer is due to be
// refreshed, the next question starts that and is still answered by the old
// policies: who asks may hold up others, and a function may take seconds.
type vouched struct {
	*access.Subject
	guard    *Guard
	client   string
	offer    authorizer.Offer
	peer     *broker.Peer
	verdict  authorizer.Verdict // the first
	policies *newestPolicies
	due      atomic.Int64 // Unix milliseconds; never while a refresh is under way
}

const never = math.MaxInt64

var _ broker.Rights = (*vouched)(nil)

// newestPolicies decide by the last answer of the authorizer.
type newestPolicies struct {
	set   atomic.Pointer[policy.Set]
	swaps atomic.Uint64
}

func (p *newestPolicies) swap(set *policy.Set) {
	p.set.Store(set)
	p.swaps.Add(1)
}

// Decide implements access.Decider.
func (p *newestPolicies) Decide(q policy.Request) policy.Decision { return p.set.Load().Decide(q) }

// Explain implements access.Decider.
func (p *newestPolicies) Explain(q policy.Request) policy.Explanation {
	return p.set.Load().Explain(q)
}

// openVouched makes the rights of a connection that a verdict let in.
func (g *Guard) openVouched(ctx context.Context, c access.Connection, v authorizer.Verdict) (*vouched, error) {
	policies := &newestPolicies{}
	policies.swap(v.Policies)
	c.Decider = policies
	subject, err := g.Access.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	rights := &vouched{Subject: subject, guard: g, client: c.ClientID, verdict: v, policies: policies}
	rights.waitUntil(v.Refresh)
	return rights, nil
}

func (v *vouched) waitUntil(after time.Duration) {
	v.due.Store(v.guard.Now().Add(after).UnixMilli())
}

// Allows implements broker.Rights.
func (v *vouched) Allows(action, resource string) bool {
	v.freshen()
	return v.Subject.Allows(action, resource)
}

// swapped separates the generations of answers from those of the Subject, which
// grow by one a change.
const swapped = 1 << 40

// Generation implements broker.Rights. Who remembers answers asks it each time.
func (v *vouched) Generation() uint64 {
	v.freshen()
	return v.policies.swaps.Load()*swapped + v.Subject.Generation()
}

// freshen begins a refresh that is due.
func (v *vouched) freshen() {
	due := v.due.Load()
	if due != never && v.guard.Now().UnixMilli() >= due && v.due.CompareAndSwap(due, never) {
		go v.refresh()
	}
}

// refreshMax bounds a refresh: the function's five seconds, and our own.
const refreshMax = 10 * time.Second

// refresh asks the authorizer again. Whom it does not vouch for any more is cut
// off.
func (v *vouched) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), refreshMax)
	defer cancel()
	verdict, err := v.guard.Authorizers.Vouch(ctx, v.offer)
	if err == nil && verdict.PrincipalID != v.verdict.PrincipalID {
		err = fault.New(fault.CodeUnauthorized, "authorizer %s now calls the client %s, and let in %s",
			verdict.Authorizer, verdict.PrincipalID, v.verdict.PrincipalID)
	}
	if err != nil {
		v.policies.swap(policy.NewSet())
		v.guard.Withdraw(v.client, v.peer, why.AuthorizerRefused, refusedBy(err).Reason)
		return
	}
	v.policies.swap(verdict.Policies)
	v.waitUntil(verdict.Refresh)
}

// customCaller is an HTTPS request for an authorizer.
type customCaller struct {
	peer  *peer
	offer authorizer.Offer
}

// withAuthorizer lets the AWS front know that a request is for a custom
// authorizer, which is asked when it is known that the operation exists.
func (w *Web) withAuthorizer(r *http.Request, p *peer) *http.Request {
	o := authorizer.Offer{ServerName: p.state.ServerName, HTTP: httpOffer(r)}
	if !o.Names() && p.leaf() != nil || p.state.NegotiatedProtocol == alpnHTTP && !w.Guard.ofAuthorizers(o.ServerName) {
		return r
	}
	expected, err := w.Guard.Authorizers.Expects(r.Context(), o)
	if err != nil || !expected { // without a caller the request is refused
		return r
	}
	return r.WithContext(wire.WithCaller(r.Context(), wire.Caller{Kind: wire.Custom, Detail: &customCaller{p, o}}))
}

// errUnauthorized says no more than AWS does.
var errUnauthorized = fault.New(fault.CodeUnauthorized, "Unauthorized")

// vouch asks the authorizer for a request.
func (a *Authorizer) vouch(ctx context.Context, c *customCaller) (access.Connection, error) {
	verdict, err := c.peer.verdicts.get(ctx, a.Guard, c.offer)
	if err != nil {
		event := refusedBy(err)
		a.record(c.peer, "", *event)
		if event.Cause == why.ServerError {
			return access.Connection{}, err
		}
		return access.Connection{}, errUnauthorized
	}
	return access.Connection{
		Principal: vouchedFor(verdict, c.peer.remote.Addr(), c.peer.state.ServerName), Decider: verdict.Policies,
	}, nil
}

// verdicts remembers the last verdict of a connection, for authorizers with
// caching for HTTP.
type verdicts struct {
	mu    sync.Mutex
	offer authorizer.Offer
	last  authorizer.Verdict
	until time.Time
}

func (v *verdicts) get(ctx context.Context, g *Guard, o authorizer.Offer) (authorizer.Verdict, error) {
	v.mu.Lock()
	last, fits := v.last, g.Now().Before(v.until) && v.last.Covers(v.offer, o)
	v.mu.Unlock()
	if fits {
		return last, nil
	}
	verdict, err := g.Authorizers.Vouch(ctx, o)
	if err == nil && verdict.CachingForHTTP {
		v.mu.Lock()
		v.offer, v.last, v.until = o, verdict, g.Now().Add(verdict.Refresh)
		v.mu.Unlock()
	}
	return verdict, err
}
