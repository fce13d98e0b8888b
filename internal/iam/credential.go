package iam

import (
	"context"
	"crypto/subtle"
	"strings"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/fault"
	"thingd/internal/policy"
)

// credential is an access key with everything that follows from it.
type credential struct {
	secret    string
	tokenHash string // "" for long-term keys
	expires   time.Time
	actor     Actor
}

// Actor is an identity that has shown its credential, ready to be judged.
type Actor struct {
	Identity
	AccessKeyID string

	limits *policy.Set   // session policies; nil where there are none
	about  policy.Values // facts of the request, such as where it came from
}

// With gives the actor with facts of its request, such as aws:SourceIp.
func (a Actor) With(about policy.Values) *Actor {
	a.about = about
	return &a
}

// Find gives the actor behind an access key ID and, for temporary credentials,
// its session token, and the secret to check signatures with. The error is the
// fault that a client should read.
func (s *Service) Find(ctx context.Context, accessKeyID, sessionToken string) (Actor, string, error) {
	c, found, err := s.credential(ctx, accessKeyID)
	if err != nil {
		return Actor{}, "", err
	}
	if !found || !c.hasToken(sessionToken) {
		return Actor{}, "", sigv4.Unrecognized()
	}
	if !c.expires.IsZero() && !s.now().Before(c.expires) {
		return Actor{}, "", sigv4.ExpiredToken()
	}
	return c.actor, c.secret, nil
}

func (c credential) hasToken(token string) bool {
	if c.tokenHash == "" || token == "" {
		return c.tokenHash == token
	}
	return subtle.ConstantTimeCompare([]byte(c.tokenHash), []byte(hashOf(token))) == 1
}

// SignIn gives the actor of a person who types an access key and its secret.
func (s *Service) SignIn(ctx context.Context, accessKeyID, secret string) (Actor, error) {
	actor, want, err := s.Find(ctx, accessKeyID, "")
	if err != nil {
		return Actor{}, err
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(secret)) != 1 {
		return Actor{}, sigv4.Unrecognized()
	}
	return actor, nil
}

// credential finds a key that is active and whose owner is there.
func (s *Service) credential(ctx context.Context, id string) (credential, bool, error) {
	generation := s.Generation()
	if c, ok := s.known.get(id, generation); ok {
		return c, true, nil
	}
	var c credential
	var found bool
	err := s.store.View(ctx, func(tx Tx) (err error) {
		if strings.HasPrefix(id, sessionPrefix) {
			c, found, err = s.temporary(tx, id)
		} else {
			c, found, err = s.longTerm(tx, id)
		}
		return err
	})
	if err != nil || !found {
		return credential{}, false, err
	}
	c.actor.AccessKeyID = id
	s.known.put(id, c, generation)
	return c, true, nil
}

func (s *Service) longTerm(tx Tx, id string) (credential, bool, error) {
	key, found, err := tx.AccessKey(id)
	if err != nil || !found || !key.Active {
		return credential{}, false, err
	}
	secret, err := s.unseal(id, key.Secret)
	if err != nil {
		return credential{}, false, err
	}
	kind := ByUser
	if key.User == "" {
		kind = Root
	}
	identity, found, err := s.identity(tx, kind, key.User)
	return credential{secret: secret, actor: Actor{Identity: identity}}, found, err
}

func (s *Service) temporary(tx Tx, id string) (credential, bool, error) {
	stored, found, err := tx.Session(id)
	if err != nil || !found {
		return credential{}, false, err
	}
	secret, err := s.unseal(id, stored.Secret)
	if err != nil {
		return credential{}, false, err
	}
	identity, found, err := s.identity(tx, stored.Kind, stored.Owner)
	if err != nil || !found || identity.ID != stored.OwnerID {
		return credential{}, false, err
	}
	if stored.Kind == ByRole {
		identity = s.assumed(identity, stored.Session.Name)
	}
	stored.Session.Issued = stored.Created
	identity.Session = &stored.Session
	limits, err := limitsOf(tx, stored.Session)
	return credential{secret, stored.TokenHash, stored.Session.Expires, Actor{Identity: identity, limits: limits}}, err == nil, err
}

// identity is a root, user or role as it is now.
func (s *Service) identity(tx Tx, kind Kind, name string) (Identity, bool, error) {
	switch kind {
	case Root:
		return named(Root, "", s.scope.Account, s.RootARN()), true, nil
	case ByUser:
		u, found, err := tx.User(name)
		i := named(ByUser, name, u.ID, s.UserARN(u))
		i.Tags = u.Tags
		return i, found, err
	default:
		r, found, err := tx.Role(name)
		return s.ofRole(r), found, err
	}
}

func (s *Service) ofRole(r Role) Identity {
	i := named(ByRole, r.Name, r.ID, s.RoleARN(r))
	i.Tags = r.Tags
	return i
}

func named(kind Kind, name, id, arn string) Identity {
	return Identity{Kind: kind, Name: name, ID: id, ARN: arn, UserID: id, Owner: arn}
}

// assumed is what a role is called while somebody acts as it.
func (s *Service) assumed(role Identity, session string) Identity {
	scope := s.scope
	scope.Region = "" // as IAM's, STS's names carry no region
	role.ARN = scope.Of("sts", "assumed-role/"+role.Name+"/"+session)
	role.UserID = role.ID + ":" + session
	return role
}

// limitsOf compiles session policies; nil where there are none.
func limitsOf(tx Tx, session Session) (*policy.Set, error) {
	var all []*policy.Policy
	for _, document := range session.Policies {
		p, err := compile("session policy", "", document)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	for _, arn := range session.PolicyARNs {
		managed, err := existingPolicy(tx, arn)
		if fault.Is(err, fault.CodeNotFound) {
			continue // deleted since: it allows nothing any more
		}
		if err != nil {
			return nil, err
		}
		p, err := compile(managed.Name, arn, managed.Document)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if len(session.Policies)+len(session.PolicyARNs) == 0 {
		return nil, nil
	}
	return policy.NewSet(all...), nil
}

func compile(name, arn, document string) (*policy.Policy, error) {
	parsed, err := policy.Parse(document, policy.Identity)
	if err != nil {
		return nil, err
	}
	return parsed.Compile(name, arn, VersionID), nil
}
