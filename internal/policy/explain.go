package policy

import (
	"fmt"
	"slices"

	"thingd/internal/why"
)

// Explanation is a decision with everything that led to it.
type Explanation struct {
	Decision Decision
	Policies []PolicyReport // every policy of the set, in order

	// Missing names the variables and condition keys that were needed and had no
	// value, as AWS spells them, sorted (TestAuthorization: missingContextValues).
	Missing []string

	// Used are the variables that had a value in statements about the action.
	Used []why.Variable

	// Reason says why, and where it can what to look at.
	Reason why.Phrase
}

// Sentence is Reason in plain English.
func (e Explanation) Sentence() string { return e.Reason.String() }

// Tell puts a refusal into an event.
func (e Explanation) Tell(event *why.Event) {
	event.Because(e.Reason)
	event.Cause = why.PolicyImplicitDeny
	if e.Decision.Outcome == ExplicitDeny {
		event.Cause = why.PolicyExplicitDeny
	}
	if e.Decision.Policy != "" {
		event.Statement = fmt.Sprintf("policy %s, statement %d", e.Decision.Policy, e.Decision.Statement)
	}
	for _, name := range e.Missing {
		event.Variables = append(event.Variables, why.Variable{Name: name, Missing: true})
	}
	event.Variables = append(event.Variables, e.Used...)
}

// PolicyReport says what one policy had to say.
type PolicyReport struct {
	Name       string
	ARN        string
	Version    string
	Allows     bool // some Allow of it matched
	Denies     bool // some Deny of it matched
	Statements []StatementReport
}

// StatementReport says how far one statement got. It matched if all four of
// Action, Principal, Resource and Condition did; each is reported whether or not
// the others failed.
type StatementReport struct {
	Number    int // from 1
	Sid       string
	Effect    Effect
	Matched   bool
	Action    bool
	Principal bool // always true outside of trust policies
	Resource  bool
	Condition bool

	NotResource bool // Resources are those it does not apply to
	Resources   []ResourceReport
	Conditions  []ConditionReport
}

// ResourceReport is one pattern of a statement beside the requested resource.
type ResourceReport struct {
	Pattern     string   // as written
	Substituted string   // with the values of its variables
	Missing     []string // variables without a value; the pattern then matches nothing
	Matched     bool
}

// ConditionReport is one condition of a statement beside the values there are.
type ConditionReport struct {
	Operator string
	Key      string
	Want     []string // the policy's values, substituted
	Got      []string // the context's values
	Missing  []string // the key and variables that have no value
	Held     bool
}

// Allowing gives the policies with an Allow that matched (TestAuthorization:
// allowed.policies).
func (e Explanation) Allowing() []PolicyReport {
	return e.filter(func(p PolicyReport) bool { return p.Allows })
}

// Denying gives the policies with a Deny that matched (explicitDeny.policies).
func (e Explanation) Denying() []PolicyReport {
	return e.filter(func(p PolicyReport) bool { return p.Denies })
}

// Silent gives the policies of which no statement matched (implicitDeny.policies).
func (e Explanation) Silent() []PolicyReport {
	return e.filter(func(p PolicyReport) bool { return !p.Allows && !p.Denies })
}

func (e Explanation) filter(keep func(PolicyReport) bool) []PolicyReport {
	found := []PolicyReport{}
	for _, p := range e.Policies {
		if keep(p) {
			found = append(found, p)
		}
	}
	return found
}

// Explain decides as Decide does and says why. It looks at everything: use it
// for operators' questions, not for messages.
func (s *Set) Explain(q Request) Explanation {
	e := Explanation{Decision: s.Decide(q), Policies: []PolicyReport{}, Missing: []string{}}
	asked := q.Action
	q.Action = unalias(q.Action)
	a := advisor{q: &q, asked: asked, on: newResource(q.Resource), decision: e.Decision}
	for _, p := range s.policies {
		e.Policies = append(e.Policies, a.policy(p))
	}
	e.Missing = append(e.Missing, a.missing...)
	slices.Sort(e.Missing)
	e.Missing = slices.Compact(e.Missing)
	e.Used, e.Reason = a.used(), a.sentence()
	return e
}

// trial is a rule with its report, kept for advice.
type trial struct {
	policy *Policy
	rule   *rule
	StatementReport
}

func (a *advisor) policy(p *Policy) PolicyReport {
	report := PolicyReport{Name: p.Name, ARN: p.ARN, Version: p.Version}
	for _, r := range p.rules {
		s := a.statement(r)
		report.Allows = report.Allows || s.Matched && s.Effect == Allow
		report.Denies = report.Denies || s.Matched && s.Effect == Deny
		report.Statements = append(report.Statements, s)
		a.trials = append(a.trials, trial{p, r, s})
	}
	return report
}

