package wire

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
)

// The data plane's answers have their header names in lower case. All but one of
// them a handler can spell as it likes; Content-Length it cannot, because
// net/http needs to see it. So a listener that wants the answer to look like
// AWS's down to the letter wraps its connections:
//
//	srv := &http.Server{Handler: mux, ConnContext: wire.ConnContext}
//	srv.Serve(listener) // whose Accept gives wire.ExactConn(conn)
//
// Over connections that are not wrapped everything works the same, with that one
// name capitalized.

// ExactConn wraps a connection, on the side where HTTP is in plain text.
func ExactConn(c net.Conn) net.Conn { return &exactConn{Conn: c} }

// ConnContext is an http.Server's ConnContext. It lets the handler find the
// connection; other kinds of connections are left alone.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if exact, ok := c.(*exactConn); ok {
		return context.WithValue(ctx, connKey, exact)
	}
	return ctx
}

type exactConn struct {
	net.Conn
	armed atomic.Bool // the next write begins with the head of an answer to respell
}

// Unwrap gives the connection inside.
func (c *exactConn) Unwrap() net.Conn { return c.Conn }

// Write passes p on. The head of an answer comes in one piece: it is far smaller
// than the server's buffer, which is empty when an answer begins.
func (c *exactConn) Write(p []byte) (int, error) {
	if c.armed.Swap(false) {
		p = respell(p)
	}
	return c.Conn.Write(p)
}

// respell gives a copy of p whose head says content-length.
func respell(p []byte) []byte {
	const name = "\r\nContent-Length: "
	head, _, _ := bytes.Cut(p, []byte("\r\n\r\n"))
	at := bytes.Index(head, []byte(name))
	if at < 0 {
		return p
	}
	p = bytes.Clone(p)
	copy(p[at:], bytes.ToLower([]byte(name)))
	return p
}

// expectAnswer says that what is written next to the request's connection is
// the head of an answer with lower-case names.
func expectAnswer(ctx context.Context) {
	if c, ok := ctx.Value(connKey).(*exactConn); ok {
		c.armed.Store(true)
	}
}
