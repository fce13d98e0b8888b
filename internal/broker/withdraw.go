package broker

import (
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// Withdraw cuts the connection that a peer has as a client, because what it was
// admitted for does not hold any more.
func (b *Broker) Withdraw(clientID string, from *Peer, cause why.Cause, detail why.Phrase) {
	s := b.session(clientID)
	if s == nil {
		return
	}
	if c := s.conn.Load(); c != nil && c.peer == from {
		c.drop(ending{
			reason: mqtt.NotAuthorized, disconnect: why.AuthError, cause: cause, step: why.StepConnection, detail: detail,
		})
	}
}
