package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// How long the far side may take.
const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 15 * time.Second // to CONNECT and SUBSCRIBE, TLS included
	writeTimeout  = 30 * time.Second // for one write
	goodbye       = 2 * time.Second  // for a last write when we leave
)

const (
	// pendingMax bounds the downlinks that the local broker has not settled. The
	// far side waits when there are more.
	pendingMax = 64
	// sessionExpiry is how long an MQTT 5 broker shall keep QoS 1 downlinks for
	// us: as long as AWS IoT Core would at most.
	sessionExpiry = 7 * 24 * time.Hour
	// packetRoom is what a packet has beside its payload: the topic, properties.
	packetRoom = 128 << 10
)

// session is one connection to the far side.
type session struct {
	*link
	in      Integration
	version mqtt.Version
	conn    net.Conn
	packets *mqtt.Reader

	window    int // QoS 1 on their way
	packetMax int // bytes the far side takes; 0: any
	keepAlive time.Duration

	granted chan struct{} // closed when the far side has granted the subscription
	over    chan error    // holds the first reason to end
	pending chan struct{} // holds one for each downlink that is not settled
	more    chan struct{} // holds one when there are answers
	leave   chan struct{} // closed when the session has ended

	mu      sync.Mutex
	answers []byte // packets for the writer
	last    string // topic of the last uplink, which may be why the far side hangs up

	stray string // a topic that an older subscription still brings; the reader's
}

// open dials and gets in.
func (l *link) open(ctx context.Context, in Integration) (*session, error) {
	s := &session{
		link: l, in: in, version: in.Version, keepAlive: in.KeepAlive, window: windowMax,
		granted: make(chan struct{}), over: make(chan error, 1), pending: make(chan struct{}, pendingMax),
		more: make(chan struct{}, 1), leave: make(chan struct{}),
	}
	if err := s.dial(ctx); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { s.conn.Close() })()
	if err := s.connect(); err != nil {
		s.conn.Close()
		return nil, err
	}
	return s, nil
}

// dial opens the TCP connection and TLS.
func (s *session) dial(ctx context.Context) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.in.Host, strconv.Itoa(s.in.Port)))
	if err != nil {
		return failed(why.IntegrationUnreachable, err.Error())
	}
	s.conn = conn
	if !s.in.TLS {
		return nil
	}
	config, err := clientTLS(s.in)
	if err != nil {
		conn.Close()
		return failed(why.IntegrationTLS, err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return failed(why.IntegrationTLS, err.Error())
	}
	s.conn = secure
	return nil
}

// connect says CONNECT and reads the answer.
func (s *session) connect() error {
	_ = s.conn.SetDeadline(time.Now().Add(answerTimeout))
	if _, err := s.conn.Write(s.hello().Append(nil, s.version)); err != nil {
		return hungUp(err)
	}
	s.packets = mqtt.NewReader(s.conn, s.service.PayloadMax+packetRoom)
	packet, err := s.packets.ReadPacket(s.version)
	if err != nil {
		return hungUp(err)
	}
	ack, ok := packet.(*mqtt.Connack)
	switch {
	case !ok:
		return failed(why.IntegrationRefused, "it answered CONNECT with "+packet.Type().String())
	case ack.Reason.Failed():
		return refused(why.IntegrationRefused, ack.Reason, ack.ReasonString)
	}
	s.agree(ack)
	return s.conn.SetDeadline(time.Time{})
}

// hello is our CONNECT. With QoS 1 the far side keeps what it has for us while
// we are away.
func (s *session) hello() *mqtt.Connect {
	c := &mqtt.Connect{ClientID: s.in.ClientID, CleanStart: s.in.QoS == mqtt.QoS0, KeepAlive: s.in.KeepAlive}
	if s.in.Username != "" {
		c.Username = mqtt.Some(s.in.Username)
	}
	if s.in.Password != "" {
		c.Password = []byte(s.in.Password)
	}
	if s.version == mqtt.V5 {
		c.ReceiveMaximum = pendingMax
		c.MaximumPacketSize = uint32(s.service.PayloadMax + packetRoom)
		if s.in.QoS > mqtt.QoS0 {
			c.SessionExpiry = mqtt.Some(sessionExpiry)
		}
	}
	return c
}

