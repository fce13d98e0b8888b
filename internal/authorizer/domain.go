package authorizer

import (
	"context"
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/registry"
	"thingd/internal/why"
)

// Domain is a domain configuration: how clients that ask for a server name are
// let in.
type Domain struct {
	Name                     string
	ID                       string // the end of its ARN
	DomainName               string `json:",omitzero"` // the server name; "" for none
	ServerCertificates       []string
	ValidationCertificateARN string         `json:",omitzero"`
	Authorizer               *DomainDefault `json:",omitzero"`
	ServiceType              string
	SecurityPolicy           string `json:",omitzero"`
	OCSP                     *OCSP  `json:",omitzero"`
	AuthenticationType       string
	ApplicationProtocol      string
	CertificateCallbackARN   string `json:",omitzero"`
	Disabled                 bool   `json:",omitzero"`
	StatusChanged            time.Time
}

// DomainDefault is the authorizer of a domain.
type DomainDefault struct {
	Name          string
	AllowOverride bool // whether clients may name another
}

// OCSP is kept, and nobody staples anything: the server's certificate is its own.
type OCSP struct {
	Enabled              *bool
	LambdaARN            string
	AuthorizedResponders string
}

// The ways to prove who one is, as authenticationType has them.
const (
	ByAny            = "DEFAULT" // decided by port and ALPN
	ByCertificate    = "AWS_X509"
	BySignature      = "AWS_SIGV4"
	ByAuthorizer     = "CUSTOM_AUTH"
	ByAuthorizerX509 = "CUSTOM_AUTH_X509"
)

// The protocols, as applicationProtocol has them.
const (
	AnyProtocol = "DEFAULT"
	SecureMQTT  = "SECURE_MQTT"
	MQTTOverWSS = "MQTT_WSS"
	HTTPS       = "HTTPS"
)

const (
	domainsMax = 10 // AWS's quota for an account
	// reserved begins the names of AWS's own configurations; case does not matter.
	reserved = "iot:"
	// ownID ends the ARNs of AWS's own (their form is unconfirmed).
	ownID = "default"
)

// own are the configurations that every account has.
var own = map[string]string{"iot:Data-ATS": "DATA", "iot:CredentialProvider": "CREDENTIAL_PROVIDER", "iot:Jobs": "JOBS"}

// IsOwn says whether it is one of those that every account has.
func (d *Domain) IsOwn() bool { return own[d.Name] != "" }

func (s *Service) ownDomain(name string) Domain {
	return Domain{
		Name: name, ID: ownID, DomainName: s.host, ServiceType: own[name],
		AuthenticationType: ByAny, ApplicationProtocol: AnyProtocol,
	}
}

// DomainARN names a domain configuration.
func (s *Service) DomainARN(d Domain) string {
	return s.scope.IoT("domainconfiguration", d.Name+"/"+d.ID)
}

// CreateDomain makes a domain configuration, AWS operation
// CreateDomainConfiguration, and gives it as it is kept.
func (s *Service) CreateDomain(ctx context.Context, d Domain, tags []registry.Tag) (Domain, error) {
	if strings.HasPrefix(strings.ToLower(d.Name), reserved) {
		return Domain{}, fault.InvalidRequest("names of domain configurations that begin with %s are reserved", reserved)
	}
	d.fillDefaults()
	if err := s.checkCertificates(d); err != nil {
		return Domain{}, err
	}
	d.ID, d.StatusChanged = s.newID(), s.timestamp()
	err := s.update(ctx, func(tx Tx) error {
		if err := s.admitDomain(tx, d); err != nil {
			return err
		}
		if err := tx.PutDomain(d); err != nil {
			return err
		}
		return registry.PutTags(tx, s.DomainARN(d), tags)
	})
	return d, err
}

func (s *Service) checkCertificates(d Domain) error {
	for _, arn := range d.ServerCertificates {
		if err := s.CertificateProblem(d, arn); err != nil {
			return err
		}
	}
	return nil
}

// CertificateProblem says what keeps a certificate of a domain configuration
// from being served.
func (s *Service) CertificateProblem(d Domain, arn string) error {
	if s.certs == nil {
		return nil
	}
	return s.certs.Check(arn, d.DomainName)
}

