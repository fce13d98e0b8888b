package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"
)

// narrow gives both ends of a connection that holds little on its way.
func narrow(t *testing.T) (*socket, *net.TCPConn) {
	s, far := pair(t)
	_ = s.SetWriteBuffer(64 << 10)
	_ = far.SetReadBuffer(64 << 10)
	s.spare()
	return s, far
}

// stall writes short answers until the other end, which reads nothing, is slow.
func stall(t *testing.T, s *socket) (written []byte) {
	t.Helper()
	for i := 0; !s.spill.stalled(); i++ {
		p := bytes.Repeat([]byte{byte(i)}, 1000)
		if _, err := s.Write(p); err != nil {
			t.Fatal(err)
		}
		written = append(written, p...)
	}
	return written
}

// readAll reads to the end, in the background.
func readAll(far io.Reader) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		got, _ := io.ReadAll(far)
		all <- got
	}()
	return all
}

func TestShortWritesNeverWait(t *testing.T) {
	s, far := narrow(t)
	all := &lingering{}
	s.lingering = all
	sent := stall(t, s)
	last := bytes.Repeat([]byte("z"), 16<<10)
	if n, err := s.Write(last); n != len(last) || err != nil { // at once, though nobody reads
		t.Fatal(n, err)
	}
	got := readAll(far)
	s.Close()
	if want := append(sent, last...); !bytes.Equal(<-got, want) {
		t.Errorf("something else arrived than the %d bytes written", len(want))
	}
	far.Close()
	all.wait(context.Background())
}

func TestWhoWritesMuchWaitsForRoom(t *testing.T) {
	s, far := narrow(t)
	sent := stall(t, s)
	wrote := make(chan []byte)
	go func() {
		var more []byte
		for i := range 50 {
			p := bytes.Repeat([]byte{byte(i)}, 10_000)
			if _, err := s.Write(p); err != nil {
				t.Error(err)
			}
			more = append(more, p...)
		}
		wrote <- more
	}()
	got := make([]byte, len(sent)+500_000)
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	if want := append(sent, <-wrote...); !bytes.Equal(got, want) {
		t.Error("other bytes arrived, or in another order")
	}
}

func TestWaitingForRoomEndsAtTheDeadline(t *testing.T) {
	s, _ := narrow(t)
	stall(t, s)
	_ = s.SetWriteDeadline(time.Now().Add(time.Millisecond))
	var err error
	for err == nil {
		_, err = s.Write(make([]byte, 10_000))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if _, err := s.Write(make([]byte, spillSmall)); err != nil {
		t.Errorf("there is no room for a good-bye: %v", err)
	}
}

func TestCloseEndsTheWaitForRoom(t *testing.T) {
	s, _ := narrow(t)
	stall(t, s)
	ended := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = s.Write(make([]byte, 10_000))
		}
		ended <- err
	}()
	s.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// What a client that never reads was sent is forgotten when its connection is.
func TestAStalledSocketDoesNotLingerForLong(t *testing.T) {
	s, _ := narrow(t)
	all := &lingering{}
	s.lingering = all
	stall(t, s)
	s.Close()
	all.wait(context.Background())
	for s.spill.stalled() {
		time.Sleep(time.Millisecond)
	}
}

func TestEveryByteArrivesHoweverItIsWrittenAndRead(t *testing.T) {
	s, far := narrow(t)
	sent := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{2})
	_, _ = random.Read(sent)
	go func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(20_000))
			if _, err := s.Write(rest[:n]); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
	}()
	var got bytes.Buffer
	p := make([]byte, 30_000)
	for got.Len() < len(sent) {
		n, err := far.Read(p[:1+rand.IntN(len(p)-1)])
		if err != nil {
			t.Fatal(err)
		}
		got.Write(p[:n])
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Error("other bytes arrived, or in another order")
	}
}
