package thingd

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"thingd/internal/access"
	"thingd/internal/api"
	"thingd/internal/arn"
	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/iotjobs"
	"thingd/internal/aws/sagemaker"
	"thingd/internal/aws/sagemakeredge"
	"thingd/internal/aws/sts"
	"thingd/internal/aws/thingdapi"
	"thingd/internal/aws/tunneling"
	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/console"
	"thingd/internal/credentials"
	"thingd/internal/fault"
	"thingd/internal/gateway"
	"thingd/internal/iam"
	"thingd/internal/message"
	"thingd/internal/pki"
	"thingd/internal/provisioning"
	"thingd/internal/registry"
	"thingd/internal/why"
)

// guard joins certificates, policies and IAM.
func (s *Server) guard() *gateway.Guard {
	return &gateway.Guard{
		PKI: s.pki, Access: s.access, IAM: s.iam, Authorizers: s.authorizers, Now: s.now,
		WebSocketLife: s.limits.WebSocketLife,
		Publisher:     func() message.Publisher { return s.broker },
		Withdraw: func(clientID string, from *broker.Peer, cause why.Cause, detail why.Phrase) {
			s.broker.Withdraw(clientID, from, cause, detail)
		},
		FirstConnect: func(ctx context.Context, leaf *x509.Certificate, ca pki.CA) error {
			return s.provisioning.FirstConnect(ctx, leaf, ca)
		},
		ClaimRights: func(ctx context.Context, id pki.CertificateID) (access.Decider, error) {
			return s.provisioning.ClaimRights(ctx, id)
		},
	}
}

// front mounts every AWS service. What its implementation lacks is answered with
// NotImplementedException.
func (s *Server) front() *wire.Mux {
	mux := wire.NewMux(wire.Options{
		Authenticator: s.gate,
		Authorizer:    &gateway.Authorizer{Guard: s.guard(), IAM: s.gate, Journal: s.journal, Now: s.now},
		Now:           s.now, Log: s.log, Observe: s.served,
	})
	data := &api.IoTData{Publisher: s.broker, Broker: s.broker, Limits: s.limits, Shadows: s.shadows, Now: s.now}
	mux.Mount(iotdata.Service, data, wire.BodyMax(int64(s.limits.PayloadBytes)+64<<10))
	mux.Mount(iotjobs.Service, nil)
	mux.Mount(iot.Service, &api.IoT{
		Scope: s.scope, Registry: s.registry, Access: s.access, PKI: s.pki, Broker: s.broker, Settings: s.settings, Authorizers: s.authorizers,
		Credentials: s.aliases, Rules: s.rules, Provisioning: s.provisioning,
		Endpoints: api.Endpoints{Data: s.config.Host[0], Credentials: s.credentialsHost()},
	})
	mux.Mount(tunneling.Service, nil)
	mux.Mount(sagemaker.Service, &api.SageMaker{Fleets: s.fleets})
	mux.Mount(sagemakeredge.Service, &api.SageMakerEdge{Fleets: s.fleets})
	mux.Mount(sts.Service, &api.STS{IAM: s.iam})
	mux.Mount(iamapi.Service, &api.IAM{IAM: s.iam})
	mux.Mount(thingdapi.Service, &api.Thingd{
		Journal: s.journal, Rules: s.rules, Bridge: s.bridge, Provisioning: s.provisioning, Accounts: accounts{s},
	}, wire.BodyMax(provisioning.PartMax))
	return mux
}

// doors answers on the TLS doors, for whichever account is meant.
func (s *Server) doors() http.Handler {
	s.door = s.web()
	return s.byAccount(func(h *Server) http.Handler { return h.door })
}

// web answers on the TLS doors for one account.
func (s *Server) web() http.Handler {
	return &gateway.Web{
		Guard: s.guard(), API: s.front(),
		WebSocket: &gateway.WebSocket{Broker: s.broker, Authenticator: s.gate, Journal: s.journal, Now: s.now},
		Credentials: &gateway.CredentialProvider{
			Guard: s.guard(), Credentials: s.aliases, Journal: s.journal, Now: s.now, Log: s.log,
		},
		Objects: s.objects,
	}
}

