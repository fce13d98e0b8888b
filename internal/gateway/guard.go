package gateway

import (
	"context"
	"crypto/x509"
	"time"

	"thingd/internal/access"
	"thingd/internal/authorizer"
	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/iam"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/pki"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// Guard says who a client is: it joins certificates, policies and IAM for the
// broker and for HTTPS.
type Guard struct {
	PKI    *pki.Service
	Access *access.Service
	IAM    *iam.Service

	Authorizers *authorizer.Service

	Publisher func() message.Publisher // the broker, which in turn needs the Guard
	// Withdraw cuts off a client of the broker whose admission holds no longer.
	Withdraw func(clientID string, from *broker.Peer, cause why.Cause, detail why.Phrase)
	Now      func() time.Time

	WebSocketLife time.Duration // of one that a signature opened; 0: no limit

	// FirstConnect provisions a device whose certificate waits under a CA with a
	// template (JITP), before its connection is refused. nil: nobody does.
	FirstConnect func(ctx context.Context, leaf *x509.Certificate, ca pki.CA) error

	// ClaimRights decides for certificates of CreateProvisioningClaim, which no
	// policy is attached to. nil: they may do nothing.
	ClaimRights func(ctx context.Context, id pki.CertificateID) (access.Decider, error)
}

var _ broker.Guard = (*Guard)(nil)

// causes gives the journal's word for each verdict over a certificate.
var causes = map[pki.Refusal]why.Cause{
	pki.Unregistered:     why.CertificateUnknown,
	pki.NotActive:        why.CertificateInactive,
	pki.IsRevoked:        why.CertificateRevoked,
	pki.AwaitsActivation: why.CertificatePending,
	pki.AwaitsTransfer:   why.CertificatePending,
	pki.Expired:          why.CertificateExpired,
}

// Admit implements broker.Guard.
func (g *Guard) Admit(ctx context.Context, a broker.Attempt) (broker.Admission, *why.Event) {
	if conn, ok := a.Peer.Conn.(settler); ok {
		conn.settle()
	}
	if a.Peer.Principal != nil {
		if event := g.outOfDomain(a, authorizer.BySignature); event != nil {
			return broker.Admission{}, event
		}
		return g.admitSigner(a)
	}
	offer := offerOf(a)
	custom, err := g.wantsAuthorizer(ctx, a, offer)
	event := g.outOfDomain(a, g.proof(a, custom))
	switch {
	case err != nil:
		return broker.Admission{}, refusal(why.ServerError, why.Words(err.Error()))
	case event != nil:
		return broker.Admission{}, event
	case custom:
		return g.admitVouched(ctx, a, offer)
	case a.Peer.Certificate == nil:
		return broker.Admission{}, refusal(why.NoCertificate, why.Phrase{})
	}
	return g.admitDevice(ctx, a)
}

// proof names, as domain configurations do, how a client proves who it is.
func (g *Guard) proof(a broker.Attempt, custom bool) string {
	if !custom {
		return authorizer.ByCertificate
	}
	if d, ok := g.Authorizers.DomainOf(a.Peer.ServerName); ok && d.AuthenticationType == authorizer.ByAuthorizerX509 {
		return authorizer.ByAuthorizerX509
	}
	return authorizer.ByAuthorizer
}

// outOfDomain refuses what the domain configuration of the server name does not
// allow.
func (g *Guard) outOfDomain(a broker.Attempt, proof string) *why.Event {
	protocol := authorizer.SecureMQTT
	if a.Peer.Door == "wss" {
		protocol = authorizer.MQTTOverWSS
	}
	if detail := g.Authorizers.Refuses(a.Peer.ServerName, proof, protocol); !detail.IsZero() {
		return refusal(why.DomainRefused, detail)
	}
	return nil
}

func refusal(cause why.Cause, detail why.Phrase) *why.Event {
	event := &why.Event{Step: why.StepConnect, Cause: cause}
	event.Because(detail)
	return event
}

func (g *Guard) admitSigner(a broker.Attempt) (broker.Admission, *why.Event) {
	caller, _ := a.Peer.Identity.(wire.Caller)
	actor, ok := iam.ActorOf(caller)
	if !ok {
		return broker.Admission{}, refusal(why.SignatureInvalid, why.Phrase{})
	}
	about := policy.Values{}
	about.Set(policy.KeySourceIP, a.Peer.Remote.Addr().String())
	about.Set(policy.KeySecureTransport, "true")
	admission := broker.Admission{Principal: *a.Peer.Principal, Rights: g.IAM.Rights(*actor, about)}
	if g.WebSocketLife > 0 {
		admission.Until, admission.UntilWhy = g.Now().Add(g.WebSocketLife), why.WebSocketTTL
	}
	return admission, nil
}

func (g *Guard) admitDevice(ctx context.Context, a broker.Attempt) (broker.Admission, *why.Event) {
	principal, event := g.identify(ctx, a.Peer.Certificate)
	principal.SourceIP, principal.ServerName = a.Peer.Remote.Addr(), a.Peer.ServerName
	if event != nil {
		return broker.Admission{}, event
	}
	c := access.Connection{
		Principal: principal, MQTT: true, ClientID: a.ClientID, PersistentConnect: a.Persistent,
	}
	if a.Will != nil {
		c.HasWill, c.WillTopic = true, a.Will.Topic
	}
	leaf := a.Peer.Certificate
	until, err := g.claim(ctx, leaf, &c)
	if err != nil {
		return broker.Admission{}, refusal(why.ServerError, why.Words(err.Error()))
	}
	subject, err := g.Access.Open(ctx, c)
	if err != nil {
		return broker.Admission{}, refusal(why.ServerError, why.Words(err.Error()))
	}
	return broker.Admission{
		Principal: principal, Rights: subject, Holds: func() bool { return g.stillActive(ctx, leaf) },
		Until: until, UntilWhy: why.AuthError,
	}, nil
}

// claim gives a claim certificate its rights and says when they end; other
// certificates are left as they are.
func (g *Guard) claim(ctx context.Context, leaf *x509.Certificate, c *access.Connection) (until time.Time, err error) {
	cert, _, err := g.PKI.Lookup(ctx, leaf)
	if err != nil || !cert.Claim || g.ClaimRights == nil {
		return time.Time{}, err
	}
	c.Decider, err = g.ClaimRights(ctx, cert.ID)
	return cert.NotAfter, err
}

// identify judges a client's certificate; a device that registers itself by
// connecting is announced.
func (g *Guard) identify(ctx context.Context, leaf *x509.Certificate) (policy.Principal, *why.Event) {
	verdict, err := g.PKI.Identify(ctx, leaf)
	if err != nil {
		return policy.Principal{}, refusal(why.ServerError, why.Words(err.Error()))
	}
	id := string(pki.IDOf(leaf.Raw))
	if j := verdict.JustInTime; j != nil && j.Topic != "" {
		g.Publisher().Publish(message.Message{Topic: j.Topic, Payload: j.Payload, QoS: mqtt.QoS1}, nil)
	} else if j != nil && g.FirstConnect != nil {
		if err := g.FirstConnect(ctx, leaf, j.CA); err != nil {
			verdict.Why = why.Say("%s; it could not be provisioned: %v", verdict.Why, err)
		} else {
			verdict.Why = why.Say("%s; it has been provisioned now, the next try is welcome", verdict.Why)
		}
	}
	if verdict.Refused != pki.Welcome {
		event := refusal(causes[verdict.Refused], verdict.Why)
		event.Principal = id
		return policy.Principal{}, event
	}
	return policy.Principal{
		Kind: policy.ByCertificate, ID: id, ARN: g.PKI.ARN(pki.CertificateID(id)), Certificate: leaf,
	}, nil
}

func (g *Guard) stillActive(ctx context.Context, leaf *x509.Certificate) bool {
	cert, found, err := g.PKI.Lookup(ctx, leaf)
	return err == nil && found && cert.Status == pki.Active
}
