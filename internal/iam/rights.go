package iam

import (
	"context"
	"strings"
	"time"

	"thingd/internal/message"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// rightsTimeout bounds the wait for the store when a decision needs it.
const rightsTimeout = 10 * time.Second

// Rights are what a WebSocket connection that was opened with a signature may
// do. Its methods may be called from any goroutine.
//
// As on AWS a connection outlives the end of temporary credentials; it does not
// outlive a key that was deleted or turned off, or a role that is gone.
type Rights struct {
	service *Service
	actor   *Actor
}

// Rights gives the rights of an actor; about are facts of its connection, such
// as aws:SourceIp.
func (s *Service) Rights(a Actor, about policy.Values) *Rights { return &Rights{s, a.With(about)} }

// Allows says whether the policies allow the action on the resource: an ARN, or
// its part after the account where it is one of this account's in IoT.
func (r *Rights) Allows(action, resource string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), rightsTimeout)
	defer cancel()
	if !r.holds(ctx) {
		return false
	}
	decision, err := r.service.Decide(ctx, r.actor, action, r.full(resource), nil)
	return err == nil && decision.Allowed()
}

// holds says whether the credential behind the connection is still there.
func (r *Rights) holds(ctx context.Context) bool {
	_, found, err := r.service.credential(ctx, r.actor.AccessKeyID)
	return found && err == nil
}

func (r *Rights) full(resource string) string {
	if strings.HasPrefix(resource, "arn:") || resource == "*" {
		return resource
	}
	return r.service.scope.Of("iot", resource)
}

// Explain says what Allows would and why. It is for operators.
func (r *Rights) Explain(action, resource string) policy.Explanation {
	ctx, cancel := context.WithTimeout(context.Background(), rightsTimeout)
	defer cancel()
	if !r.holds(ctx) {
		return policy.Explanation{Reason: why.Say("The access key %s is gone or turned off, so its connection may do nothing.", r.actor.AccessKeyID)}
	}
	explanation, err := r.service.Explain(ctx, r.actor, action, r.full(resource), nil)
	if err != nil {
		return policy.Explanation{Reason: why.Say("The policies of %s could not be read: %v", r.actor.ARN, err)}
	}
	return explanation
}

// Generation moves when an earlier answer of Allows may be wrong.
func (r *Rights) Generation() uint64 { return r.service.Generation() }

// ThingName is "": no thing stands behind an access key.
func (r *Rights) ThingName() string { return "" }

// UserProperties are none, for the same reason.
func (r *Rights) UserProperties() []message.UserProperty { return nil }

// Close ends the use of the rights.
func (r *Rights) Close() {}
