package gateway

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/why"
)

// accept takes connections until the listener closes.
func (g *Gateway) accept(l net.Listener) {
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
		if !g.enter(tcp) {
			g.stats.Overflow.Add(1)
			tcp.Close()
			continue
		}
		g.running.Go(func() { g.greet(tcp) })
	}
}

// enter counts a connection among those that have not said what they want.
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

// greet does the handshake and hands the connection on.
func (g *Gateway) greet(tcp *net.TCPConn) {
	defer g.settled(tcp)
	sock, err := newSocket(tcp)
	if err != nil {
		tcp.Close()
		return
	}
	_ = tcp.SetDeadline(time.Now().Add(g.HandshakeTimeout))
	conn := tls.Server(sock, g.tls)
	if err := conn.HandshakeContext(g.ctx); err != nil {
		g.stats.TLSFailed.Add(1)
		g.record(tcp, why.TLSFailed, "", explainTLS(err))
		tcp.Close()
		return
	}
	_ = tcp.SetDeadline(time.Time{})
	p := newPeer(sock, conn)
	switch p.state.NegotiatedProtocol {
	case alpnMQTT, alpnCustomAuth:
		g.serveMQTT(p, conn)
	case alpnHTTP, alpnWeb:
		g.serveHTTP(p, conn)
	default:
		g.sniff(p, conn)
	}
}

// sniff looks at the first byte.
func (g *Gateway) sniff(p *peer, conn *tls.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(g.HandshakeTimeout))
	first, whole, err := peek(conn)
	_ = conn.SetReadDeadline(time.Time{})
	switch {
	case err != nil:
		g.record(p.sock, why.ConnectTimeout, p.state.ServerName, "nothing followed the TLS handshake")
		conn.Close()
	case first == 0x10: // MQTT CONNECT
		g.serveMQTT(p, whole)
	case first >= 'A' && first <= 'Z':
		g.serveHTTP(p, whole)
	default:
		g.stats.Unrecognized.Add(1)
		g.record(p.sock, why.NotMQTT, p.state.ServerName, "")
		conn.Close()
	}
}

// serveMQTT gives the connection to the broker, in a goroutine of its own: the
// handshake has grown this one's stack, which should not stay with every idle
// device.
func (g *Gateway) serveMQTT(p *peer, conn net.Conn) {
	go g.Broker.Serve(g.ctx, &broker.Peer{
		Conn: conn, Remote: p.remote, Local: p.local, ServerName: p.state.ServerName,
		Door: "mqtts", ALPN: p.state.NegotiatedProtocol, Certificate: p.leaf(),
		BeforeWait: func(fn func()) { p.sock.beforeWait = fn },
	})
}

func (g *Gateway) serveHTTP(p *peer, conn net.Conn) {
	if !g.webIn.give(wire.ExactConn(&webConn{Conn: conn, peer: p})) {
		conn.Close()
	}
}

// record tells the journal of a connection that never became anybody's.
func (g *Gateway) record(conn net.Conn, cause why.Cause, server, detail string) {
	g.Journal.Record(why.Event{
		Time: g.Now(), Source: conn.RemoteAddr().String(), Door: "tls", Server: server,
		Step: why.StepTLS, Cause: cause, Detail: detail,
	})
}

// explainTLS says what a failed handshake usually means.
func explainTLS(err error) string {
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &notTLS):
		return "the client does not speak TLS: " + err.Error()
	case errors.Is(err, io.EOF):
		return "the client hung up during the handshake; it may not trust root-ca.pem or not find its name in the server's certificate"
	}
	return err.Error()
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
