// Package policy is the language in which thingd says who may do what: the
// policy documents of AWS IoT and of IAM.
//
// A document is a list of statements. Each allows or denies some actions on some
// resources, perhaps under conditions:
//
//	{"Version": "2012-10-17", "Statement": [{
//	    "Effect":   "Allow",
//	    "Action":   "iot:Publish",
//	    "Resource": "arn:aws:iot:*:*:topic/t/${iot:Connection.Thing.ThingName}/*"}]}
//
// Three rules decide everything: what no statement allows is denied (implicit
// deny), what any statement denies is denied (explicit deny), and the order of
// policies and statements means nothing.
//
// Parse checks a document and says what is wrong with it. Compile gives it the
// name of the policy it belongs to and indexes its statements by action, once
// for all principals that share the policy. A Set is what one principal has;
// its Decide is asked for every MQTT message and does not allocate unless a
// variable's owner does. Explain answers the same question slowly and at length.
//
//	doc, err := policy.Parse(text, policy.IoT)
//	set := policy.NewSet(doc.Compile("lamps", arn, "1"))
//	decision := set.Decide(policy.Request{Action: "iot:Connect", Resource: client, Context: device})
//
// # Matching
//
// In a pattern * is any run of characters, / included, and ? is exactly one;
// MQTT's + and # are ordinary characters. Letter case counts, except in actions.
// The first five fields of an ARN are matched one by one, so that the * of
// arn:aws:iot:*:*:topic/a never reaches into a topic that contains a colon.
//
// # Variables
//
// ${name} stands for what the Context says of the caller, as literal text: a
// device called * gains nothing. ${name, 'text'} has a default; ${*}, ${?} and
// ${$} are the characters themselves. Only Version 2012-10-17 substitutes.
//
// A variable without a value makes its pattern match nothing, so that an Allow
// doesn't grant and a Deny doesn't bite. Where a pattern is negated (NotResource,
// StringNotEquals and their like) "matches nothing" would let an Allow grant
// everything; there the statement doesn't apply if it allows, and does if it
// denies. When in doubt, nobody gets in.
package policy

// Dialect is the kind of document: the language is one, the members that a
// statement may have differ.
type Dialect uint8

const (
	// IoT is a policy of AWS IoT: attached to certificates, thing groups and
	// Cognito identities, or returned by a custom authorizer. It has no
	// Principal, and only actions and resources of IoT (and Greengrass).
	IoT Dialect = iota
	// Identity is an IAM policy of a user or role.
	Identity
	// Trust is the policy of an IAM role that says who may assume it. It has a
	// Principal and no Resource.
	Trust
)

// The bounds on documents. Sizes are in characters without white space.
const (
	iotSizeMax      = 2048  // AWS IoT's limit
	identitySizeMax = 10240 // IAM's limit for the inline policies of a role
	trustSizeMax    = 4096  // IAM's limit after an increase

	// rawSizeMax bounds a document with its white space, in bytes. The service
	// model of CreatePolicy has this number.
	rawSizeMax    = 404600
	statementsMax = 100
	depthMax      = 10 // a legal document needs 6
)

// sizeMax gives the longest document of the dialect.
func (d Dialect) sizeMax() int {
	switch d {
	case Identity:
		return identitySizeMax
	case Trust:
		return trustSizeMax
	default:
		return iotSizeMax
	}
}

// Effect is what a statement does when it matches.
type Effect string

// The effects, spelled as in a document.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Versions of the language. A document without one counts as the older.
const (
	Version2008 = "2008-10-17" // no variables
	Version2012 = "2012-10-17"
)

// Document is a policy document that Parse found in order. It never changes.
type Document struct {
	Version    string // Version2008 or Version2012
	ID         string // "" if absent
	Statements []Statement

	rules []*rule
}

// Statement is one statement as written. Of each pair (Action and NotAction,
// Resource and NotResource, Principal and NotPrincipal) at most one is filled.
type Statement struct {
	Sid           string // "" if absent
	Effect        Effect
	Principals    []PrincipalPattern // Trust only
	NotPrincipals []PrincipalPattern // Trust only
	Actions       []string
	NotActions    []string
	Resources     []string
	NotResources  []string
	Conditions    []Condition
}

// Condition is one test of a statement: an operator such as StringEquals, a key
// such as iot:ClientId, and the values as written (numbers and booleans as
// text). All conditions of a statement must hold.
type Condition struct {
	Operator string
	Key      string
	Values   []string
}

// PrincipalPattern is one member of a Principal element: type AWS, Service,
// Federated or CanonicalUser, and whom. "Principal": "*" has type *.
type PrincipalPattern struct {
	Type string
	ID   string
}

// Policy is a document under the name of the policy it belongs to, ready to
// decide. It never changes and may be shared by any number of sets.
type Policy struct {
	Name    string
	ARN     string
	Version string // the policy version's ID, such as "1"

	rules    []*rule
	byAction map[string]candidates // canonical actions that a rule spells out
	rest     candidates            // for every other action; these must still be asked
}

// candidates are the rules that may have a say, Denies apart.
type candidates struct {
	denies []*rule
	allows []*rule
}

// Compile makes the document decide as the policy of this name, ARN and version
// ID. The names are for decisions and explanations only.
func (d *Document) Compile(name, arn, version string) *Policy {
	p := &Policy{Name: name, ARN: arn, Version: version, rules: d.rules, byAction: map[string]candidates{}}
	for _, r := range d.rules {
		for _, a := range r.actions {
			if a.literal {
				p.index(a.name)
			}
		}
		if r.notActions || r.hasActionWildcard() {
			p.rest.add(r)
		}
	}
	return p
}

// index collects, once, the rules that speak of the canonical action.
func (p *Policy) index(action string) {
	if _, done := p.byAction[action]; done {
		return
	}
	var found candidates
	for _, r := range p.rules {
		if r.matchesAction(action) {
			found.add(r)
		}
	}
	p.byAction[action] = found
}

func (c *candidates) add(r *rule) {
	if r.effect == Deny {
		c.denies = append(c.denies, r)
		return
	}
	c.allows = append(c.allows, r)
}
