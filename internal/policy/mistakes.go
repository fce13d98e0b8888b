package policy

import (
	"strings"

	"thingd/internal/why"
)

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
func (a *advisor) failedCondition() why.Phrase {
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
	return why.Phrase{}
}

func (a *advisor) conditionText(t trial, c *condition, report ConditionReport) why.Phrase {
	if len(report.Missing) > 0 {
		name := report.Missing[0]
		return t.butFor(why.Say("its condition %s needs %s, which has no value: %s", c.operator, name, a.absence(name)))
	}
	return t.butFor(why.Say("its condition fails: %s", report.words()))
}

// missingVariable finds a resource that may match once its variable has a value.
func (a *advisor) missingVariable() why.Phrase {
	for _, t := range a.hopeful() {
		for i, r := range t.Resources {
			if len(r.Missing) > 0 && !t.NotResource && a.couldMatch(&t.rule.resources[i]) {
				name := r.Missing[0]
				return t.butFor(why.Say("its resource needs ${%s}, which has no value: %s", name, a.absence(name)))
			}
		}
	}
	return why.Phrase{}
}

// missingInException finds a NotResource that can't be told apart from everything.
func (a *advisor) missingInException() why.Phrase {
	for _, t := range a.hopeful() {
		for _, r := range t.Resources {
			if len(r.Missing) > 0 && t.NotResource && !t.Resource {
				name := r.Missing[0]
				return t.butFor(why.Say("its NotResource needs ${%s}, which has no value: %s", name, a.absence(name)))
			}
		}
	}
	return why.Phrase{}
}

// excepted finds a NotResource that names the resource.
func (a *advisor) excepted() why.Phrase {
	for _, t := range a.hopeful() {
		for _, r := range t.Resources {
			if t.NotResource && r.Matched {
				return a.noStatement(why.Say("%s allows %s except on %s", t.label(), a.asked, brief(r.Substituted)))
			}
		}
	}
	return why.Phrase{}
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
func (a *advisor) plainVariable() why.Phrase {
	t, r, changed := a.try(unchanged, a.on)
	if changed == "" || t.rule.variables {
		return why.Phrase{}
	}
	return t.butFor(why.Say("the ${ in its resource %s is plain text: variables need \"Version\": \"2012-10-17\"", brief(r.Pattern)))
}

func unchanged(source string) string { return source }

// wrongType finds topic/ where topicfilter/ belongs, and the reverse.
func (a *advisor) wrongType() why.Phrase {
	t, r, changed := a.try(swapType, a.on)
	if changed == "" {
		return why.Phrase{}
	}
	wrong, right := "topic/", "topicfilter/"
	if strings.Contains(r.Pattern, ":topicfilter/") {
		wrong, right = right, wrong
	}
	return a.noStatement(why.Say("%s has %s, but %s is checked against %s, never %s: write %s",
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
func (a *advisor) mqttWildcard() why.Phrase {
	t, r, changed := a.try(replaceMQTTWildcards, a.on)
	if changed == "" {
		return why.Phrase{}
	}
	return a.noStatement(why.Say("%s has %s, but in a policy + and # stand for themselves: write %s",
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
func (a *advisor) wrongCase() why.Phrase {
	for _, t := range a.hopeful() {
		for i, r := range t.Resources {
			whole, ok := t.rule.resources[i].whole.resolve(nil, a.q.Context)
			if ok && !t.NotResource && matchTokens(whole, a.q.Resource, folded) {
				return t.butFor(why.Say("upper and lower case differ in its resource %s", brief(r.Substituted)))
			}
		}
	}
	return why.Phrase{}
}

// wrongPlace finds a resource of another region, account, or partition.
func (a *advisor) wrongPlace() why.Phrase {
	if a.on.head == 0 {
		return why.Phrase{}
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
		return why.Phrase{}
	}
	return t.butFor(why.Say("its resource %s is of another region or account than %s", brief(r.Substituted), a.q.Resource))
}

// sharedFilter finds the pattern that fits a shared subscription's filter without
// its $share/<name>/.
func (a *advisor) sharedFilter() why.Phrase {
	head, rest, ok := strings.Cut(a.q.Resource, ":topicfilter/$share/")
	group, filter, found := strings.Cut(rest, "/")
	if !ok || !found {
		return why.Phrase{}
	}
	t, _, changed := a.try(unchanged, newResource(head+":topicfilter/"+filter))
	if changed == "" {
		return why.Phrase{}
	}
	return t.butFor(why.Say("not as a shared subscription, which is checked with its $share/%s/: allow topicfilter/$share/... as well", brief(group)))
}

// parentTopic finds a/* where a itself was asked for.
func (a *advisor) parentTopic() why.Phrase {
	t, r, changed := a.try(unchanged, newResource(a.q.Resource+"/"))
	if changed == "" {
		return why.Phrase{}
	}
	return a.noStatement(why.Say("%s has %s, which covers what lies below the slash only", t.label(), brief(r.Substituted)))
}

// widerFilter finds the part of a subscription that would be allowed.
func (a *advisor) widerFilter() why.Phrase {
	const kind = ":topicfilter/"
	wide := replaceMQTTWildcards(a.q.Resource)
	filter, err := compileARN(wide, syntax{wildcards: true})
	if err != nil || wide == "" || !strings.Contains(a.q.Resource, kind) {
		return why.Phrase{}
	}
	for _, t := range a.hopeful() {
		for _, r := range t.Resources {
			_, name, ok := strings.Cut(r.Substituted, kind)
			if ok && !t.NotResource && filter.name.match(kind[1:]+name, nil) == hit {
				return a.noStatement(why.Say("%s allows %s, and the filter reaches beyond it", t.label(), brief(r.Substituted)))
			}
		}
	}
	return why.Phrase{}
}

// wrongCaller finds a trust policy that trusts somebody else.
func (a *advisor) wrongCaller() why.Phrase {
	for _, t := range a.trials {
		if t.Effect == Allow && t.Action && t.Resource && !t.Principal {
			return a.noStatement(why.Say("%s trusts %s, and the caller is %s", t.label(), t.trusted(), a.caller()))
		}
	}
	return why.Phrase{}
}

func (t trial) trusted() why.Phrase {
	var names []string
	for _, p := range t.rule.principals {
		names = append(names, p.Type+" "+p.ID)
	}
	if t.rule.notPrincipals {
		return why.Say("everyone but %s", brief(strings.Join(names, ", ")))
	}
	return why.Words(brief(strings.Join(names, ", ")))
}

func (a *advisor) caller() why.Phrase {
	if len(a.q.Caller.IDs) == 0 {
		return why.Say("not known")
	}
	return why.Words(a.q.Caller.Type + " " + brief(a.q.Caller.IDs[0]))
}