func (d *Domain) fillDefaults() {
	for _, f := range []struct {
		field *string
		value string
	}{{&d.ServiceType, "DATA"}, {&d.AuthenticationType, ByAny}, {&d.ApplicationProtocol, AnyProtocol}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	d.DomainName = strings.ToLower(d.DomainName)
}

// admitDomain refuses a domain configuration that is in the way of others.
func (s *Service) admitDomain(tx Tx, d Domain) error {
	have, found, err := tx.Domain(d.Name)
	if err != nil {
		return err
	}
	if found {
		return taken(nil, "Domain configuration", d.Name, s.DomainARN(have))
	}
	all, err := tx.Domains()
	if err != nil {
		return err
	}
	count := 0
	for _, other := range all {
		if !other.IsOwn() {
			count++
		}
		if d.DomainName != "" && other.DomainName == d.DomainName {
			return taken(nil, "A domain configuration for "+d.DomainName+":", other.Name, s.DomainARN(other))
		}
	}
	if d.DomainName != "" && s.elsewhere(d.DomainName) {
		return fault.AlreadyExists("Another account of this server has a domain configuration for %s", d.DomainName)
	}
	if count >= domainsMax {
		return fault.LimitExceeded("the account has %d domain configurations; no more are possible", domainsMax)
	}
	return d.checkAuthorizer(tx)
}

// checkAuthorizer wants the authorizer of a domain to exist. Create models no
// error for that but InvalidRequest.
func (d *Domain) checkAuthorizer(tx Tx) error {
	if d.Authorizer == nil || d.Authorizer.Name == "" {
		return nil
	}
	_, found, err := tx.Authorizer(d.Authorizer.Name)
	if err == nil && !found {
		err = fault.InvalidRequest("Authorizer %s does not exist", d.Authorizer.Name)
	}
	return err
}

// Domain gives a domain configuration, AWS operation DescribeDomainConfiguration.
func (s *Service) Domain(ctx context.Context, name string) (d Domain, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		d, err = s.findDomain(tx, name)
		return err
	})
	return d, err
}

func (s *Service) findDomain(tx Tx, name string) (Domain, error) {
	d, found, err := tx.Domain(name)
	if err == nil && !found {
		if own[name] != "" {
			return s.ownDomain(name), nil
		}
		err = fault.NotFound("Domain configuration %s does not exist", name)
	}
	return d, err
}

// DomainUpdate says what to change; what is empty stays.
type DomainUpdate struct {
	Authorizer             *DomainDefault
	RemoveAuthorizer       bool
	Status                 string // ENABLED or DISABLED
	SecurityPolicy         string
	OCSP                   *OCSP
	AuthenticationType     string
	ApplicationProtocol    string
	CertificateCallbackARN string
}

// UpdateDomain changes a domain configuration, AWS operation
// UpdateDomainConfiguration.
func (s *Service) UpdateDomain(ctx context.Context, name string, u DomainUpdate) (d Domain, err error) {
	err = s.update(ctx, func(tx Tx) error {
		if d, err = s.findDomain(tx, name); err != nil {
			return err
		}
		if disabled := u.Status == "DISABLED"; u.Status != "" && disabled != d.Disabled {
			d.Disabled, d.StatusChanged = disabled, s.timestamp()
		}
		if u.RemoveAuthorizer && u.Authorizer != nil {
			return fault.InvalidRequest("authorizerConfig and removeAuthorizerConfig exclude one another")
		}
		u.apply(&d)
		if err := d.checkAuthorizer(tx); err != nil {
			return err
		}
		return tx.PutDomain(d)
	})
	return d, err
}

func (u DomainUpdate) apply(d *Domain) {
	if u.Authorizer != nil || u.RemoveAuthorizer {
		d.Authorizer = u.Authorizer
	}
	if u.OCSP != nil {
		d.OCSP = u.OCSP
	}
	for field, value := range map[*string]string{
		&d.SecurityPolicy: u.SecurityPolicy, &d.AuthenticationType: u.AuthenticationType,
		&d.ApplicationProtocol: u.ApplicationProtocol, &d.CertificateCallbackARN: u.CertificateCallbackARN,
	} {
		if value != "" {
			*field = value
		}
	}
}

// DeleteDomain removes a domain configuration, AWS operation
// DeleteDomainConfiguration. It must be DISABLED (the error is unconfirmed).
func (s *Service) DeleteDomain(ctx context.Context, name string) error {
	return s.update(ctx, func(tx Tx) error {
		d, err := s.findDomain(tx, name)
		switch {
		case err != nil:
			return err
		case d.IsOwn():
			return fault.InvalidRequest("Domain configuration %s is AWS's own and cannot be deleted", name)
		case !d.Disabled:
			return fault.InvalidRequest("Domain configuration %s is ENABLED; set its status to DISABLED first", name)
		}
		if err := tx.DeleteDomain(name); err != nil {
			return err
		}
		return tx.DeleteTags(s.DomainARN(d))
	})
}

