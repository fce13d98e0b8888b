package iam

import (
	"context"
	"fmt"
	"time"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/policy"
)

const (
	sessionMin      = 15 * time.Minute
	chainedMax      = time.Hour      // of a role assumed by a role's session
	tokenDefault    = 12 * time.Hour // GetSessionToken
	tokenMax        = 36 * time.Hour
	rootTokenMax    = time.Hour
	keptAfterExpiry = 24 * time.Hour // so that clients still read that it expired
	purgeAtOnce     = 500            // rows of one transaction
	policyARNsMax   = 10             // session policies by ARN
)

// AssumeOrder is the input of AssumeRole.
type AssumeOrder struct {
	RoleARN        string
	SessionName    string
	Duration       time.Duration // 15 minutes to the role's maximum; 0 means an hour
	Policy         string        // session policy, a document; "" for none
	PolicyARNs     []string      // managed policies with the same effect
	ExternalID     string
	SourceIdentity string
	Tags           []Tag // session tags
}

// AssumeRole gives the actor credentials of a role whose trust policy lets it
// (STS AssumeRole). Where the trust policy names the whole account, or the role is
// another account's, the actor's own policies must allow it too.
func (s *Service) AssumeRole(ctx context.Context, a *Actor, o AssumeOrder) (Credentials, Identity, error) {
	home, role, found, err := s.roleAnywhere(ctx, o.RoleARN)
	if err != nil {
		return Credentials{}, Identity{}, err
	}
	if !found { // the same answer as for a role that does not trust: names are not to be guessed
		return Credentials{}, Identity{}, s.mayNotAssume(a, "sts:AssumeRole", o.RoleARN)
	}
	if err := s.trusts(ctx, role, a, o); err != nil {
		return Credentials{}, Identity{}, err
	}
	if err := home.checkSession(ctx, &o, role, a); err != nil {
		return Credentials{}, Identity{}, err
	}
	session := Session{
		Name: o.SessionName, PolicyARNs: o.PolicyARNs, Context: tagKeys(o), Expires: s.timestamp().Add(o.Duration),
	}
	if o.Policy != "" {
		session.Policies = []string{o.Policy}
	}
	credentials, err := home.open(ctx, ByRole, role.Name, role.ID, session)
	return credentials, home.assumed(home.ofRole(role), o.SessionName), err
}

// roleAnywhere finds a role of this account or of another one on the server, and
// the Service of its account.
func (s *Service) roleAnywhere(ctx context.Context, roleARN string) (home *Service, role Role, found bool, err error) {
	if home = s.of(roleARN); home == nil {
		return nil, Role{}, false, nil
	}
	role, found, err = home.RoleByARN(ctx, roleARN)
	return home, role, found, err
}

// of gives the Service of the account that an ARN names; nil if it is not on this
// server.
func (s *Service) of(resource string) *Service {
	name, err := arn.Parse(resource)
	switch {
	case err != nil:
		return nil
	case name.Account == s.scope.Account:
		return s
	}
	return s.elsewhere(name.Account)
}

