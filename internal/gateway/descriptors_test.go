package gateway

import (
	"io"
	"math"
	"net"
	"testing"
)

func TestConnectionsLeaveDescriptorsToTheServer(t *testing.T) {
	for limit, want := range map[uint64]int{20_000: 19_900, 256: 156, 150: 75, 0: 0, math.MaxUint64: 0} {
		if got := descriptorsFor(limit); got != want {
			t.Errorf("of %d they get %d, want %d", limit, got, want)
		}
	}
	near, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := net.Dial("tcp", near.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	for limit, want := range map[int]bool{0: false, 1: true, 1 << 20: false} {
		if got := isOneTooMany(far.(*net.TCPConn), limit); got != want {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	conn, err := near.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := io.ReadAll(far); err != nil {
		t.Error(err)
	}
}
