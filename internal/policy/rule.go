package policy

import (
	"strings"

	"thingd/internal/why"
)

// rule is a statement ready to be matched.
type rule struct {
	number        int // from 1
	sid           string
	effect        Effect
	variables     bool // the document's Version has them
	notActions    bool
	notPrincipals bool
	notResources  bool
	actions       []actionPattern
	principals    []PrincipalPattern
	resources     []arnPattern // none in trust policies: they match whatever is asked for
	conditions    []*condition
}

// matches says whether all of the rule but its action fits the request.
func (r *rule) matches(q *Request, on resource) bool {
	return r.matchesPrincipal(q.Caller) && r.matchesResource(on, q.Context) && r.matchesConditions(q.Context)
}

func (r *rule) matchesResource(on resource, ctx Context) bool {
	if len(r.resources) == 0 {
		return true
	}
	answer := miss
	for i := range r.resources {
		switch r.resources[i].match(on, ctx) {
		case hit:
			return !r.notResources
		case unresolved:
			answer = unresolved
		}
	}
	return r.notResources && (answer == miss || r.effect == Deny)
}

func (r *rule) matchesConditions(ctx Context) bool {
	for _, c := range r.conditions {
		if !c.holds(ctx, r.effect) {
			return false
		}
	}
	return true
}

// matchesAction says whether the rule speaks of the action, which may be
// canonical or not.
func (r *rule) matchesAction(action string) bool {
	for i := range r.actions {
		if r.actions[i].match(action) {
			return !r.notActions
		}
	}
	return r.notActions
}

func (r *rule) hasActionWildcard() bool {
	for i := range r.actions {
		if !r.actions[i].literal {
			return true
		}
	}
	return false
}

// The prefix of the job data actions in IAM, and of IoT's own.
const (
	jobsPrefix = "iotjobsdata:"
	iotPrefix  = "iot:"
)

// canonicalAction gives the form in which actions are compared: lower case, with
// iotjobsdata:X as iot:X, and iot:PublishRetain, which AWS's connection kits
// write, as the iot:RetainPublish it stands for.
func canonicalAction(action string) string {
	name := strings.ToLower(action)
	if rest, ok := strings.CutPrefix(name, jobsPrefix); ok {
		name = iotPrefix + rest
	}
	if name == "iot:publishretain" {
		return "iot:retainpublish"
	}
	return name
}

// jobActions are the canonical actions that iotjobsdata:* speaks of. Without
// this bound iotjobsdata:* would, as an alias, grant everything in iot:.
var jobActions = []string{
	"iot:describejobexecution",
	"iot:getpendingjobexecutions",
	"iot:startnextpendingjobexecution",
	"iot:updatejobexecution",
}

// actionPattern is one member of Action or NotAction.
type actionPattern struct {
	source  string // as written
	name    string // canonical; with wildcards unless literal
	literal bool
	tokens  []token // of a pattern with wildcards
	jobs    bool    // a pattern with wildcards under iotjobsdata:
}

// match compares with an action, canonical or not in its letter case only.
func (a *actionPattern) match(action string) bool {
	if a.literal {
		return strings.EqualFold(a.name, action)
	}
	return (!a.jobs || isJobAction(action)) && matchTokens(a.tokens, action, folded)
}

func isJobAction(action string) bool {
	for _, name := range jobActions {
		if strings.EqualFold(name, action) {
			return true
		}
	}
	return false
}

// iotServices are the prefixes that actions of an IoT policy may have.
const iotServices = "iot, iotjobsdata or greengrass"

// compileAction checks and compiles a member of Action or NotAction.
func compileAction(text string, d Dialect) (actionPattern, error) {
	service, name, ok := strings.Cut(text, ":")
	switch {
	case strings.Trim(text, "*") == "" && text != "":
		return newActionPattern(text)
	case !ok && isWord(text, ""):
		return actionPattern{}, why.Say("an action is * or service:name; for all of a service write %s:*", text)
	case !ok || name == "" || !isWord(service, "-") || !isWord(name, "*?-"):
		return actionPattern{}, why.Say("an action is * or service:name, such as iot:Publish")
	case d == IoT && !isIoTService(service):
		return actionPattern{}, why.Say("an IoT policy has actions of %s only", iotServices)
	}
	return newActionPattern(text)
}

func newActionPattern(text string) (actionPattern, error) {
	a := actionPattern{source: text, name: canonicalAction(text), literal: !strings.ContainsAny(text, "*?")}
	if a.literal {
		return a, nil
	}
	a.jobs = strings.HasPrefix(strings.ToLower(text), jobsPrefix)
	p, err := compilePattern(a.name, syntax{wildcards: true})
	a.tokens = p.tokens
	return a, err
}

func isIoTService(service string) bool {
	switch strings.ToLower(service) {
	case "iot", "iotjobsdata", "greengrass":
		return true
	}
	return false
}

// isWord says whether text is letters, digits and the extra characters, and not
// empty.
func isWord(text, extra string) bool {
	for _, c := range text {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune(extra, c) {
			return false
		}
	}
	return text != ""
}

// Caller is who asks, in the words of a trust policy. It matters to Trust
// documents only.
type Caller struct {
	Type    string   // AWS, Service or Federated
	IDs     []string // the ARN or service name; a role session has its role's ARN, too
	Account string   // 12 digits; of type AWS
}

func (r *rule) matchesPrincipal(c Caller) bool {
	for i := range r.principals {
		if r.principals[i].match(c) {
			return !r.notPrincipals
		}
	}
	return len(r.principals) == 0 || r.notPrincipals
}

// match compares with a caller. An account, as 12 digits or as the ARN of its
// root, is everyone in the account whom the account itself lets.
func (p PrincipalPattern) match(c Caller) bool {
	switch {
	case p.Type == "*", p.Type == "AWS" && p.ID == "*":
		return true
	case p.Type != c.Type:
		return false
	case p.Type == "AWS" && c.Account != "" && accountOf(p.ID) == c.Account:
		return true
	}
	for _, id := range c.IDs {
		if id == p.ID {
			return true
		}
	}
	return false
}

// accountOf gives the account that a principal stands for as a whole, or "".
func accountOf(id string) string {
	if !strings.Contains(id, ":") {
		return id
	}
	parts := strings.Split(id, ":")
	if len(parts) == 6 && parts[2] == "iam" && parts[5] == "root" {
		return parts[4]
	}
	return ""
}
