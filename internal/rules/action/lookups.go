package action

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"thingd/internal/fault"
	"thingd/internal/rules/iotsql"
)

// Limits of the lookups (AWS IoT SQL reference).
const (
	lambdaTimeout = 2 * time.Second
	lookupTimeout = 5 * time.Second // of the others (unconfirmed)
	itemMax       = 8 << 10         // bytes of JSON
	descriptorMax = 32 << 10        // bytes
	kept          = 15 * time.Minute
	keptMax       = 1000 // secrets, and as many descriptors
)

// Lookups are the functions of IoT SQL that reach outside. It implements
// iotsql.Lookups.
type Lookups struct {
	iotsql.NoLookups // machinelearning_predict: the service is gone

	Targets *Targets
	// Shadow gives the document of a shadow; name "" is the classic one.
	Shadow func(ctx context.Context, thing, name string) ([]byte, error)
	// Registry gives the answer of an operation of the registry as JSON.
	Registry func(ctx context.Context, api, thing string) ([]byte, error)
	// ObjectRole is assumed to read the descriptors of decode(…, 'proto', …),
	// whose callers name no role; "" leaves it to the endpoint's own keys.
	ObjectRole string

	secrets cache[iotsql.Secret]
	objects cache[[]byte]
}

var _ iotsql.Lookups = (*Lookups)(nil)

// ThingShadow asks the shadows of this server.
func (l *Lookups) ThingShadow(ctx context.Context, thing, name, roleARN string) ([]byte, error) {
	if l.Shadow == nil {
		return nil, iotsql.ErrNoLookup
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if err := l.Targets.Allow(ctx, roleARN, "iot:GetThingShadow", l.Targets.Scope.IoT("thing", shadowResource(thing, name))); err != nil {
		return nil, err
	}
	return l.Shadow(ctx, thing, name)
}

// shadowResource is how policies name a shadow.
func shadowResource(thing, name string) string {
	if name == "" {
		return thing
	}
	return thing + "/" + name
}

// RegistryData asks the registry of this server.
func (l *Lookups) RegistryData(ctx context.Context, api, thing, roleARN string) ([]byte, error) {
	if l.Registry == nil {
		return nil, iotsql.ErrNoLookup
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if err := l.Targets.Allow(ctx, roleARN, "iot:"+api, l.Targets.Scope.IoT("thing", thing)); err != nil {
		return nil, err
	}
	return l.Registry(ctx, api, thing)
}

// DynamoDBItem gets an item. One that does not exist is a failure, which
// get_or_default() contains (unconfirmed).
func (l *Lookups) DynamoDBItem(ctx context.Context, key iotsql.DynamoDBKey, roleARN string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	config, err := l.Targets.sdk(ctx, "dynamodb", roleARN)
	if err != nil {
		return nil, err
	}
	get := &dynamodb.GetItemInput{TableName: &key.Table, Key: map[string]types.AttributeValue{key.PartitionName: attribute(key.Partition)}}
	if key.SortName != "" {
		get.Key[key.SortName] = attribute(key.Sort)
	}
	out, err := dynamodb.NewFromConfig(config).GetItem(ctx, get)
	if err != nil {
		return nil, l.Targets.outcome(roleARN, err)
	}
	if out.Item == nil {
		return nil, fault.NotFound("table %s has no such item", key.Table)
	}
	text, err := json.Marshal(plainJSON(&types.AttributeValueMemberM{Value: out.Item}))
	if err == nil && len(text) > itemMax {
		err = fault.InvalidRequest("the item has %d bytes of JSON; at most %d are allowed", len(text), itemMax)
	}
	return text, err
}

// plainJSON makes a JSON value of an attribute.
func plainJSON(a types.AttributeValue) any {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return a.Value
	case *types.AttributeValueMemberN:
		return json.Number(a.Value)
	case *types.AttributeValueMemberBOOL:
		return a.Value
	case *types.AttributeValueMemberB:
		return a.Value // base64
	case *types.AttributeValueMemberL:
		return each(a.Value, plainJSON)
	case *types.AttributeValueMemberM:
		object := map[string]any{}
		for name, member := range a.Value {
			object[name] = plainJSON(member)
		}
		return object
	case *types.AttributeValueMemberSS:
		return a.Value
	case *types.AttributeValueMemberNS:
		return each(a.Value, func(n string) any { return json.Number(n) })
	case *types.AttributeValueMemberBS:
		return a.Value
	}
	return nil
}

func each[T any](all []T, fn func(T) any) []any {
	out := make([]any, len(all))
	for i, one := range all {
		out[i] = fn(one)
	}
	return out
}

// Secret gets the current version of a secret (secretsmanager:GetSecretValue).
// The clock of the cache is the Targets'.
func (l *Lookups) Secret(ctx context.Context, id, roleARN string) (iotsql.Secret, error) {
	key := strconv.Quote(id) + roleARN + SourceOf(ctx)
	return l.secrets.get(key, l.Targets.Now, func() (iotsql.Secret, error) {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		config, err := l.Targets.sdk(ctx, "secretsmanager", roleARN)
		if err != nil {
			return iotsql.Secret{}, err
		}
		out, err := secretsmanager.NewFromConfig(config).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
		if err != nil {
			return iotsql.Secret{}, l.Targets.outcome(roleARN, err)
		}
		return iotsql.Secret{Text: aws.ToString(out.SecretString), Binary: out.SecretBinary}, nil
	})
}

// InvokeLambda calls a function and waits for its answer.
func (l *Lookups) InvokeLambda(ctx context.Context, functionARN string, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, lambdaTimeout)
	defer cancel()
	return l.Targets.invoke(ctx, functionARN, payload, lambdatypes.InvocationTypeRequestResponse)
}

// Object reads a descriptor from a bucket.
func (l *Lookups) Object(ctx context.Context, bucket, key string) ([]byte, error) {
	return l.objects.get(strconv.Quote(bucket)+key, l.Targets.Now, func() ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		config, err := l.Targets.sdk(ctx, "s3", l.ObjectRole)
		if err != nil {
			return nil, err
		}
		out, err := s3.NewFromConfig(config, pathStyle).GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			return nil, l.Targets.outcome(l.ObjectRole, err)
		}
		defer out.Body.Close()
		text, err := io.ReadAll(io.LimitReader(out.Body, descriptorMax+1))
		if err == nil && len(text) > descriptorMax {
			err = fault.InvalidRequest("the descriptor s3://%s/%s has more than %d bytes", bucket, key, descriptorMax)
		}
		return text, err
	})
}

// cache keeps answers for a while. Who asks for the same thing at the same time
// waits for one answer; failures are not kept. Full, it starts over.
type cache[V any] struct {
	mu      sync.Mutex
	entries map[string]*entry[V]
}

type entry[V any] struct {
	mu    sync.Mutex
	value V
	until time.Time // zero: no value
}

func (c *cache[V]) get(key string, now func() time.Time, ask func() (V, error)) (V, error) {
	e := c.entry(key)
	e.mu.Lock()
	defer e.mu.Unlock()
	if now().Before(e.until) {
		return e.value, nil
	}
	value, err := ask()
	if err != nil {
		return value, err
	}
	e.value, e.until = value, now().Add(kept)
	return value, nil
}

func (c *cache[V]) entry(key string) *entry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		if c.entries == nil || len(c.entries) >= keptMax {
			c.entries = map[string]*entry[V]{}
		}
		e = &entry[V]{}
		c.entries[key] = e
	}
	return e
}