// local answers on the plain door.
func (s *Server) local() http.Handler {
	s.api = s.front()
	return gateway.Local(gateway.LocalConfig{
		API:     s.byAccount(func(h *Server) http.Handler { return h.api }),
		Objects: objectsByAccount{s}, Broker: s.broker, RootCA: s.authority.RootPEM(), Console: s.console,
		Rules: s.rules.Stats, Bridge: s.bridge.All, Others: s.neighborStats,
		Doors: func() *gateway.Stats { return s.gateway.Stats() },
	})
}

// openConsole makes the web console of the account.
func (s *Server) openConsole(context.Context) error {
	s.console = console.New(console.Config{
		Scope: s.scope, Host: s.config.Host[0], Profile: s.config.Profile, Limits: s.limits, RootCA: s.authority.RootPEM(), Hosts: s.authority.Hosts,
		Registry: s.registry, Access: s.access, PKI: s.pki, IAM: s.iam, Shadows: s.shadows, Broker: s.broker, Bridge: s.bridge,
		Journal: s.journal, Rules: s.rules, Aliases: s.aliases, Fleets: s.fleets, Now: s.now, Log: s.log,
		Objects: inside{objects: s.objects}, ObjectsURL: "http://" + insideHost,
		Audit: s.audit, Settings: s.settings, Authorizers: s.authorizers, Provisioning: s.provisioning,
		Accounts: accounts{s}, Data: s.config.Data, Others: s.otherConsoles(),
	})
	return nil
}

// openIAM makes the root access key at first start and tells it to the owner of
// the data folder.
func (s *Server) openIAM(ctx context.Context) error {
	s.iam = iam.New(iam.Config{
		Store: s.db.IAM(s.config.Account), Scope: s.scope, Sealer: s.sealer, Now: s.now,
		ResourceTags: s.tagsOf, Elsewhere: s.identitiesOf,
	})
	s.gate = iam.NewGate(s.iam)
	key, err := s.iam.RootKey(ctx)
	if err != nil {
		return fmt.Errorf("the root access key: %w", err)
	}
	return s.data.writeCredentials(key.ID, key.Secret, s.config.Region)
}

// openCredentials makes the credentials provider.
func (s *Server) openCredentials(context.Context) error {
	s.aliases = credentials.New(credentials.Config{
		Store: s.db.Credentials(s.config.Account), Scope: s.scope, Access: s.access, IAM: s.iam, Now: s.now,
		ThingType: func(ctx context.Context, name string) (string, error) {
			thing, err := s.registry.Thing(ctx, name)
			return thing.Type, err
		},
	})
	return nil
}

// certificateChanged cuts off whoever is connected with a certificate that is
// not active any more, and ends the sessions that it was given.
func (s *Server) certificateChanged(id pki.CertificateID, _, to pki.Status) {
	if to == pki.Active {
		return
	}
	s.broker.DropPrincipal(string(id), why.Say("certificate %s became %s", id, to))
	if err := s.iam.EndSessionsOf(context.Background(), string(id)); err != nil {
		s.log.Error("sessions of a withdrawn certificate could not be ended", "certificate", id, "error", err)
	}
}

// registryChanged tells policies of things that are others now. A certificate that
// was detached from a thing loses the sessions that it was given, which may say
// that it is that thing: its device asks for another one.
func (s *Server) registryChanged(c registry.Change) {
	s.access.RegistryChanged(c)
	if c.Kind != registry.LinkChanged || !c.Deleted {
		return
	}
	_, id, isCertificate := strings.Cut(c.Name, ":cert/")
	if !isCertificate {
		return
	}
	if err := s.iam.EndSessionsOf(context.Background(), id); err != nil {
		s.log.Error("sessions of a certificate that was detached could not be ended", "certificate", id, "error", err)
	}
}

// certificateExists says whether an ARN names a certificate that is kept here.
func (s *Server) certificateExists(ctx context.Context, principal string) (bool, error) {
	_, err := s.certificateByARN(ctx, principal)
	if fault.Is(err, fault.CodeNotFound) || fault.Is(err, fault.CodeInvalidRequest) {
		return false, nil
	}
	return err == nil, err
}

