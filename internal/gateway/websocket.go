package gateway

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

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

// ServeHTTP implements http.Handler. It returns when the connection has ended, or
// waits to be served on.
func (w *WebSocket) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	settled := func() {}
	if from := peerFrom(r.Context()); from != nil {
		settled = from.settle
	}
	defer settled()
	peer := w.peer(r)
	if err := w.authenticate(r, peer); err != nil {
		w.refuse(rw, peer, err)
		return
	}
	conn, err := upgrade(rw, r, settled)
	if err != nil {
		w.record(peer, why.ProtocolError, err)
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	if from := peerFrom(r.Context()); from != nil {
		peer.Stalled = from.sock.spare()
		conn.stalled = peer.Stalled
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
		p.BeforeWait, p.Parking = from.sock.tellBeforeWait, from.parking()
	}
	return p
}

// authenticate verifies the upgrade's signature, if it has one. Without, the
// Guard looks at the certificate when CONNECT arrives.
func (w *WebSocket) authenticate(r *http.Request, p *broker.Peer) error {
	if !sigv4.Signed(r) {
		p.Identity = httpOffer(r)
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
	p.Principal = &policy.Principal{
		Kind: policy.BySignature, ID: caller.UserID, ARN: caller.ARN,
		SourceIP: p.Remote.Addr(), ServerName: p.ServerName, UserAgent: r.UserAgent(),
	}
	p.Identity = caller
	return nil
}

func (w *WebSocket) refuse(rw http.ResponseWriter, p *broker.Peer, err error) {
	w.record(p, why.SignatureInvalid, err)
	problem := wire.Error(iotdata.Service, nil, err)
	rw.Header().Set("x-amzn-ErrorType", problem.Name)
	http.Error(rw, problem.Message, http.StatusForbidden)
}

// record tells the journal of an upgrade that is refused.
func (w *WebSocket) record(p *broker.Peer, cause why.Cause, err error) {
	w.Journal.Record(why.Event{
		Time: w.Now(), Source: p.Remote.String(), Door: p.Door, Server: p.ServerName,
		Step: why.StepConnect, Cause: cause, Detail: err.Error(),
	})
}

// acceptGUID is RFC 6455's, appended to the client's key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// upgrade writes the 101 answer by hand: some clients read at most 1024 bytes of
// it and look for "sec-websocket-accept: " in lower case, and send a key of 128
// random bytes where RFC 6455 asks for 16. No extension is agreed on.
func upgrade(rw http.ResponseWriter, r *http.Request, settled func()) (*frames, error) {
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
	return newFrames(conn, buffered.Reader, settled), nil
}

// frameBuffer is enough for the header of a frame and a short packet; longer ones
// pass it by. The one that net/http used is larger, and would stay.
const frameBuffer = 256 // bytes

// newFrames takes a connection over from net/http, and what that has read of it.
func newFrames(conn net.Conn, read *bufio.Reader, settled func()) *frames {
	if n := read.Buffered(); n > 0 {
		first, _ := read.Peek(n)
		conn = &replay{Conn: conn, first: bytes.Clone(first)}
	}
	wait := &patient{Conn: conn}
	return &frames{Conn: conn, in: bufio.NewReaderSize(wait, frameBuffer), wait: wait, settled: settled}
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
