// Package edgefleet is SageMaker Edge Manager: fleets of devices that run
// machine-learning models, what runs on them, and how new models get there.
//
// A Fleet has Devices. A fleet with a role also has a role alias,
// SageMakerEdge-NAME, with which its devices come by credentials (package
// credentials). With these the agent on a device calls home: it registers, sends
// heartbeats with its models, and asks what to deploy.
//
// A PackagingJob names a model artifact; a Plan brings artifacts to the devices
// of a fleet, stage by stage. thingd does not compile models: a packaging job is
// completed when the finished artifact lies where SageMaker would have put it,
// MODEL-VERSION.tar.gz below the output location, and fails otherwise.
//
// Names are the same whatever their letter case, because SageMaker's ARNs have
// them in lower case and permissions and tags go by ARN.
package edgefleet

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"thingd/internal/arn"
	"thingd/internal/credentials"
	"thingd/internal/iam"
)

// Config is what a Service is made of. Store, Scope, Credentials and IAM must be
// given.
type Config struct {
	Store       Store
	Scope       arn.Scope
	Credentials *credentials.Service
	IAM         *iam.Service
	Artifacts   Artifacts        // nil: no S3 is in reach, and packaging jobs fail
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger     // nil: slog.Default
}

// Artifacts is where models lie: S3.
type Artifacts interface {
	// Open reads an object with somebody's rights. The error is a fault where the
	// object is not to be had: NotFound or AccessDenied.
	Open(ctx context.Context, who iam.Credentials, bucket, key string) (io.ReadCloser, error)
}

// Service is the device fleets of one account.
type Service struct {
	store       Store
	scope       arn.Scope
	credentials *credentials.Service
	iam         *iam.Service
	artifacts   Artifacts
	now         func() time.Time
	log         *slog.Logger
	work        chan struct{} // one token: there may be a packaging job to do
}

// New makes the Service. Packaging jobs are done by Run.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, scope: c.Scope, credentials: c.Credentials, iam: c.IAM,
		artifacts: c.Artifacts, now: c.Now, log: c.Log, work: make(chan struct{}, 1),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// Key is a name as records and ARNs have it.
func Key(name string) string { return strings.ToLower(name) }

// FleetARN names a fleet.
func (s *Service) FleetARN(fleet string) string {
	return s.scope.Of("sagemaker", "device-fleet/"+Key(fleet))
}

// DeviceARN names a device of a fleet.
func (s *Service) DeviceARN(fleet, device string) string {
	return s.FleetARN(fleet) + "/device/" + Key(device)
}

// PlanARN names a deployment plan.
func (s *Service) PlanARN(plan string) string {
	return s.scope.Of("sagemaker", "edge-deployment/"+Key(plan))
}

// JobARN names a packaging job.
func (s *Service) JobARN(job string) string {
	return s.scope.Of("sagemaker", "edge-packaging-job/"+Key(job))
}

// RoleAliasARN names the role alias of a fleet; "" where it has none.
func (s *Service) RoleAliasARN(f Fleet) string {
	if f.RoleAlias == "" {
		return ""
	}
	return s.credentials.ARN(f.RoleAlias)
}

// time gives the time in what a database keeps of it.
func (s *Service) time() time.Time { return time.UnixMilli(s.now().UnixMilli()).UTC() }
