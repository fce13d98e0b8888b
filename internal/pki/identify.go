package pki

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strconv"

	"thingd/internal/fault"
	"thingd/internal/why"
)

// Refusal says why a certificate does not let its device in; "" if it does.
type Refusal string

// The refusals. On the wire they look all the same; the operator reads them.
const (
	Welcome          Refusal = ""
	Unregistered     Refusal = "not registered"
	NotActive        Refusal = "inactive"
	IsRevoked        Refusal = "revoked"
	AwaitsActivation Refusal = "waiting for activation"
	AwaitsTransfer   Refusal = "being transferred to another account"
	Expired          Refusal = "expired"
)

var refusals = map[Status]Refusal{
	Active: Welcome, Inactive: NotActive, Revoked: IsRevoked,
	PendingActivation: AwaitsActivation, PendingTransfer: AwaitsTransfer,
}

// Verdict is the answer to a device that shows a certificate.
type Verdict struct {
	Certificate Certificate // without PEM; zero where Refused is Unregistered
	Refused     Refusal
	Why         why.Phrase // for the operator; zero where welcome

	// JustInTime is set where the device registers itself by this very connect.
	// Somebody must act on it; the connection is refused all the same.
	JustInTime *JustInTime
}

// JustInTime is a device's registration by its first connects.
type JustInTime struct {
	CA CA
	// Topic and Payload are the event to publish (JITR); Topic is "" where the CA
	// has a template to run instead (JITP).
	Topic   string
	Payload []byte
}

// Identify judges the certificate of a client that wants to connect. Where it is
// unknown and signed by a CA with auto-registration, its record is made here,
// waiting for activation: call it once the client has sent CONNECT, never for the
// handshake alone.
func (s *Service) Identify(ctx context.Context, leaf *x509.Certificate) (Verdict, error) {
	cert, found, err := s.Lookup(ctx, leaf)
	if err != nil {
		return Verdict{}, err
	}
	if !found {
		return s.firstConnect(ctx, leaf)
	}
	v := s.judge(cert)
	if v.Refused == AwaitsActivation && cert.CA != "" {
		v.JustInTime, err = s.again(ctx, cert)
	}
	return v, err
}

func (s *Service) judge(cert Certificate) Verdict {
	refused := refusals[cert.Status]
	if refused == Welcome && !s.now().Before(cert.NotAfter) {
		refused = Expired
	}
	if refused == Welcome {
		return Verdict{Certificate: cert}
	}
	return Verdict{cert, refused, why.Say("certificate %s is %s", cert.ID, why.Say(string(refused))), nil}
}

// firstConnect looks for a CA that vouches for an unknown certificate.
func (s *Service) firstConnect(ctx context.Context, leaf *x509.Certificate) (Verdict, error) {
	id := IDOf(leaf.Raw)
	unknown := Verdict{Refused: Unregistered, Why: why.Say("certificate %s is not registered, and no CA with auto-registration has signed it (issuer %q)", id, leaf.Issuer)}
	if !s.now().Before(leaf.NotAfter) || checkAlgorithms(leaf) != nil {
		return unknown, nil
	}
	ca, err := s.voucher(ctx, leaf)
	if err != nil || ca == nil {
		return unknown, err
	}
	cert := s.record(leaf, string(encodeCertificate(leaf.Raw)), PendingActivation, ca.Mode)
	cert.CA = ca.ID
	err = s.store.Update(ctx, func(tx Tx) error {
		if _, taken, err := tx.Certificate(cert.ID); err != nil {
			return err
		} else if taken {
			return errTaken
		}
		return tx.PutCertificate(cert)
	})
	if errors.Is(err, errTaken) { // a twin connection was quicker
		return s.Identify(ctx, leaf)
	}
	if err != nil {
		return Verdict{}, err
	}
	cert.PEM = ""
	v := s.judge(cert)
	v.JustInTime = s.justInTime(*ca, cert, true)
	return v, nil
}

var errTaken = errors.New("registered meanwhile")

// Vouches says whether a CA of the account lets the device behind an unknown
// certificate register itself.
func (s *Service) Vouches(ctx context.Context, leaf *x509.Certificate) (bool, error) {
	ca, err := s.voucher(ctx, leaf)
	return ca != nil, err
}

// voucher finds the CA that has signed the leaf and lets devices register
// themselves; nil if there is none.
func (s *Service) voucher(ctx context.Context, leaf *x509.Certificate) (*CA, error) {
	var named []CA
	err := s.store.View(ctx, func(tx Tx) (err error) {
		named, err = tx.CAsNamed(subjectKey(leaf.RawIssuer))
		return err
	})
	for i := range named {
		if named[i].registersItself() && signedBy(named[i], leaf) == nil {
			return &named[i], nil
		}
	}
	return nil, err
}

func (c CA) registersItself() bool { return c.Active && c.AutoRegistration }

// again announces a certificate that still waits, as AWS does on each connect.
func (s *Service) again(ctx context.Context, cert Certificate) (*JustInTime, error) {
	ca, err := s.DescribeCA(ctx, cert.CA)
	if fault.Is(err, fault.CodeNotFound) || err == nil && !ca.registersItself() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.justInTime(ca, cert, false), nil
}

func (s *Service) justInTime(ca CA, cert Certificate, first bool) *JustInTime {
	if ca.Registration != (Registration{}) {
		return &JustInTime{CA: ca}
	}
	event := registeredEvent{
		CertificateID: cert.ID, CACertificateID: ca.ID, Timestamp: s.now().UnixMilli(),
		Status: PendingActivation, Account: s.scope.Account,
	}
	if !first { // AWS documents a string and was seen to send null at first
		at := strconv.FormatInt(cert.Created.UnixMilli(), 10)
		event.Registered = &at
	}
	payload, err := json.Marshal(event)
	if err != nil {
		panic("pki: an event does not marshal: " + err.Error())
	}
	return &JustInTime{CA: ca, Topic: "$aws/events/certificates/registered/" + string(ca.ID), Payload: payload}
}

// registeredEvent is what AWS publishes when a device registers itself.
type registeredEvent struct {
	CertificateID   CertificateID `json:"certificateId"`
	CACertificateID CertificateID `json:"caCertificateId"`
	Timestamp       int64         `json:"timestamp"` // milliseconds since 1970
	Status          Status        `json:"certificateStatus"`
	Account         string        `json:"awsAccountId"`
	Registered      *string       `json:"certificateRegistrationTimestamp"`
}
