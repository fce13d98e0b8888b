package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"thingd/internal/broker"
)

// peer is who is at the other end of a TLS connection, as far as TLS knows.
type peer struct {
	sock   *socket
	remote netip.AddrPort
	local  netip.AddrPort
	state  tls.ConnectionState
	*entrance

	verdicts verdicts // of custom authorizers over HTTPS requests
}

func newPeer(sock *socket, conn *tls.Conn, leave func()) *peer {
	p := &peer{sock: sock, entrance: &entrance{leave: leave}, remote: addrPort(sock.RemoteAddr()), local: addrPort(sock.LocalAddr())}
	p.state = conn.ConnectionState()
	return p
}

// leaf is the client's certificate; nil without one.
func (p *peer) leaf() *x509.Certificate {
	if len(p.state.PeerCertificates) == 0 {
		return nil
	}
	return p.state.PeerCertificates[0]
}

// parking is where the connection may wait; nil where there is no such place.
func (p *peer) parking() broker.Parking {
	if p.sock.lot == nil {
		return nil
	}
	return p.sock
}

// entrance is left by a client that has said what it wants.
type entrance struct {
	once  sync.Once
	leave func() // the connections that have not
}

func (e *entrance) settle() { e.once.Do(e.leave) }

// settler is a connection that is told when its CONNECT has come.
type settler interface{ settle() }

// mqttConn is an MQTT connection; TLS is off already. It lives long, and leaves the
// rest of its peer behind.
type mqttConn struct {
	net.Conn
	*entrance
}

// webConn is an HTTPS connection; TLS is off already.
type webConn struct {
	net.Conn
	peer *peer
}

type peerKey struct{}

// withPeer lets the handlers of a connection know its peer.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	if p := peerOf(conn); p != nil {
		ctx = context.WithValue(ctx, http.LocalAddrContextKey, p.sock.LocalAddr())
		return context.WithValue(ctx, peerKey{}, p)
	}
	return ctx
}

// peerOf finds the peer of an HTTPS connection.
func peerOf(conn net.Conn) *peer {
	if outer, ok := conn.(interface{ Unwrap() net.Conn }); ok {
		conn = outer.Unwrap()
	}
	if w, ok := conn.(*webConn); ok {
		return w.peer
	}
	return nil
}

func peerFrom(ctx context.Context) *peer {
	p, _ := ctx.Value(peerKey{}).(*peer)
	return p
}

// handoff is a listener whose connections come from the doors.
type handoff struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), done: make(chan struct{})}
}

// give hands a connection over, unless the listener is closed.
func (h *handoff) give(conn net.Conn) bool {
	select {
	case h.conns <- conn:
		return true
	case <-h.done:
		return false
	}
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handoff) Addr() net.Addr { return &net.TCPAddr{} }
