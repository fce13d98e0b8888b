package broker

import (
	"context"
	"strings"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/topic"
	"thingd/internal/why"
)

// connect admits a client, in the order that gives what is seen of AWS:
// form, client ID, will, authorization, take-over, session, CONNACK.
func (c *conn) connect(ctx context.Context, p *mqtt.Connect) *ending {
	c.version = p.Version
	c.problems = p.RequestProblemInformation.Or(true)
	c.maxPacket = int(p.MaximumPacketSize)
	c.outAliases.max = min(int(p.TopicAliasMaximum), c.b.Limits.SendAliases)
	if len(p.ClientID) <= c.b.Limits.ClientIDBytes {
		c.clientID = p.ClientID // the journal wants it in any case
	}
	if end := c.checkConnect(p); end != nil {
		return end
	}
	assigned := c.nameClient(p)
	ack, end := c.connack(p, assigned)
	if end != nil {
		return end
	}
	holds, end := c.admit(ctx, p)
	if end != nil {
		return end
	}
	if end := c.mayConnect(); end != nil {
		return end
	}
	release := c.b.claim(c.clientID)
	defer release()
	c.b.evict(c.clientID)
	present, err := c.attach(ctx, p)
	if err != nil {
		failed := storeFailed.because(err)
		failed.step = why.StepConnect
		return &failed
	}
	c.welcome(ack, present)
	c.session.resumeWith(c)
	c.announceConnected()
	if holds != nil && !holds() {
		withdrawn := ending{reason: mqtt.NotAuthorized, disconnect: why.AuthError, cause: why.CertificateWithdrawn, step: why.StepConnection}
		return &withdrawn
	}
	return nil
}

// checkConnect checks what needs nobody's opinion.
func (c *conn) checkConnect(p *mqtt.Connect) *ending {
	limits := &c.b.Limits
	switch {
	case p.Version == mqtt.V3 && p.ClientID == "": // 3.1 wants a character at least, and knows no made-up ones
		return clientError(why.StepConnect, mqtt.ClientIdentifierNotValid, why.ClientIDInvalid, "MQTT 3.1 with an empty client ID")
	case p.AuthenticationMethod.Present: // no enhanced authentication [MQTT 5.0 4.12]
		return clientError(why.StepConnect, mqtt.BadAuthenticationMethod, why.FeatureNotSupported, "authentication method %q", p.AuthenticationMethod.Value)
	case len(p.ClientID) > limits.ClientIDBytes:
		return clientError(why.StepConnect, mqtt.ClientIdentifierNotValid, why.ClientIDInvalid, "client ID of %d bytes; at most %d are allowed", len(p.ClientID), limits.ClientIDBytes)
	case limits.ReservedClientID && p.ClientID != "" && p.ClientID[0] == '$' && !isAssigned(p.ClientID):
		return clientError(why.StepConnect, mqtt.ClientIdentifierNotValid, why.ClientIDInvalid, "client ID %q begins with $", p.ClientID)
	case p.MaximumPacketSize > 0 && int(p.MaximumPacketSize) < limits.ClientPacketMin:
		return clientError(why.StepConnect, mqtt.QuotaExceeded, why.FeatureNotSupported, "the client takes packets of %d bytes; %d are the least", p.MaximumPacketSize, limits.ClientPacketMin)
	case p.ClientID == "" && p.Version != mqtt.V5 && !p.CleanStart: // [MQTT-3.1.3-8]
		return clientError(why.StepConnect, mqtt.ClientIdentifierNotValid, why.ClientIDInvalid, "an empty client ID needs a clean session")
	}
	return c.checkWill(p.Will)
}

