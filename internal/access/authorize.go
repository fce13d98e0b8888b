package access

import (
	"context"
	"slices"
	"strings"

	"thingd/internal/arn"
	"thingd/internal/fault"
	"thingd/internal/policy"
	"thingd/internal/registry"
)

// Trial is what AWS operation TestAuthorization tries: what a principal could do
// if it connected, and if other policies were attached to it.
type Trial struct {
	Principal string // the ARN of a certificate or a Cognito identity ID; "" has only the added policies
	ClientID  string // "": the variables of a connection have no value
	Questions []Question
	Add       []string // policies to treat as attached
	Skip      []string // policies to treat as not attached
}

// Question is one authInfo: an action, PUBLISH, SUBSCRIBE, RECEIVE or CONNECT, on
// resources.
type Question struct {
	Action    string
	Resources []string // ARNs; the action must be allowed on all of them (unconfirmed)
}

// Answer is the result of one Question. The lists are names of policies, sorted.
type Answer struct {
	Outcome policy.Outcome
	Allow   []string // an Allow of them matched some resource
	Deny    []string // a Deny of them matched some resource
	Silent  []string // nothing of them matched any resource
	Missing []string // variables that were needed and have no value
}

const questionsMax = 10

// trialActions are the words of TestAuthorization.
var trialActions = map[string]string{
	"PUBLISH":   "iot:Publish",
	"SUBSCRIBE": "iot:Subscribe",
	"RECEIVE":   "iot:Receive",
	"CONNECT":   "iot:Connect",
}

// TestAuthorization answers a trial, one answer for each question, AWS operation
// TestAuthorization. Groups of the thing that the client ID names count, as they
// would on a connection.
func (s *Service) TestAuthorization(ctx context.Context, t Trial) ([]Answer, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	conn, err := s.trialConnection(ctx, t)
	if err != nil {
		return nil, err
	}
	var set *policy.Set
	w := world{conn: &conn, certificate: &certificate{}, service: s}
	err = s.store.View(ctx, func(tx Tx) (err error) {
		if w.thing, w.isThing, _, err = conn.thing(tx); err != nil {
			return err
		}
		set, err = s.trialSet(tx, t, w.thing)
		return err
	})
	if err != nil {
		return nil, err
	}
	answers := make([]Answer, len(t.Questions))
	for i, q := range t.Questions {
		answers[i] = q.ask(set, &w)
	}
	return answers, nil
}

func (t Trial) check() error {
	if n := len(t.Questions); n < 1 || n > questionsMax {
		return fault.InvalidRequest("authInfos has 1 to %d members, not %d", questionsMax, n)
	}
	for _, q := range t.Questions {
		if trialActions[q.Action] == "" {
			return fault.InvalidRequest("actionType %q is not PUBLISH, SUBSCRIBE, RECEIVE or CONNECT", q.Action)
		}
		if len(q.Resources) == 0 {
			return fault.InvalidRequest("an authInfo needs resources")
		}
		for _, r := range q.Resources {
			if _, err := arn.Parse(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// trialConnection imagines the connection.
func (s *Service) trialConnection(ctx context.Context, t Trial) (Connection, error) {
	conn := Connection{MQTT: true, ClientID: t.ClientID}
	if t.Principal == "" {
		return conn, nil
	}
	of, err := s.parseTarget(t.Principal)
	if err != nil {
		return conn, err
	}
	if of.group != "" {
		return conn, fault.InvalidRequest("a thing group is no principal")
	}
	if err := s.checkCertificate(ctx, of); err != nil || !of.cert {
		return conn, err
	}
	_, id, _ := strings.Cut(t.Principal, "cert/")
	conn.Principal = policy.Principal{Kind: policy.ByCertificate, ID: id, ARN: t.Principal}
	if s.Certificate != nil {
		conn.Principal.Certificate, err = s.Certificate(ctx, t.Principal)
	}
	return conn, err
}

// trialSet compiles the policies of the trial.
func (s *Service) trialSet(tx Tx, t Trial, thing registry.Thing) (*policy.Set, error) {
	groups, err := groupsOf(tx, thing.Name)
	if err != nil {
		return nil, err
	}
	policies, err := s.effective(tx, t.Principal, groups)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Concat(t.Add, t.Skip) {
		p, err := findPolicy(tx, name)
		if err != nil {
			return nil, err
		}
		policies = append(policies, p)
	}
	policies = slices.DeleteFunc(distinct(policies), func(p Policy) bool { return slices.Contains(t.Skip, p.Name) })
	grants, err := s.newGrants(tx, policies, nil)
	if err != nil {
		return nil, err
	}
	return grants.set, nil
}

// ask puts the question for each resource and adds up the answers.
func (q Question) ask(set *policy.Set, w *world) Answer {
	a := Answer{Outcome: policy.Allowed, Allow: []string{}, Deny: []string{}, Silent: []string{}, Missing: []string{}}
	for _, resource := range q.Resources {
		e := set.Explain(policy.Request{Action: trialActions[q.Action], Resource: resource, Context: w})
		a.Outcome = worse(a.Outcome, e.Decision.Outcome)
		a.Allow = append(a.Allow, names(e.Allowing())...)
		a.Deny = append(a.Deny, names(e.Denying())...)
		a.Missing = append(a.Missing, e.Missing...)
	}
	for _, p := range set.Policies() {
		if !slices.Contains(a.Allow, p.Name) && !slices.Contains(a.Deny, p.Name) {
			a.Silent = append(a.Silent, p.Name)
		}
	}
	for _, list := range []*[]string{&a.Allow, &a.Deny, &a.Silent, &a.Missing} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return a
}

// worse gives the outcome that a sum of two has.
func worse(a, b policy.Outcome) policy.Outcome {
	for _, o := range []policy.Outcome{policy.ExplicitDeny, policy.ImplicitDeny} {
		if a == o || b == o {
			return o
		}
	}
	return policy.Allowed
}

func names(reports []policy.PolicyReport) []string {
	var all []string
	for _, r := range reports {
		all = append(all, r.Name)
	}
	return all
}
