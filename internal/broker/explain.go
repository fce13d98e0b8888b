package broker

import "thingd/internal/why"

// explain adds to an event why a policy refused.
func explain(event *why.Event, rights Rights, action, resource string) {
	event.Action, event.Resource = action, resource
	rights.Explain(action, resource).Tell(event)
}
