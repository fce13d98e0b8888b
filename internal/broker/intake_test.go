package broker

import (
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"thingd/internal/mqtt"
)

// pieces is a connection that gives its bytes in pieces.
type pieces struct {
	net.Conn
	all [][]byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.all) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.all[0])
	if p.all[0] = p.all[0][n:]; len(p.all[0]) == 0 {
		p.all = p.all[1:]
	}
	return n, nil
}

// Packets come out as they went in, however the network cuts them.
func TestIntake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent [][]byte
		var stream []byte
		for range rapid.IntRange(1, 8).Draw(t, "packets") {
			size := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 70_000)).Draw(t, "size")
			m := mqtt.Publish{Topic: []byte("t"), Payload: make([]byte, size)}
			for i := range m.Payload {
				m.Payload[i] = byte(len(sent) + i)
			}
			frame := m.Append(nil, mqtt.V4)
			sent, stream = append(sent, frame), append(stream, frame...)
		}
		conn := &pieces{}
		for len(stream) > 0 {
			n := min(len(stream), rapid.OneOf(rapid.IntRange(1, 80), rapid.IntRange(1, 40_000)).Draw(t, "piece"))
			conn.all, stream = append(conn.all, stream[:n]), stream[n:]
		}
		in := intake{conn: conn, beforeWait: func() {}}
		var got [][]byte
		for {
			frame, err := in.next()
			if err != nil {
				break
			}
			got = append(got, append([]byte{}, frame...))
		}
		in.giveBack()
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
