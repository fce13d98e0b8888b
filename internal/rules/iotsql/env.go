package iotsql

import (
	"context"
	"errors"
	"time"
)

// Env is all that an evaluation may know besides the message. The zero value
// (and no Env at all) works: it is 1970, nothing is random, and every lookup
// fails.
type Env struct {
	// Context bounds the lookups; nil stands for context.Background().
	Context context.Context
	// Now is asked at most once per evaluation. To let a rule and the templates
	// of its actions agree on timestamp(), give them one frozen clock.
	Now func() time.Time
	// Random gives 64 random bits for rand() and newuuid(). UUIDs name objects
	// and are no secrets; a source that cannot be guessed is better all the same.
	Random func() uint64
	// AccountID is the account of the rule's owner: 12 digits.
	AccountID string
	// Lookups fetch what lies outside of the message.
	Lookups Lookups
	// DecimalDivision makes Int / Int a Decimal where the division is not exact.
	// The AWS documentation contradicts itself: its operator table says Int (the
	// default here), a sample of SET shows decimals.
	DecimalDivision bool
}

// Lookups are the functions of the language that reach outside. An error aborts
// the evaluation, unless get_or_default() is around the call. Implementations
// bound their time; AWS gives a Lambda function 2 seconds and keeps secrets and
// descriptors for up to 15 minutes.
//
// roleARN is what the statement says; the implementation assumes the role or
// checks it.
type Lookups interface {
	// ThingShadow gives a shadow document as JSON; name "" is the classic shadow.
	ThingShadow(ctx context.Context, thing, name, roleARN string) ([]byte, error)
	// RegistryData gives the response of DescribeThing or ListThingGroupsForThing
	// as JSON.
	RegistryData(ctx context.Context, api, thing, roleARN string) ([]byte, error)
	// DynamoDBItem gives an item as plain JSON, of at most 8 KB.
	DynamoDBItem(ctx context.Context, key DynamoDBKey, roleARN string) ([]byte, error)
	// Secret gives the current version of a secret.
	Secret(ctx context.Context, id, roleARN string) (Secret, error)
	// InvokeLambda calls a function synchronously and gives the JSON it returns.
	InvokeLambda(ctx context.Context, functionARN string, payload []byte) ([]byte, error)
	// Predict asks a machine learning model; the answer is JSON with
	// predictedLabel, predictedScores, predictedValue and details.
	Predict(ctx context.Context, modelID string, record map[string]string, roleARN string) ([]byte, error)
	// Object gives an object of a bucket: the FileDescriptorSet of decode().
	Object(ctx context.Context, bucket, key string) ([]byte, error)
}

// DynamoDBKey names an item. SortName is empty for tables without a sort key.
// Values are String, Int or Decimal.
type DynamoDBKey struct {
	Table         string
	PartitionName string
	Partition     Value
	SortName      string
	Sort          Value
}

// Secret is a secret's text, or its bytes where Binary is not nil.
type Secret struct {
	Text   string
	Binary []byte
}

// NoLookups fails every lookup. Embed it to provide only some.
type NoLookups struct{}

var _ Lookups = NoLookups{}

// ErrNoLookup is what NoLookups answers.
var ErrNoLookup = errors.New("this lookup is not available here")

// ThingShadow fails.
func (NoLookups) ThingShadow(context.Context, string, string, string) ([]byte, error) {
	return nil, ErrNoLookup
}

// RegistryData fails.
func (NoLookups) RegistryData(context.Context, string, string, string) ([]byte, error) {
	return nil, ErrNoLookup
}

// DynamoDBItem fails.
func (NoLookups) DynamoDBItem(context.Context, DynamoDBKey, string) ([]byte, error) {
	return nil, ErrNoLookup
}

// Secret fails.
func (NoLookups) Secret(context.Context, string, string) (Secret, error) {
	return Secret{}, ErrNoLookup
}

// InvokeLambda fails.
func (NoLookups) InvokeLambda(context.Context, string, []byte) ([]byte, error) {
	return nil, ErrNoLookup
}

// Predict fails.
func (NoLookups) Predict(context.Context, string, map[string]string, string) ([]byte, error) {
	return nil, ErrNoLookup
}

// Object fails.
func (NoLookups) Object(context.Context, string, string) ([]byte, error) { return nil, ErrNoLookup }

func (e *Env) context() context.Context {
	if e.Context == nil {
		return context.Background()
	}
	return e.Context
}

func (e *Env) lookups() Lookups {
	if e.Lookups == nil {
		return NoLookups{}
	}
	return e.Lookups
}

func (e *Env) now() time.Time {
	if e.Now == nil {
		return time.UnixMilli(0)
	}
	return e.Now()
}

func (e *Env) random() uint64 {
	if e.Random == nil {
		return 0
	}
	return e.Random()
}
