package iam

import (
	"context"
	"time"
)

// Store is what iam asks of a database, for one account.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in a write transaction; the effect is durable when Update
	// returns nil. fn may run more than once.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction: rows in, rows out, no rules. Lists are in order of
// their key and begin after the given one; "" begins at the start. Owners are a
// Kind and a name.
type Tx interface {
	User(name string) (User, bool, error)
	PutUser(User) error
	DeleteUser(name string) error
	Users(pathPrefix, after string, limit int) ([]User, error)

	Role(name string) (Role, bool, error)
	PutRole(Role) error
	DeleteRole(name string) error
	Roles(pathPrefix, after string, limit int) ([]Role, error)

	// Policy and Policies count the attachments.
	Policy(arn string) (Policy, bool, error)
	PutPolicy(Policy) error
	DeletePolicy(arn string) error
	Policies(pathPrefix, after string, limit int) ([]Policy, error)
	PolicyNamed(name string) (arn string, found bool, err error)

	Inline(kind Kind, name, policy string) (document string, found bool, err error)
	PutInline(kind Kind, name, policy, document string) error
	DeleteInline(kind Kind, name, policy string) error
	// InlineNames lists the names of an owner's inline policies.
	InlineNames(kind Kind, name, after string, limit int) ([]string, error)

	Attach(kind Kind, name, policyARN string) error
	// Detach says whether the policy was attached.
	Detach(kind Kind, name, policyARN string) (bool, error)
	// Attached lists the ARNs of the managed policies of an owner.
	Attached(kind Kind, name, after string, limit int) ([]string, error)

	AccessKey(id string) (StoredKey, bool, error)
	PutAccessKey(StoredKey) error
	DeleteAccessKey(id string) error
	// AccessKeys lists the keys of a user, or with "" of the root.
	AccessKeys(user string) ([]StoredKey, error)

	Session(id string) (StoredSession, bool, error)
	PutSession(StoredSession) error
	// DeleteSessionsOf ends the sessions given for a device certificate.
	DeleteSessionsOf(certificate string) (int, error)
	// DeleteSessionsBefore deletes at most limit sessions that ended before.
	DeleteSessionsBefore(end time.Time, limit int) (int, error)
}

// StoredKey is an access key as it lies on disk.
type StoredKey struct {
	ID      string
	User    string
	Secret  []byte // sealed where there is a Sealer
	Active  bool
	Created time.Time
}

// StoredSession is a session as it lies on disk.
type StoredSession struct {
	AccessKeyID string
	Secret      []byte // sealed where there is a Sealer
	TokenHash   string // SHA-256 in hex
	Kind        Kind
	Owner       string // name of the user or role; "" for the root
	OwnerID     string // AIDA..., AROA...: an owner of another ID is somebody else
	Session     Session
	Created     time.Time
}
