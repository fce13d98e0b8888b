package broker

import (
	"encoding/json"
	"strings"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// lifecycle is the JSON of presence and subscription events, in AWS's order.
type lifecycle struct {
	ClientID             string   `json:"clientId"`
	ThingName            string   `json:"thingName,omitempty"`
	Timestamp            int64    `json:"timestamp"` // milliseconds
	EventType            string   `json:"eventType"`
	ConnectFailureReason string   `json:"connectFailureReason,omitempty"`
	SessionIdentifier    string   `json:"sessionIdentifier"`
	PrincipalIdentifier  string   `json:"principalIdentifier"`
	IPAddress            string   `json:"ipAddress,omitempty"`
	ClientInitiated      *bool    `json:"clientInitiatedDisconnect,omitempty"`
	DisconnectReason     string   `json:"disconnectReason,omitempty"`
	VersionNumber        *int64   `json:"versionNumber,omitempty"`
	Topics               []string `json:"topics,omitempty"`
}

func (c *conn) announceConnected() {
	c.identifier = c.b.NewID()
	c.number = c.b.nextVersion(c.clientID)
	e := c.lifecycle("connected")
	e.IPAddress = c.source().Addr().String()
	e.VersionNumber = &c.number
	c.b.announce("$aws/events/presence/connected/", e)
}

func (b *Broker) announceDisconnected(c *conn, e ending) {
	b.mu.Lock()
	b.versions.leave(c, e.disconnect, b.Now())
	b.mu.Unlock()
	event := c.lifecycle("disconnected")
	initiated := e.disconnect == why.ClientInitiated
	event.ClientInitiated = &initiated
	event.DisconnectReason = string(e.disconnect)
	event.VersionNumber = &c.number
	b.announce("$aws/events/presence/disconnected/", event)
}

func (c *conn) announceConnectFailed() {
	e := c.lifecycle("connect_failed")
	e.ConnectFailureReason = "AUTHORIZATION_FAILED"
	e.SessionIdentifier = "00000000-0000-0000-0000-000000000000"
	e.IPAddress = c.source().Addr().String()
	c.b.announce("$aws/events/presence/connect_failed/", e)
}

func (c *conn) announceSubscriptions(eventType string, topics []string) {
	if len(topics) == 0 {
		return
	}
	e := c.lifecycle(eventType)
	e.Topics = topics
	c.b.announce("$aws/events/subscriptions/"+eventType+"/", e)
}

func (c *conn) lifecycle(eventType string) lifecycle {
	e := lifecycle{
		ClientID: c.clientID, Timestamp: c.b.Now().UnixMilli(), EventType: eventType,
		SessionIdentifier: c.identifier, PrincipalIdentifier: c.principal,
	}
	if c.rights != nil {
		e.ThingName = c.rights.ThingName()
	}
	return e
}

// announce publishes an event, if anybody listens. Client IDs that would be
// wildcards in a topic get none.
func (b *Broker) announce(prefix string, e lifecycle) {
	if strings.ContainsAny(e.ClientID, "+#") {
		return
	}
	name := prefix + e.ClientID
	if len(b.tree.Match(name, nil)) == 0 {
		return
	}
	payload, err := json.Marshal(e)
	if err != nil {
		panic(err) // a struct of strings and numbers always encodes
	}
	b.Publish(Message{Topic: name, Payload: payload, QoS: mqtt.QoS1}, nil)
}

// record tells the journal how the client was refused, or its connection ended.
// stays says that the connection goes on.
func (c *conn) record(e ending, stays bool) {
	if e.cause == "" { // the client left as clients do
		return
	}
	event := why.Event{}
	if e.event != nil {
		event = *e.event
	}
	event.Time = c.b.Now()
	event.ClientID, event.Source, event.Door, event.Server = c.clientID, c.source().String(), c.peer.Door, c.peer.ServerName
	event.Step, event.Cause = e.step, e.cause
	if event.Principal == "" {
		event.Principal = c.principal
	}
	if !stays {
		event.Disconnect = e.disconnect
	}
	if !e.detail.IsZero() {
		event.Because(e.detail)
	}
	if e.action != "" {
		explain(&event, c.rights, e.action, e.resource)
	}
	c.b.Journal.Record(event)
}
