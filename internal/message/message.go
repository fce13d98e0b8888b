// Package message is what thingd's packages say to each other: a Message goes
// to a Publisher, and a Handler takes the messages of the topics it asked for.
// Shadows, jobs, rules, bridges and the console hold a Publisher, never a
// broker.
package message

import (
	"context"
	"time"

	"thingd/internal/mqtt"
)

// QoS is MQTT's promise of delivery: at most once, at least once, exactly once.
type QoS = mqtt.QoS

// The qualities of service.
const (
	QoS0 = mqtt.QoS0
	QoS1 = mqtt.QoS1
	QoS2 = mqtt.QoS2
)

// Message is one application message on its way. Once handed to a Publisher or
// a Handler it is not changed any more.
type Message struct {
	Topic   string
	Payload []byte
	QoS     QoS
	Retain  bool

	Properties *Properties // MQTT 5; nil when there are none
	Expires    time.Time   // zero: never. From the Message Expiry Interval and the time of arrival
	Origin     Origin
}

// Properties are the MQTT 5 properties that travel with a message. Their
// MessageExpiry is what the sender asked for; Message.Expires is what holds.
type Properties = mqtt.MessageProperties

// UserProperty is one name and value.
type UserProperty = mqtt.UserPropertyBytes

// Kind says what sort of sender a message came from.
type Kind uint8

// The senders.
const (
	FromService Kind = iota // thingd itself: shadows, events, the console
	FromDevice              // an MQTT connection
	FromHTTP                // the HTTPS publish API
	FromRule                // a rule's republish action
	FromWill                // a client's last will
	FromBridge              // an outbound integration
)

// Origin is who sent a message.
type Origin struct {
	Kind      Kind
	ClientID  string // "" where there is none (HTTP)
	Principal string // certificate ID, IAM user ID …, as in lifecycle events
	SourceIP  string
	TraceID   string // one per message, in logs and rules; "" where nobody needs it
	Rules     int    // republish hops so far, so that rules cannot feed each other for ever

	// Reply answers the sending connection alone, if it may receive the topic, at
	// the lower of the message's QoS and its subscription's, and not without a
	// subscription; those of jobs go without one too. nil where there is no
	// connection.
	Reply func(Message)
}

// Done is called once, when what a message asked for is durable (nil) or has
// failed. It may be called from any goroutine, must be quick and must not block.
type Done func(error)

// Publisher takes messages.
type Publisher interface {
	// Publish routes m. done, which may be nil, is called when m is where it
	// must survive a crash; for a message that nobody must keep, at once.
	// Publish does not block on subscribers.
	Publish(m Message, done Done)
}

// Handler takes the messages of a topic, in the order of each sender. It must
// not block: long work goes elsewhere, with a bound. done is called exactly
// once; the sender's acknowledgement waits for it.
type Handler func(m Message, done Done)

// Collector takes the messages of many filters, each message once, with the tags
// of all filters that selected it. It is held to what a Handler is, and does not
// change tags.
type Collector interface {
	Collect(m Message, tags []any, done Done)
}

// Publish hands m to p and waits until it is durable.
func Publish(ctx context.Context, p Publisher, m Message) error {
	outcome := make(chan error, 1)
	p.Publish(m, func(err error) { outcome <- err })
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