// Domains lists domain configurations by name, of one service type or of all
// with "", AWS operation ListDomainConfigurations.
func (s *Service) Domains(ctx context.Context, serviceType string, p registry.Page) ([]Domain, string, error) {
	list := registry.List{"domainconfigurations", serviceType}
	keys, err := list.Keys(p.Token, 1)
	if err != nil {
		return nil, "", err
	}
	all, err := s.allDomains(ctx)
	all = slices.DeleteFunc(all, func(d Domain) bool {
		return d.Name <= keys[0] || serviceType != "" && d.ServiceType != serviceType
	})
	limit := pageLimit(p)
	if err != nil || len(all) <= limit {
		return all, "", err
	}
	return all[:limit], list.Token(all[limit-1].Name), nil
}

// allDomains gives those of the account and AWS's own, by name.
func (s *Service) allDomains(ctx context.Context) (all []Domain, err error) {
	byName := map[string]Domain{}
	for name := range own {
		byName[name] = s.ownDomain(name)
	}
	err = s.store.View(ctx, func(tx Tx) error {
		all, err = tx.Domains()
		return err
	})
	for _, d := range all {
		byName[d.Name] = d
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b Domain) int { return strings.Compare(a.Name, b.Name) }), err
}

// update runs fn in a transaction and obeys its effect from then on.
func (s *Service) update(ctx context.Context, fn func(Tx) error) error {
	if err := s.store.Update(ctx, fn); err != nil {
		return err
	}
	return s.Reload(ctx)
}

// Reload obeys the domain configurations that the store has now. The Service
// does it after its own changes; call it for those of other nodes.
func (s *Service) Reload(ctx context.Context) error {
	all, err := s.allDomains(ctx)
	if err != nil {
		return err
	}
	now := served{data: map[string]Domain{}, named: map[string]Domain{}}
	for _, d := range all {
		name := strings.ToLower(d.DomainName)
		if name != "" && d.ServiceType == "DATA" {
			now.data[name] = d
		}
		if name != "" && !d.IsOwn() {
			now.named[name] = d
		}
	}
	s.domains.Store(&now)
	return nil
}

// served are the domain configurations by server name: those of the data plane,
// and those that somebody has made, of whatever service.
type served struct{ data, named map[string]Domain }

// Named gives the domain configuration that somebody has made for a server name.
func (s *Service) Named(server string) (Domain, bool) {
	d, ok := s.domains.Load().named[strings.ToLower(server)]
	return d, ok
}

// DomainOf gives the domain configuration of the data plane for a server name,
// by the name alone, as AWS does.
func (s *Service) DomainOf(server string) (Domain, bool) {
	d, ok := s.domains.Load().data[strings.ToLower(server)]
	return d, ok
}

// securityPolicies are AWS's security policies and what they mean here: the least
// and the greatest version of TLS. Their cipher suites are Go's choice.
var securityPolicies = map[string][2]uint16{
	"IoTSecurityPolicy_TLS13_1_3_2022_10": {tls.VersionTLS13, tls.VersionTLS13},
	"IoTSecurityPolicy_TLS13_1_2_2022_10": {tls.VersionTLS12, tls.VersionTLS13},
	"IoTSecurityPolicy_TLS12_1_2_2022_10": {tls.VersionTLS12, tls.VersionTLS12},
}

// TLSVersions gives the least and greatest TLS version for clients that ask for a
// server name: what its domain configuration's security policy says, 0 for
// whatever is usual. Policies that are not known are kept and say nothing.
func (s *Service) TLSVersions(server string) (least, greatest uint16) {
	d, _ := s.DomainOf(server)
	versions := securityPolicies[d.SecurityPolicy]
	return versions[0], versions[1]
}

// Refuses says why a client is not let in by the domain of its server name, who
// proves itself and speaks like that; "" lets it in.
func (s *Service) Refuses(server, authentication, protocol string) why.Phrase {
	d, ok := s.DomainOf(server)
	switch {
	case !ok:
		return why.Phrase{}
	case d.Disabled:
		return why.Say("domain configuration %s is DISABLED", d.Name)
	case d.AuthenticationType != ByAny && d.AuthenticationType != authentication:
		return why.Say("domain configuration %s wants authentication type %s, and the client used %s", d.Name, d.AuthenticationType, authentication)
	case d.ApplicationProtocol != AnyProtocol && d.ApplicationProtocol != protocol:
		return why.Say("domain configuration %s wants protocol %s, and the client used %s", d.Name, d.ApplicationProtocol, protocol)
	}
	return why.Phrase{}
}
