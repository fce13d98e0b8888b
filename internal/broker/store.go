package broker

import (
	"context"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
)

// Store keeps what must outlive the process: persistent sessions, their queues
// and retained messages.
type Store interface {
	// Sessions calls each with every stored session and its subscriptions.
	Sessions(ctx context.Context, each func(StoredSession)) error

	// Update runs fn in a write transaction and waits until it is on disk.
	Update(ctx context.Context, fn func(StoreTx) error) error
	// Submit is Update without the wait: done is called with the outcome, in
	// the order of submission, and must not block.
	Submit(fn func(StoreTx) error, done func(error))

	// Queue reads the messages that wait for a session, in order, with numbers
	// above after.
	Queue(ctx context.Context, clientID string, after int64, limit int) ([]StoredMessage, error)

	// SharedQueue reads the messages that wait for a group of a shared
	// subscription, or for the acknowledgement of a member, in order, with
	// numbers above after.
	SharedQueue(ctx context.Context, filter string, after int64, limit int) ([]StoredShared, error)
	// SharedQueues tells of every group how many messages it has and the highest
	// number.
	SharedQueues(ctx context.Context, each func(filter string, count int, last int64)) error
	// CountShared counts a group's messages with numbers above after, up to last.
	CountShared(ctx context.Context, filter string, after, last int64) (int, error)

	// Versions reads the number that PutVersions stored last; 0 before.
	Versions(ctx context.Context) (reserved int64, err error)

	// Wills reads the last wills.
	Wills(ctx context.Context) ([]StoredWill, error)

	// Retained reads one retained message; nil without one.
	Retained(ctx context.Context, topic string) (*RetainedMessage, error)
	// RetainedFrom reads retained messages in the order of their topics, from
	// the topics above after that begin with prefix.
	RetainedFrom(ctx context.Context, prefix, after string, limit int) ([]RetainedMessage, error)
	// CountRetained counts them.
	CountRetained(ctx context.Context) (int, error)
}

// StoreTx is a write transaction of a Store.
type StoreTx interface {
	PutSession(s StoredSession) error    // without its subscriptions
	DeleteSession(clientID string) error // with subscriptions and queue
	// Left notes when a session's client went away.
	Left(clientID string, at time.Time, expiry time.Duration) error

	PutSubscription(clientID string, s StoredSubscription) error
	DeleteSubscription(clientID, filter string) error

	// Enqueue adds a message to a session's queue.
	Enqueue(clientID string, m StoredMessage) error
	// Dequeue takes it out again.
	Dequeue(clientID string, number int64) error
	// PutBody stores a message that several sessions will refer to by id.
	PutBody(id string, m *message.Message) error
	// MarkSent notes the packet identifier of a QoS 2 message, and whether the
	// client has it already.
	MarkSent(clientID string, number int64, packetID uint16, received bool) error

	// EnqueueShared adds a message to a group, by its whole filter.
	EnqueueShared(filter string, m StoredShared) error
	DequeueShared(filter string, number int64) error
	DeleteShared(filter string) error // with the group
	ExpireShared(now time.Time) error // what has waited long enough, in all groups

	// PutVersions notes that version numbers of lifecycle events below reserved may
	// have been given out.
	PutVersions(reserved int64) error

	PutWill(w StoredWill) error // in place of the client's last
	DelayWill(clientID, id string, due time.Time) error
	// DeliveredWill notes that a will's subscribers have it.
	DeliveredWill(clientID, id string) error
	DeleteWill(clientID, id string) error

	PutReceived(clientID string, packetID uint16) error // QoS 2 from the client
	DeleteReceived(clientID string, packetID uint16) error

	PutRetained(m *message.Message, at time.Time) error
	DeleteRetained(topic string) error
	// ExpireRetained removes those that have expired, and counts them.
	ExpireRetained(now time.Time) (count int, err error)
}

// StoredSession is a persistent session at rest.
type StoredSession struct {
	ClientID      string
	Version       mqtt.Version
	Expiry        time.Duration // how long it outlives its connection
	Left          time.Time     // when its client went away; zero while connected
	Principal     string        // who owned it last
	Subscriptions []StoredSubscription
	Queued        int      // messages waiting
	LastNumber    int64    // the highest number ever seen in its queue
	Received      []uint16 // QoS 2 packet identifiers not yet released
}

// StoredSubscription is one filter of a session.
type StoredSubscription struct {
	Filter            string
	QoS               mqtt.QoS
	NoLocal           bool
	RetainAsPublished bool
	ID                uint32 // the subscription identifier; 0 without
}

// StoredMessage is one entry of a session's queue. Numbers grow within a
// session.
type StoredMessage struct {
	Number          int64
	QoS             mqtt.QoS
	Retain          bool
	SubscriptionIDs []uint32
	BodyID          string // of PutBody; "" when Message is the entry's own
	Message         *message.Message

	PacketID uint16 // QoS 2 only: under which it was sent; 0 before
	Received bool   // QoS 2 only: the client acknowledged having it
}

// StoredShared is one message of a shared subscription's group. Numbers grow
// within a group.
type StoredShared struct {
	Number  int64
	Until   time.Time // how long it is kept; zero: for ever
	Message *message.Message
}

// StoredWill is the last will of a client's connection.
type StoredWill struct {
	ClientID string
	ID       string // tells it from those of other connections
	Delay    time.Duration
	Due      time.Time // zero while the client is connected
	Message  *message.Message

	Delivered bool // subscribers have it, services may not
}

// RetainedMessage is a topic's last retained message.
type RetainedMessage struct {
	Message  message.Message
	Modified time.Time
}
