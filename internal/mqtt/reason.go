package mqtt

import "fmt"

// ReasonCode is the result of an operation in 5.0's numbering: below 0x80
// success, from there on failure. [MQTT 5.0 2.4]
type ReasonCode byte

// The reason codes, by the standard's names. 0x00 has three: Success is the
// general one.
const (
	Success                             ReasonCode = 0x00
	NormalDisconnection                 ReasonCode = 0x00
	GrantedQoS0                         ReasonCode = 0x00
	GrantedQoS1                         ReasonCode = 0x01
	GrantedQoS2                         ReasonCode = 0x02
	DisconnectWithWill                  ReasonCode = 0x04
	NoMatchingSubscribers               ReasonCode = 0x10
	NoSubscriptionExisted               ReasonCode = 0x11
	ContinueAuthentication              ReasonCode = 0x18
	Reauthenticate                      ReasonCode = 0x19
	UnspecifiedError                    ReasonCode = 0x80
	MalformedPacket                     ReasonCode = 0x81
	ProtocolError                       ReasonCode = 0x82
	ImplementationSpecificError         ReasonCode = 0x83
	UnsupportedProtocolVersion          ReasonCode = 0x84
	ClientIdentifierNotValid            ReasonCode = 0x85
	BadUserNameOrPassword               ReasonCode = 0x86
	NotAuthorized                       ReasonCode = 0x87
	ServerUnavailable                   ReasonCode = 0x88
	ServerBusy                          ReasonCode = 0x89
	Banned                              ReasonCode = 0x8A
	ServerShuttingDown                  ReasonCode = 0x8B
	BadAuthenticationMethod             ReasonCode = 0x8C
	KeepAliveTimeout                    ReasonCode = 0x8D
	SessionTakenOver                    ReasonCode = 0x8E
	TopicFilterInvalid                  ReasonCode = 0x8F
	TopicNameInvalid                    ReasonCode = 0x90
	PacketIdentifierInUse               ReasonCode = 0x91
	PacketIdentifierNotFound            ReasonCode = 0x92
	ReceiveMaximumExceeded              ReasonCode = 0x93
	TopicAliasInvalid                   ReasonCode = 0x94
	PacketTooLarge                      ReasonCode = 0x95
	MessageRateTooHigh                  ReasonCode = 0x96
	QuotaExceeded                       ReasonCode = 0x97
	AdministrativeAction                ReasonCode = 0x98
	PayloadFormatInvalid                ReasonCode = 0x99
	RetainNotSupported                  ReasonCode = 0x9A
	QoSNotSupported                     ReasonCode = 0x9B
	UseAnotherServer                    ReasonCode = 0x9C
	ServerMoved                         ReasonCode = 0x9D
	SharedSubscriptionsNotSupported     ReasonCode = 0x9E
	ConnectionRateExceeded              ReasonCode = 0x9F
	MaximumConnectTime                  ReasonCode = 0xA0
	SubscriptionIdentifiersNotSupported ReasonCode = 0xA1
	WildcardSubscriptionsNotSupported   ReasonCode = 0xA2
)

// reasonRow is what the standard says about a reason code: its name and the
// packets that may carry it.
type reasonRow struct {
	name string
	in   carriers
}

// The groups of packets that share columns in the table of MQTT 5.0 2.4.
var (
	publishAcks = in(TypePuback, TypePubrec)
	everyRefuse = publishAcks | in(TypeConnack, TypeSuback, TypeUnsuback, TypeDisconnect)
	closing     = in(TypeConnack, TypeDisconnect)
)

