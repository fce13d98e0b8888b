package broker

import "sync/atomic"

// Stats counts what the broker has done since it started; Connections, Parked,
// Sessions and Subscriptions are as of now. The fields are read with Load.
type Stats struct {
	Connections atomic.Int64 // admitted and not yet gone
	Parked      atomic.Int64 // of them, quiet and without a goroutine
	Sessions    atomic.Int64 // connected or persistent

	Subscriptions atomic.Int64 // filters of all sessions, as of now

	Connects       atomic.Int64
	ConnectRefused atomic.Int64
	Disconnects    atomic.Int64
	SlowCut        atomic.Int64 // of them, because the client did not read
	Pings          atomic.Int64

	PublishIn        atomic.Int64
	PublishInBytes   atomic.Int64 // of payload
	PublishDenied    atomic.Int64
	PublishInvalid   atomic.Int64
	PublishThrottled atomic.Int64
	PublishDelayed   atomic.Int64 // because of the client's bytes a second
	RetainThrottled  atomic.Int64 // not retained: too fast, or too many are

	ConnectThrottled   atomic.Int64
	SubscribeThrottled atomic.Int64 // filters
	SendThrottled      atomic.Int64 // QoS 0 to a client, beyond its rate or the account's
	QueueThrottled     atomic.Int64 // for clients that are away, beyond the account's rate

	PublishOut       atomic.Int64
	PublishOutBytes  atomic.Int64 // of payload
	ReceiveDenied    atomic.Int64
	DroppedSlow      atomic.Int64 // QoS 0 to a full outbox
	DroppedFull      atomic.Int64 // QoS 1 and 2 to a full queue
	DroppedExpired   atomic.Int64
	DroppedTooLarge  atomic.Int64 // for the client's Maximum Packet Size
	Repeats          atomic.Int64
	Subscribes       atomic.Int64 // filters granted
	SubscribeRefused atomic.Int64
	Unsubscribes     atomic.Int64
	WillsPublished   atomic.Int64
	RetainedMessages atomic.Int64
	StoreFailures    atomic.Int64

	// Acknowledge is the time from a PUBLISH of QoS 1 or 2 to its acknowledgement,
	// where that waits for the disk or for a service.
	Acknowledge Latency
}

// Stats gives the counters.
func (b *Broker) Stats() *Stats { return &b.stats }