func (s *Service) mayNotAssume(a *Actor, action, roleARN string) error {
	return fault.New(fault.CodeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s", a.ARN, action, roleARN)
}

// trusts checks the role's trust policy, and the actor's own unless the trust goes
// to the actor itself, within one account. What the order adds to the session (tags, a source
// identity) is asked for as well, because policies may build on it.
func (s *Service) trusts(ctx context.Context, role Role, a *Actor, o AssumeOrder) error {
	trust, err := trustOf(role)
	if err != nil {
		return err
	}
	more := assumeKeys(o)
	for _, action := range assumeActions(o) {
		allowed, err := s.trustsFor(ctx, trust, a, action, o.RoleARN, more)
		if err != nil {
			return err
		}
		if !allowed {
			return s.mayNotAssume(a, action, o.RoleARN)
		}
	}
	return nil
}

func (s *Service) trustsFor(ctx context.Context, trust *policy.Set, a *Actor, action, roleARN string, more policy.Values) (bool, error) {
	caller := policy.Caller{Type: "AWS", IDs: []string{a.ARN, a.Owner}, Account: s.scope.Account}
	q := policy.Request{Action: action, Resource: roleARN, Context: s.circumstances(ctx, a, roleARN, more), Caller: caller}
	if !trust.Decide(q).Allowed() {
		return false, nil
	}
	own, err := s.Decide(ctx, a, action, roleARN, more)
	if err != nil || own.Allowed() {
		return err == nil, err
	}
	if s.of(roleARN) != s {
		return false, nil // an account's identities do in others what both allow
	}
	q.Caller.Account = ""
	byName := trust.Decide(q).Allowed()
	return byName && own.Outcome != policy.ExplicitDeny && a.limits == nil, nil
}

// assumeActions are the permissions that an order needs.
func assumeActions(o AssumeOrder) []string {
	actions := []string{"sts:AssumeRole"}
	if len(o.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if o.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	return actions
}

// assumeKeys are the condition keys that an order brings.
func assumeKeys(o AssumeOrder) policy.Values {
	v := policy.Values{}
	v.Set("sts:RoleSessionName", o.SessionName)
	if o.ExternalID != "" {
		v.Set("sts:ExternalId", o.ExternalID)
	}
	if o.SourceIdentity != "" {
		v.Set("sts:SourceIdentity", o.SourceIdentity)
	}
	for _, tag := range o.Tags {
		v.Set("aws:RequestTag/"+tag.Key, tag.Value)
	}
	return v
}

func trustOf(role Role) (*policy.Set, error) {
	document, err := policy.Parse(role.Trust, policy.Trust)
	if err != nil {
		return nil, err
	}
	return policy.NewSet(document.Compile("trust", "", VersionID)), nil
}

// checkSession checks the rest of the order and fills in the duration.
func (s *Service) checkSession(ctx context.Context, o *AssumeOrder, role Role, a *Actor) error {
	if o.Duration == 0 {
		o.Duration = min(sessionDefault, role.SessionMax)
	}
	if o.Duration < sessionMin || o.Duration > role.SessionMax {
		return fault.New(fault.CodeValidation, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if a.Kind == ByRole && o.Duration > chainedMax {
		return fault.New(fault.CodeValidation, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	if o.Policy != "" {
		if _, err := policy.Parse(o.Policy, policy.Identity); err != nil {
			return err
		}
	}
	if len(o.PolicyARNs) > policyARNsMax {
		return fault.New(fault.CodeValidation, "A session takes at most %d policy ARNs.", policyARNsMax)
	}
	for _, name := range o.PolicyARNs {
		if _, err := s.Policy(ctx, name); err != nil {
			return fault.New(fault.CodeValidation, "The session policy %s does not exist.", name).Because(err)
		}
	}
	return nil
}

// tagKeys are the condition keys that a session brings.
func tagKeys(o AssumeOrder) policy.Values {
	v := policy.Values{}
	for _, tag := range o.Tags {
		v.Set("aws:PrincipalTag/"+tag.Key, tag.Value)
	}
	if o.SourceIdentity != "" {
		v.Set("aws:SourceIdentity", o.SourceIdentity)
	}
	return v
}

// ServiceOrder asks for credentials of a role on behalf of a service of ours.
type ServiceOrder struct {
	RoleARN     string
	Service     string // whom the trust policy must name, such as credentials.iot.amazonaws.com
	SourceARN   string // of the resource that the service works for: aws:SourceArn in trust policies; "" for none
	SessionName string
	Duration    time.Duration // 0 means an hour
	Context     policy.Values // condition keys, such as credentials-iot:ThingName
	Certificate string        // ID of the device certificate that it is for; "" if none
}

// AssumeForService gives credentials of a role that trusts a service. The errors
// are in the words of the credentials provider (provisioning of devices).
func (s *Service) AssumeForService(ctx context.Context, o ServiceOrder) (Credentials, error) {
	role, err := s.roleForService(ctx, o)
	if err != nil {
		return Credentials{}, err
	}
	if o.Duration == 0 {
		o.Duration = sessionDefault
	}
	if o.Duration > role.SessionMax {
		return Credentials{}, fault.InvalidRequest("The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role")
	}
	return s.open(ctx, ByRole, role.Name, role.ID, Session{
		Name: o.SessionName, Context: o.Context, Certificate: o.Certificate, Expires: s.timestamp().Add(o.Duration),
	})
}

// ActForService gives a role that trusts a service as an actor of this process,
// without credentials that anybody could use: for what a service does itself on
// behalf of a role.
func (s *Service) ActForService(ctx context.Context, o ServiceOrder) (*Actor, error) {
	role, err := s.roleForService(ctx, o)
	if err != nil {
		return nil, err
	}
	identity := s.assumed(s.ofRole(role), o.SessionName)
	return Actor{Identity: identity}.With(o.Context), nil
}

// roleForService finds the role, if it trusts the service.
func (s *Service) roleForService(ctx context.Context, o ServiceOrder) (Role, error) {
	found, err := s.assumable(ctx, o.RoleARN)
	if err != nil {
		return Role{}, err
	}
	refused := fault.InvalidRequest("Unable to assume the role, or the role to assume does not exist")
	switch {
	case found.trust == nil:
		return Role{}, refused.Because(fmt.Errorf("there is no role %s", o.RoleARN))
	case !s.trustsService(found.trust, o):
		return Role{}, refused.Because(fmt.Errorf("the trust policy of role %s does not let %s do sts:AssumeRole", found.role.Name, o.Service))
	}
	return found.role, nil
}

// assumable is a role with its trust, ready to decide; trust is nil where there
// is no such role.
type assumable struct {
	role  Role
	trust *policy.Set
}

// assumable remembers roles: rules ask for theirs with every message.
func (s *Service) assumable(ctx context.Context, roleARN string) (assumable, error) {
	generation := s.Generation()
	if known, ok := s.roles.get(roleARN, generation); ok {
		return known, nil
	}
	role, found, err := s.RoleByARN(ctx, roleARN)
	if err != nil || !found {
		return assumable{}, err
	}
	trust, err := trustOf(role)
	if err != nil {
		return assumable{}, err
	}
	known := assumable{role, trust}
	s.roles.put(roleARN, known, generation)
	return known, nil
}

func (s *Service) trustsService(trust *policy.Set, o ServiceOrder) bool {
	about := policy.Values{}
	about.Set("aws:SourceAccount", s.scope.Account)
	if o.SourceARN != "" {
		about.Set("aws:SourceArn", o.SourceARN)
	}
	for key, values := range o.Context {
		about.Set(key, values...)
	}
	decision := trust.Decide(policy.Request{
		Action: "sts:AssumeRole", Resource: o.RoleARN, Context: &circumstances{now: s.now(), layers: []policy.Values{about}},
		Caller: policy.Caller{Type: "Service", IDs: []string{o.Service}},
	})
	return decision.Allowed()
}

// SessionToken gives the actor temporary credentials of its own (STS
// GetSessionToken).
func (s *Service) SessionToken(ctx context.Context, a *Actor, duration time.Duration) (Credentials, error) {
	if a.Session != nil {
		return Credentials{}, fault.New(fault.CodeAccessDenied, "Cannot call GetSessionToken with session credentials")
	}
	if duration == 0 {
		duration = tokenDefault
	}
	duration = min(max(duration, sessionMin), tokenMax)
	if a.Kind == Root {
		duration = min(duration, rootTokenMax)
	}
	return s.open(ctx, a.Kind, a.Name, a.ID, Session{Expires: s.timestamp().Add(duration)})
}

// open writes a session. Nothing that is remembered becomes wrong by it.
func (s *Service) open(ctx context.Context, kind Kind, name, id string, session Session) (Credentials, error) {
	c := Credentials{
		AccessKeyID: newID(sessionPrefix, keyIDLength), SecretAccessKey: newSecret(secretBytes),
		SessionToken: newSecret(tokenBytes), Expires: session.Expires,
	}
	secret, err := s.seal(c.AccessKeyID, c.SecretAccessKey)
	if err != nil {
		return Credentials{}, err
	}
	stored := StoredSession{
		AccessKeyID: c.AccessKeyID, Secret: secret, TokenHash: hashOf(c.SessionToken),
		Kind: kind, Owner: name, OwnerID: id, Session: session, Created: s.timestamp(),
	}
	return c, s.store.Update(ctx, func(tx Tx) error { return tx.PutSession(stored) })
}

// EndSessionsOf ends the sessions that were given for a device certificate.
func (s *Service) EndSessionsOf(ctx context.Context, certificate string) error {
	n := 0
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		n, err = tx.DeleteSessionsOf(certificate)
		return err
	})
	if err == nil && n > 0 {
		s.Refresh()
		s.onChange()
	}
	return err
}

// Purge deletes sessions that ended some time ago.
func (s *Service) Purge(ctx context.Context) error {
	for {
		n := 0
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			n, err = tx.DeleteSessionsBefore(s.now().Add(-keptAfterExpiry), purgeAtOnce)
			return err
		})
		if err != nil || n < purgeAtOnce {
			return err
		}
	}
}