func (c *conn) checkWill(w *mqtt.Will) *ending {
	if w == nil {
		return nil
	}
	limits := &c.b.Limits
	if w.QoS > limits.MaxQoS { // [MQTT-3.2.2-12]
		return clientError(why.StepConnect, mqtt.QoSNotSupported, why.WillInvalid, "will with QoS %d", w.QoS)
	}
	if len(w.Payload) > limits.PayloadBytes {
		return clientError(why.StepConnect, mqtt.PacketTooLarge, why.PayloadTooLarge, "will of %d bytes; at most %d are allowed", len(w.Payload), limits.PayloadBytes)
	}
	if detail := limits.CheckProperties(&w.Properties); detail != "" {
		return clientError(why.StepConnect, mqtt.QuotaExceeded, why.WillInvalid, "will: %s", detail)
	}
	if err := limits.Topics.CheckName(w.Topic); err != nil {
		return clientError(why.StepConnect, mqtt.TopicNameInvalid, why.WillInvalid, "will: %s", faultSays(err))
	}
	if topic.IsReserved(w.Topic) && !topic.MayPublish(w.Topic) {
		return clientError(why.StepConnect, mqtt.TopicNameInvalid, why.WillInvalid, "clients cannot publish to %s", w.Topic)
	}
	if topic.IsReserved(w.Topic) && w.Retain {
		return clientError(why.StepConnect, mqtt.TopicNameInvalid, why.WillInvalid, "messages cannot be retained on %s", w.Topic)
	}
	return nil
}

// nameClient settles the client ID and says whether it was made up.
func (c *conn) nameClient(p *mqtt.Connect) (assigned bool) {
	c.clientID = p.ClientID
	if c.clientID == "" { // [MQTT-3.1.3-6]
		c.clientID = assignedPrefix + c.b.NewID()
		return true
	}
	return false
}

const assignedPrefix = "$GEN/"

// isAssigned says whether a client ID has the form of those that the server makes up:
// who was given one comes back with it. [MQTT-3.1.3-7]
func isAssigned(id string) bool {
	const uuid = 36 // characters
	return strings.HasPrefix(id, assignedPrefix) && len(id) == len(assignedPrefix)+uuid
}

// admit asks the guard who this is, and its rights whether it may connect. holds asks
// the guard once more; see Admission.
func (c *conn) admit(ctx context.Context, p *mqtt.Connect) (holds func() bool, end *ending) {
	admission, refusal := c.b.Guard.Admit(ctx, Attempt{
		Peer: c.peer, Version: p.Version, ClientID: c.clientID,
		Username: p.Username.Value, Password: p.Password,
		Persistent: c.wantsSession(p), Will: p.Will,
	})
	if refusal != nil {
		c.principal = refusal.Principal
		return nil, &ending{reason: mqtt.NotAuthorized, disconnect: why.AuthError, event: refusal, cause: refusal.Cause, step: why.StepConnect}
	}
	c.principal, c.rights = admission.Principal.ID, admission.Rights
	if !admission.Until.IsZero() {
		c.life = &lifetime{admission.Until, admission.UntilWhy}
	}
	return admission.Holds, c.mayBeHere(p.Will)
}

// mayBeHere asks the connection's rights what CONNECT needs of them.
func (c *conn) mayBeHere(w *mqtt.Will) *ending {
	if end := c.authorize(why.StepConnect, "iot:Connect", "client/"+c.clientID); end != nil {
		return end
	}
	if w != nil {
		if end := c.authorize(why.StepConnect, "iot:Publish", "topic/"+w.Topic); end != nil {
			return end
		}
		if w.Retain {
			return c.authorize(why.StepConnect, "iot:RetainPublish", "topic/"+w.Topic)
		}
	}
	return nil
}

func (c *conn) wantsSession(p *mqtt.Connect) bool {
	if p.Version == mqtt.V5 {
		return p.SessionExpiry.Value > 0
	}
	return !p.CleanStart
}

// evict ends the connection that holds a client ID now, its will and events
// included: two live sessions with one ID would both believe they own its queue.
// [MQTT-3.1.4-3] One that is ending already is waited for. The caller holds the
// claim.
func (b *Broker) evict(id string) {
	s := b.session(id)
	if s == nil {
		return
	}
	if old := s.owner; old != nil {
		old.kick(takenOver)
		<-old.gone
	}
}

