// Package credentials is AWS IoT's credentials provider: a device shows its
// certificate and is given temporary credentials of an IAM role, with which it
// signs calls to everything that is not MQTT.
//
// A device never names a role. It names a role alias, which an operator points
// at a role and may point at another one later. Two policies must agree: an IoT
// policy of the certificate allows iot:AssumeRoleWithCertificate on the alias,
// and the trust policy of the role lets credentials.iot.amazonaws.com assume it.
//
// What a device then may do is what the policies of the role say. They can tell
// devices apart by the condition keys and variables credentials-iot:ThingName,
// credentials-iot:ThingTypeName and credentials-iot:AwsCertificateId. The session
// ends with its time, and when the certificate stops being ACTIVE or is detached from
// a thing, which it may say it is; it outlives the alias and the IoT policy, as on
// AWS.
//
// Nothing is remembered between calls: an alias or policy that was changed, on
// whichever node, counts for the next one.
package credentials

import (
	"context"
	"time"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/iam"
)

// Config is what a Service is made of. Store, Scope, Access and IAM must be given.
type Config struct {
	Store  Store
	Scope  arn.Scope
	Access *access.Service
	IAM    *iam.Service
	Now    func() time.Time // nil: time.Now

	// ThingType gives the type of a thing; "" for none. nil: no session has
	// credentials-iot:ThingTypeName.
	ThingType func(ctx context.Context, thing string) (string, error)
}

// Service is the role aliases of one account.
type Service struct {
	store     Store
	scope     arn.Scope
	access    *access.Service
	iam       *iam.Service
	now       func() time.Time
	thingType func(ctx context.Context, thing string) (string, error)
}

// New makes the Service.
func New(c Config) *Service {
	s := &Service{store: c.Store, scope: c.Scope, access: c.Access, iam: c.IAM, now: c.Now, thingType: c.ThingType}
	if s.now == nil {
		s.now = time.Now
	}
	if s.thingType == nil {
		s.thingType = func(context.Context, string) (string, error) { return "", nil }
	}
	return s
}

// ARN gives the name of a role alias.
func (s *Service) ARN(alias string) string { return s.scope.IoT("rolealias", alias) }

// Owner gives the account that role aliases belong to.
func (s *Service) Owner() string { return s.scope.Account }
