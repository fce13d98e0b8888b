package broker

import (
	"fmt"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// Limits are the broker's rules and bounds. Start from AWS or Standard and
// change what is needed; a zero in a rate or count marked so means no limit.
type Limits struct {
	Topics topic.Rules // of names and filters

	PacketBytes   int // longest packet read, fixed header included
	PayloadBytes  int // of one PUBLISH
	ClientIDBytes int

	MaxQoS             mqtt.QoS
	RetainWildcards    bool // whether wildcard filters get retained messages
	SubscriptionIDs    bool // MQTT 5 subscription identifiers
	ReservedClientID   bool // whether IDs beginning with $ are refused
	AcrossVersions     bool // whether MQTT 5 may resume a session of 3.1.1
	SendsDUP           bool // whether repeats carry DUP
	CloseDeniedClients bool // whether a denied PUBLISH closes a 3.1.1 connection
	CloseDeniedFilters bool // whether a denied filter does; otherwise SUBACK says so
	ConnackRefusals    bool // whether a refused 3.1.1 client is told so in CONNACK, or just hung up on

	FiltersPerSubscribe int // 0: no limit
	Subscriptions       int // per session; 0: no limit
	ShareGroups         int // shared subscriptions, by their whole filter; 0: no limit
	ShareMembers        int // sessions in one of them; 0: no limit
	ReceiveMaximum      int // unacknowledged QoS 1 and 2 PUBLISH packets from a client
	SendMaximum         int // unacknowledged to a client, if it doesn't ask for less
	TopicAliases        int // from a client
	SendAliases         int // to a client that takes as many; 0: none

	// Sizes in MQTT 5, bytes; 0: no limit.
	UserPropertiesBytes int // names and values of one message's
	ContentTypeBytes    int
	CorrelationBytes    int
	ClientPacketMin     int // smallest Maximum Packet Size that a client may ask for

	KeepAliveMin, KeepAliveMax time.Duration // a client's value is moved between; 0 becomes the maximum
	SessionDefault             time.Duration // life of a 3.1.1 persistent session after it disconnects
	SessionMax                 time.Duration // longest Session Expiry granted; 0: as asked
	MessageExpiryMax           time.Duration // 0: as asked

	QueueMessages   int           // waiting for one persistent session; newest are dropped beyond
	ReplayRate      int           // queued messages a second to a client that came back; 0: no limit
	ShareReplayRate int           // messages a second to one member of a shared subscription that waited while none was there; 0: no limit
	SendRate        int           // messages a second to one connection; QoS 0 is dropped beyond, the rest waits; 0: no limit
	PublishRate     int           // PUBLISH packets a second from one connection; 0: no limit
	ByteRate        int           // bytes a second from one connection, delayed beyond; 0: no limit
	RetryAfter      time.Duration // before an unacknowledged message is sent again on the same connection; 0: never
	RetryFor        time.Duration // until it is given up; 0: never
	WebSocketLife   time.Duration // of a signed WebSocket; 0: no limit
	ConnectTimeout  time.Duration // from accepting a connection to its whole CONNECT
	OutboxBytes     int           // waiting for one slow reader's socket
	Retained        int           // messages kept

	// Quotas that AWS has and neither profile holds clients to: what works at AWS
	// works without them. Excess is answered as AWS throttles. 0: no limit.
	AccountConnections   int // clients connected
	AccountSubscriptions int // filters of all sessions
	ConnectRate          int // CONNECT packets a second with one client ID
	AccountConnectRate   int // and with all
	AccountPublishRate   int // messages a second from all connections and over HTTPS
	AccountSendRate      int // messages a second to all connections and to rules
	AccountRetainRate    int // of those that come, retained
	TopicRetainRate      int // of them to one topic
	AccountSubscribeRate int // filters a second from all connections
	AccountQueueRate     int // messages a second for clients that are away
}

// AWS gives the rules of AWS IoT Core.
func AWS() Limits {
	return Limits{
		Topics:              topic.AWS,
		PacketBytes:         149504 + 5,
		PayloadBytes:        128 << 10,
		ClientIDBytes:       128,
		MaxQoS:              mqtt.QoS1,
		ReservedClientID:    true,
		CloseDeniedClients:  true,
		FiltersPerSubscribe: 8,
		Subscriptions:       50,
		ShareGroups:         10_000, // this and the next are unconfirmed
		ShareMembers:        100,
		ReceiveMaximum:      100,
		SendMaximum:         100,
		TopicAliases:        8,
		UserPropertiesBytes: 8 << 10, // unconfirmed
		KeepAliveMin:        30 * time.Second,
		KeepAliveMax:        1200 * time.Second,
		SessionDefault:      time.Hour,
		SessionMax:          time.Hour,
		MessageExpiryMax:    604800 * time.Second,
		QueueMessages:       1000,
		ReplayRate:          10,
		ShareReplayRate:     20,
		PublishRate:         100,
		ByteRate:            512 << 10,
		RetryAfter:          20 * time.Second,
		RetryFor:            time.Hour,
		WebSocketLife:       24 * time.Hour,
		ConnectTimeout:      10 * time.Second,
		OutboxBytes:         1 << 20,
		Retained:            500_000,
	}
}

// Standard gives plain MQTT as the OASIS standards say it, with bounds that
// keep a server up rather than quotas.
func Standard() Limits {
	return Limits{
		Topics:          topic.MQTT,
		PacketBytes:     1<<20 + 1024,
		PayloadBytes:    1 << 20,
		ClientIDBytes:   65535,
		MaxQoS:          mqtt.QoS2,
		RetainWildcards: true,
		SubscriptionIDs: true,
		AcrossVersions:  true,
		SendsDUP:        true,
		ConnackRefusals: true,
		ReceiveMaximum:  1000,
		SendMaximum:     1000,
		TopicAliases:    32,
		SendAliases:     16,
		KeepAliveMax:    65535 * time.Second,
		SessionDefault:  7 * 24 * time.Hour,
		QueueMessages:   100_000,
		WebSocketLife:   24 * time.Hour,
		ConnectTimeout:  10 * time.Second,
		OutboxBytes:     8 << 20,
		Retained:        1_000_000,
	}
}

// keepAlive gives the interval that holds for a client that asked for d.
func (l Limits) keepAlive(d time.Duration) time.Duration {
	if d == 0 {
		if l.KeepAliveMin == 0 { // the standard: no timeout [MQTT-3.1.2-22]
			return 0
		}
		return l.KeepAliveMax
	}
	return min(max(d, l.KeepAliveMin), l.KeepAliveMax)
}

// sessionExpiry gives how long the session of an MQTT 5 client outlives its
// connection.
func (l Limits) sessionExpiry(asked time.Duration) time.Duration {
	if l.SessionMax > 0 {
		return min(asked, l.SessionMax)
	}
	return asked
}

// CheckProperties says which of a message's properties is larger than it may be; "" if
// none is. A response topic is held against the rules of topics.
func (l *Limits) CheckProperties(p *mqtt.MessageProperties) (detail string) {
	if len(p.ResponseTopic) > 0 {
		if err := l.Topics.CheckName(string(p.ResponseTopic)); err != nil {
			return "response topic: " + faultSays(err).String()
		}
	}
	for _, size := range []struct {
		name, setting string
		bytes, most   int
	}{
		{"content type", "content-type-bytes", len(p.ContentType), l.ContentTypeBytes},
		{"correlation data", "correlation-bytes", len(p.CorrelationData), l.CorrelationBytes},
		{"user properties", "user-properties-bytes", userBytes(p), l.UserPropertiesBytes},
	} {
		if size.most > 0 && size.bytes > size.most {
			return fmt.Sprintf("%s of %d bytes; %s is %d", size.name, size.bytes, size.setting, size.most)
		}
	}
	return ""
}

func userBytes(p *mqtt.MessageProperties) (n int) {
	for _, u := range p.UserProperties {
		n += len(u.Name) + len(u.Value)
	}
	return n
}
