package gateway

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"
)

// pair gives both ends of a TCP connection, one of them as a socket.
func pair(t testing.TB) (*socket, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close(); near.Close() })
	s, err := newSocket(near.(*net.TCPConn), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, far.(*net.TCPConn)
}

func TestSocketGivesEveryByteOnceAndInOrder(t *testing.T) {
	s, far := pair(t)
	sent := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(sent)
	go func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), rand.IntN(100_000))
			_, _ = far.Write(rest[:n])
			rest = rest[n:]
		}
		far.CloseWrite()
	}()
	var got bytes.Buffer
	p := make([]byte, 5000)
	for {
		n, err := s.Read(p[:1+rand.IntN(len(p)-1)])
		got.Write(p[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes came of %d, or others", got.Len(), len(sent))
	}
	if s.buf != nil {
		t.Error("it holds a buffer after the end")
	}
}

func TestSocketSaysWhenItWaitsAndHoldsNothingMeanwhile(t *testing.T) {
	s, far := pair(t)
	waits := make(chan bool)
	s.beforeWait = func() { waits <- s.buf == nil }
	done := make(chan error)
	go func() {
		p := make([]byte, 2)
		for range 2 { // "abcd" is one wait and two reads
			if _, err := io.ReadFull(s, p); err != nil {
				done <- err
			}
		}
		_, err := s.Read(p)
		done <- err
	}()
	for _, send := range []string{"abcd", ""} {
		if !<-waits {
			t.Error("it holds a buffer while it waits")
		}
		if send == "" {
			far.Close()
		} else if _, err := far.Write([]byte(send)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != io.EOF {
		t.Errorf("it ended with %v", err)
	}
}

func TestSocketKeepsDeadlines(t *testing.T) {
	s, far := pair(t)
	_ = s.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading after the deadline gives %v", err)
	}
	_ = s.SetReadDeadline(time.Time{})
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Read(make([]byte, 9)); n != 1 || err != nil {
		t.Errorf("reading goes on with %d, %v", n, err)
	}
}

func TestSocketEndsWhenItIsClosed(t *testing.T) {
	s, _ := pair(t)
	waits := make(chan struct{})
	s.beforeWait = func() { close(waits) }
	done := make(chan error)
	go func() { _, err := s.Read(make([]byte, 1)); done <- err }()
	<-waits
	s.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading ended with %v, want net.ErrClosed", err)
	}
}

func TestSocketReportsAReset(t *testing.T) {
	s, far := pair(t)
	_ = far.SetLinger(0)
	far.Close()
	_, err := s.Read(make([]byte, 1))
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("a reset gives %v, want a *net.OpError", err)
	}
}
