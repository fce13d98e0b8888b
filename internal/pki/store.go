package pki

import (
	"context"
	"time"

	"thingd/internal/lease"
)

// Store is what pki asks of a database, for one account.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in a write transaction; the effect is durable when Update
	// returns nil. fn may run more than once.
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction: rows in, rows out, no rules.
type Tx interface {
	lease.Tx

	// In is the same transaction on another account's rows, for transfers.
	In(account string) Tx

	Certificate(id CertificateID) (Certificate, bool, error)
	PutCertificate(Certificate) error
	DeleteCertificate(id CertificateID) error
	// Certificates lists what the listing asks for; claims are in none.
	Certificates(Listing) ([]Certificate, error)
	// DeleteClaims deletes at most limit claims that ended before the time, and
	// gives the number.
	DeleteClaims(before time.Time, limit int) (int, error)

	CA(id CertificateID) (CA, bool, error)
	PutCA(CA) error
	DeleteCA(id CertificateID) error
	CAs(Listing) ([]CA, error)
	// CAsNamed lists the CAs with this subject, a hash by subjectKey.
	CAsNamed(subject string) ([]CA, error)
	// DefaultCAElsewhere says whether another account has the CA in ModeDefault.
	DefaultCAElsewhere(id CertificateID) (bool, error)

	// Expiring lists certificates that are ACTIVE, or CAs that are, whose owner
	// was warned last at warnedDays before their end (0: never), and which end
	// before the time.
	Expiring(ca bool, warnedDays int, before time.Time, limit int) ([]Expiring, error)
	SetWarned(ca bool, id CertificateID, days int) error

	RegistrationCode() (string, bool, error)
	PutRegistrationCode(code string) error
	DeleteRegistrationCode() error

	Provider(name string) (Provider, bool, error)
	PutProvider(Provider) error
	DeleteProvider(name string) error
	// Providers lists all by name; an account has a handful.
	Providers() ([]Provider, error)
}

// Listing is one page of a list in order of creation time and ID.
type Listing struct {
	After     Mark // where the page before ended; zero begins
	Limit     int
	Ascending bool // oldest first

	CA       CertificateID // certificates registered under this CA; "" takes all
	Outgoing bool          // certificates on their way to another account
	Incoming bool          // certificates that another account offers
	Template string        // CAs with this provisioning template; "" takes all
}

// Mark is a place in a list.
type Mark struct {
	At int64 // creation time, milliseconds since 1970
	ID CertificateID
}
