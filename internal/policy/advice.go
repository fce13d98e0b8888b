package policy

import (
	"fmt"
	"slices"
	"strings"
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
func (a *advisor) sentence() string {
	switch a.decision.Outcome {
	case Allowed:
		return a.allowed()
	case ExplicitDeny:
		return a.denied()
	}
	// From the likeliest mistake to the least telling remark.
	finders := []func() string{
		a.nothingAttached, a.failedCondition, a.missingVariable, a.missingInException, a.excepted,
		a.plainVariable, a.wrongType, a.mqttWildcard, a.wrongCase, a.wrongPlace, a.sharedFilter,
		a.parentTopic, a.widerFilter, a.wrongCaller, a.retained, a.nearest, a.otherAction,
	}
	for _, find := range finders {
		if text := find(); text != "" {
			return text
		}
	}
	return a.noStatement("what is allowed is " + a.allowedActions())
}

// label names a statement.
func (t trial) label() string {
	if t.Sid != "" {
		return fmt.Sprintf("policy %s statement %d (%s)", t.policy.Name, t.Number, brief(t.Sid))
	}
	return fmt.Sprintf("policy %s statement %d", t.policy.Name, t.Number)
}

// request names what was asked.
func (a *advisor) request() string {
	if a.q.Resource == "" || a.q.Resource == "*" {
		return a.asked
	}
	return a.asked + " on " + a.q.Resource
}

// noStatement begins with the fact and ends with a remark.
func (a *advisor) noStatement(remark string) string {
	return fmt.Sprintf("no statement allows %s; %s", a.request(), remark)
}

// butFor says what the statement lacks.
func (t trial) butFor(format string, args ...any) string {
	return t.label() + " allows it but " + fmt.Sprintf(format, args...)
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

func (a *advisor) allowed() string {
	return a.decisive(Allow).label() + " allows " + a.request()
}

func (a *advisor) denied() string {
	t := a.decisive(Deny)
	text := fmt.Sprintf("%s denies %s%s", t.label(), a.request(), t.because())
	if i := slices.IndexFunc(a.trials, func(t trial) bool { return t.Matched && t.Effect == Allow }); i >= 0 {
		return text + fmt.Sprintf(", and a Deny outweighs the Allow of %s", a.trials[i].label())
	}
	return text
}

// because says what made a statement match, where that is not obvious.
func (t trial) because() string {
	if t.NotResource {
		return ", which its NotResource does not except"
	}
	text := ""
	for _, r := range t.Resources {
		if r.Matched && r.Substituted != "*" {
			text = " with its resource " + brief(r.Substituted)
			break
		}
	}
	if len(t.Conditions) > 0 {
		text += " because its condition holds: " + t.Conditions[0].words()
	}
	return text
}

func (a *advisor) nothingAttached() string {
	if len(a.trials) > 0 {
		return ""
	}
	return fmt.Sprintf("no policy is attached, so nothing allows %s", a.request())
}

// retained finds a Publish that forgot the right to retain.
func (a *advisor) retained() string {
	if !strings.EqualFold(a.q.Action, "iot:RetainPublish") {
		return ""
	}
	for _, t := range a.trials {
		if t.Effect == Allow && t.Resource && t.Condition && t.rule.matchesAction("iot:publish") {
			return t.label() + " allows iot:Publish on " + a.q.Resource + ", but a retained message needs iot:RetainPublish, too"
		}
	}
	return ""
}

// nearest finds the resource most like the one asked for.
func (a *advisor) nearest() string {
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
		return ""
	}
	return a.noStatement(fmt.Sprintf("nearest: %s allows %s on %s", best.label(), a.asked, text))
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
func (a *advisor) otherAction() string {
	for _, t := range a.trials {
		named := slices.ContainsFunc(t.Resources, func(r ResourceReport) bool { return r.Matched && r.Pattern != "*" })
		if t.Effect == Allow && named && !t.NotResource && !t.Action && !t.rule.notActions {
			return a.noStatement(fmt.Sprintf("%s is about it, but allows %s only", t.label(), t.actionNames()))
		}
	}
	return ""
}

func (t trial) actionNames() string {
	var names []string
	for _, action := range t.rule.actions {
		names = append(names, action.source)
	}
	return brief(strings.Join(names, ", "))
}

// allowedActions lists what the policies allow at all.
func (a *advisor) allowedActions() string {
	var names []string
	for _, t := range a.trials {
		if t.Effect != Allow {
			continue
		}
		for _, action := range t.rule.actions {
			name := action.source
			if t.rule.notActions {
				name = "all but " + name
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return "nothing: there is no Allow"
	}
	return brief(strings.Join(names, ", "))
}
