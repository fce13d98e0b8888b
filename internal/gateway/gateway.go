// Package gateway is the door: it listens, speaks TLS, finds out whether a
// client wants MQTT, WebSocket or HTTP, and who it is, and hands the connection
// to the broker or the request to the AWS front.
//
// # One TLS door
//
// Every TLS port serves everything. The protocol is what ALPN agreed on; where
// the client offered nothing we know, the first byte tells: 0x10 is an MQTT
// CONNECT, a letter is an HTTP method. A client certificate is asked for and
// never required by TLS itself; what a connection may do follows from who it is,
// and that is settled when it says what it wants.
//
// # The plain door
//
// On loopback, plain HTTP serves the console, metrics, health and the same AWS
// API for local tools.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/why"
)

// Config is what a Gateway needs.
type Config struct {
	TLS    *tls.Config // certificates; the gateway adds ALPN
	Broker *broker.Broker
	// BrokerOf gives the broker of the account that a client means. nil: Broker
	// serves all.
	BrokerOf func(context.Context, Clue) *broker.Broker

	HTTP    http.Handler // of the TLS doors
	Local   http.Handler // of the plain door
	Journal why.Recorder
	Now     func() time.Time
	Log     *slog.Logger

	// Versions gives the least and greatest TLS version for clients that ask for
	// a server name, 0 for the usual ones. nil: the usual ones for all.
	Versions func(serverName string) (least, greatest uint16)

	HandshakeTimeout time.Duration // for TLS, and for the head of an HTTP request; default 10 s
	Handshaking      int           // connections that may be before their first request; default 20,000
}

// Gateway holds the listeners and the connections that are still nobody's.
type Gateway struct {
	Config
	tls       *tls.Config
	stats     Stats
	lingering lingering

	ctx    context.Context // of all connections
	cancel context.CancelFunc
	web    *http.Server
	webIn  *handoff // HTTPS connections on their way to web
	plain  *http.Server
	lot    *lot // where quiet clients of the broker wait; nil on systems without

	mu        sync.Mutex
	listeners []net.Listener
	early     map[net.Conn]struct{} // accepted, and no CONNECT or HTTP request yet
	closed    bool
	running   sync.WaitGroup
}

// Stats counts what happens at the doors. The fields are read with Load.
type Stats struct {
	Accepted     atomic.Int64
	TLSFailed    atomic.Int64
	Unrecognized atomic.Int64 // neither MQTT nor HTTP
	Overflow     atomic.Int64 // closed at once because too many were handshaking, or too few file descriptors left
}

// The application protocols that clients offer by ALPN.
const (
	alpnMQTT       = "x-amzn-mqtt-ca"
	alpnHTTP       = "x-amzn-http-ca"
	alpnCustomAuth = "mqtt"
	alpnWeb        = "http/1.1"
)

// New makes a gateway that does not listen yet.
func New(c Config) *Gateway {
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = 10 * time.Second
	}
	if c.Handshaking == 0 {
		c.Handshaking = 20_000
	}
	g := &Gateway{Config: c, early: map[net.Conn]struct{}{}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.tls = c.TLS.Clone()
	// HTTP/2 is not offered: curl's "h2,http/1.1" agrees on the latter.
	g.tls.NextProtos = []string{alpnMQTT, alpnHTTP, alpnCustomAuth, alpnWeb}
	g.tls.GetConfigForClient = g.forClient
	// Full records from the start: a broker sends little at first and much later.
	g.tls.DynamicRecordSizingDisabled = true
	g.webIn, g.lot = newHandoff(), newLot()
	g.web = g.server(settling(c.HTTP))
	g.web.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return withPeer(wire.ConnContext(ctx, conn), conn)
	}
	g.web.ConnState = func(conn net.Conn, state http.ConnState) {
		if p := peerOf(conn); p != nil && state == http.StateClosed {
			p.settle()
		}
	}
	g.plain = g.server(c.Local)
	return g
}

func (g *Gateway) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           g.recovering(h),
		ReadHeaderTimeout: g.HandshakeTimeout,
		ReadTimeout:       5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(g.Log.Handler(), slog.LevelDebug),
	}
}