func (s *Server) certificateByARN(ctx context.Context, text string) (pki.Certificate, error) {
	name, err := arn.Parse(text)
	if err != nil {
		return pki.Certificate{}, err
	}
	kind, id := name.Kind()
	if kind != "cert" || !name.In(s.scope, "iot") {
		return pki.Certificate{}, fault.NotFound("%s is no certificate of this account", text)
	}
	return s.pki.Describe(ctx, pki.NormalID(id))
}

// certificateOf gives the certificate behind an ARN; nil without one.
func (s *Server) certificateOf(ctx context.Context, principal string) (*x509.Certificate, error) {
	found, err := s.certificateByARN(ctx, principal)
	if err != nil {
		return nil, nil //nolint:nilerr // an unknown certificate has no attributes
	}
	block, _ := pem.Decode([]byte(found.PEM))
	if block == nil {
		return nil, errors.New("a stored certificate is not PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// taggable says for each kind of ARN that the registry does not own whether the
// resource exists.
func (s *Server) taggable() map[string]func(context.Context, arn.ARN) (bool, error) {
	return map[string]func(context.Context, arn.ARN) (bool, error){
		"policy": func(ctx context.Context, name arn.ARN) (bool, error) {
			_, id := name.Kind()
			return s.access.Exists(ctx, id)
		},
		"rule": func(ctx context.Context, name arn.ARN) (bool, error) {
			_, id := name.Kind()
			return s.rules.Exists(ctx, id)
		},
		"rolealias": func(ctx context.Context, name arn.ARN) (bool, error) {
			_, id := name.Kind()
			return s.aliases.Exists(ctx, id)
		},
		"provisioningtemplate": func(ctx context.Context, name arn.ARN) (bool, error) {
			_, id := name.Kind()
			return s.provisioning.Exists(ctx, id)
		},
		"cacert": func(ctx context.Context, name arn.ARN) (bool, error) {
			_, id := name.Kind()
			_, err := s.pki.DescribeCA(ctx, pki.NormalID(id))
			return existing(err)
		},
		"authorizer": func(ctx context.Context, name arn.ARN) (bool, error) {
			_, id := name.Kind()
			_, err := s.authorizers.Describe(ctx, id)
			return existing(err)
		},
		"domainconfiguration": s.domainExists,
		"certificateprovider": func(ctx context.Context, name arn.ARN) (bool, error) {
			_, id := name.Kind()
			_, err := s.pki.DescribeProvider(ctx, id)
			return existing(err)
		},
	}
}

// tagsOf reads the tags of a resource for the conditions of IAM policies.
func (s *Server) tagsOf(ctx context.Context, resource string) ([]iam.Tag, error) {
	read := s.registry.TagsForResource
	if name, err := arn.Parse(resource); err == nil && name.Service == "sagemaker" {
		read = s.fleets.Tags
	}
	tags, err := read(ctx, resource)
	all := make([]iam.Tag, len(tags))
	for i, tag := range tags {
		all[i] = iam.Tag{Key: tag.Key, Value: tag.Value}
	}
	return all, err
}

// existing turns what a Describe answered into whether the thing is there.
func existing(err error) (bool, error) {
	if fault.Is(err, fault.CodeNotFound) {
		return false, nil
	}
	return err == nil, err
}

// attachments tells pki what hangs on a certificate.
type attachments struct{ s *Server }

var _ pki.Attachments = attachments{}

// Things implements pki.Attachments.
func (a attachments) Things(ctx context.Context, certificateARN string) (int, error) {
	links, _, err := a.s.registry.PrincipalThings(ctx, certificateARN, nil, registry.Page{Size: 1})
	return len(links), err
}

// Policies implements pki.Attachments.
func (a attachments) Policies(ctx context.Context, certificateARN string) (int, error) {
	has, err := a.s.access.HasPolicies(ctx, certificateARN)
	if has {
		return 1, err
	}
	return 0, err
}

// DetachPolicies implements pki.Attachments.
func (a attachments) DetachPolicies(ctx context.Context, certificateARN string) error {
	return a.s.access.DetachAll(ctx, certificateARN)
}
