package policy

import (
	"slices"
	"strings"

	"thingd/internal/why"
)

// advisor finds the sentence that helps. Of a refusal it looks for the mistake:
// the statement that would have allowed the request but for one thing.
type advisor struct {
	q        *Request
	asked    string // the action as the caller named it
	on       resource
	decision Decision
	trials   []trial // every statement of every policy
	missing  []string
}

// sentence answers in one sentence.
func (a *advisor) sentence() why.Phrase {
	switch a.decision.Outcome {
	case Allowed:
		return a.allowed()
	case ExplicitDeny:
		return a.denied()
	}
	// From the likeliest mistake to the least telling remark.
	finders := []func() why.Phrase{
		a.nothingAttached, a.failedCondition, a.missingVariable, a.missingInException, a.excepted,
		a.plainVariable, a.wrongType, a.mqttWildcard, a.wrongCase, a.wrongPlace, a.sharedFilter,
		a.parentTopic, a.widerFilter, a.wrongCaller, a.retained, a.nearest, a.otherAction,
	}
	for _, find := range finders {
		if found := find(); !found.IsZero() {
			return found
		}
	}
	return a.noStatement(why.Say("what is allowed is %s", a.allowedActions()))
}

// label names a statement.
func (t trial) label() why.Phrase {
	if t.Sid != "" {
		return why.Say("policy %s statement %d (%s)", t.policy.Name, t.Number, brief(t.Sid))
	}
	return why.Say("policy %s statement %d", t.policy.Name, t.Number)
}

// request names what was asked.
func (a *advisor) request() why.Phrase {
	if a.q.Resource == "" || a.q.Resource == "*" {
		return why.Words(a.asked)
	}
	return why.Say("%s on %s", a.asked, a.q.Resource)
}

// noStatement begins with the fact and ends with a remark.
func (a *advisor) noStatement(remark why.Phrase) why.Phrase {
	return why.Say("no statement allows %s; %s", a.request(), remark)
}

// butFor says what the statement lacks.
func (t trial) butFor(lack why.Phrase) why.Phrase {
	return why.Say("%s allows it but %s", t.label(), lack)
}

// decisive gives the trial that the decision names.
func (a *advisor) decisive(effect Effect) trial {
	for _, t := range a.trials {
		if t.Matched && t.Effect == effect {
			return t
		}
	}
	return trial{policy: &Policy{Name: a.decision.Policy}}
}

func (a *advisor) allowed() why.Phrase {
	return why.Say("%s allows %s", a.decisive(Allow).label(), a.request())
}

func (a *advisor) denied() why.Phrase {
	t := a.decisive(Deny)
	denied := why.Say("%s denies %s%s", t.label(), a.request(), t.because())
	if i := slices.IndexFunc(a.trials, func(t trial) bool { return t.Matched && t.Effect == Allow }); i >= 0 {
		return why.Say("%s, and a Deny outweighs the Allow of %s", denied, a.trials[i].label())
	}
	return denied
}

// because says what made a statement match, where that is not obvious.
func (t trial) because() why.Phrase {
	if t.NotResource {
		return why.Say(", which its NotResource does not except")
	}
	var by why.Phrase
	for _, r := range t.Resources {
		if r.Matched && r.Substituted != "*" {
			by = why.Say(" with its resource %s", brief(r.Substituted))
			break
		}
	}
	if len(t.Conditions) > 0 {
		by = why.Say("%s because its condition holds: %s", by, t.Conditions[0].words())
	}
	return by
}

func (a *advisor) nothingAttached() why.Phrase {
	if len(a.trials) > 0 {
		return why.Phrase{}
	}
	return why.Say("no policy is attached, so nothing allows %s", a.request())
}

// retained finds a Publish that forgot the right to retain.
func (a *advisor) retained() why.Phrase {
	if !strings.EqualFold(a.q.Action, "iot:RetainPublish") {
		return why.Phrase{}
	}
	for _, t := range a.trials {
		if t.Effect == Allow && t.Resource && t.Condition && t.rule.matchesAction("iot:publish") {
			return why.Say("%s allows iot:Publish on %s, but a retained message needs iot:RetainPublish, too", t.label(), a.q.Resource)
		}
	}
	return why.Phrase{}
}

// nearest finds the resource most like the one asked for.
func (a *advisor) nearest() why.Phrase {
	var best trial
	var text string
	score := -1
	for _, t := range a.hopeful() {
		for _, r := range t.Resources {
			if n := likeness(r.Substituted, a.q.Resource); n > score && !t.NotResource {
				best, text, score = t, r.Substituted, n
				if r.Pattern != r.Substituted {
					text += " (" + r.Pattern + ")"
				}
			}
		}
	}
	if score < 0 {
		return why.Phrase{}
	}
	return a.noStatement(why.Say("nearest: %s allows %s on %s", best.label(), a.asked, text))
}

// likeness counts the bytes that two texts have in common at their ends.
func likeness(a, b string) int {
	n, m := 0, 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for m < min(len(a), len(b))-n && a[len(a)-1-m] == b[len(b)-1-m] {
		m++
	}
	return n + m
}

// otherAction finds a statement that names the resource for another action.
func (a *advisor) otherAction() why.Phrase {
	for _, t := range a.trials {
		named := slices.ContainsFunc(t.Resources, func(r ResourceReport) bool { return r.Matched && r.Pattern != "*" })
		if t.Effect == Allow && named && !t.NotResource && !t.Action && !t.rule.notActions {
			return a.noStatement(why.Say("%s is about it, but allows %s only", t.label(), t.actionNames()))
		}
	}
	return why.Phrase{}
}

func (t trial) actionNames() string {
	var names []string
	for _, action := range t.rule.actions {
		names = append(names, action.source)
	}
	return brief(strings.Join(names, ", "))
}

// listMax bounds a list in a sentence.
const listMax = 6

// allowedActions lists what the policies allow at all.
func (a *advisor) allowedActions() why.Phrase {
	var names []string
	var all []why.Phrase
	for _, t := range a.trials {
		if t.Effect != Allow {
			continue
		}
		for _, action := range t.rule.actions {
			name := why.Words(brief(action.source))
			if t.rule.notActions {
				name = why.Say("all but %s", name)
			}
			if !slices.Contains(names, name.String()) {
				names, all = append(names, name.String()), append(all, name)
			}
		}
	}
	switch {
	case len(all) == 0:
		return why.Say("nothing: there is no Allow")
	case len(all) > listMax:
		return why.Say("%s and more", why.Join("%s, %s", all[:listMax]))
	}
	return why.Join("%s, %s", all)
}
