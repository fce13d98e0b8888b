// Package why is the language of refusals: the causes for which thingd turns a
// client away or hangs up, and what an operator can do about each. On the wire
// thingd keeps the same silence as AWS; the operator is told everything.
//
// Whoever refuses fills in an Event and hands it to a Recorder; the journal
// keeps the last ones, and `thingd why`, the console and the log show them.
package why

import (
	"fmt"
	"strings"
	"time"
)

// Step is what the client was trying to do.
type Step string

// The steps of a client's life.
const (
	StepTLS        Step = "tls"
	StepConnect    Step = "connect"
	StepPublish    Step = "publish"
	StepSubscribe  Step = "subscribe"
	StepReceive    Step = "receive"
	StepHTTP       Step = "http"
	StepConnection Step = "connection" // it was connected, and is not any more

	// StepCertificate is no step of a client's: something is about its certificate.
	StepCertificate Step = "certificate"
)

// Cause is the reason, one word for programs; causes explains each to people.
type Cause string

// The causes.
const (
	TLSFailed            Cause = "TLS_FAILED"
	NotMQTT              Cause = "NOT_MQTT"
	ConnectTimeout       Cause = "CONNECT_TIMEOUT"
	ProtocolVersion      Cause = "PROTOCOL_VERSION"
	NoCertificate        Cause = "NO_CERTIFICATE"
	CertificateUnknown   Cause = "CERTIFICATE_UNKNOWN"
	CertificateInactive  Cause = "CERTIFICATE_INACTIVE"
	CertificateRevoked   Cause = "CERTIFICATE_REVOKED"
	CertificatePending   Cause = "CERTIFICATE_PENDING"
	CertificateExpired   Cause = "CERTIFICATE_EXPIRED"
	CertificateExpiring  Cause = "CERTIFICATE_EXPIRING"
	CertificateWithdrawn Cause = "CERTIFICATE_WITHDRAWN"
	SignatureInvalid     Cause = "SIGNATURE_INVALID"
	AuthorizerRefused    Cause = "AUTHORIZER_REFUSED"
	DomainRefused        Cause = "DOMAIN_REFUSED"
	PolicyImplicitDeny   Cause = "POLICY_IMPLICIT_DENY"
	PolicyExplicitDeny   Cause = "POLICY_EXPLICIT_DENY"
	ThingNotAttached     Cause = "THING_NOT_ATTACHED"
	RoleAliasMissing     Cause = "ROLE_ALIAS_MISSING"
	RoleRefused          Cause = "ROLE_REFUSED"
	ClientIDInvalid      Cause = "CLIENT_ID_INVALID"
	WillInvalid          Cause = "WILL_INVALID"
	TooFast              Cause = "TOO_FAST"
	TooManyConnections   Cause = "TOO_MANY_CONNECTIONS"
	Malformed            Cause = "MALFORMED_PACKET"
	ProtocolError        Cause = "PROTOCOL_ERROR"
	PayloadTooLarge      Cause = "PAYLOAD_TOO_LARGE"
	PropertyTooLarge     Cause = "PROPERTY_TOO_LARGE"
	TopicInvalid         Cause = "TOPIC_INVALID"
	TopicReserved        Cause = "TOPIC_RESERVED"
	FilterInvalid        Cause = "FILTER_INVALID"
	QoSNotSupported      Cause = "QOS_NOT_SUPPORTED"
	FeatureNotSupported  Cause = "FEATURE_NOT_SUPPORTED"
	TooManyFilters       Cause = "TOO_MANY_FILTERS"
	TooManySubscriptions Cause = "TOO_MANY_SUBSCRIPTIONS"
	TooManyInFlight      Cause = "TOO_MANY_IN_FLIGHT"
	TopicAliasInvalid    Cause = "TOPIC_ALIAS_INVALID"
	KeepAliveTimeout     Cause = "KEEP_ALIVE_TIMEOUT"
	TakenOver            Cause = "TAKEN_OVER"
	SlowReader           Cause = "SLOW_READER"
	QueueFull            Cause = "QUEUE_FULL"
	RetainedFull         Cause = "RETAINED_FULL"
	ConnectionLost       Cause = "CONNECTION_LOST"
	ClosedByAPI          Cause = "CLOSED_BY_API"
	LifetimeOver         Cause = "LIFETIME_OVER"
	ServerStopping       Cause = "SERVER_STOPPING"
	ServerError          Cause = "SERVER_ERROR"

	// Of outbound integrations, where thingd is the client that is refused.
	IntegrationUnreachable Cause = "INTEGRATION_UNREACHABLE"
	IntegrationTLS         Cause = "INTEGRATION_TLS"
	IntegrationRefused     Cause = "INTEGRATION_REFUSED"
	IntegrationSubscribe   Cause = "INTEGRATION_SUBSCRIBE"
	IntegrationMessage     Cause = "INTEGRATION_MESSAGE"
	IntegrationLost        Cause = "INTEGRATION_LOST"
)

// text is a cause in words: what happened, and what mends it.
type text struct{ says, remedy string }

