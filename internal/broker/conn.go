package broker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// Message and Done are the words of the message package, used all over here.
type (
	Message = message.Message
	Done    = message.Done
)

// conn is one MQTT connection. What has no lock belongs to its reader.
type conn struct {
	b    *Broker
	peer *Peer
	net  net.Conn
	in   intake
	out  outbox

	// Settled by CONNECT, not changed afterwards.
	version    mqtt.Version
	clean      bool
	problems   bool // whether failures may carry a reason string
	clientID   string
	session    *session
	principal  string // its ID
	rights     Rights
	life       *lifetime     // nil: without end
	keepAlive  time.Duration // effective; 0: no timeout
	asked      time.Duration // keep-alive as the client asked
	sendMax    int           // unacknowledged messages to the client
	maxPacket  int           // bytes the client takes
	outAliases outAliases
	identifier string
	number     int64 // version number in lifecycle events
	since      time.Time

	heard   atomic.Int64 // when the client last sent something, Unix nanoseconds
	end     atomic.Pointer[ending]
	ended   chan struct{} // closed when end is set
	gone    chan struct{} // closed when the connection has ended and its will is out
	flusher func()        // c.flush, so that starting it allocates nothing
	started atomic.Bool   // admitted: events and will are due

	parked     atomic.Bool  // nobody reads: see Parking
	complained atomic.Int64 // when the journal last heard of a lost message, Unix nanoseconds

	// The reader's own.
	now      time.Time // when the packet came that is being handled
	*desk              // nil while parked, and when all is over
	routes   map[string]*route
	aliases  map[uint16][]byte
	will     *will
	untidy   bool // the session has something for the store
	rate     bucket
	bytes    bucket
	patience press     // what the client's messages have waited for slow readers
	told     time.Time // when the journal last heard that messages came too fast

	acks   acks
	nobody promise // for messages whose arrival nobody waits for
}

// lifetime bounds a connection that the Guard has let in for a while.
type lifetime struct {
	until time.Time
	why   why.Disconnect
}

// Serve owns a connection until it ends. It returns then, or when the connection
// is parked: it is served on when it wakes.
func (b *Broker) Serve(ctx context.Context, peer *Peer) {
	c := &conn{b: b, peer: peer, net: peer.Conn, ended: make(chan struct{}), gone: make(chan struct{})}
	c.nobody.done, c.flusher = nothing, c.flush
	if !b.enter(c) {
		peer.Conn.Close()
		return
	}
	c.takeDesk()
	c.in = intake{conn: peer.Conn, limit: b.Limits.PacketBytes}
	c.in.beforeWait = c.catchUp
	if peer.BeforeWait != nil {
		// The door knows when reading would really wait.
		peer.BeforeWait(c.catchUp)
		c.in.beforeWait = func() {}
	}
	if refused := c.begin(ctx); refused != nil {
		c.over(*refused)
		return
	}
	c.run()
}

// begin takes CONNECT. A nil ending means that the client is in.
func (c *conn) begin(ctx context.Context) *ending {
	connect, end := c.awaitConnect()
	if end == nil {
		end = c.connect(ctx, connect)
	}
	return end
}

// run reads packets until the connection ends or is parked.
func (c *conn) run() {
	if end := c.converse(); end != nil {
		c.over(*end)
	}
}

// over ends a connection for good.
func (c *conn) over(e ending) {
	defer c.b.leave(c)
	c.finish(e)
}

// enter counts a connection in, unless the broker is stopping.
func (b *Broker) enter(c *conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopping {
		return false
	}
	b.conns[c] = struct{}{}
	b.running.Add(1)
	return true
}

func (b *Broker) leave(c *conn) {
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	close(c.gone)
	b.running.Done()
}

// converse reads packets until the connection ends, and says how it did; nil when
// it is parked.
func (c *conn) converse() *ending {
	for {
		frame, err := c.in.next()
		if err == ErrQuiet {
			if c.park() {
				return nil
			}
			continue
		}
		if err != nil {
			return c.readFailed(err)
		}
		c.now = c.b.Now()
		c.heard.Store(c.now.UnixNano())
		if end := c.handle(frame, c.now); end != nil {
			return end
		}
	}
}