// agree takes over what the far side wants.
func (s *session) agree(ack *mqtt.Connack) {
	if ack.ReceiveMaximum != 0 {
		s.window = min(s.window, int(ack.ReceiveMaximum))
	}
	s.packetMax = int(ack.MaximumPacketSize)
	if ack.ServerKeepAlive.Present && ack.ServerKeepAlive.Value > 0 {
		s.keepAlive = ack.ServerKeepAlive.Value
	}
	if !ack.SessionPresent {
		s.queue.strangers()
	}
}

// serve carries messages until the connection or ctx ends.
func (s *session) serve(ctx context.Context) error {
	// A far side that does not read must not hold up whoever saves or stops.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(goodbye, func() { s.conn.Close() }) })()
	var reader sync.WaitGroup
	reader.Go(func() { s.end(s.read()) })
	err := s.write(ctx)
	s.conn.Close()
	close(s.leave)
	reader.Wait()
	return err
}

// end gives the writer a reason to stop; the first one counts.
func (s *session) end(err error) {
	select {
	case s.over <- err:
	default:
	}
}

// write sends what there is: the subscription, uplinks, acknowledgements, signs
// of life.
func (s *session) write(ctx context.Context) error {
	ping := time.NewTicker(s.keepAlive / 2)
	defer ping.Stop()
	patience := time.NewTimer(answerTimeout)
	defer patience.Stop()
	waiting := s.granted
	if err := s.subscribe(); err != nil {
		return err
	}
	for {
		busy, err := s.flush(ctx, waiting == nil)
		if err != nil {
			return err
		}
		select {
		case err := <-s.over:
			return err
		case <-ctx.Done():
			_ = s.send((&mqtt.Disconnect{}).Append(nil, s.version)) // a goodbye nobody answers
			return ctx.Err()
		case <-ping.C:
			if err := s.send((&mqtt.Pingreq{}).Append(nil, s.version)); err != nil {
				return err
			}
		case <-patience.C:
			if waiting != nil {
				return failed(why.IntegrationSubscribe, "it does not answer SUBSCRIBE")
			}
		case <-waiting:
			waiting = nil
			s.connected()
		case <-s.more:
		case <-s.queue.wake:
		case <-always(busy):
		}
	}
}

// always is a channel that is ready if yes, and never otherwise.
func always(yes bool) <-chan struct{} {
	if !yes {
		return nil
	}
	ready := make(chan struct{})
	close(ready)
	return ready
}

// subscribe asks for the downlinks, if there are to be any.
func (s *session) subscribe() error {
	if s.in.SubscribeTopic == "" {
		close(s.granted)
		return nil
	}
	one := mqtt.Subscription{Filter: s.in.SubscribeTopic, QoS: s.in.QoS, NoLocal: true}
	// The identifier is one that no PUBLISH has: those begin anew at 1 and come to
	// it only after the far side has answered.
	p := &mqtt.Subscribe{PacketID: subscribeID, Subscriptions: []mqtt.Subscription{one}}
	return s.send(p.Append(nil, s.version))
}

// Packet identifiers of what is no PUBLISH.
const (
	subscribeID   = 65535
	unsubscribeID = 65534
)

// connected shows that both directions work.
func (s *session) connected() {
	s.counts.connects.Add(1)
	s.set(Status{State: Connected, Since: s.service.Now()})
	s.service.Log.Info("an integration is connected", "integration", s.in.Name, "host", s.in.Host)
}

