package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"

	"thingd/internal/broker"
)

// script is a connection that reads from bytes and remembers what is written.
type script struct {
	net.Conn // nil: nothing else is called
	in       io.Reader
	mu       sync.Mutex
	out      bytes.Buffer
	deadline time.Time
}

func (s *script) Read(p []byte) (int, error) { return s.in.Read(p) }

// Write fails like a socket where the deadline is over.
func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deadline.IsZero() && time.Now().After(s.deadline) {
		return 0, errors.New("i/o timeout")
	}
	return s.out.Write(p)
}

func (s *script) SetWriteDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = at
	return nil
}

func (s *script) SetDeadline(at time.Time) error { return s.SetWriteDeadline(at) }

func serverFrames(in []byte) (*frames, *script) {
	s := &script{in: bytes.NewReader(in)}
	return &frames{Conn: s, in: bufio.NewReader(s)}, s
}

// clientFrame is one frame as a client sends it.
func clientFrame(op ws.OpCode, fin bool, payload []byte) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, bytes.Clone(payload))))
}

func TestPongIsSentLongAfterTheLastWrite(t *testing.T) {
	f, conn := serverFrames(clientFrame(ws.OpPing, true, []byte("hi")))
	_ = conn.SetWriteDeadline(time.Now().Add(-time.Minute)) // the broker's, of a write a while ago
	if _, err := f.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("reading ended with %v, want io.EOF", err)
	}
	if want := ws.MustCompileFrame(ws.NewPongFrame([]byte("hi"))); !bytes.Equal(conn.out.Bytes(), want) {
		t.Errorf("the answer is % x, want % x", conn.out.Bytes(), want)
	}
}

// However messages are cut into frames, and whatever control frames come
// between, the same bytes come out.
func TestFramesGiveTheBytesOfMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var wire, want []byte
		more := false
		for range rapid.IntRange(0, 12).Draw(t, "frames") {
			payload := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				op := rapid.SampledFrom([]ws.OpCode{ws.OpPing, ws.OpPong}).Draw(t, "op")
				wire = append(wire, clientFrame(op, true, payload[:min(len(payload), 125)])...)
				continue
			}
			op, fin := ws.OpBinary, rapid.Bool().Draw(t, "fin")
			if more {
				op = ws.OpContinuation
			}
			wire, want, more = append(wire, clientFrame(op, fin, payload)...), append(want, payload...), !fin
		}
		f, _ := serverFrames(append(wire, clientFrame(ws.OpClose, true, nil)...))
		got, err := io.ReadAll(f)
		if err != broker.ErrLeft || !bytes.Equal(got, want) {
			t.Errorf("% x and %v, want % x and %v", got, err, want, broker.ErrLeft)
		}
	})
}

// moody is a stream that gives a byte or two at a time, and is quiet in between.
type moody struct {
	net.Conn
	in   io.Reader
	mood *rand.Rand
}

func (m *moody) Read(p []byte) (int, error) {
	if m.mood.IntN(2) == 0 {
		return 0, broker.ErrQuiet
	}
	return m.in.Read(p[:min(len(p), 1+m.mood.IntN(2))])
}

func (m *moody) Write(p []byte) (int, error)      { return len(p), nil }
func (m *moody) SetWriteDeadline(time.Time) error { return nil }

// A connection that is left when it is quiet, and taken up again, loses nothing.
func TestFramesCanBeLeftAndTakenUp(t *testing.T) {
	var wire, want []byte
	for size := range 300 {
		payload := bytes.Repeat([]byte{byte(size)}, size)
		wire = append(append(wire, clientFrame(ws.OpBinary, true, payload)...), clientFrame(ws.OpPing, true, []byte("hi"))...)
		want = append(want, payload...)
	}
	read := bufio.NewReader(bytes.NewReader(wire[:7])) // by net/http already
	_, _ = read.Peek(7)
	f := newFrames(&moody{in: bytes.NewReader(wire[7:]), mood: rand.New(rand.NewPCG(1, 2))}, read, nil)
	var got []byte
	p, left := make([]byte, 64), 0
	for {
		n, err := f.Read(p)
		got = append(got, p[:n]...)
		if err == broker.ErrQuiet {
			left++
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came of %d, or others", len(got), len(want))
	}
	if left == 0 {
		t.Error("it was never left")
	}
}

// What one end writes the other reads, in both directions.
func TestFramesOfBothEndsFit(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	server := &frames{Conn: here, in: bufio.NewReader(here)}
	client := &clientFrames{frames{Conn: there, in: bufio.NewReader(there), client: true}}
	for _, size := range []int{1, 125, 126, 65535, 65536, 200_000} {
		message := bytes.Repeat([]byte{byte(size)}, size)
		for name, way := range map[string][2]net.Conn{"to the server": {client, server}, "to the client": {server, client}} {
			go func() { _, _ = way[0].Write(message) }()
			got := make([]byte, size)
			if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, message) {
				t.Errorf("%d bytes %s: %v", size, name, err)
			}
		}
	}
	go func() { _ = server.control(ws.OpPing, []byte("x")) }()
	go func() { _, _ = client.Read(make([]byte, 1)) }() // answers the ping, masked
	h, err := ws.ReadHeader(server.in)
	if err != nil || h.OpCode != ws.OpPong || !h.Masked {
		t.Errorf("the client answers a ping with %+v, %v; want a masked pong", h, err)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(clientFrame(ws.OpBinary, true, []byte("abc")))
	f.Add(append(clientFrame(ws.OpBinary, false, nil), clientFrame(ws.OpContinuation, true, []byte("x"))...))
	f.Add(clientFrame(ws.OpPing, true, []byte("ping")))
	f.Add(clientFrame(ws.OpText, true, []byte("text")))
	f.Add([]byte{0x82, 0xFF, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		reader, conn := serverFrames(in)
		got, err := io.ReadAll(reader)
		if len(got) > len(in) || conn.out.Len() > 2*len(in)+4 {
			t.Errorf("%d bytes became %d, answered with %d (%v)", len(in), len(got), conn.out.Len(), err)
		}
		for rest := bytes.NewReader(conn.out.Bytes()); rest.Len() > 0; {
			h, err := ws.ReadHeader(rest)
			if err != nil || h.Masked || !h.Fin || h.OpCode != ws.OpPong && h.OpCode != ws.OpClose || h.Length > int64(rest.Len()) {
				t.Fatalf("the answer is % x: %+v, %v", conn.out.Bytes(), h, err)
			}
			_, _ = rest.Seek(h.Length, io.SeekCurrent)
		}
	})
}
