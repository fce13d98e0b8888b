// Package provisioning gives devices what they need to be somebody: a
// certificate, a thing, policies. There are six ways in, and one way through:
//
//	RegisterThing      an operator's program, one device (AWS operation RegisterThing)
//	tasks              an operator's file of devices (StartThingRegistrationTask)
//	fleet              a device with a claim certificate, over MQTT (mqtt.go)
//	first connect      a device whose CA is registered with a template (JITP)
//	claims             a trusted user fetches a claim for a device to use at once
//	Import             a maker's manifest of secure elements
//
// All but the last evaluate a provisioning template (package template) to a plan
// and carry it out (register.go). A plan touches three packages that commit each
// on their own, so it is carried out step by step and taken back where a later
// step fails; a crash in between leaves what the next try finds and uses. Tasks
// and imports note what became of each line (outcome.go) and go on behind it when
// the server is back.
package provisioning

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"thingd/internal/access"
	"thingd/internal/arn"
	"thingd/internal/lease"
	"thingd/internal/pki"
	"thingd/internal/provisioning/template"
	"thingd/internal/registry"
)

// Config is what a Service is made of. Store, Scope, Registry, PKI, Access and
// Leases must be given.
type Config struct {
	Store    Store
	Scope    arn.Scope
	Registry *registry.Service
	PKI      *pki.Service
	Access   *access.Service

	// Functions calls the function behind a pre-provisioning hook. nil: there are
	// none, and templates with a hook let no device in.
	Functions Functions

	// Objects holds the files of registration tasks. nil: tasks are refused.
	Objects Objects

	// Leases see to it that of several servers on one database one goes through a
	// task or an import. It must be given.
	Leases *lease.Service

	Now   func() time.Time // nil: time.Now
	NewID func() string    // nil: random UUIDs. IDs of tasks and imports
	Log   *slog.Logger     // nil: slog.Default
}

// Service provisions devices of one account.
type Service struct {
	store     Store
	scope     arn.Scope
	registry  *registry.Service
	pki       *pki.Service
	access    *access.Service
	functions Functions
	objects   Objects
	leases    *lease.Service
	now       func() time.Time
	newID     func() string
	log       *slog.Logger

	names   keyLocks // of things that are being registered
	certs   keyLocks // of certificates that are being provisioned
	lanes   lanes    // requests over MQTT
	tasks   running  // registration tasks
	imports running  // of manifests

	life context.Context // ends with Close
	end  context.CancelFunc
}

// New makes the Service. Close it.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, scope: c.Scope, registry: c.Registry, pki: c.PKI, access: c.Access,
		functions: c.Functions, objects: c.Objects, leases: c.Leases, now: c.Now, newID: c.NewID, log: c.Log,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.newID == nil {
		s.newID = registry.NewUUID
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Resume takes up the tasks and imports that the server's last end has
// interrupted, as far as no other server has. Call it once, before anybody starts
// one.
func (s *Service) Resume(ctx context.Context) error {
	if err := s.sweep(ctx); err != nil {
		return err
	}
	return s.takeUp(ctx)
}

// lookEvery is how often a server looks for tasks and imports that nobody goes
// through.
const lookEvery = 5 * time.Second

// Run takes up, until ctx ends, the tasks and imports that another server has
// been given or has left.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := s.takeUp(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("tasks and imports could not be looked for", "error", err)
		}
	}
}

// takeUp begins the tasks and imports that nobody goes through.
func (s *Service) takeUp(ctx context.Context) error {
	var tasks []Task
	var imports []ImportJob
	err := s.store.View(ctx, func(tx Tx) (err error) {
		if tasks, err = underWay(tx.Tasks); err == nil {
			imports, err = underWay(tx.ImportJobs)
		}
		return err
	})
	for _, task := range tasks {
		s.beginTask(task.ID)
	}
	for _, job := range imports {
		s.beginImport(job.ID)
	}
	return err
}

// underWay gives the jobs of a list that have begun and not ended: one, or a few.
func underWay[J any](list func(TaskStatus, TaskKey, int) ([]J, error)) ([]J, error) {
	running, err := list(InProgress, TaskKey{}, registry.PageSizeMax)
	if err != nil {
		return nil, err
	}
	stopping, err := list(Cancelling, TaskKey{}, registry.PageSizeMax)
	return append(running, stopping...), err
}

// Close takes no more requests, ends the tasks and imports where they are, to be
// resumed, and waits for what is under way, at most until ctx ends.
func (s *Service) Close(ctx context.Context) error {
	s.tasks.stopAll()
	s.imports.stopAll()
	over := make(chan struct{})
	go func() {
		s.lanes.close()
		s.tasks.wait()
		s.imports.wait()
		close(over)
	}()
	defer s.end()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		s.end() // hurries them
		<-over
		return ctx.Err()
	}
}

// ARN names a provisioning template of the account.
func (s *Service) ARN(templateName string) string {
	return s.scope.IoT("provisioningtemplate", templateName)
}

// timestamp is the time as the store keeps it.
func (s *Service) timestamp() time.Time { return time.UnixMilli(s.now().UnixMilli()).UTC() }

// input completes parameters to what a template is evaluated with.
func (s *Service) input(parameters map[string]string) template.Input {
	partition := s.scope.Partition
	if partition == "" {
		partition = "aws"
	}
	return template.Input{Parameters: parameters, Region: s.scope.Region, Account: s.scope.Account, Partition: partition}
}

// Purge forgets what has expired: claims, ownership tokens with the certificates
// that nobody used, and the reports of old imports.
func (s *Service) Purge(ctx context.Context) error {
	if err := s.purgeTokens(ctx); err != nil {
		return err
	}
	if err := s.purgeImports(ctx); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error { return tx.DeleteClaims(s.timestamp()) })
}

// keyLocks are locks by name. Two names may share one, so nobody holds two.
type keyLocks [64]sync.Mutex

// lock locks a name; call the result to unlock.
func (k *keyLocks) lock(name string) (unlock func()) {
	var hash uint32 = 2166136261 // FNV-1a
	for i := range len(name) {
		hash = (hash ^ uint32(name[i])) * 16777619
	}
	mu := &k[hash%uint32(len(k))]
	mu.Lock()
	return mu.Unlock
}