func (a *advisor) statement(r *rule) StatementReport {
	s := StatementReport{
		Number: r.number, Sid: r.sid, Effect: r.effect, NotResource: r.notResources,
		Action:    r.matchesAction(a.q.Action),
		Principal: r.matchesPrincipal(a.q.Caller),
		Resource:  r.matchesResource(a.on, a.q.Context),
		Condition: r.matchesConditions(a.q.Context),
	}
	s.Matched = s.Action && s.Principal && s.Resource && s.Condition
	for i := range r.resources {
		s.Resources = append(s.Resources, a.resource(&r.resources[i]))
	}
	for _, c := range r.conditions {
		s.Conditions = append(s.Conditions, c.report(a.q.Context, r.effect))
	}
	a.noteMissing(r, s)
	return s
}

func (a *advisor) resource(p *arnPattern) ResourceReport {
	text, missing := p.whole.substitute(a.q.Context)
	return ResourceReport{Pattern: p.whole.source, Substituted: text, Missing: missing, Matched: p.match(a.on, a.q.Context) == hit}
}

// noteMissing collects the names without a value that kept the rule from being
// decided for good. What could not matter whatever its value is not missed.
func (a *advisor) noteMissing(r *rule, s StatementReport) {
	if !s.Action || !s.Principal {
		return
	}
	near := s.Resource
	for i, report := range s.Resources {
		if len(report.Missing) > 0 && (r.notResources || a.couldMatch(&r.resources[i])) {
			a.missing = append(a.missing, report.Missing...)
			near = true
		}
	}
	for _, c := range s.Conditions {
		if near {
			a.missing = append(a.missing, c.Missing...)
		}
	}
}

// couldMatch says whether the pattern would match with some value for each
// variable that has none.
func (a *advisor) couldMatch(p *arnPattern) bool {
	ctx := a.q.Context
	return p.mapped(func(t token) token {
		if t.kind != hole {
			return t
		}
		if _, ok := t.variable.value(ctx); ok {
			return t
		}
		return token{kind: anyRun}
	}).match(a.on, ctx) == hit
}

// used collects the variables with a value in the statements that are about the
// action.
func (a *advisor) used() (all []why.Variable) {
	for _, t := range a.trials {
		if !t.Action || !t.Principal {
			continue
		}
		for _, r := range t.rule.resources {
			all = appendValues(all, r.whole.tokens, a.q.Context)
		}
		for _, c := range t.rule.conditions {
			for _, v := range c.values {
				all = appendValues(all, v.pattern.tokens, a.q.Context)
			}
		}
	}
	return all
}

func appendValues(all []why.Variable, tokens []token, ctx Context) []why.Variable {
	for _, t := range tokens {
		if t.kind != hole {
			continue
		}
		name := spelling(t.variable.name)
		value, ok := t.value(ctx)
		if ok && !slices.ContainsFunc(all, func(v why.Variable) bool { return v.Name == name }) {
			all = append(all, why.Variable{Name: name, Value: value})
		}
	}
	return all
}

// mapped gives a copy of the pattern with every token replaced.
func (a *arnPattern) mapped(f func(token) token) *arnPattern {
	b := &arnPattern{all: a.all, head: a.head, whole: a.whole.mapped(f), name: a.name.mapped(f)}
	for _, field := range a.fields {
		b.fields = append(b.fields, field.mapped(f))
	}
	return b
}

func (p *pattern) mapped(f func(token) token) pattern {
	to := pattern{source: p.source}
	for _, t := range p.tokens {
		t = f(t)
		to.tokens = append(to.tokens, t)
		to.holes = to.holes || t.kind == hole
	}
	return to
}

// substitute gives the pattern with the values of its variables, for reading, and
// the names of those that have none.
func (p *pattern) substitute(ctx Context) (text string, missing []string) {
	var b []byte
	for _, t := range p.tokens {
		switch t.kind {
		case anyRun:
			b = append(b, '*')
		case anyOne:
			b = append(b, '?')
		default:
			value, ok := t.value(ctx)
			if !ok {
				value = "${" + t.variable.name + "}"
				missing = append(missing, spelling(t.variable.name))
			}
			b = append(b, value...)
		}
	}
	return string(b), missing
}

// report tells how the condition went.
func (c *condition) report(ctx Context, effect Effect) ConditionReport {
	got := lookup(ctx, c.key)
	r := ConditionReport{Operator: c.operator, Key: spelling(c.name), Got: got, Held: c.holds(ctx, effect)}
	if len(got) == 0 && c.needsKey() {
		r.Missing = append(r.Missing, r.Key)
	}
	for i := range c.values {
		text, missing := c.values[i].pattern.substitute(ctx)
		r.Want = append(r.Want, text)
		r.Missing = append(r.Missing, missing...)
	}
	return r
}

// needsKey says whether the condition is about a value that should be there.
func (c *condition) needsKey() bool { return !c.null && !c.ifExists && c.quantifier != forAll }