var reasons = [256]reasonRow{
	Success: {"Success", publishAcks | closing | in(TypePubrel, TypePubcomp, TypeSuback, TypeUnsuback, TypeAuth)},

	GrantedQoS1:            {"Granted QoS 1", in(TypeSuback)},
	GrantedQoS2:            {"Granted QoS 2", in(TypeSuback)},
	DisconnectWithWill:     {"Disconnect with Will Message", in(TypeDisconnect)},
	NoMatchingSubscribers:  {"No matching subscribers", publishAcks},
	NoSubscriptionExisted:  {"No subscription existed", in(TypeUnsuback)},
	ContinueAuthentication: {"Continue authentication", in(TypeAuth)},
	Reauthenticate:         {"Re-authenticate", in(TypeAuth)},

	UnspecifiedError:                    {"Unspecified error", everyRefuse},
	MalformedPacket:                     {"Malformed Packet", closing},
	ProtocolError:                       {"Protocol Error", closing},
	ImplementationSpecificError:         {"Implementation specific error", everyRefuse},
	UnsupportedProtocolVersion:          {"Unsupported Protocol Version", in(TypeConnack)},
	ClientIdentifierNotValid:            {"Client Identifier not valid", in(TypeConnack)},
	BadUserNameOrPassword:               {"Bad User Name or Password", in(TypeConnack)},
	NotAuthorized:                       {"Not authorized", everyRefuse},
	ServerUnavailable:                   {"Server unavailable", in(TypeConnack)},
	ServerBusy:                          {"Server busy", closing},
	Banned:                              {"Banned", in(TypeConnack)},
	ServerShuttingDown:                  {"Server shutting down", in(TypeDisconnect)},
	BadAuthenticationMethod:             {"Bad authentication method", closing},
	KeepAliveTimeout:                    {"Keep Alive timeout", in(TypeDisconnect)},
	SessionTakenOver:                    {"Session taken over", in(TypeDisconnect)},
	TopicFilterInvalid:                  {"Topic Filter invalid", in(TypeSuback, TypeUnsuback, TypeDisconnect)},
	TopicNameInvalid:                    {"Topic Name invalid", publishAcks | closing},
	PacketIdentifierInUse:               {"Packet Identifier in use", publishAcks | in(TypeSuback, TypeUnsuback)},
	PacketIdentifierNotFound:            {"Packet Identifier not found", in(TypePubrel, TypePubcomp)},
	ReceiveMaximumExceeded:              {"Receive Maximum exceeded", in(TypeDisconnect)},
	TopicAliasInvalid:                   {"Topic Alias invalid", in(TypeDisconnect)},
	PacketTooLarge:                      {"Packet too large", closing},
	MessageRateTooHigh:                  {"Message rate too high", in(TypeDisconnect)},
	QuotaExceeded:                       {"Quota exceeded", publishAcks | closing | in(TypeSuback)},
	AdministrativeAction:                {"Administrative action", in(TypeDisconnect)},
	PayloadFormatInvalid:                {"Payload format invalid", publishAcks | closing},
	RetainNotSupported:                  {"Retain not supported", closing},
	QoSNotSupported:                     {"QoS not supported", closing},
	UseAnotherServer:                    {"Use another server", closing},
	ServerMoved:                         {"Server moved", closing},
	SharedSubscriptionsNotSupported:     {"Shared Subscriptions not supported", in(TypeSuback, TypeDisconnect)},
	ConnectionRateExceeded:              {"Connection rate exceeded", closing},
	MaximumConnectTime:                  {"Maximum connect time", in(TypeDisconnect)},
	SubscriptionIdentifiersNotSupported: {"Subscription Identifiers not supported", in(TypeSuback, TypeDisconnect)},
	WildcardSubscriptionsNotSupported:   {"Wildcard Subscriptions not supported", in(TypeSuback, TypeDisconnect)},
}

// String gives the standard's name, e.g. "Not authorized".
func (r ReasonCode) String() string {
	if name := reasons[r].name; name != "" {
		return name
	}
	return fmt.Sprintf("ReasonCode(0x%02X)", byte(r))
}

// Failed says whether r is a failure.
func (r ReasonCode) Failed() bool { return r >= 0x80 }

// ValidIn says whether the standard lets a 5.0 packet of type t carry r.
// [MQTT-3.2.2-8, MQTT-3.4.2-1, MQTT-3.5.2-1, MQTT-3.6.2-1, MQTT-3.7.2-1,
// MQTT-3.9.3-2, MQTT-3.11.3-2, MQTT-3.14.2-1, MQTT-3.15.2-1]
func (r ReasonCode) ValidIn(t PacketType) bool { return reasons[r].in.has(t) }

// carriers is a set of packet types: those that may carry something.
type carriers uint16

func in(types ...PacketType) (set carriers) {
	for _, t := range types {
		set |= 1 << t
	}
	return set
}

func (c carriers) has(t PacketType) bool { return c>>t&1 == 1 }