var causes = map[Cause]text{
	TLSFailed:            {"the TLS handshake failed", "check that the client trusts root-ca.pem, offers TLS 1.2 or 1.3, connects to a name in the server's certificate, and that its clock is right"},
	NotMQTT:              {"the first bytes are neither an MQTT CONNECT nor an HTTP request", "check that the client speaks MQTT or HTTPS on this port"},
	ConnectTimeout:       {"no whole CONNECT packet arrived in time", "check the network, and that the client sends CONNECT right after TLS"},
	ProtocolVersion:      {"the client speaks a version of MQTT that is not served", "configure the client for MQTT 3.1.1 or 5"},
	NoCertificate:        {"the client presented no certificate", "give the client its certificate and private key"},
	CertificateUnknown:   {"the client's certificate is not registered here", "create one here, or register it: aws iot register-certificate-without-ca --certificate-pem file://device.pem --status ACTIVE"},
	CertificateInactive:  {"the client's certificate is registered but INACTIVE", "activate it: aws iot update-certificate --new-status ACTIVE --certificate-id ID"},
	CertificateRevoked:   {"the client's certificate is REVOKED, for good", "give the device a new certificate"},
	CertificatePending:   {"the client's certificate waits for activation or transfer", "finish its provisioning, or activate it with aws iot update-certificate"},
	CertificateExpired:   {"the client's certificate has expired, or is not valid yet", "check the device's clock and issue a new certificate"},
	CertificateExpiring:  {"a certificate that is in use expires soon, or has", "give the device a new certificate in time, and deactivate this one"},
	CertificateWithdrawn: {"the certificate was deactivated while the client was connected", "activate it again, or give the device a new one"},
	SignatureInvalid:     {"the request's signature is not valid", "check access key, secret, region, clock and the host name that was signed"},
	AuthorizerRefused:    {"the custom authorizer refused the client", "look at the authorizer's answer"},
	DomainRefused:        {"the domain configuration of the server name does not allow it", "connect the way it wants, or change it: aws iot update-domain-configuration"},
	PolicyImplicitDeny:   {"no policy statement allows it", "attach a policy that allows the action on the resource"},
	PolicyExplicitDeny:   {"a policy statement denies it", "change the denying statement, or detach its policy"},
	ThingNotAttached:     {"the device says that it is a thing that its certificate is not attached to", "attach it: aws iot attach-thing-principal --thing-name THING --principal CERTIFICATE_ARN"},
	RoleAliasMissing:     {"the role alias does not exist", "create it: aws iot create-role-alias --role-alias ALIAS --role-arn ROLE_ARN"},
	RoleRefused:          {"the role behind the role alias cannot be assumed", "check the role, its maximum session duration, and that its trust policy lets credentials.iot.amazonaws.com do sts:AssumeRole"},
	ClientIDInvalid:      {"the client ID is not acceptable", "use 1 to 128 bytes of UTF-8 that do not begin with $"},
	WillInvalid:          {"the last will is not acceptable", "use a plain topic and QoS 0 or 1 for the will"},
	TooFast:              {"it came faster than the limit allows", "slow the client down, or raise the limit"},
	TooManyConnections:   {"as many clients are connected as may be", "disconnect clients that are not needed, or raise the limit account-connections"},
	Malformed:            {"the packet is malformed", "check the client library"},
	ProtocolError:        {"the packet breaks the protocol", "check the client library"},
	PayloadTooLarge:      {"the packet is larger than the limit", "send less, or raise the limit"},
	PropertyTooLarge:     {"a property of the message is larger than the limit", "send less, or raise the limit that the detail names"},
	TopicInvalid:         {"the topic is not acceptable", "check its length, its levels and that it has no wildcard"},
	TopicReserved:        {"the topic is reserved", "topics that begin with $ are the server's; see the list of $aws topics"},
	FilterInvalid:        {"the topic filter is not acceptable", "check its length, its levels and its wildcards"},
	QoSNotSupported:      {"QoS 2 is not supported in this profile", "use QoS 0 or 1, or run with --profile mqtt"},
	FeatureNotSupported:  {"the client asked for something that this profile does not support", "turn it off in the client, or run with --profile mqtt"},
	TooManyFilters:       {"one SUBSCRIBE packet has too many filters", "subscribe in several packets"},
	TooManySubscriptions: {"the client has too many subscriptions", "use wildcards, or raise the limit"},
	TooManyInFlight:      {"the client sent more unacknowledged messages than allowed", "wait for acknowledgements"},
	TopicAliasInvalid:    {"the topic alias is not valid", "use aliases from 1 to the server's maximum, defined before use"},
	KeepAliveTimeout:     {"nothing was heard for one and a half keep-alive intervals", "check the network; let the client send PINGREQ in time"},
	TakenOver:            {"another connection with the same client ID took over", "give each client its own client ID"},
	SlowReader:           {"the client did not read what it was sent", "check the client and its network, or subscribe to less"},
	QueueFull:            {"as many messages wait for the client as may, and newer ones are dropped", "let the client connect and acknowledge them, or raise the limit queue-messages"},
	RetainedFull:         {"as many messages are retained as may be", "publish empty messages with RETAIN to topics that need none, or raise the limit retained"},
	ConnectionLost:       {"the connection was lost", "check the network and the client"},
	ClosedByAPI:          {"it was closed by an API call or from the console", ""},
	LifetimeOver:         {"the connection reached the end of its allowed time", "reconnect with fresh credentials"},
	ServerStopping:       {"the server is stopping", "reconnect"},
	ServerError:          {"the server failed", "look at the server's log"},

	IntegrationUnreachable: {"the far side of an integration cannot be reached", "check host name, port and network, and that a broker listens there"},
	IntegrationTLS:         {"TLS with the far side of an integration failed", "check the root certificate, that the host name is in the far side's certificate, and the client certificate"},
	IntegrationRefused:     {"the far side refused an integration's connection", "check over there that the certificate is active and that a policy allows iot:Connect for the client ID, or user name and password; then save the integration"},
	IntegrationSubscribe:   {"the far side refused an integration's subscription", "check over there that a policy allows iot:Subscribe and iot:Receive on the topic; then save the integration"},
	IntegrationMessage:     {"a message of an integration has no place on the other side", "check its topic and size, that the far side's policy allows iot:Publish, and that downlinks name their module"},
	IntegrationLost:        {"the connection of an integration ended", "it is made again by itself; if it ends at every message, check that the far side's policy allows iot:Publish on the topics"},
}