// awaitConnect reads the first packet, which must be a whole CONNECT and come
// soon. [MQTT-3.1.0-1]
func (c *conn) awaitConnect() (*mqtt.Connect, *ending) {
	_ = c.net.SetReadDeadline(time.Now().Add(c.b.Limits.ConnectTimeout))
	frame, err := c.in.next()
	if err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			return nil, &ending{silent: true, disconnect: why.ClientError, cause: why.ConnectTimeout, step: why.StepConnect}
		}
		if _, ok := err.(*mqtt.Error); ok {
			end := badPacket(why.StepConnect, err)
			end.silent = true
			return nil, end
		}
		if breach := breachOf(why.StepConnect, err); breach != nil {
			return nil, breach
		}
		lost := connectionLost.because(err)
		lost.step = why.StepConnect
		return nil, &lost
	}
	if t := mqtt.TypeOf(frame); t != mqtt.TypeConnect {
		end := clientError(why.StepConnect, mqtt.ProtocolError, why.ProtocolError, "the first packet is %s, not CONNECT", t)
		end.silent = true
		return nil, end
	}
	var connect mqtt.Connect
	if err := connect.Decode(0, frame); err != nil {
		c.version = connect.Version
		return nil, badPacket(why.StepConnect, err)
	}
	_ = c.net.SetReadDeadline(time.Time{})
	return &connect, nil
}

// readFailed says why reading ended: somebody closed the connection on purpose,
// or the link broke, or the bytes were no packet.
func (c *conn) readFailed(err error) *ending {
	if end := c.end.Load(); end != nil {
		return end
	}
	end := connectionLost.because(err)
	if errors.Is(err, ErrLeft) {
		end = clientLeft
	} else if _, ok := err.(*mqtt.Error); ok {
		return badPacket(why.StepConnection, err)
	} else if breach := breachOf(why.StepConnection, err); breach != nil {
		return breach
	}
	return &end
}

// Breach is the read error of a connection whose client broke the rules of the layer
// below MQTT, and was told so there.
type Breach interface {
	error
	Breach() string // in words
}

// breachOf turns a Breach into an ending; nil for other errors.
func breachOf(step why.Step, err error) *ending {
	breach, ok := errors.AsType[Breach](err)
	if !ok {
		return nil
	}
	end := clientError(step, mqtt.ProtocolError, why.ProtocolError, "%s", breach.Breach())
	end.silent = true
	return end
}

// ErrLeft is the read error of a connection whose client said good-bye below
// MQTT, with a WebSocket Close frame. It counts like DISCONNECT.
var ErrLeft = errors.New("the client closed the connection")

// catchUp does what the reader put off while it had input: answers and messages
// are written, and the store hears what was acknowledged.
func (c *conn) catchUp() {
	if c.untidy {
		c.untidy = false
		c.session.tidy()
	}
	c.work.write(c)
}

// fail notes how the connection ends; the first to say so is right.
func (c *conn) fail(e ending) bool {
	if !c.end.CompareAndSwap(nil, &e) {
		return false
	}
	close(c.ended)
	return true
}

// kick ends the connection from outside. It may wait for the network, a little.
func (c *conn) kick(e ending) {
	if c.fail(e) {
		c.hangUp(e)
	}
}

// drop is kick for callers that must not wait. The ending holds at once.
func (c *conn) drop(e ending) {
	if c.fail(e) {
		go c.hangUp(e)
	}
}

func (c *conn) hangUp(e ending) {
	c.goodbye(e)
	c.net.Close()
}

// goodbye tells an MQTT 5 client why [MQTT 5.0 4.13], behind the answers that it is
// owed. What a client does not take at once it does not get.
func (c *conn) goodbye(e ending) {
	if !c.started.Load() {
		return
	}
	if !e.silent && c.version == mqtt.V5 {
		c.sayWhy(e)
	}
	c.finalFlush()
}

func (c *conn) sayWhy(e ending) {
	buf, ok := c.out.begin(c.answersMax())
	if !ok {
		return
	}
	d := mqtt.Disconnect{Reason: e.reason}
	if c.problems {
		d.ReasonString = e.detail.String()
	}
	before := len(buf)
	if buf = d.Append(buf, c.version); !c.takes(len(buf) - before) { // [MQTT-3.14.2-3]
		d.ReasonString = ""
		buf = d.Append(buf[:before], c.version)
	}
	c.out.end(buf)
}

// finish does what is due when the reader stops: tell the client, close, and
// settle the session.
func (c *conn) finish(e ending) {
	if !c.fail(e) {
		e = *c.end.Load()
	}
	c.catchUp() // answers given before the end still go out
	if c.started.Load() {
		c.goodbye(e)
	} else {
		c.refuse(e)
	}
	c.out.close()
	c.net.Close()
	c.in.giveBack()
	if c.started.Load() {
		c.b.detach(c, e)
	}
	if c.rights != nil {
		c.rights.Close()
	}
	// The session remembers its last connection, but needs nothing of this.
	c.routes, c.aliases, c.will = nil, nil, nil
	c.leaveDesk()
}

