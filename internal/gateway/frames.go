package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"thingd/internal/broker"
)

// frameMax bounds one frame from a client, in bytes.
const frameMax = 8 << 20

// frameError is a breach of RFC 6455, or of how MQTT uses it.
type frameError struct {
	code ws.StatusCode // for the Close frame
	text string
}

func (e *frameError) Error() string { return e.text }

// Breach implements broker.Breach.
func (e *frameError) Breach() string { return e.text }

var _ broker.Breach = (*frameError)(nil)

var (
	errText     = &frameError{ws.StatusUnsupportedData, "a WebSocket text frame; MQTT comes in binary frames"} // [MQTT-6.0.0-1]
	errFrame    = &frameError{ws.StatusProtocolError, "a WebSocket frame that breaks RFC 6455"}
	errFrameBig = &frameError{ws.StatusMessageTooBig, "a WebSocket frame that is too large"}
)

// frames is a WebSocket as a stream of bytes: MQTT packets and frames need not
// begin together. One goroutine reads, one at a time may write meanwhile, and a
// pong may come in between: frames go to the connection whole, in one
// Write, which does not mix the bytes of two.
type frames struct {
	net.Conn
	in   *bufio.Reader
	wait *patient // below in; nil where Conn is never quiet
	left int64    // of the current frame's payload
	mask [4]byte
	at   int  // in the mask
	more bool // the current message goes on in a continuation frame
	out  packets

	client  bool   // this end is the client's: the other one does not mask
	settled func() // called when CONNECT has come; may be nil

	stalled func() bool            // whether the other end is slow to take what was written; nil: it never is
	owed    atomic.Pointer[[]byte] // the ping that a goroutine answers; nil when none does
}

func (f *frames) settle() {
	if f.settled != nil {
		f.settled()
	}
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
	if err := f.await(); err != nil {
		return err
	}
	h, err := ws.ReadHeader(f.in)
	if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
		h.Length, err = -1, nil
	}
	if err != nil {
		return err
	}
	if wrong := f.check(h); wrong != nil {
		f.sayClose(wrong.code)
		return wrong
	}
	if h.OpCode.IsControl() {
		return f.obey(h)
	}
	f.left, f.mask, f.at, f.more = h.Length, h.Mask, 0, !h.Fin
	return nil
}

// await waits for a frame to begin. In between frames is where a quiet connection
// may be left.
func (f *frames) await() error {
	if f.wait == nil {
		return nil
	}
	f.wait.between = true
	_, err := f.in.Peek(1)
	f.wait.between = false
	return err
}

// patient is a connection that goes on reading where it cannot be left.
type patient struct {
	net.Conn
	between bool
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	for {
		n, err := p.Conn.Read(b)
		if err != broker.ErrQuiet || p.between {
			return n, err
		}
	}
}

// check holds a header against RFC 6455 section 5.
func (f *frames) check(h ws.Header) *frameError {
	switch {
	case h.Masked == f.client || h.Rsv != 0 || h.Length < 0:
		return errFrame
	case h.OpCode == ws.OpPing || h.OpCode == ws.OpPong || h.OpCode == ws.OpClose:
		if h.Length > ws.MaxControlFramePayloadSize || !h.Fin {
			return errFrame
		}
	case h.OpCode == ws.OpText:
		return errText
	case h.OpCode != ws.OpBinary && h.OpCode != ws.OpContinuation:
		return errFrame
	case f.more != (h.OpCode == ws.OpContinuation):
		return errFrame
	case h.Length > frameMax:
		return errFrameBig
	}
	return nil
}

// obey reads a control frame and does what it asks.
func (f *frames) obey(h ws.Header) error {
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(f.in, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		return f.pong(payload)
	case ws.OpClose:
		f.sayClose(ws.StatusNormalClosure)
		return broker.ErrLeft
	}
	return nil
}

// sayClose tells the other end why the stream ends, if it is there to hear it.
func (f *frames) sayClose(code ws.StatusCode) {
	if f.stalled == nil || !f.stalled() {
		_ = f.control(ws.OpClose, ws.NewCloseFrameBody(code, "")) // it is going anyway
	}
}

// pong answers a ping. The reader does not wait for a client that takes nothing: a
// goroutine does then, one at most, which answers the newest (RFC 6455 section
// 5.5.3).
func (f *frames) pong(payload []byte) error {
	if f.stalled == nil || !f.stalled() {
		return f.control(ws.OpPong, payload)
	}
	if f.owed.Swap(&payload) == nil {
		go f.pongLater()
	}
	return nil
}

func (f *frames) pongLater() {
	for {
		payload := f.owed.Load()
		_ = f.control(ws.OpPong, *payload) // where it fails, so will the next packet
		if f.owed.CompareAndSwap(payload, nil) {
			return
		}
	}
}

// controlTimeout bounds the sending of a control frame. The connection's last
// deadline is the broker's, of its last write, and over by now.
const controlTimeout = 10 * time.Second

func (f *frames) control(code ws.OpCode, payload []byte) error {
	_ = f.SetWriteDeadline(time.Now().Add(controlTimeout))
	frame := ws.NewFrame(code, true, payload)
	if f.client {
		frame = ws.MaskFrame(frame)
	}
	_, err := f.Conn.Write(ws.MustCompileFrame(frame))
	return err
}

// Write sends each MQTT packet in a binary frame of its own: AWSIoTPythonSDK
// takes one packet out of a frame and looks for the next when more bytes come, so
// that a PUBACK behind a PUBLISH in one frame would come too late. A packet that
// is not whole in p is sent as far as it is there.
func (f *frames) Write(p []byte) (int, error) {
	out := make([]byte, 0, ws.MaxHeaderSize+len(p))
	for rest := p; len(rest) > 0; {
		n := f.out.next(rest)
		out = append(appendHeader(out, n), rest[:n]...)
		rest = rest[n:]
	}
	if _, err := f.Conn.Write(out); err != nil {
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
