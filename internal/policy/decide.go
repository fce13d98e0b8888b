package policy

import "strings"

// Outcome is the answer to a request.
type Outcome uint8

// The outcomes. The zero value is a refusal.
const (
	ImplicitDeny Outcome = iota // no statement allows it
	Allowed                     // some statement allows it, none denies it
	ExplicitDeny                // some statement denies it
)

// String gives the name that TestAuthorization has for the outcome.
func (o Outcome) String() string {
	switch o {
	case Allowed:
		return "ALLOWED"
	case ExplicitDeny:
		return "EXPLICIT_DENY"
	default:
		return "IMPLICIT_DENY"
	}
}

// Request is one question: may the caller do this to that?
type Request struct {
	Action   string  // such as iot:Publish; letter case does not matter
	Resource string  // an ARN, or * for actions without a resource
	Context  Context // nil knows nothing
	Caller   Caller  // for trust policies
}

// Decision is the answer, and the statement that gave it; an implicit deny has
// none.
type Decision struct {
	Outcome   Outcome
	Policy    string // name
	Statement int    // from 1, in the order of the document
	Sid       string // "" if it has none
}

// Allowed says whether the request may go ahead.
func (d Decision) Allowed() bool { return d.Outcome == Allowed }

// Set is all policies of one principal. The zero value allows nothing.
type Set struct {
	policies []*Policy
}

// NewSet collects the policies of a principal. A policy may come twice, such as
// from a certificate and from a thing group; it counts once.
func NewSet(policies ...*Policy) *Set {
	s := &Set{}
	seen := map[*Policy]bool{}
	for _, p := range policies {
		if !seen[p] {
			s.policies = append(s.policies, p)
		}
		seen[p] = true
	}
	return s
}

// Policies gives the policies of the set, each once. Don't change the slice.
func (s *Set) Policies() []*Policy { return s.policies }

// Decide answers the request. Of several statements that fit, the first Deny is
// named, or else the first Allow.
func (s *Set) Decide(q Request) Decision {
	q.Action = unalias(q.Action)
	var room [actionRoom]byte
	key, on := appendLower(room[:0], q.Action), newResource(q.Resource)
	var answer Decision
	for _, p := range s.policies {
		found, indexed := p.byAction[string(key)]
		if !indexed {
			found = p.rest
		}
		if r := first(found.denies, &q, on, indexed); r != nil {
			return p.decision(ExplicitDeny, r)
		}
		if answer.Outcome == Allowed {
			continue
		}
		if r := first(found.allows, &q, on, indexed); r != nil {
			answer = p.decision(Allowed, r)
		}
	}
	return answer
}

// first gives the first rule that fits the request, or nil. Rules from the index
// of the request's action need not be asked about the action.
func first(rules []*rule, q *Request, on resource, indexed bool) *rule {
	for _, r := range rules {
		if (indexed || r.matchesAction(q.Action)) && r.matches(q, on) {
			return r
		}
	}
	return nil
}

func (p *Policy) decision(o Outcome, r *rule) Decision {
	return Decision{Outcome: o, Policy: p.Name, Statement: r.number, Sid: r.sid}
}

// actionRoom is enough for the name of any action of a device, in bytes.
const actionRoom = 64

// unalias gives an action the name that policies are indexed by, apart from
// letter case: the usual action is left as it is, at no cost.
func unalias(action string) string {
	if hasPrefix(action, jobsPrefix, folded) || strings.EqualFold(action, "iot:PublishRetain") {
		return canonicalAction(action)
	}
	return action
}

// appendLower is strings.ToLower without the heap, for ASCII.
func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
