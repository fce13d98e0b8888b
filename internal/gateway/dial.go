package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"

	"github.com/gobwas/ws"
)

// DialWebSocket opens MQTT over WebSocket to a server: the client's side of this
// door, for the command line. url carries the signature.
func DialWebSocket(ctx context.Context, url string, config *tls.Config) (net.Conn, error) {
	dialer := ws.Dialer{Protocols: []string{"mqtt"}, TLSConfig: config}
	conn, buffered, _, err := dialer.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	if buffered == nil {
		buffered = bufio.NewReader(conn)
	}
	return &clientFrames{frames{Conn: conn, in: buffered, client: true}}, nil
}

// clientFrames masks what it sends, as clients must (RFC 6455 section 5.3).
type clientFrames struct{ frames }

// Write sends p as one masked binary frame. It is one write of the connection
// below, so that frames of several goroutines stay whole.
func (f *clientFrames) Write(p []byte) (int, error) {
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewBinaryFrame(p)))
	if err != nil {
		return 0, err
	}
	if _, err := f.Conn.Write(frame); err != nil {
		return 0, err
	}
	return len(p), nil
}
