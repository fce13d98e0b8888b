package iam

import (
	"context"
	"strconv"
	"strings"
	"time"

	"thingd/internal/fault"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// grant is what a user or role may do.
type grant struct {
	id  string // of the owner, AIDA... or AROA...
	set *policy.Set
}

// Decide says whether the actor may do this. more holds condition keys of the
// request beyond the actor's own, and may be nil.
func (s *Service) Decide(ctx context.Context, a *Actor, action, resource string, more policy.Values) (policy.Decision, error) {
	if a.Kind == Root {
		return policy.Decision{Outcome: policy.Allowed}, nil
	}
	set, err := s.setOf(ctx, a)
	if err != nil {
		return policy.Decision{}, err
	}
	about := s.circumstances(ctx, a, resource, more)
	q := policy.Request{Action: action, Resource: resource, Context: about}
	decision := set.Decide(q)
	if decision.Allowed() && a.limits != nil {
		decision = a.limits.Decide(q)
	}
	return decision, about.of.err
}

// Check is Decide with AWS's sentence where the answer is no
// (AccessDeniedException).
func (s *Service) Check(ctx context.Context, a *Actor, action, resource string, more policy.Values) error {
	decision, err := s.Decide(ctx, a, action, resource, more)
	if err != nil || decision.Allowed() {
		return err
	}
	return s.denied(ctx, a, action, resource, more)
}

// denied says as AWS does which sort of policy said no.
func (s *Service) denied(ctx context.Context, a *Actor, action, resource string, more policy.Values) error {
	sort := "identity-based"
	set, err := s.setOf(ctx, a)
	if err != nil {
		return err
	}
	q := policy.Request{Action: action, Resource: resource, Context: s.circumstances(ctx, a, resource, more)}
	decision := set.Decide(q)
	if decision.Allowed() && a.limits != nil {
		sort, decision = "session", a.limits.Decide(q)
	}
	why := "because no " + sort + " policy allows the " + action + " action"
	if decision.Outcome == policy.ExplicitDeny {
		why = "with an explicit deny in " + articles[sort] + " " + sort + " policy"
	}
	return fault.New(fault.CodeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s %s", a.ARN, action, resource, why)
}

var articles = map[string]string{"identity-based": "an", "session": "a"}

// Explain says at length why the actor may or may not.
func (s *Service) Explain(ctx context.Context, a *Actor, action, resource string, more policy.Values) (policy.Explanation, error) {
	if a.Kind == Root {
		return policy.Explanation{Decision: policy.Decision{Outcome: policy.Allowed}, Reason: why.Say("The root of the account may do everything.")}, nil
	}
	set, err := s.setOf(ctx, a)
	if err != nil {
		return policy.Explanation{}, err
	}
	q := policy.Request{Action: action, Resource: resource, Context: s.circumstances(ctx, a, resource, more)}
	explanation := set.Explain(q)
	if explanation.Decision.Allowed() && a.limits != nil {
		explanation = a.limits.Explain(q)
	}
	return explanation, nil
}

// setOf gives the policies of the actor; none if it is no longer who it was.
func (s *Service) setOf(ctx context.Context, a *Actor) (*policy.Set, error) {
	g, err := s.grant(ctx, a.owner())
	if err != nil {
		return nil, err
	}
	if g.id != a.ID {
		return policy.NewSet(), nil
	}
	return g.set, nil
}

func (s *Service) grant(ctx context.Context, o owner) (grant, error) {
	key := string(o.kind) + "/" + o.name
	generation := s.Generation()
	if g, ok := s.granted.get(key, generation); ok {
		return g, nil
	}
	g, err := read(ctx, s, func(tx Tx) (grant, error) { return s.load(tx, o) })
	if err != nil {
		return grant{}, err
	}
	s.granted.put(key, g, generation)
	return g, nil
}

func (s *Service) load(tx Tx, o owner) (grant, error) {
	identity, found, err := s.identity(tx, o.kind, o.name)
	if err != nil || !found {
		return grant{set: policy.NewSet()}, err
	}
	inline, err := inlineOf(tx, o)
	if err != nil {
		return grant{}, err
	}
	attached, err := attachedTo(tx, o)
	return grant{identity.ID, policy.NewSet(append(inline, attached...)...)}, err
}

func inlineOf(tx Tx, o owner) ([]*policy.Policy, error) {
	names, err := tx.InlineNames(o.kind, o.name, "", inlineMax)
	if err != nil {
		return nil, err
	}
	var all []*policy.Policy
	for _, name := range names {
		document, err := existingInline(tx, o.kind, o.name, name)
		if err != nil {
			return nil, err
		}
		p, err := compile(name, "", document)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func attachedTo(tx Tx, o owner) ([]*policy.Policy, error) {
	arns, err := tx.Attached(o.kind, o.name, "", attachedMax)
	if err != nil {
		return nil, err
	}
	var all []*policy.Policy
	for _, arn := range arns {
		managed, err := existingPolicy(tx, arn)
		if err != nil {
			return nil, err
		}
		p, err := compile(managed.Name, arn, managed.Document)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// circumstances are the values behind variables and condition keys of one
// request: of the clock, the actor, the request itself, the session, the resource
// and the tags of the actor. The first that knows a key has the word, so that
// nobody is given what the server knows better; tags of a session come before
// those of its role.
type circumstances struct {
	now    time.Time
	layers []policy.Values
	of     resourceKeys
	tags   []Tag
}

func (s *Service) circumstances(ctx context.Context, a *Actor, resource string, more policy.Values) *circumstances {
	c := &circumstances{
		now: s.now(), layers: []policy.Values{s.self(a.Identity), more, a.about}, tags: a.Tags,
		of: resourceKeys{ctx: ctx, service: s, resource: resource},
	}
	if a.Session != nil {
		c.layers = append(c.layers, a.Session.Context)
	}
	return c
}

// Lookup makes circumstances a policy.Context.
func (c *circumstances) Lookup(key string) []string {
	switch key {
	case policy.KeyCurrentTime:
		return []string{c.now.UTC().Format(time.RFC3339)}
	case policy.KeyEpochTime:
		return []string{strconv.FormatInt(c.now.Unix(), 10)}
	}
	for _, layer := range c.layers {
		if values := layer.Lookup(key); len(values) > 0 {
			return values
		}
	}
	if name, ok := strings.CutPrefix(key, "aws:principaltag/"); ok {
		return valueOfTag(c.tags, name)
	}
	return c.of.Lookup(key)
}

// valueOfTag finds a tag; its key may be written in any case, as AWS's condition
// keys are.
func valueOfTag(tags []Tag, name string) []string {
	for _, tag := range tags {
		if strings.EqualFold(tag.Key, name) {
			return []string{tag.Value}
		}
	}
	return nil
}

// self is what IAM's global condition keys say of the caller.
func (s *Service) self(i Identity) policy.Values {
	v := policy.Values{}
	v.Set("aws:PrincipalAccount", s.scope.Account)
	v.Set("aws:userid", i.UserID)
	v.Set("aws:PrincipalArn", i.Owner)
	v.Set("aws:PrincipalIsAWSService", "false")
	v.Set("aws:ViaAWSService", "false")
	if i.Session != nil && !i.Session.Issued.IsZero() {
		v.Set("aws:TokenIssueTime", i.Session.Issued.UTC().Format(time.RFC3339))
	}
	switch i.Kind {
	case Root:
		v.Set("aws:PrincipalType", "Account")
	case ByUser:
		v.Set("aws:PrincipalType", "User")
		v.Set("aws:username", i.Name)
	case ByRole:
		v.Set("aws:PrincipalType", "AssumedRole")
	}
	return v
}
