package broker

import (
	"fmt"
	"strings"

	"thingd/internal/policy"
	"thingd/internal/why"
)

// explain adds to an event why a policy refused.
func explain(event *why.Event, rights Rights, action, resource string) {
	x := rights.Explain(action, resource)
	event.Action, event.Resource, event.Detail = action, resource, x.Sentence
	if x.Decision.Outcome == policy.ExplicitDeny {
		event.Cause = why.PolicyExplicitDeny
	}
	if x.Decision.Policy != "" {
		event.Statement = fmt.Sprintf("policy %s, statement %d", x.Decision.Policy, x.Decision.Statement)
	}
	for _, name := range x.Missing {
		event.Variables = append(event.Variables, why.Variable{Name: strings.Trim(name, "${}"), Missing: true})
	}
}
