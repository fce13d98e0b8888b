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
		a.parentTopic, a.wrongCaller, a.retained, a.nearest, a.otherAction,
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
		text += " because its condition holds: " + t.Conditions[0].test()
	}
	return text
}

// test says what a condition wants and what there is.
func (c ConditionReport) test() string {
	got := "has no value"
	if len(c.Got) > 0 {
		got = "is " + brief(strings.Join(c.Got, ", "))
	}
	return fmt.Sprintf("%s wants %s to be %s, and it %s", c.Operator, c.Key, alternatives(c.Want), got)
}

func alternatives(values []string) string {
	if len(values) == 0 {
		return "none of any"
	}
	return brief(strings.Join(values, " or "))
}

func (a *advisor) nothingAttached() string {
	if len(a.trials) > 0 {
		return ""
	}
	return fmt.Sprintf("no policy is attached, so nothing allows %s", a.request())
}

// hopeful gives the statements that allow the action to this caller.
func (a *advisor) hopeful() []trial {
	var found []trial
	for _, t := range a.trials {
		if t.Effect == Allow && t.Action && t.Principal {
			found = append(found, t)
		}
	}
	return found
}

// failedCondition finds a statement of which only a condition failed.
func (a *advisor) failedCondition() string {
	for _, t := range a.hopeful() {
		if !t.Resource {
			continue
		}
		for i, c := range t.Conditions {
			if !c.Held {
				return a.conditionText(t, t.rule.conditions[i], c)
			}
		}
	}
	return ""
}

func (a *advisor) conditionText(t trial, c *condition, report ConditionReport) string {
	if len(report.Missing) > 0 {
		name := report.Missing[0]
		return t.butFor("its condition %s needs %s, which has no value: %s", c.operator, name, a.absence(name))
	}
	return t.butFor("its condition fails: %s", report.test())
}

// missingVariable finds a resource that may match once its variable has a value.
func (a *advisor) missingVariable() string {
	for _, t := range a.hopeful() {
		for i, r := range t.Resources {
			if len(r.Missing) > 0 && !t.NotResource && a.couldMatch(&t.rule.resources[i]) {
				name := r.Missing[0]
				return t.butFor("its resource needs ${%s}, which has no value: %s", name, a.absence(name))
			}
		}
	}
	return ""
}

// missingInException finds a NotResource that can't be told apart from everything.
func (a *advisor) missingInException() string {
	for _, t := range a.hopeful() {
		for _, r := range t.Resources {
			if len(r.Missing) > 0 && t.NotResource && !t.Resource {
				name := r.Missing[0]
				return t.butFor("its NotResource needs ${%s}, which has no value: %s", name, a.absence(name))
			}
		}
	}
	return ""
}

// excepted finds a NotResource that names the resource.
func (a *advisor) excepted() string {
	for _, t := range a.hopeful() {
		for _, r := range t.Resources {
			if t.NotResource && r.Matched {
				return a.noStatement(fmt.Sprintf("%s allows %s except on %s", t.label(), a.asked, brief(r.Substituted)))
			}
		}
	}
	return ""
}

// try looks for a resource of a hopeful statement that would match if its text, or
// the request, were changed. It gives "" as the changed pattern if none does.
func (a *advisor) try(change func(source string) string, on resource) (trial, ResourceReport, string) {
	for _, t := range a.hopeful() {
		for _, r := range t.Resources {
			changed := change(r.Pattern)
			if t.NotResource || changed == "" {
				continue
			}
			p, err := compileARN(changed, syntax{wildcards: true, variables: true})
			if err == nil && p.match(on, a.q.Context) == hit {
				return t, r, changed
			}
		}
	}
	return trial{}, ResourceReport{}, ""
}

// plainVariable finds a variable in a document whose Version has none.
func (a *advisor) plainVariable() string {
	t, r, changed := a.try(unchanged, a.on)
	if changed == "" || t.rule.variables {
		return ""
	}
	return t.butFor("the ${ in its resource %s is plain text: variables need \"Version\": \"2012-10-17\"", brief(r.Pattern))
}

func unchanged(source string) string { return source }