// flush sends answers and, once the far side is settled, uplinks. busy says that
// there may be more.
func (s *session) flush(ctx context.Context, settled bool) (busy bool, err error) {
	buf := s.takeAnswers()
	var batch []outgoing
	if settled {
		if batch, err = s.queue.next(ctx, s.service.Now(), s.window); err != nil {
			return false, err
		}
	}
	sent := int64(0)
	for _, m := range batch {
		before := len(buf)
		buf = s.packet(m).Append(buf, s.version)
		if s.packetMax > 0 && len(buf)-before > s.packetMax { // [MQTT-3.2.2-15]
			buf = buf[:before]
			s.refuse(m, mqtt.PacketTooLarge, "")
			continue
		}
		if m.QoS == mqtt.QoS0 {
			sent++
		}
	}
	if len(buf) == 0 {
		return len(batch) > 0, nil
	}
	if len(batch) > 0 {
		s.remember(join(s.in.Prefix, batch[len(batch)-1].Topic))
	}
	if err := s.send(buf); err != nil {
		return false, err
	}
	s.counts.sent.Add(sent)
	return len(batch) > 0, nil
}

// remember keeps the topic of the last uplink.
func (s *session) remember(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = name
}

// packet makes the PUBLISH of an uplink.
func (s *session) packet(m outgoing) *mqtt.Publish {
	p := &mqtt.Publish{
		Topic: []byte(join(s.in.Prefix, m.Topic)), Payload: m.Payload, QoS: m.QoS, PacketID: m.packetID, Dup: m.again,
	}
	if m.Properties != nil {
		p.Properties = *m.Properties
	}
	p.Properties.MessageExpiry = mqtt.Optional[time.Duration]{}
	if !m.Expires.IsZero() { // what is left of it [MQTT-3.3.2-6]
		p.Properties.MessageExpiry = mqtt.Some(max(0, m.Expires.Sub(s.service.Now())))
	}
	return p
}

func (s *session) send(buf []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := s.conn.Write(buf); err != nil {
		select { // the reader may know better why: a DISCONNECT, an alert
		case known := <-s.over:
			return known
		case <-time.After(time.Second):
			return s.lost(err)
		}
	}
	return nil
}

// lost explains the end of a connection.
func (s *session) lost(err error) error {
	text := err.Error()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
		text = "it hung up"
		s.mu.Lock()
		if s.last != "" {
			text += "; the last message it got was on " + s.last
		}
		s.mu.Unlock()
	case isTimeout(err):
		text = "nothing was heard for one and a half keep-alive intervals"
	}
	return failed(why.IntegrationLost, text)
}

// answer queues the acknowledgement of a downlink. It may be called from any
// goroutine.
func (s *session) answer(p mqtt.Packet) {
	s.mu.Lock()
	s.answers = p.Append(s.answers, s.version)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *session) takeAnswers() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.answers
	s.answers = nil
	return all
}

// read takes what the far side sends until the connection ends.
func (s *session) read() error {
	for {
		_ = s.conn.SetReadDeadline(time.Now().Add(s.keepAlive + s.keepAlive/2))
		packet, err := s.packets.ReadPacket(s.version)
		if err != nil {
			return s.lost(err)
		}
		if err := s.handle(packet); err != nil {
			return err
		}
	}
}

func (s *session) handle(packet mqtt.Packet) error {
	switch p := packet.(type) {
	case *mqtt.Publish:
		return s.downlink(p)
	case *mqtt.Puback:
		return s.acknowledged(p)
	case *mqtt.Suback:
		return s.subscribed(p)
	case *mqtt.Pingresp, *mqtt.Unsuback:
		return nil
	case *mqtt.Disconnect:
		return refused(why.IntegrationLost, p.Reason, p.ReasonString)
	}
	return failed(why.IntegrationLost, "it sent "+packet.Type().String()+", which nobody asked for")
}

