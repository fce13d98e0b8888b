package gateway

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/policy"
	"thingd/internal/why"
)

// WebSocket takes MQTT over WebSocket: the upgrade on /mqtt is authenticated by
// a SigV4 signature in the query, or by the client certificate.
type WebSocket struct {
	Broker        *broker.Broker
	Authenticator wire.Authenticator
	Journal       why.Recorder
	Now           func() time.Time
}

// ServeHTTP implements http.Handler. It returns when the connection has ended.
func (w *WebSocket) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	peer := w.peer(r)
	if err := w.authenticate(r, peer); err != nil {
		w.refuse(rw, peer, err)
		return
	}
	conn, err := upgrade(rw, r)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	peer.Conn = conn
	w.Broker.Serve(r.Context(), peer)
}

func (w *WebSocket) peer(r *http.Request) *broker.Peer {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	p := &broker.Peer{Door: "wss", ServerName: host}
	if from := peerFrom(r.Context()); from != nil {
		p.Remote, p.Local, p.Certificate, p.ALPN = from.remote, from.local, from.leaf(), alpnWeb
		p.BeforeWait = func(fn func()) { from.sock.beforeWait = fn }
	}
	return p
}

// authenticate verifies the upgrade's signature, if it has one. Without, the
// Guard looks at the certificate when CONNECT arrives.
func (w *WebSocket) authenticate(r *http.Request, p *broker.Peer) error {
	if !signed(r) {
		return nil
	}
	sig, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	sig.SetBody(nil)
	caller, err := w.Authenticator.Authenticate(r.Context(), r, sig)
	if err != nil {
		return err
	}
	p.Principal = policy.Principal{
		Kind: policy.BySignature, ID: caller.UserID, ARN: caller.ARN,
		SourceIP: p.Remote.Addr(), ServerName: p.ServerName, UserAgent: r.UserAgent(),
	}
	p.Identity = caller
	return nil
}

func (w *WebSocket) refuse(rw http.ResponseWriter, p *broker.Peer, err error) {
	w.Journal.Record(why.Event{
		Time: w.Now(), Source: p.Remote.String(), Door: p.Door, Server: p.ServerName,
		Step: why.StepConnect, Cause: why.SignatureInvalid, Detail: err.Error(),
	})
	problem := wire.Error(iotdata.Service, nil, err)
	rw.Header().Set("x-amzn-ErrorType", problem.Name)
	http.Error(rw, problem.Message, http.StatusForbidden)
}

// acceptGUID is RFC 6455's, appended to the client's key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// upgrade writes the 101 answer by hand: some clients read at most 1024 bytes of
// it and look for "sec-websocket-accept: " in lower case, and send a key of 128
// random bytes where RFC 6455 asks for 16. No extension is agreed on.
func upgrade(rw http.ResponseWriter, r *http.Request) (net.Conn, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	protocol, ok := subprotocol(r.Header.Values("Sec-WebSocket-Protocol"))
	switch {
	case r.Method != http.MethodGet || key == "" || len(key) > 1024:
		return nil, errors.New("this is not a WebSocket upgrade")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return nil, errors.New("WebSocket version 13 is needed")
	case !ok:
		return nil, errors.New("the subprotocol must be mqtt")
	}
	conn, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(key + acceptGUID))
	answer := "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n" +
		"sec-websocket-accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n" +
		"sec-websocket-protocol: " + protocol + "\r\n\r\n"
	_ = conn.SetDeadline(time.Time{})
	if _, err := io.WriteString(conn, answer); err != nil {
		conn.Close()
		return nil, err
	}
	return &frames{Conn: conn, in: buffered.Reader}, nil
}

// subprotocol picks the first one offered that carries MQTT.
func subprotocol(offers []string) (string, bool) {
	for _, offer := range offers {
		for _, name := range strings.Split(offer, ",") {
			if name = strings.TrimSpace(name); name == "mqtt" || name == "mqttv3.1" {
				return name, true
			}
		}
	}
	return "", false
}

// frameMax bounds one frame from a client, in bytes.
const frameMax = 8 << 20

var (
	errText  = errors.New("a WebSocket text frame; MQTT comes in binary frames")
	errFrame = errors.New("a WebSocket frame that breaks RFC 6455")
)

// frames is a WebSocket as a stream of bytes: MQTT packets and frames need not
// begin together.
type frames struct {
	net.Conn
	in   *bufio.Reader
	left int64 // of the current frame's payload
	mask [4]byte
	at   int // in the mask

	client bool // this end is the client's: the other one does not mask
}

// Read gives payload bytes. A client's Close frame ends the stream with
// broker.ErrLeft: the client went in good order.
func (f *frames) Read(p []byte) (int, error) {
	for f.left == 0 {
		if err := f.header(); err != nil {
			return 0, err
		}
	}
	n, err := f.in.Read(p[:min(int64(len(p)), f.left)])
	ws.Cipher(p[:n], f.mask, f.at)
	f.at += n
	f.left -= int64(n)
	return n, err
}

// header reads the next frame's header, and whole control frames.
func (f *frames) header() error {
	h, err := ws.ReadHeader(f.in)
	if err != nil {
		return err
	}
	switch {
	case h.Masked == f.client || h.Rsv != 0 || h.Length > frameMax || h.Length < 0:
		return errFrame
	case h.OpCode == ws.OpText:
		return errText
	case h.OpCode.IsControl():
		return f.control(h)
	case h.OpCode != ws.OpBinary && h.OpCode != ws.OpContinuation:
		return errFrame
	}
	f.left, f.mask, f.at = h.Length, h.Mask, 0
	return nil
}

func (f *frames) control(h ws.Header) error {
	if h.Length > 125 || !h.Fin {
		return errFrame
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(f.in, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		// A pong between two of the broker's writes: each Write is one frame.
		_, err := f.Conn.Write(ws.MustCompileFrame(ws.NewPongFrame(payload)))
		return err
	case ws.OpClose:
		_, _ = f.Conn.Write(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))))
		return broker.ErrLeft
	}
	return nil
}

// Write sends p as one binary frame.
func (f *frames) Write(p []byte) (int, error) {
	head := make([]byte, 0, ws.MaxHeaderSize+len(p))
	head = appendHeader(head, len(p))
	if _, err := f.Conn.Write(append(head, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// appendHeader writes the header of a final, unmasked binary frame (RFC 6455
// section 5.2).
func appendHeader(b []byte, length int) []byte {
	b = append(b, 0x82)
	switch {
	case length < 126:
		return append(b, byte(length))
	case length < 1<<16:
		return append(b, 126, byte(length>>8), byte(length))
	}
	b = append(b, 127)
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(length>>shift))
	}
	return b
}