// wrongType finds topic/ where topicfilter/ belongs, and the reverse.
func (a *advisor) wrongType() string {
	t, r, changed := a.try(swapType, a.on)
	if changed == "" {
		return ""
	}
	wrong, right := "topic/", "topicfilter/"
	if strings.Contains(r.Pattern, ":topicfilter/") {
		wrong, right = right, wrong
	}
	return a.noStatement(fmt.Sprintf("%s has %s, but %s is checked against %s, never %s: write %s",
		t.label(), brief(r.Pattern), a.asked, right, wrong, brief(changed)))
}

// swapType exchanges topic/ and topicfilter/ in the pattern of an ARN.
func swapType(source string) string {
	if head, name, ok := strings.Cut(source, ":topic/"); ok {
		return head + ":topicfilter/" + name
	}
	if head, name, ok := strings.Cut(source, ":topicfilter/"); ok {
		return head + ":topic/" + name
	}
	return ""
}

// mqttWildcard finds + or # where the author meant a wildcard.
func (a *advisor) mqttWildcard() string {
	t, r, changed := a.try(replaceMQTTWildcards, a.on)
	if changed == "" {
		return ""
	}
	return a.noStatement(fmt.Sprintf("%s has %s, but in a policy + and # stand for themselves: write %s",
		t.label(), brief(r.Pattern), brief(changed)))
}

func replaceMQTTWildcards(source string) string {
	changed := strings.NewReplacer("+", "*", "#", "*").Replace(source)
	if changed == source {
		return ""
	}
	return changed
}

// wrongCase finds a resource that differs in letter case only.
func (a *advisor) wrongCase() string {
	for _, t := range a.hopeful() {
		for i, r := range t.Resources {
			whole, ok := t.rule.resources[i].whole.resolve(nil, a.q.Context)
			if ok && !t.NotResource && matchTokens(whole, a.q.Resource, folded) {
				return t.butFor("upper and lower case differ in its resource %s", brief(r.Substituted))
			}
		}
	}
	return ""
}

// wrongPlace finds a resource of another region, account, or partition.
func (a *advisor) wrongPlace() string {
	if a.on.head == 0 {
		return ""
	}
	anywhere := func(source string) string {
		parts := splitARN(source, syntax{variables: true})
		if len(parts) <= headFields {
			return ""
		}
		return "*:*:*:*:*:" + parts[headFields]
	}
	t, r, changed := a.try(anywhere, a.on)
	if changed == "" {
		return ""
	}
	return t.butFor("its resource %s is of another region or account than %s", brief(r.Substituted), a.q.Resource)
}

// sharedFilter finds the pattern that fits a shared subscription's filter without
// its $share/<name>/.
func (a *advisor) sharedFilter() string {
	head, rest, ok := strings.Cut(a.q.Resource, ":topicfilter/$share/")
	group, filter, found := strings.Cut(rest, "/")
	if !ok || !found {
		return ""
	}
	t, _, changed := a.try(unchanged, newResource(head+":topicfilter/"+filter))
	if changed == "" {
		return ""
	}
	return t.butFor("not as a shared subscription, which is checked with its $share/%s/: allow topicfilter/$share/... as well", brief(group))
}

// parentTopic finds a/* where a itself was asked for.
func (a *advisor) parentTopic() string {
	t, r, changed := a.try(unchanged, newResource(a.q.Resource+"/"))
	if changed == "" {
		return ""
	}
	return a.noStatement(fmt.Sprintf("%s has %s, which covers what lies below the slash only", t.label(), brief(r.Substituted)))
}

// wrongCaller finds a trust policy that trusts somebody else.
func (a *advisor) wrongCaller() string {
	for _, t := range a.trials {
		if t.Effect == Allow && t.Action && t.Resource && !t.Principal {
			return a.noStatement(fmt.Sprintf("%s trusts %s, and the caller is %s", t.label(), t.trusted(), a.caller()))
		}
	}
	return ""
}

func (t trial) trusted() string {
	var names []string
	for _, p := range t.rule.principals {
		names = append(names, p.Type+" "+p.ID)
	}
	if t.rule.notPrincipals {
		return "everyone but " + brief(strings.Join(names, ", "))
	}
	return brief(strings.Join(names, ", "))
}

func (a *advisor) caller() string {
	if len(a.q.Caller.IDs) == 0 {
		return "not known"
	}
	return a.q.Caller.Type + " " + brief(a.q.Caller.IDs[0])
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