// subscribed reads the answer to SUBSCRIBE.
func (s *session) subscribed(p *mqtt.Suback) error {
	if len(p.Reasons) != 1 || p.PacketID != subscribeID {
		return failed(why.IntegrationLost, "it sent a SUBACK that fits no SUBSCRIBE")
	}
	if p.Reasons[0].Failed() {
		return refused(why.IntegrationSubscribe, p.Reasons[0], p.ReasonString)
	}
	select {
	case <-s.granted:
	default:
		close(s.granted)
	}
	return nil
}

// acknowledged settles an uplink. A far side that is only too busy gets it again
// later; what it refuses for another reason it would refuse again.
func (s *session) acknowledged(p *mqtt.Puback) error {
	if p.Reason == mqtt.QuotaExceeded {
		return refused(why.IntegrationLost, p.Reason, p.ReasonString)
	}
	if p.Reason.Failed() {
		s.note(refused(why.IntegrationMessage, p.Reason, p.ReasonString))
	}
	s.queue.answered(p.PacketID, p.Reason)
	return nil
}

// refuse settles an uplink that cannot be sent.
func (s *session) refuse(m outgoing, reason mqtt.ReasonCode, words string) {
	s.note(refused(why.IntegrationMessage, reason, words))
	if m.packetID == 0 {
		s.counts.refused.Add(1)
		return
	}
	s.queue.answered(m.packetID, reason)
}

// downlink publishes a message of the far side here. It is acknowledged there
// when it is where it must survive here; one that has no place here never will.
func (s *session) downlink(p *mqtt.Publish) error {
	if p.QoS > mqtt.QoS1 {
		return failed(why.IntegrationLost, "it sent a message with QoS 2, which nobody asked for")
	}
	if string(p.Topic) != s.in.SubscribeTopic {
		s.forgo(p)
		return nil
	}
	m, err := s.local(p)
	if err != nil {
		s.counts.invalid.Add(1)
		s.note(failed(why.IntegrationMessage, "a downlink has no place here: "+faultText(err)))
		s.settle(p, nil)
		return nil
	}
	select {
	case s.pending <- struct{}{}:
	case <-s.leave:
		return failed(why.IntegrationLost, "the connection ended")
	}
	s.service.Broker.Publish(m, func(err error) {
		if err == nil {
			s.counts.received.Add(1)
		}
		s.settle(p, err)
		<-s.pending
	})
	return nil
}

// settle acknowledges a downlink. What could not be kept here is not
// acknowledged: the far side has it for the next connection.
func (s *session) settle(p *mqtt.Publish, err error) {
	switch {
	case err != nil:
		s.end(failed(why.ServerError, "a downlink could not be kept: "+err.Error()))
	case p.QoS == mqtt.QoS1:
		s.answer(&mqtt.Puback{PacketID: p.PacketID})
	}
}

// forgo ends what an older subscription of our session over there still brings.
func (s *session) forgo(p *mqtt.Publish) {
	s.counts.invalid.Add(1)
	s.settle(p, nil)
	if name := string(p.Topic); name != s.stray {
		s.stray = name
		s.answer(&mqtt.Unsubscribe{PacketID: unsubscribeID, Filters: []string{name}})
	}
}

// local makes the local message of a downlink.
func (s *session) local(p *mqtt.Publish) (message.Message, error) {
	if len(p.Payload) > s.service.PayloadMax {
		return message.Message{}, fault.InvalidRequest("its payload has %d bytes; at most %d are allowed", len(p.Payload), s.service.PayloadMax)
	}
	name, err := expand(s.in.LocalTopic, p.Payload)
	if err != nil {
		return message.Message{}, err
	}
	if err := s.service.checks.checkLocalTopic(name); err != nil {
		return message.Message{}, err
	}
	m := message.Message{
		Topic: name, Payload: p.Payload, QoS: min(p.QoS, s.in.QoS), Origin: message.Origin{Kind: message.FromBridge, ClientID: s.in.ClientID},
	}
	if s.version == mqtt.V5 {
		m.Properties = &p.Properties
		if e := p.Properties.MessageExpiry; e.Present {
			m.Expires = s.service.Now().Add(e.Value)
		}
	}
	return m, nil
}
