package gateway

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/pki"
)

func parkable(t testing.TB) (*lot, *socket, *net.TCPConn) {
	t.Helper()
	s, far := pair(t)
	s.lot = newLot()
	t.Cleanup(s.lot.close)
	return s.lot, s, far
}

func TestAnInterruptedReadLosesNothing(t *testing.T) {
	_, s, far := parkable(t)
	waits := make(chan struct{}, 9)
	s.beforeWait = func() { waits <- struct{}{} }
	read := make(chan error)
	p := make([]byte, 9)
	go func() {
		for range 3 {
			_, err := s.Read(p)
			read <- err
		}
	}()
	<-waits
	s.Interrupt()
	if err := <-read; err != broker.ErrQuiet {
		t.Fatalf("an interrupted read gives %v", err)
	}
	<-waits
	s.Interrupt()
	s.Interrupt() // twice is as good as once, now or with the next read
	if err := <-read; err != broker.ErrQuiet {
		t.Fatalf("it gives %v the second time", err)
	}
	if _, err := far.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	err := <-read
	if err == broker.ErrQuiet {
		_, err = s.Read(p)
	}
	if err != nil || string(p[:3]) != "abc" {
		t.Errorf("then comes %q, %v", p[:3], err)
	}
}

func TestParkedSockets(t *testing.T) {
	wakers := []struct {
		name string
		does func(l *lot, s *socket, far *net.TCPConn)
	}{
		{"bytes", func(_ *lot, _ *socket, far *net.TCPConn) { _, _ = far.Write([]byte("x")) }},
		{"the end", func(_ *lot, _ *socket, far *net.TCPConn) { _ = far.CloseWrite() }},
		{"a reset", func(_ *lot, _ *socket, far *net.TCPConn) { _ = far.SetLinger(0); far.Close() }},
		{"closing it", func(_ *lot, s *socket, _ *net.TCPConn) { s.Close() }},
		{"closing the lot", func(l *lot, _ *socket, _ *net.TCPConn) { l.close() }},
	}
	for _, w := range wakers {
		for _, before := range []bool{false, true} {
			name := w.name + " wakes"
			if before {
				name = w.name + " before it is parked wakes, or it is not parked"
			}
			t.Run(name, func(t *testing.T) {
				s, far := pair(t)
				l := newLot()
				s.lot = l
				if w.name != "closing the lot" {
					defer l.close()
				}
				woken := make(chan struct{}, 2)
				if before {
					w.does(l, s, far)
				}
				parked := s.Park(func() { woken <- struct{}{} })
				if !before {
					w.does(l, s, far)
				}
				if !parked && !before {
					t.Fatal("it is not parked")
				}
				if parked {
					<-woken
				}
				s.Close()
				if len(woken) > 0 {
					t.Error("it is woken twice")
				}
			})
		}
	}
}

func TestASocketParksAgain(t *testing.T) {
	_, s, far := parkable(t)
	woken := make(chan struct{})
	p := make([]byte, 1)
	for range 100 {
		if !s.Park(func() { woken <- struct{}{} }) {
			t.Fatal("it is not parked")
		}
		if _, err := far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		<-woken
		if n, err := s.Read(p); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
}

// TLS goes on where it was, wherever in a record it was left.
func TestTLSCanBeLeftAndTakenUp(t *testing.T) {
	_, s, far := parkable(t)
	authority, err := pki.OpenAuthority(t.TempDir(), pki.Options{Hosts: []string{"localhost"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	server := tls.Server(s, authority.ServerConfig())
	sent := make([]byte, 300_000)
	_, _ = rand.Read(sent)
	go func() {
		client := tls.Client(slowly{far}, &tls.Config{InsecureSkipVerify: true})
		_, _ = client.Write(sent)
		client.Close()
	}()
	var got bytes.Buffer
	done := make(chan error, 1)
	var run func()
	run = func() { // as the broker does it
		p := make([]byte, 5000)
		for {
			n, err := server.Read(p)
			got.Write(p[:n])
			switch {
			case err == broker.ErrQuiet && s.Park(run):
				return
			case err != nil && err != broker.ErrQuiet:
				done <- err
				return
			}
		}
	}
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	go run()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.Interrupt()
		case err := <-done:
			if err != io.EOF || !bytes.Equal(got.Bytes(), sent) {
				t.Errorf("%d bytes came of %d, or others; then %v", got.Len(), len(sent), err)
			}
			return
		}
	}
}

// slowly cuts what is written into pieces, with time in between.
type slowly struct{ net.Conn }

func (w slowly) Write(p []byte) (int, error) {
	for at := 0; at < len(p); at += 3000 {
		if _, err := w.Conn.Write(p[at:min(at+3000, len(p))]); err != nil {
			return at, err
		}
		time.Sleep(time.Millisecond)
	}
	return len(p), nil
}
