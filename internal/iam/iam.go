// Package iam knows people and programs: who holds an access key, and what the
// holder may do.
//
// It has of AWS's IAM and STS what the rest of thingd needs: users, access keys,
// roles with trust policies, inline and managed policies, and sessions with
// temporary credentials. The root of the account has one access key, made at the
// first start, and may do everything.
//
// # A request's way through
//
// Gate is what the AWS front asks. Authenticate finds the credential behind an
// access key ID, checks the signature and gives the Identity. Authorize turns the
// call into actions and resources and asks the identity's policies; what they do
// not allow is refused with AWS's own sentence. Rights are the same policies for
// a WebSocket connection that was opened with a signature.
//
// # Sessions
//
// Temporary credentials are rows: a session ends when its time is over, when its
// role or user is deleted, when its role is made anew under the same name, and
// when the device certificate that it was given for stops being ACTIVE. Nothing
// in the token says anything; it is random, and its hash is compared.
//
// # Secrets
//
// A signature is checked with the secret itself, so secrets cannot be hashes.
// They are kept in the clear, readable by whoever reads the database, or sealed
// with a key from a file of its own (see NewSealer).
package iam

import (
	"time"

	"thingd/internal/policy"
)

// User is a person or program with long-term access keys.
type User struct {
	Name    string
	Path    string // "/" or "/division/team/"
	ID      string // AIDA...
	Created time.Time
	Tags    []Tag
}

// Role is a set of rights that others may take on for a while.
type Role struct {
	Name        string
	Path        string
	ID          string // AROA...; a role of the same name made later has another
	Trust       string // the policy document that says who may assume it
	Description string
	SessionMax  time.Duration
	Created     time.Time
	Tags        []Tag
}

// Policy is a managed policy: one with a name of its own, attached to users and
// roles. The API has no operation to change it, so its only version is v1.
type Policy struct {
	Name        string
	Path        string
	ID          string // ANPA...
	ARN         string
	Document    string
	Description string
	Created     time.Time
	Tags        []Tag
	Attachments int // users and roles that have it
}

// VersionID is the name of the one version of every managed policy.
const VersionID = "v1"

// Tag is a label on a user, role or policy.
type Tag struct{ Key, Value string }

// AccessKey is a long-term credential.
type AccessKey struct {
	ID      string // AKIA...
	User    string // its holder; "" is the root
	Secret  string // empty in lists
	Active  bool
	Created time.Time
}

// Credentials are temporary. All three parts are needed to sign.
type Credentials struct {
	AccessKeyID     string // ASIA...
	SecretAccessKey string
	SessionToken    string
	Expires         time.Time
}

// Kind says what sort of identity acts.
type Kind string

// The kinds of identities.
const (
	Root   Kind = "root"
	ByUser Kind = "user" // with a user's own key, or a session of it
	ByRole Kind = "role" // a session of a role
)

// Identity is who acts with a credential.
type Identity struct {
	Kind   Kind
	Name   string // of the user or role; "" for the root
	ID     string // AIDA..., AROA...; the account for the root
	ARN    string // as policies, logs and GetCallerIdentity have it
	UserID string // as GetCallerIdentity has it: AROA...:session

	// Owner is the ARN of the user, role or root itself. For a session of a role,
	// ARN names the session instead.
	Owner string

	Tags []Tag // of the user or role

	// Session is what the session adds; nil for long-term keys.
	Session *Session
}

// Session is what is known of temporary credentials besides whose they are.
type Session struct {
	Name        string
	Policies    []string // session policies, documents: they only take away
	PolicyARNs  []string // managed policies with the same effect
	Context     policy.Values
	Certificate string // ID of the device certificate that it was given for; "" if none
	Expires     time.Time
	Issued      time.Time
}

// owner names a user or role in the store.
type owner struct {
	kind Kind
	name string
}

func (i Identity) owner() owner { return owner{i.Kind, i.Name} }
