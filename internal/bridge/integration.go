package bridge

import (
	"cmp"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// Integration says where an outbound connection goes and what it carries.
type Integration struct {
	ID   string `json:"-"` // does not change
	Name string `json:"-"` // free text, for people

	Host string `json:"host"` // name or address, without port
	Port int    `json:"port"` // default 8883, without TLS 1883

	Prefix         string `json:"prefix"`         // of the topics published to on the far side
	SubscribeTopic string `json:"subscribeTopic"` // of the far side, no filter; "": nothing comes back

	TLS         bool   `json:"tls"`
	RootCA      string `json:"rootCa"`      // PEM; "": what this machine trusts
	Certificate string `json:"certificate"` // PEM, with chain if need be; "": none is shown
	PrivateKey  string `json:"-"`           // PEM of the certificate's key; a secret

	Username string `json:"username"`
	Password string `json:"-"` // a secret

	Version   mqtt.Version  `json:"version"`   // 4: MQTT 3.1.1, the default; 5
	QoS       message.QoS   `json:"qos"`       // the highest in both directions: 0, the default, or 1
	ClientID  string        `json:"clientId"`  // default: thingd- and the beginning of ID
	KeepAlive time.Duration `json:"keepAlive"` // default 60 s

	LocalFilter string `json:"localFilter"` // what goes out; default modules/+/up
	LocalTopic  string `json:"localTopic"`  // where to what comes in goes; default modules/{module}/down

	QueueMessages int `json:"queueMessages"` // at QoS 1, on disk; default 100,000
	QueueBytes    int `json:"queueBytes"`    // of their payloads; default 64 MiB

	Created time.Time `json:"-"`
	Updated time.Time `json:"-"`
}

// The defaults of an Integration.
const (
	DefaultKeepAlive     = time.Minute
	DefaultLocalFilter   = "modules/+/up"
	DefaultLocalTopic    = "modules/{module}/down"
	DefaultQueueMessages = 100_000
	DefaultQueueBytes    = 64 << 20
	DefaultPort          = 8883 // MQTT over TLS
	DefaultPlainPort     = 1883
)

// withDefaults fills in what was not said.
func (in Integration) withDefaults() Integration {
	port := DefaultPlainPort
	if in.TLS {
		port = DefaultPort
	}
	in.Port = cmp.Or(in.Port, port)
	in.Version = cmp.Or(in.Version, mqtt.V4)
	in.KeepAlive = cmp.Or(in.KeepAlive, DefaultKeepAlive)
	in.LocalFilter = cmp.Or(in.LocalFilter, DefaultLocalFilter)
	in.LocalTopic = cmp.Or(in.LocalTopic, DefaultLocalTopic)
	in.QueueMessages = cmp.Or(in.QueueMessages, DefaultQueueMessages)
	in.QueueBytes = cmp.Or(in.QueueBytes, DefaultQueueBytes)
	if in.ClientID == "" {
		in.ClientID = "thingd-" + in.ID[:min(13, len(in.ID))]
	}
	return in
}

// withSecretsOf keeps the secrets that are not given anew. Whoever takes the
// certificate or the user name away takes its secret away.
func (in Integration) withSecretsOf(old Integration) Integration {
	if in.PrivateKey == "" && in.Certificate != "" {
		in.PrivateKey = old.PrivateKey
	}
	if in.Password == "" && in.Username != "" {
		in.Password = old.Password
	}
	return in
}

// State is where a connection stands.
type State string

// The states. After a failure it is Failed until a connection is made or the
// integration is saved, although the far side is tried again meanwhile.
const (
	Connecting State = "connecting"
	Connected  State = "connected"
	Failed     State = "error"
)

// Status is a state and why.
type Status struct {
	State  State
	Since  time.Time
	Cause  why.Cause // of Failed
	Detail string    // of Failed: one sentence, in English
	Next   time.Time // of Failed: when the far side is tried again; zero: when it is saved
}

// Problem is the last thing that went wrong; it outlives a recovery.
type Problem struct {
	At     time.Time // zero: nothing did
	Cause  why.Cause
	Detail string
}

// Counts are since the start of the process, but for what waits.
type Counts struct {
	Sent     int64 // uplinks given to the far side; at QoS 1, acknowledged by it
	Received int64 // downlinks published here
	Refused  int64 // uplinks that the far side acknowledged with a refusal (MQTT 5)
	Dropped  int64 // uplinks that found the queue full, oldest first; or expired in it
	Invalid  int64 // messages of either direction that have no place on the other side
	Connects int64 // connections made
	Failures int64 // attempts and connections that failed

	Waiting      int64 // uplinks not yet given over, or at QoS 1 not yet acknowledged
	WaitingBytes int64 // of their topics and payloads
}

// View is an integration as people see it: without its secrets, and with how it
// is doing.
type View struct {
	Integration
	HasPrivateKey bool
	HasPassword   bool
	Expires       time.Time // of the client certificate; zero without one
	Status        Status
	Problem       Problem
	Counts        Counts
}
