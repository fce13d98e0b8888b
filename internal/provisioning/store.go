package provisioning

import (
	"context"
	"time"

	"thingd/internal/lease"
	"thingd/internal/pki"
	"thingd/internal/provisioning/template"
	"thingd/internal/registry"
)

// Store is what provisioning asks of a database, for one account.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in a write transaction; the effect is durable when Update
	// returns nil. fn may run more than once.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction: rows in, rows out, no rules.
type Tx interface {
	registry.TagTx
	lease.Tx

	Template(name string) (Template, bool, error)
	PutTemplate(Template) error
	// DeleteTemplate also deletes its versions.
	DeleteTemplate(name string) error
	// Templates lists by name, after the given one.
	Templates(after string, limit int) ([]Template, error)

	Version(template string, id int) (Version, bool, error)
	PutVersion(Version) error
	DeleteVersion(template string, id int) error
	// Versions lists from the oldest.
	Versions(template string) ([]Version, error)

	Token(hash string) (Token, bool, error)
	PutToken(Token) error
	DeleteToken(hash string) error
	// ExpiredTokens lists those that ended before the time, the oldest first.
	ExpiredTokens(before time.Time, limit int) ([]Token, error)

	// Claim gives the template that a claim certificate is for.
	Claim(id pki.CertificateID) (templateName string, found bool, err error)
	PutClaim(id pki.CertificateID, templateName string, expires time.Time) error
	// DeleteClaims deletes those that ended before the time.
	DeleteClaims(before time.Time) error

	Task(id string) (Task, bool, error)
	PutTask(Task) error
	// Tasks lists the newest first, after the given place; status "" takes all.
	Tasks(status TaskStatus, after TaskKey, limit int) ([]Task, error)

	ImportJob(id string) (ImportJob, bool, error)
	PutImportJob(ImportJob) error
	DeleteImportJob(id string) error
	// ImportJobs lists the newest first, after the given place; status "" takes all.
	ImportJobs(status TaskStatus, after TaskKey, limit int) ([]ImportJob, error)

	// PutManifestPart writes a part of an import's manifest, over the one of the
	// same number.
	PutManifestPart(id string, number int, data []byte) error
	// ManifestParts lists the parts by number, without what is in them.
	ManifestParts(id string) ([]ManifestPart, error)
	// ManifestPartSize gives the bytes of one part; 0 where it has not come.
	ManifestPartSize(id string, number int) (int, error)
	ManifestPart(id string, number int) (data []byte, found bool, err error)
	// DeleteManifestParts deletes at most limit parts and gives the number.
	DeleteManifestParts(id string, limit int) (int, error)
	// NextManifest gives the first import behind the given one that has parts; ""
	// where there is none.
	NextManifest(after string) (string, error)

	// PutOutcome writes the outcome of one line of a job, over the one it has.
	PutOutcome(job string, o Outcome) error
	// Outcomes lists by line, after the given one; state "" takes all.
	Outcomes(job string, state OutcomeState, after, limit int) ([]Outcome, error)
	// CountOutcomes counts the outcomes of each state.
	CountOutcomes(job string) (map[OutcomeState]int, error)
	// DeleteOutcomes deletes at most limit outcomes and gives the number.
	DeleteOutcomes(job string, limit int) (int, error)
	// NextJob gives the first job behind the given one that has outcomes; "" where
	// there is none.
	NextJob(after string) (string, error)
}

// Template is the record of a provisioning template without its bodies.
type Template struct {
	Name        string
	Kind        template.Kind // Fleet or JITP
	Description string
	Enabled     bool
	RoleARN     string // kept; thingd itself does what AWS does under this role
	Hook        Hook   // zero: none
	Default     int    // the version that runs
	Last        int    // the newest there ever was: numbers are never used again
	Created     time.Time
	Modified    time.Time
}

// Hook is a pre-provisioning hook: a function that has a say before a device of
// a fleet is provisioned.
type Hook struct {
	PayloadVersion string // "2020-04-01"
	TargetARN      string // of the function
}

// Version is one body of a template. It never changes.
type Version struct {
	Template string
	ID       int    // from 1
	Body     string // as it was sent, byte for byte
	Created  time.Time
}

// Token is the record of a certificate ownership token: whoever shows it may
// have its certificate provisioned.
type Token struct {
	Hash        string // of the token, which itself is not kept
	Certificate pki.CertificateID
	Expires     time.Time
	BusyUntil   time.Time // somebody is using it; zero: nobody is
}

// TaskKey is a place in the list of tasks or of imports; the zero value is its start.
type TaskKey struct {
	Created time.Time
	ID      string
}
