package bridge

import (
	"context"
	"encoding/json"
	"fmt"

	"thingd/internal/fault"
	"thingd/internal/message"
)

// Store keeps the integrations of one account and the messages that wait for
// their far sides.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error   // a snapshot
	Update(ctx context.Context, fn func(Tx) error) error // durable when it returns nil; fn may run again
	// Submit is Update without the wait: done is called with the outcome, in the
	// order of submission, and must not block.
	Submit(fn func(Tx) error, done func(error))
}

// Tx is one transaction. Lists go on after the last key and have limit entries
// at most.
type Tx interface {
	PutIntegration(Record) error
	DeleteIntegration(id string) error // with its queue
	Integrations(after string, limit int) ([]Record, error)
	CountIntegrations() (int, error)

	// Enqueue adds a message to an integration's queue. Numbers grow.
	Enqueue(id string, w Waiting, m *message.Message) error
	Dequeue(id string, number int64) error
	// Queue lists what waits, without the messages.
	Queue(id string, after int64, limit int) ([]Waiting, error)
	// Messages reads what waits.
	Messages(id string, after int64, limit int) ([]Stored, error)
}

// Record is an integration at rest. The secrets are apart and may be sealed.
type Record struct {
	Integration
	Secrets []byte
	Sealed  bool
}

// Waiting is an entry of a queue.
type Waiting struct {
	Number int64
	Size   int // bytes of topic and payload
}

// Stored is a message of a queue. Its topic is what follows the prefix.
type Stored struct {
	Number  int64
	Message *message.Message
}

// secrets are what nobody is shown again.
type secrets struct {
	PrivateKey string `json:"privateKey,omitzero"`
	Password   string `json:"password,omitzero"`
}

// secretName binds sealed secrets to their integration.
func secretName(id string) string { return "integration/" + id }

// seal makes the record of an integration.
func (s *Service) seal(in Integration) (Record, error) {
	text, err := json.Marshal(secrets{in.PrivateKey, in.Password})
	if err != nil || s.Sealer == nil {
		return Record{Integration: in, Secrets: text}, err
	}
	text, err = s.Sealer.Seal(secretName(in.ID), text)
	return Record{Integration: in, Secrets: text, Sealed: true}, err
}

// unseal gives the integration of a record; with an error, without its secrets.
func (s *Service) unseal(r Record) (Integration, error) {
	in, text := r.Integration, r.Secrets
	if r.Sealed {
		if s.Sealer == nil {
			return in, fault.New(fault.Internal, "the secrets are sealed; start with the seal key they were sealed with")
		}
		var err error
		if text, err = s.Sealer.Open(secretName(in.ID), text); err != nil {
			return in, fmt.Errorf("the secrets cannot be unsealed: %w", err)
		}
	}
	var known secrets
	if err := json.Unmarshal(text, &known); err != nil {
		return in, fmt.Errorf("the secrets cannot be read: %w", err)
	}
	in.PrivateKey, in.Password = known.PrivateKey, known.Password
	return in, nil
}
