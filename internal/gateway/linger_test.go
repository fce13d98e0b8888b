package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// What is written before Close arrives, although the other end goes on sending.
func TestLastWordsArrive(t *testing.T) {
	for range 20 {
		s, far := pair(t)
		all := &lingering{}
		s.lingering = all
		if _, err := far.Write(make([]byte, 100_000)); err != nil { // of which nothing is read
			t.Fatal(err)
		}
		if _, err := s.Write([]byte("because")); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, _ = far.Write(make([]byte, 1000))
		got, err := io.ReadAll(far)
		if string(got) != "because" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		far.Close()
		all.wait(context.Background())
	}
}

// A reader is not held up by a socket that lingers, and hears that it is closed.
func TestCloseWakesTheReader(t *testing.T) {
	s, far := pair(t)
	all := &lingering{}
	s.lingering = all
	heard := make(chan error)
	go func() {
		_, err := s.Read(make([]byte, 10))
		heard <- err
	}()
	time.Sleep(time.Millisecond) // so that it most often waits already
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-heard; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); !errors.Is(err, net.ErrClosed) {
		t.Error("closed twice:", err)
	}
	if _, err := s.Write([]byte("x")); err == nil {
		t.Error("it takes more")
	}
	far.Close()
	all.wait(context.Background())
}

// Somebody who never closes, or sends without end, is cut.
func TestLingeringIsBounded(t *testing.T) {
	for name, sends := range map[string]bool{"silent": false, "sending": true} {
		t.Run(name, func(t *testing.T) {
			s, far := pair(t)
			all := &lingering{}
			s.lingering = all
			s.Close()
			cut := make(chan struct{})
			go func() {
				defer close(cut)
				for sends {
					if _, err := far.Write(make([]byte, 10_000)); err != nil {
						return
					}
				}
			}()
			all.wait(context.Background())
			<-cut
		})
	}
	full := &lingering{now: lingerMax}
	s, far := pair(t)
	s.lingering = full
	s.Close()
	if _, err := io.ReadAll(far); err != nil {
		t.Error(err)
	}
}
