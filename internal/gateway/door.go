package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/why"
)

// accept takes connections until the listener closes.
func (g *Gateway) accept(l net.Listener) {
	descriptors := descriptorLimit()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors: wait for some to come back
			g.Log.Warn("cannot accept a connection", "error", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		g.stats.Accepted.Add(1)
		tcp := conn.(*net.TCPConn)
		if full := g.full(tcp, descriptors); !full.IsZero() {
			g.stats.Overflow.Add(1)
			g.record(tcp, why.TooFast, "", full)
			tcp.Close()
			continue
		}
		g.running.Add(1)
		go g.greet(tcp)
	}
}

// full says why there is no room for a connection; nothing if it was counted in.
func (g *Gateway) full(conn *net.TCPConn, descriptors int) why.Phrase {
	switch {
	case isOneTooMany(conn, descriptors):
		return why.Say("the server has too few file descriptors left; let it have more (ulimit -n)")
	case !g.enter(conn):
		return why.Say("%d connections are under way to their first request already", g.Handshaking)
	}
	return why.Phrase{}
}

// enter counts a connection among those that have not said what they want: the
// first CONNECT or HTTP request settles it. Whoever stays silent is timed out by
// the TLS handshake, the broker or the HTTP server.
func (g *Gateway) enter(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.early) >= g.Handshaking {
		return false
	}
	g.early[conn] = struct{}{}
	return true
}

func (g *Gateway) settled(conn net.Conn) {
	g.mu.Lock()
	delete(g.early, conn)
	g.mu.Unlock()
}

// greet does the handshake, hands the connection on, and serves it if it is for the
// broker: a goroutine with a stack that has grown already is worth keeping.
func (g *Gateway) greet(tcp *net.TCPConn) {
	growStack()
	serve := g.direct(tcp)
	g.running.Done() // from here on it is the broker's
	if serve != nil {
		serve()
	}
}

// growStack makes the stack as large as a handshake needs, at once and while there
// is nothing on it: to grow by and by, with all that is on it, takes longer.
//
//go:noinline
func growStack() byte {
	var room [10 << 10]byte // bytes; the stack grows to 16 KB for it
	at := &room[len(room)/2]
	runtime.KeepAlive(at)
	return *at
}

// direct says how to go on with a connection; nil where there is nothing to do.
func (g *Gateway) direct(tcp *net.TCPConn) (serve func()) {
	sock, conn, err := g.handshake(tcp)
	if err != nil {
		g.settled(tcp)
		tcp.Close()
		return nil
	}
	p := newPeer(sock, conn, func() { g.settled(tcp) })
	switch p.state.NegotiatedProtocol {
	case alpnMQTT, alpnCustomAuth:
		return g.mqtt(p, conn)
	case alpnHTTP, alpnWeb:
		g.serveHTTP(p, conn)
		return nil
	}
	return g.sniff(p, conn)
}

func (g *Gateway) handshake(tcp *net.TCPConn) (*socket, *tls.Conn, error) {
	sock, err := newSocket(tcp, g.lot, &g.lingering)
	if err != nil {
		return nil, nil, err
	}
	_ = tcp.SetDeadline(time.Now().Add(g.HandshakeTimeout))
	conn := tls.Server(sock, g.tls)
	// It needs no context: shut closes connections that are nobody's yet.
	if err := conn.Handshake(); err != nil {
		g.stats.TLSFailed.Add(1)
		g.record(tcp, why.TLSFailed, "", explainTLS(err))
		answerPlainHTTP(tcp, err)
		return nil, nil, err
	}
	_ = tcp.SetDeadline(time.Time{})
	return sock, conn, nil
}

// answerPlainHTTP tells a client that speaks HTTP without TLS so, in its own
// protocol.
func answerPlainHTTP(tcp net.Conn, err error) {
	notTLS, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || notTLS.RecordHeader[0] < 'A' || notTLS.RecordHeader[0] > 'Z' {
		return
	}
	const text = "This port speaks TLS: use https.\n"
	_, _ = fmt.Fprintf(tcp, "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s", len(text), text)
}

// sniff looks at the first byte.
func (g *Gateway) sniff(p *peer, conn *tls.Conn) (serve func()) {
	_ = conn.SetReadDeadline(time.Now().Add(g.HandshakeTimeout))
	first, whole, err := peek(conn)
	_ = conn.SetReadDeadline(time.Time{})
	switch {
	case err != nil:
		p.settle()
		g.record(p.sock, why.ConnectTimeout, p.state.ServerName, why.Say("nothing followed the TLS handshake"))
		conn.Close()
	case first == 0x10: // MQTT CONNECT
		return g.mqtt(p, whole)
	case first >= 'A' && first <= 'Z':
		g.serveHTTP(p, whole)
	default:
		p.settle()
		g.stats.Unrecognized.Add(1)
		g.record(p.sock, why.NotMQTT, p.state.ServerName, why.Phrase{})
		conn.Close()
	}
	return nil
}

// mqtt gives the connection to the broker. Where it cannot be parked it gets a
// goroutine of its own: the handshake has grown this one's stack, which should not
// stay with every idle device.
func (g *Gateway) mqtt(p *peer, conn net.Conn) (serve func()) {
	client := &broker.Peer{
		Conn: &mqttConn{conn, p.entrance}, Remote: p.remote, Local: p.local, ServerName: p.state.ServerName,
		Door: "mqtts", ALPN: p.state.NegotiatedProtocol, Certificate: p.leaf(),
		BeforeWait: p.sock.tellBeforeWait, Stalled: p.sock.spare(), Parking: p.parking(),
	}
	attend := func() {
		defer p.settle()
		g.brokerOf(p).Serve(g.ctx, client)
	}
	if client.Parking == nil {
		return func() { go attend() }
	}
	return attend
}

// brokerOf gives the broker of the account that a client means.
func (g *Gateway) brokerOf(p *peer) *broker.Broker {
	if g.BrokerOf == nil {
		return g.Broker
	}
	return g.BrokerOf(g.ctx, Clue{Certificate: p.leaf(), ServerName: p.state.ServerName})
}

func (g *Gateway) serveHTTP(p *peer, conn net.Conn) {
	if !g.webIn.give(wire.ExactConn(&webConn{Conn: conn, peer: p})) {
		p.settle()
		conn.Close()
	}
}

// record tells the journal of a connection that never became anybody's.
func (g *Gateway) record(conn net.Conn, cause why.Cause, server string, detail why.Phrase) {
	event := why.Event{
		Time: g.Now(), Source: conn.RemoteAddr().String(), Door: "tls", Server: server,
		Step: why.StepTLS, Cause: cause,
	}
	event.Because(detail)
	g.Journal.Record(event)
}

// explainTLS says what a failed handshake usually means.
func explainTLS(err error) why.Phrase {
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	alert, alerted := errors.AsType[*net.OpError](err)
	switch {
	case notTLS:
		return why.Say("the client does not speak TLS: %v", err)
	case alerted && alert.Op == "remote error":
		return why.Say("the client ended the handshake, and says: %v", alert.Err)
	case alerted && alert.Err.Error() == "tls: bad record MAC":
		return why.Say("the client ended the handshake without a readable word, as OpenSSL does when it does not trust root-ca.pem or does not find its name in the server's certificate")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return why.Say("the client did not finish the handshake in time")
	case errors.Is(err, io.EOF):
		return why.Say("the client hung up during the handshake; it may not trust root-ca.pem or not find its name in the server's certificate")
	}
	return why.Words(err.Error())
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
