package broker

import (
	"fmt"
	"strconv"
	"time"

	"thingd/internal/mqtt"
)

// Setting is one limit by name, for command lines and documentation.
type Setting struct {
	Name string
	Doc  string
	set  func(l *Limits, value string) error
	get  func(l Limits) string
}

// count, duration and toggle make settings of fields.
func count(name, doc string, field func(*Limits) *int) Setting {
	return Setting{name, doc, func(l *Limits, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("it must be a whole number of at least 0")
		}
		*field(l) = n
		return nil
	}, func(l Limits) string { return strconv.Itoa(*field(&l)) }}
}

func duration(name, doc string, field func(*Limits) *time.Duration) Setting {
	return Setting{name, doc, func(l *Limits, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("it must be a time such as 30s or 1h")
		}
		*field(l) = d
		return nil
	}, func(l Limits) string { return field(&l).String() }}
}

func toggle(name, doc string, field func(*Limits) *bool) Setting {
	return Setting{name, doc, func(l *Limits, value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("it must be true or false")
		}
		*field(l) = b
		return nil
	}, func(l Limits) string { return strconv.FormatBool(*field(&l)) }}
}

// Settings lists every limit that can be changed.
func Settings() []Setting {
	return []Setting{
		count("topic-bytes", "length of a topic or filter, bytes; 0 is the protocol's 65535", func(l *Limits) *int { return &l.Topics.MaxBytes }),
		count("topic-slashes", "slashes in a topic or filter", func(l *Limits) *int { return &l.Topics.MaxSlashes }),
		toggle("match-parent", "whether a/# selects a", func(l *Limits) *bool { return &l.Topics.MatchParent }),
		count("packet-bytes", "longest packet", func(l *Limits) *int { return &l.PacketBytes }),
		count("payload-bytes", "payload of one message", func(l *Limits) *int { return &l.PayloadBytes }),
		count("client-id-bytes", "length of a client ID", func(l *Limits) *int { return &l.ClientIDBytes }),
		{"max-qos", "highest QoS: 0, 1 or 2", setQoS, func(l Limits) string { return strconv.Itoa(int(l.MaxQoS)) }},
		toggle("retain-wildcards", "whether wildcard filters get retained messages", func(l *Limits) *bool { return &l.RetainWildcards }),
		toggle("subscription-ids", "MQTT 5 subscription identifiers", func(l *Limits) *bool { return &l.SubscriptionIDs }),
		toggle("reserved-client-ids", "whether client IDs beginning with $ are refused", func(l *Limits) *bool { return &l.ReservedClientID }),
		toggle("sessions-across-versions", "whether MQTT 5 may resume a session of MQTT 3.1.1", func(l *Limits) *bool { return &l.AcrossVersions }),
		toggle("send-dup", "whether repeats carry the DUP flag", func(l *Limits) *bool { return &l.SendsDUP }),
		toggle("close-denied", "whether a denied PUBLISH closes an MQTT 3.1.1 connection", func(l *Limits) *bool { return &l.CloseDeniedClients }),
		toggle("close-denied-filters", "whether a denied filter in SUBSCRIBE closes an MQTT 3.1.1 connection", func(l *Limits) *bool { return &l.CloseDeniedFilters }),
		toggle("connack-refusals", "whether MQTT 3.1.1 clients that may not connect are told so, with CONNACK 5, or just hung up on", func(l *Limits) *bool { return &l.ConnackRefusals }),
		count("filters-per-subscribe", "filters in one SUBSCRIBE; 0: no limit", func(l *Limits) *int { return &l.FiltersPerSubscribe }),
		count("subscriptions", "filters of one session; 0: no limit", func(l *Limits) *int { return &l.Subscriptions }),
		count("share-groups", "shared subscriptions, by their whole filter; 0: no limit", func(l *Limits) *int { return &l.ShareGroups }),
		count("share-members", "sessions in one shared subscription; 0: no limit", func(l *Limits) *int { return &l.ShareMembers }),
		count("receive-maximum", "unacknowledged messages from one client", func(l *Limits) *int { return &l.ReceiveMaximum }),
		count("send-maximum", "unacknowledged messages to one client", func(l *Limits) *int { return &l.SendMaximum }),
		count("topic-aliases", "MQTT 5 topic aliases of one client", func(l *Limits) *int { return &l.TopicAliases }),
		count("send-topic-aliases", "MQTT 5 topic aliases to one client that asks for them; 0: none", func(l *Limits) *int { return &l.SendAliases }),
		count("user-properties-bytes", "names and values of the MQTT 5 user properties of one message; 0: no limit", func(l *Limits) *int { return &l.UserPropertiesBytes }),
		count("content-type-bytes", "MQTT 5 content type, at AWS 256; 0: no limit", func(l *Limits) *int { return &l.ContentTypeBytes }),
		count("correlation-bytes", "MQTT 5 correlation data, at AWS 256; 0: no limit", func(l *Limits) *int { return &l.CorrelationBytes }),
		count("client-packet-min", "smallest Maximum Packet Size that an MQTT 5 client may ask for; 0: any", func(l *Limits) *int { return &l.ClientPacketMin }),
		duration("keep-alive-min", "shortest keep-alive", func(l *Limits) *time.Duration { return &l.KeepAliveMin }),
		duration("keep-alive-max", "longest keep-alive", func(l *Limits) *time.Duration { return &l.KeepAliveMax }),
		duration("session-default", "life of an MQTT 3.1.1 persistent session after its client left", func(l *Limits) *time.Duration { return &l.SessionDefault }),
		duration("session-max", "longest session expiry; 0: as asked", func(l *Limits) *time.Duration { return &l.SessionMax }),
		duration("message-expiry-max", "longest message expiry; 0: as asked", func(l *Limits) *time.Duration { return &l.MessageExpiryMax }),
		count("queue-messages", "messages waiting for one session", func(l *Limits) *int { return &l.QueueMessages }),
		count("replay-rate", "queued messages a second to a client that came back; 0: no limit", func(l *Limits) *int { return &l.ReplayRate }),
		count("share-replay-rate", "messages a second to one member of a shared subscription that waited while none was there; 0: no limit", func(l *Limits) *int { return &l.ShareReplayRate }),
		count("publish-rate", "messages a second from one connection; 0: no limit", func(l *Limits) *int { return &l.PublishRate }),
		count("send-rate", "messages a second to one connection, at AWS 100; QoS 0 is dropped beyond, the rest waits; 0: no limit", func(l *Limits) *int { return &l.SendRate }),
		count("account-connections", "clients connected, at AWS 500000; 0: no limit", func(l *Limits) *int { return &l.AccountConnections }),
		count("account-subscriptions", "filters of all sessions, at AWS 500000; 0: no limit", func(l *Limits) *int { return &l.AccountSubscriptions }),
		count("connect-rate", "CONNECT packets a second with one client ID, at AWS 1; 0: no limit", func(l *Limits) *int { return &l.ConnectRate }),
		count("account-connect-rate", "CONNECT packets a second from all clients, at AWS 500; 0: no limit", func(l *Limits) *int { return &l.AccountConnectRate }),
		count("account-publish-rate", "messages a second from all connections and over HTTPS, at AWS 20000; a shadow update over MQTT counts as 4; 0: no limit", func(l *Limits) *int { return &l.AccountPublishRate }),
		count("account-send-rate", "messages a second to all connections and to rules, at AWS 20000; QoS 0 is dropped beyond, the rest waits; 0: no limit", func(l *Limits) *int { return &l.AccountSendRate }),
		count("account-retain-rate", "retained messages a second from all connections and over HTTPS, at AWS 500; 0: no limit", func(l *Limits) *int { return &l.AccountRetainRate }),
		count("topic-retain-rate", "retained messages a second to one topic, at AWS 1; 0: no limit", func(l *Limits) *int { return &l.TopicRetainRate }),
		count("account-subscribe-rate", "filters a second from all connections, at AWS 500; 0: no limit", func(l *Limits) *int { return &l.AccountSubscribeRate }),
		count("account-queue-rate", "messages a second for clients that are away, at AWS 500; dropped beyond; 0: no limit", func(l *Limits) *int { return &l.AccountQueueRate }),
		count("byte-rate", "bytes a second from one connection; 0: no limit", func(l *Limits) *int { return &l.ByteRate }),
		duration("retry-after", "time until an unacknowledged message is repeated; 0: only after a reconnect", func(l *Limits) *time.Duration { return &l.RetryAfter }),
		duration("retry-for", "time until a message that is never acknowledged is given up; 0: never", func(l *Limits) *time.Duration { return &l.RetryFor }),
		duration("websocket-life", "life of a WebSocket that a signature opened; 0: no limit", func(l *Limits) *time.Duration { return &l.WebSocketLife }),
		duration("connect-timeout", "time for the CONNECT packet", func(l *Limits) *time.Duration { return &l.ConnectTimeout }),
		count("outbox-bytes", "bytes waiting for one slow reader", func(l *Limits) *int { return &l.OutboxBytes }),
		count("retained", "retained messages", func(l *Limits) *int { return &l.Retained }),
	}
}

func setQoS(l *Limits, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 2 {
		return fmt.Errorf("it must be 0, 1 or 2")
	}
	l.MaxQoS = mqtt.QoS(n)
	return nil
}

// Value gives the setting's value in l.
func (s Setting) Value(l Limits) string { return s.get(l) }

// Set changes the limit of this name.
func (l *Limits) Set(name, value string) error {
	for _, s := range Settings() {
		if s.Name == name {
			return s.set(l, value)
		}
	}
	return fmt.Errorf("there is no such limit; 'thingd limits' lists them")
}