// source is where the client is.
func (c *conn) source() netip.AddrPort { return c.peer.Remote }

// answerRoom is what answers may take in an outbox beyond Limits.OutboxBytes:
// messages are dropped or wait when it is full, an answer is owed.
const answerRoom = 64 << 10 // bytes

func (c *conn) answersMax() int { return c.b.Limits.OutboxBytes + answerRoom }

// reply appends an answer to the outbox; it is written when the reader has used
// up its input.
func (c *conn) reply(p mqtt.Packet) { c.answer(p, &c.work) }

// post is reply for other goroutines.
func (c *conn) post(p mqtt.Packet) { c.answer(p, nil) }

func (c *conn) answer(p mqtt.Packet, work *batch) {
	buf, ok := c.beginAnswer()
	if !ok {
		return
	}
	before := len(buf)
	buf = p.Append(buf, c.version)
	n := len(buf) - before
	if c.takes(n) {
		if c.out.end(buf) {
			work.add(c)
		}
		return
	}
	c.out.end(buf[:before])
	c.drop(*clientError(why.StepConnection, mqtt.PacketTooLarge, why.PayloadTooLarge,
		"%s of %d bytes; the client's Maximum Packet Size is %d", p.Type(), n, c.maxPacket))
}

// takes says whether a packet of n bytes is not too long for the client.
// [MQTT-3.1.2-24]
func (c *conn) takes(n int) bool { return c.maxPacket == 0 || n <= c.maxPacket }

// beginAnswer is begin for what the client is owed. A client that does not even
// read its answers is cut.
func (c *conn) beginAnswer() (buf []byte, ok bool) {
	buf, ok = c.out.begin(c.answersMax())
	if !ok && !c.out.ending() {
		c.drop(slowly("more than %d bytes wait for the client, answers among them (outbox-bytes)", c.answersMax()))
	}
	return buf, ok
}

// handle takes one packet after CONNECT. A nil ending means: go on.
func (c *conn) handle(frame []byte, now time.Time) *ending {
	switch mqtt.TypeOf(frame) { // the frequent ones allocate nothing
	case mqtt.TypePublish:
		return c.onPublish(frame, now)
	case mqtt.TypePuback:
		if err := c.puback.Decode(c.version, frame); err != nil {
			return badPacket(why.StepConnection, err)
		}
		c.session.acknowledged(c, c.puback.PacketID)
		return nil
	}
	p, err := mqtt.Decode(c.version, frame)
	if err != nil {
		return badPacket(why.StepConnection, err)
	}
	switch p := p.(type) {
	case *mqtt.Pubrec:
		return c.onPubrec(p)
	case *mqtt.Pubrel:
		return c.onPubrel(p)
	case *mqtt.Pubcomp:
		return c.onPubcomp(p)
	case *mqtt.Subscribe:
		return c.onSubscribe(p)
	case *mqtt.Unsubscribe:
		return c.onUnsubscribe(p)
	case *mqtt.Pingreq:
		c.b.stats.Pings.Add(1)
		c.reply(&mqtt.Pingresp{})
	case *mqtt.Disconnect:
		return c.onDisconnect(p)
	case *mqtt.Connect: // [MQTT-3.1.0-2]
		return clientError(why.StepConnection, mqtt.ProtocolError, why.ProtocolError, "a second CONNECT")
	case *mqtt.Auth: // enhanced authentication was not begun [MQTT 5.0 4.12]
		return clientError(why.StepConnection, mqtt.ProtocolError, why.FeatureNotSupported, "AUTH without an authentication method")
	default:
		return clientError(why.StepConnection, mqtt.ProtocolError, why.ProtocolError, "a client does not send %s", p.Type())
	}
	return nil
}

// onDisconnect ends the connection as the client wishes. [MQTT 5.0 3.14]
func (c *conn) onDisconnect(p *mqtt.Disconnect) *ending {
	if p.SessionExpiry.Present {
		s := c.session
		s.mu.Lock()
		was := s.expiry
		if was > 0 {
			s.expiry = c.b.Limits.sessionExpiry(p.SessionExpiry.Value)
		}
		s.mu.Unlock()
		if was == 0 && p.SessionExpiry.Value > 0 { // [MQTT 5.0 3.14.2.2.2]
			return clientError(why.StepConnection, mqtt.ProtocolError, why.ProtocolError, "DISCONNECT sets a session expiry that CONNECT left at 0")
		}
	}
	end := clientLeft
	end.noWill = p.Reason == mqtt.NormalDisconnection // every other reason lets it out [MQTT-3.14.4-3]
	return &end
}
