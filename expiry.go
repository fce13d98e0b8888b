package thingd

import (
	"context"
	"encoding/json"
	"time"

	"thingd/internal/message"
	"thingd/internal/pki"
	"thingd/internal/registry"
	"thingd/internal/why"
)

// warningsMax bounds the warnings of one round that go into the journal: a fleet
// whose certificates end on one day must not push everything else out of it.
const warningsMax = 100

// warnOfExpiry warns of certificates near their end: in the journal, and with a
// message where the account has switched on events of the type CERTIFICATE or
// CA_CERTIFICATE. AWS warns by audits; the topics are thingd's own.
func (s *Server) warnOfExpiry(ctx context.Context) error {
	told, untold := 0, 0
	err := s.pki.WarnOfExpiry(ctx, func(e pki.Expiring) {
		s.publishExpiry(ctx, e)
		if told++; told > warningsMax {
			untold++
			return
		}
		event := why.Event{Time: s.now(), Step: why.StepCertificate, Cause: why.CertificateExpiring, Principal: string(e.ID)}
		event.Because(expiryReason(e, s.now()))
		s.journal.Record(event)
	})
	if untold > 0 {
		s.log.Warn("more certificates are near their end than the journal was told of", "more", untold)
	}
	return err
}

func expiryReason(e pki.Expiring, now time.Time) why.Phrase {
	end := e.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case e.CA && now.After(e.NotAfter):
		return why.Say("CA certificate %s has expired on %s", e.ID, end)
	case e.CA:
		return why.Say("CA certificate %s expires on %s", e.ID, end)
	case now.After(e.NotAfter):
		return why.Say("certificate %s has expired on %s", e.ID, end)
	}
	return why.Say("certificate %s expires on %s", e.ID, end)
}

// publishExpiry publishes
//
//	$aws/events/certificates/expiring/{certificateId}
//	$aws/events/cacertificates/expiring/{caCertificateId}
func (s *Server) publishExpiry(ctx context.Context, e pki.Expiring) {
	kind, topic, arn := registry.EventCertificate, "certificates", s.pki.ARN(e.ID)
	if e.CA {
		kind, topic, arn = registry.EventCACertificate, "cacertificates", s.pki.CAARN(e.ID)
	}
	if on, err := s.registry.EventEnabled(ctx, kind); err != nil || !on {
		return
	}
	payload, err := json.Marshal(map[string]any{
		"eventType": string(kind) + "_EXPIRING_EVENT", "eventId": registry.NewUUID(), "timestamp": s.now().UnixMilli(),
		"accountId": s.config.Account, "certificateId": e.ID, "certificateArn": arn,
		"notAfter": e.NotAfter.UnixMilli(), "daysLeft": max(0, int(e.NotAfter.Sub(s.now()).Hours()/24)),
	})
	if err != nil {
		s.log.Error("a warning does not marshal", "error", err)
		return
	}
	m := message.Message{Topic: "$aws/events/" + topic + "/expiring/" + string(e.ID), Payload: payload, QoS: message.QoS1}
	if err := message.Publish(ctx, s.broker, m); err != nil && ctx.Err() == nil {
		s.log.Error("a warning could not be published", "certificate", e.ID, "error", err)
	}
}
