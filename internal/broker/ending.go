package broker

import (
	"errors"
	"io"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// ending is how a connection ends: what an MQTT 5 client is told, what the
// lifecycle event says, and what the journal keeps.
type ending struct {
	reason     mqtt.ReasonCode // for DISCONNECT or CONNACK
	silent     bool            // say nothing, the link is gone or the client said it first
	disconnect why.Disconnect
	cause      why.Cause
	step       why.Step
	detail     why.Phrase
	action     string // of a refusal by policy
	resource   string
	event      *why.Event // a refusal that the Guard filled in
	noWill     bool
}

// The endings that need no detail.
var (
	clientLeft     = ending{silent: true, disconnect: why.ClientInitiated, noWill: true}
	connectionLost = ending{silent: true, disconnect: why.Lost, cause: why.ConnectionLost, step: why.StepConnection}
	serverStopping = ending{reason: mqtt.ServerShuttingDown, disconnect: why.ServerInitiated, cause: why.ServerStopping, step: why.StepConnection}
	takenOver      = ending{reason: mqtt.SessionTakenOver, disconnect: why.DuplicateClientID, cause: why.TakenOver, step: why.StepConnection}
	keepAliveOver  = ending{reason: mqtt.KeepAliveTimeout, disconnect: why.KeepAlive, cause: why.KeepAliveTimeout, step: why.StepConnection}
	slowReader     = ending{reason: mqtt.QuotaExceeded, disconnect: why.ClientError, cause: why.SlowReader, step: why.StepReceive}
	storeFailed    = ending{reason: mqtt.UnspecifiedError, disconnect: why.ServerFailure, cause: why.ServerError, step: why.StepConnection}
)

// clientError is a breach of protocol or limit.
func clientError(step why.Step, reason mqtt.ReasonCode, cause why.Cause, format string, args ...any) *ending {
	return &ending{reason: reason, disconnect: why.ClientError, cause: cause, step: step, detail: why.Say(format, args...)}
}

// badPacket turns the codec's error into an ending.
func badPacket(step why.Step, err error) *ending {
	e := &ending{reason: mqtt.MalformedPacket, disconnect: why.ClientError, cause: why.Malformed, step: step, detail: why.Words(err.Error())}
	if packet, ok := err.(*mqtt.Error); ok {
		e.reason, e.detail = packet.Reason, why.Words(packet.Text)
	}
	switch e.reason {
	case mqtt.ProtocolError:
		e.cause = why.ProtocolError
	case mqtt.PacketTooLarge:
		e.cause = why.PayloadTooLarge
	case mqtt.UnsupportedProtocolVersion:
		e.cause = why.ProtocolVersion
	case mqtt.TopicAliasInvalid:
		e.cause = why.TopicAliasInvalid
	}
	return e
}

// because adds the error that was met.
func (e ending) because(err error) ending {
	switch {
	case errors.Is(err, io.EOF):
		e.detail = why.Say("the client closed the connection without a DISCONNECT packet")
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.detail = why.Say("the client closed the connection in the middle of a packet")
	case err != nil:
		e.detail = why.Words(err.Error())
	}
	return e
}

// withWill says whether the client's last will goes out. [MQTT-3.1.2-8]
func (e ending) withWill() bool { return !e.noWill }
