package edgefleet

import (
	"context"
	"time"

	"thingd/internal/credentials"
)

// Store is what edgefleet asks of a database.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in a write transaction; the effect is durable when Update
	// returns nil. fn may run more than once.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction: rows in, rows out, no rules. Rows are found by the Key
// of a name, however the name is written.
type Tx interface {
	credentials.Tx // a fleet and its role alias change together
	DeleteTag(resource, key string) error

	Fleet(name string) (Fleet, bool, error)
	PutFleet(Fleet) error
	DeleteFleet(name string) error
	Fleets(Query) ([]Fleet, error)

	Device(fleet, name string) (Device, bool, error)
	// PutDevice writes the device without its models.
	PutDevice(Device) error
	// PutModels replaces the models of a device.
	PutModels(fleet, device string, models []Model) error
	// DeleteDevice also deletes its models.
	DeleteDevice(fleet, name string) error
	// Devices lists by fleet and name.
	Devices(DeviceQuery) ([]Device, error)
	// CountDevices counts the devices of a fleet, and those with a heartbeat since.
	CountDevices(fleet string, since time.Time) (all, alive int64, err error)
	CountAgents(fleet string) ([]AgentCount, error)
	CountModels(fleet string, since time.Time) ([]ModelCount, error)

	Job(name string) (Job, bool, error)
	PutJob(Job) error
	Jobs(Query) ([]Job, error)
	// UnfinishedJob gives some job that is STARTING, INPROGRESS or STOPPING.
	UnfinishedJob() (Job, bool, error)

	Plan(name string) (Plan, bool, error)
	PutPlan(Plan) error
	// DeletePlan also deletes its stages and deployments.
	DeletePlan(name string) error
	Plans(Query) ([]Plan, error)
	HasPlans(fleet string) (bool, error)

	// Stages lists by number.
	Stages(plan string) ([]Stage, error)
	PutStage(Stage) error
	// DeleteStage also deletes its deployments.
	DeleteStage(plan, stage string) error

	Deployment(plan, device string) (Deployment, bool, error)
	PutDeployment(Deployment) error
	DeleteDeployment(plan, device string) error
	// Deployments lists those of a stage by device, after the given one.
	Deployments(plan, stage, after string, limit int) ([]Deployment, error)
	// DeploymentsOf lists those of a device.
	DeploymentsOf(fleet, device string) ([]Deployment, error)
}

// Fleet is a group of devices that do the same work.
type Fleet struct {
	Name        string
	Description string
	RoleARN     string // "" for none
	RoleAlias   string // "" for none
	Output      Output
	Created     time.Time
	Modified    time.Time
}

// Output says where results go.
type Output struct {
	S3Location   string // s3://bucket/prefix
	KMSKeyID     string
	PresetType   string // "" or GreengrassV2Component
	PresetConfig string // JSON
}

// Device is one device of a fleet.
type Device struct {
	Fleet        string
	Name         string
	Description  string
	Thing        string // its name in the registry; "" for none
	Registered   time.Time
	Heartbeat    time.Time // the latest; zero before the first
	AgentVersion string
	Models       []Model // by name and version
}

// Model is what runs on a device.
type Model struct {
	Name, Version string
	Sampled       time.Time // zero: never
	Inferred      time.Time // zero: never
}

// Job is a packaging job: it makes the artifact of a model ready to deploy.
type Job struct {
	Name           string
	CompilationJob string
	Model, Version string
	RoleARN        string // whose rights the job has
	Output         Output
	ResourceKey    string
	Status         JobStatus
	Message        string
	Artifact       string // s3://bucket/key of the result; "" before
	SHA1           string // of the artifact, in hex
	Created        time.Time
	Modified       time.Time
}

// Plan brings models to the devices of a fleet.
type Plan struct {
	Name     string
	Fleet    string
	Models   []PlannedModel
	Created  time.Time
	Modified time.Time
}

// PlannedModel is a packaged model under the name that devices call it by.
type PlannedModel struct{ Handle, Job string }

// Stage is a part of a plan: the models go to a selection of the devices.
type Stage struct {
	Plan      string
	Number    int // from 1, in the order of creation
	Name      string
	Selection Selection
	OnFailure string // ROLLBACK_ON_FAILURE or DO_NOTHING; devices obey it
	Status    StageStatus
	Message   string
	Started   time.Time // zero: never

	Success, Pending, Failed int // devices
}

// Selection says which devices of the fleet a stage takes.
type Selection struct {
	Type       string // PERCENTAGE, SELECTION or NAMECONTAINS
	Percentage int
	Names      []string
	Contains   string
}

// Deployment is what a plan does to one device. A device belongs to one stage of
// a plan at a time.
type Deployment struct {
	Plan, Stage   string
	Fleet, Device string
	Status        DeviceStatus
	Message       string
	Started       time.Time
}

// Sort says in what order a list comes. The words are AWS's.
type Sort string

// The orders of lists.
const (
	ByName     Sort = "NAME"
	ByCreation Sort = "CREATION_TIME"
	ByChange   Sort = "LAST_MODIFIED_TIME"
	ByFleet    Sort = "DEVICE_FLEET_NAME" // plans
	ByModel    Sort = "MODEL_NAME"        // jobs
	ByStatus   Sort = "STATUS"            // jobs
)

// Query selects from fleets, jobs or plans. What is empty selects all.
type Query struct {
	Contains      string // part of the name
	FleetContains string // plans: part of the fleet's name
	ModelContains string // jobs: part of the model's name
	Status        JobStatus

	// Bounds that are themselves outside.
	CreatedAfter, CreatedBefore   time.Time
	ModifiedAfter, ModifiedBefore time.Time

	Sort       Sort // "": ByCreation
	Descending bool
	After      *Place // where to go on; nil: at the start
	Limit      int
}

// Place is where a row stands in a list.
type Place struct {
	Value string // of what the list is sorted by; of times, decimal milliseconds
	Key   string
}

// DeviceQuery selects devices. What is empty selects all.
type DeviceQuery struct {
	Fleet          string
	Contains       string // part of the name
	HeartbeatAfter time.Time
	Model          string

	AfterFleet, AfterDevice string
	Limit                   int
}

// AgentCount says how many devices run a version of the agent.
type AgentCount struct {
	Version string
	Count   int64
}

// ModelCount says on how many devices a model is.
type ModelCount struct {
	Name, Version string
	Offline       int64 // without a recent heartbeat
	Connected     int64 // with one
	Active        int64 // of these, with a recent inference
	Sampling      int64 // of these, with a recent sample
}