// Says gives the cause as half a sentence.
func (c Cause) Says() string { return causes[c].says }

// Remedy says what to do about it; "" where there is nothing to do.
func (c Cause) Remedy() string { return causes[c].remedy }

// Disconnect is the disconnectReason of lifecycle events.
type Disconnect string

// The reasons AWS publishes.
const (
	AuthError         Disconnect = "AUTH_ERROR"
	ClientInitiated   Disconnect = "CLIENT_INITIATED_DISCONNECT"
	ClientError       Disconnect = "CLIENT_ERROR"
	Lost              Disconnect = "CONNECTION_LOST"
	DuplicateClientID Disconnect = "DUPLICATE_CLIENTID"
	ForbiddenAccess   Disconnect = "FORBIDDEN_ACCESS"
	KeepAlive         Disconnect = "MQTT_KEEP_ALIVE_TIMEOUT"
	ServerFailure     Disconnect = "SERVER_ERROR"
	ServerInitiated   Disconnect = "SERVER_INITIATED_DISCONNECT"
	APIInitiated      Disconnect = "API_INITIATED_DISCONNECT"
	Throttled         Disconnect = "THROTTLED"
	WebSocketTTL      Disconnect = "WEBSOCKET_TTL_EXPIRATION"
	CustomAuthTTL     Disconnect = "CUSTOMAUTH_TTL_EXPIRATION"
)

// Outbound is the Door of an event in which thingd is the client: an integration.
const Outbound = "integration"

// Event is one refusal or disconnect.
type Event struct {
	Time      time.Time `json:"time"`
	ClientID  string    `json:"clientId,omitzero"`  // "" when it was not known yet
	Principal string    `json:"principal,omitzero"` // certificate ID, IAM unique ID …
	Source    string    `json:"source,omitzero"`    // address:port
	Door      string    `json:"door,omitzero"`      // "mqtts", "wss", "https"
	Server    string    `json:"server,omitzero"`    // the host name the client asked for

	Step       Step       `json:"step"`
	Cause      Cause      `json:"cause"`
	Disconnect Disconnect `json:"disconnectReason,omitzero"` // when a connection ended
	Action     string     `json:"action,omitzero"`           // "iot:Publish"
	Resource   string     `json:"resource,omitzero"`         // the ARN that was asked for
	Detail     string     `json:"detail,omitzero"`           // one sentence in English, more exact than the cause
	Reason     Phrase     `json:"reason,omitzero"`           // Detail in any language; zero where it is somebody else's words
	Statement  string     `json:"statement,omitzero"`        // the statement that decided, or came nearest
	Variables  []Variable `json:"variables,omitzero"`        // policy variables and what they stood for
}

// Variable is a policy variable of the connection; Value is meaningless where
// Missing.
type Variable struct {
	Name    string `json:"name"`
	Value   string `json:"value,omitzero"`
	Missing bool   `json:"missing,omitzero"`
}

// Because gives the event its detail.
func (e *Event) Because(reason Phrase) { e.Detail, e.Reason = reason.String(), reason }

// Recorder keeps events. Record must not block.
type Recorder interface{ Record(Event) }

// Sentence tells an event in one line.
func (e Event) Sentence() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Step, e.Cause.Says())
	if e.Action != "" {
		fmt.Fprintf(&b, ": %s on %s", e.Action, e.Resource)
	}
	if e.Detail != "" {
		fmt.Fprintf(&b, " (%s)", e.Detail)
	}
	return b.String()
}