// recovering keeps a mistake of ours from passing in silence: net/http tells of a
// panic among the noise that clients make.
func (g *Gateway) recovering(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			caught := recover()
			if caught == nil {
				return
			}
			if caught != http.ErrAbortHandler {
				g.Log.Error("a request made the server panic", "method", r.Method, "path", r.URL.Path, "panic", caught, "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler) // closes the connection: what was sent may be half an answer
		}()
		h.ServeHTTP(w, r)
	})
}

// settling settles a connection by its first request. A WebSocket's is settled
// by its CONNECT.
func settling(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := peerFrom(r.Context()); p != nil && !isUpgrade(r) {
			p.settle()
		}
		h.ServeHTTP(w, r)
	})
}

// forClient gives the settings for one client, nil for the usual ones.
func (g *Gateway) forClient(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	config, err := g.forUnknownALPN(hello)
	if err != nil || g.Versions == nil {
		return config, err
	}
	least, greatest := g.Versions(hello.ServerName)
	if least == 0 && greatest == 0 {
		return config, nil
	}
	if config == nil {
		config = g.tls.Clone()
		config.GetConfigForClient = nil
	}
	config.MinVersion, config.MaxVersion = max(config.MinVersion, least), greatest
	return config, nil
}

// forUnknownALPN accepts clients that offer only protocols we do not know: the
// first byte decides then, where Go would end the handshake.
func (g *Gateway) forUnknownALPN(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	for _, offered := range hello.SupportedProtos {
		for _, ours := range g.tls.NextProtos {
			if offered == ours {
				return nil, nil
			}
		}
	}
	if len(hello.SupportedProtos) == 0 {
		return nil, nil
	}
	open := g.tls.Clone()
	open.GetConfigForClient, open.NextProtos = nil, nil
	return open, nil
}

// ListenTLS opens a TLS door and gives its address.
func (g *Gateway) ListenTLS(addr string) (net.Addr, error) {
	l, err := listen(addr)
	if err != nil {
		return nil, err
	}
	g.add(l)
	g.running.Go(func() { g.accept(l) })
	return l.Addr(), nil
}

// ListenPlain opens the plain door and gives its address.
func (g *Gateway) ListenPlain(addr string) (net.Addr, error) {
	l, err := listen(addr)
	if err != nil {
		return nil, err
	}
	g.running.Go(func() { _ = g.plain.Serve(l) }) // ends with Close
	return l.Addr(), nil
}

// Start lets HTTPS requests through; the doors may be open before.
func (g *Gateway) Start() {
	g.running.Go(func() { _ = g.web.Serve(g.webIn) }) // ends with Close
}

func (g *Gateway) add(l net.Listener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listeners = append(g.listeners, l)
}

// listen explains in a sentence why a port is not to be had.
func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("cannot listen on %s: another program uses that port; stop it, or choose another with --listen or --http", addr)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("cannot listen on %s: this user may not bind that port; choose one above 1023 or grant CAP_NET_BIND_SERVICE: %w", addr, err)
	}
	return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
}

// Close stops listening, lets requests under way end, and closes connections
// that are nobody's yet. The broker's are the broker's. Requests have half of the
// time that ctx gives: what comes after needs some too.
func (g *Gateway) Close(ctx context.Context) error {
	g.shut()
	g.drain(ctx)
	g.cancel()
	if g.lot != nil {
		g.lot.close()
	}
	done := make(chan struct{})
	go func() { g.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shut lets nobody in any more.
func (g *Gateway) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, l := range g.listeners {
		l.Close()
	}
	for conn := range g.early {
		conn.Close()
	}
	g.webIn.Close()
}

// drain waits for requests under way, and cuts those that take too long.
func (g *Gateway) drain(ctx context.Context) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	var servers sync.WaitGroup
	for _, server := range []*http.Server{g.web, g.plain} {
		servers.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				g.Log.Warn("cut HTTP requests that were still under way", "reason", err)
				server.Close()
			}
		})
	}
	servers.Wait()
}

// Linger waits until what was written last has arrived at connections that were
// closed, for as long as they linger.
func (g *Gateway) Linger(ctx context.Context) error {
	g.lingering.wait(ctx)
	return nil
}

// Early gives the number of connections that have not said what they want.
func (g *Gateway) Early() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.early)
}

// Stats gives the counters.
func (g *Gateway) Stats() *Stats { return &g.stats }