// attach gives the connection its session: the one that waits, or a new one.
func (c *conn) attach(ctx context.Context, p *mqtt.Connect) (present bool, err error) {
	s := c.b.session(c.clientID)
	if s != nil && !c.mayResume(s, p) {
		c.b.forget(s)
		c.b.endWill(s.id) // the session's end is the end of its delay [MQTT 5.0 3.1.3.2.2]
		s = nil
	}
	present = s != nil
	if s == nil {
		s = &session{b: c.b, id: c.clientID, subs: map[string]*subscription{}}
	}
	c.b.cancelWill(c.clientID)
	c.settle(s, p)
	c.will = c.willOf(p)
	if err := c.keepSession(ctx, s, !present); err != nil {
		s.mu.Lock()
		s.left = c.b.Now() // it is not attached after all
		s.mu.Unlock()
		return false, err
	}
	c.session, s.owner = s, c
	c.heard.Store(c.b.Now().UnixNano())
	c.b.mu.Lock()
	if c.b.sessions[s.id] == nil {
		c.b.sessions[s.id] = s
		c.b.stats.Sessions.Add(1)
	}
	c.b.mu.Unlock()
	return present, nil
}

// mayResume says whether a client takes up a session where it was left.
func (c *conn) mayResume(s *session, p *mqtt.Connect) bool {
	if p.CleanStart {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sameVersion := s.version == p.Version || c.b.Limits.AcrossVersions
	return s.persistent.Load() && sameVersion && !s.expired(c.b.Now())
}

// settle takes over what CONNECT says about session and connection.
func (c *conn) settle(s *session, p *mqtt.Connect) {
	limits := &c.b.Limits
	c.keepAlive, c.asked, c.clean = limits.keepAlive(p.KeepAlive), p.KeepAlive, p.CleanStart
	c.sendMax = limits.SendMaximum
	if p.ReceiveMaximum > 0 {
		c.sendMax = min(c.sendMax, int(p.ReceiveMaximum))
	}
	expiry := time.Duration(0)
	switch {
	case p.Version == mqtt.V5:
		expiry = limits.sessionExpiry(p.SessionExpiry.Value)
	case !p.CleanStart:
		expiry = limits.SessionDefault
	}
	s.mu.Lock()
	s.version, s.expiry, s.left, s.principal = p.Version, expiry, time.Time{}, c.principal
	s.queue.replay = s.queue.last
	s.mu.Unlock()
	// A session that was resumed and will not be kept again stays stored until
	// its end, for the sake of its queue.
	s.persistent.Store(expiry > 0 || s.persistent.Load())
}

// keepSession stores a persistent session, and a will, before CONNACK promises them.
func (c *conn) keepSession(ctx context.Context, s *session, isNew bool) error {
	stays := s.persistent.Load()
	if !stays && c.will == nil {
		return nil
	}
	row := s.stored()
	return c.b.Store.Update(ctx, func(tx StoreTx) error {
		if c.will != nil {
			if err := tx.PutWill(c.will.stored()); err != nil || !stays {
				return err
			}
		}
		if isNew {
			if err := tx.DeleteSession(s.id); err != nil {
				return err
			}
		}
		return tx.PutSession(row)
	})
}

// connack makes the answer for a client that is let in. It says no when the client
// takes no packet so long. [MQTT-3.2.2-19]
func (c *conn) connack(p *mqtt.Connect, assigned bool) (*mqtt.Connack, *ending) {
	ack := &mqtt.Connack{}
	if p.Version != mqtt.V5 {
		return ack, nil
	}
	c.sayLimits(ack, p)
	if assigned {
		ack.AssignedClientID = c.clientID
	}
	if c.takes(len(ack.Append(nil, p.Version))) {
		return ack, nil
	}
	terse(ack, p)
	if n := len(ack.Append(nil, p.Version)); !c.takes(n) {
		return nil, clientError(why.StepConnect, mqtt.PacketTooLarge, why.PayloadTooLarge, "CONNACK of %d bytes; the client's Maximum Packet Size is %d", n, c.maxPacket)
	}
	return ack, nil
}

// sayLimits tells what holds, all explicit, as SDKs check it.
func (c *conn) sayLimits(ack *mqtt.Connack, p *mqtt.Connect) {
	limits := &c.b.Limits
	ack.SessionExpiry = mqtt.Some(limits.sessionExpiry(p.SessionExpiry.Value))
	ack.ReceiveMaximum = uint16(min(limits.ReceiveMaximum, 65535))
	if limits.MaxQoS < mqtt.QoS2 {
		ack.MaximumQoS = mqtt.Some(limits.MaxQoS)
	}
	ack.RetainAvailable = mqtt.Some(true)
	ack.MaximumPacketSize = uint32(min(limits.PacketBytes, 149504))
	if limits.MaxQoS == mqtt.QoS2 {
		ack.MaximumPacketSize = uint32(limits.PacketBytes)
	}
	ack.TopicAliasMaximum = uint16(limits.TopicAliases)
	ack.WildcardSubscriptionAvailable = mqtt.Some(true)
	ack.SubscriptionIdentifiersAvailable = mqtt.Some(limits.SubscriptionIDs)
	ack.SharedSubscriptionAvailable = mqtt.Some(true)
	ack.ServerKeepAlive = mqtt.Some(limits.keepAlive(p.KeepAlive))
}

// terse leaves out what a client concludes without being told.
func terse(ack *mqtt.Connack, p *mqtt.Connect) {
	absent := mqtt.Optional[bool]{}
	ack.RetainAvailable, ack.WildcardSubscriptionAvailable, ack.SharedSubscriptionAvailable = absent, absent, absent
	if ack.SubscriptionIdentifiersAvailable.Value {
		ack.SubscriptionIdentifiersAvailable = absent
	}
	if ack.SessionExpiry.Value == p.SessionExpiry.Value {
		ack.SessionExpiry.Present = false
	}
	if ack.ServerKeepAlive.Value == p.KeepAlive {
		ack.ServerKeepAlive.Present = false
	}
}

// welcome answers with CONNACK, and opens the session for messages behind it.
func (c *conn) welcome(ack *mqtt.Connack, present bool) {
	// 3.1 reserves the byte that says whether a session is present.
	ack.SessionPresent = present && c.version != mqtt.V3
	c.started.Store(true)
	c.since = c.b.Now()
	c.reply(ack)
	c.b.stats.Connects.Add(1)
	c.b.stats.Connections.Add(1)
}

// refuse answers a CONNECT that was not admitted: MQTT 5 clients get a CONNACK
// with the reason. 3.1.1 clients get one at AWS only for what is theirs to mend;
// otherwise the socket just closes, because clients in the field take any CONNACK
// for success.
func (c *conn) refuse(e ending) {
	c.b.stats.ConnectRefused.Add(1)
	if c.clientID != "" && e.disconnect == why.AuthError {
		c.announceConnectFailed()
	}
	c.record(e, false)
	if e.silent || !c.maySayNo(e.reason) {
		return
	}
	version := max(c.version, mqtt.V4)
	answer := mqtt.Connack{Reason: e.reason}
	if c.problems {
		answer.ReasonString = e.detail.String()
	}
	if !c.takes(len(answer.Append(nil, version))) { // [MQTT-3.2.2-19]
		answer.ReasonString = ""
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.net.Write(answer.Append(nil, version))
}

// maySayNo says whether a refusal is told to a client of this version.
func (c *conn) maySayNo(reason mqtt.ReasonCode) bool {
	switch {
	case reason == mqtt.UnsupportedProtocolVersion || reason == mqtt.ClientIdentifierNotValid || c.version == mqtt.V5:
		return true
	case reason == mqtt.MalformedPacket || reason == mqtt.ProtocolError: // of which 3.1.1 has no words
		return false
	}
	return c.version != 0 && c.b.Limits.ConnackRefusals
}

// detach settles what an ended connection leaves behind.
func (b *Broker) detach(c *conn, e ending) {
	s := c.session
	now := b.Now()
	s.mu.Lock()
	s.conn.CompareAndSwap(c, nil)
	s.left, s.leftWhy = now, e.disconnect
	expiry := s.expiry
	back := s.queue.rest()
	s.queue.shed()
	s.answer, s.scratch = answer{}, nil
	s.mu.Unlock()
	s.tidy()
	s.refreshGroups()
	giveBack(back)
	b.stats.Connections.Add(-1)
	b.stats.Disconnects.Add(1)
	if e.cause == why.SlowReader {
		b.stats.SlowCut.Add(1)
	}
	b.publishWill(c, e, expiry)
	b.announceDisconnected(c, e)
	c.record(e, false)
	if expiry == 0 {
		b.forget(s) // a newcomer waits until we are gone, see evict
		return
	}
	b.submit("note a client's leaving", func(tx StoreTx) error { return tx.Left(s.id, now, expiry) }, nil)
}
