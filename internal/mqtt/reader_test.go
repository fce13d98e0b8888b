package mqtt

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestReader(t *testing.T) {
	big := &Publish{Topic: []byte("a"), Payload: bytes.Repeat([]byte("x"), 3*readSize)}
	want := []Packet{&Pingreq{}, big, &Puback{PacketID: 1}, &Publish{Topic: []byte("b")}}
	var stream []byte
	for _, p := range want {
		stream = p.Append(stream, V4)
	}
	readers := map[string]io.Reader{
		"at once":          bytes.NewReader(stream),
		"byte by byte":     iotest.OneByteReader(bytes.NewReader(stream)),
		"end with the end": iotest.DataErrReader(bytes.NewReader(stream)),
	}
	for name, src := range readers {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(NewReader(src, 0))
			if err != io.EOF {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func readAll(r *Reader) (packets []Packet, err error) {
	for {
		p, err := r.ReadPacket(V4)
		if err != nil {
			return packets, err
		}
		packets = append(packets, p)
	}
}

func TestReaderErrors(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		src  io.Reader
		want error
	}{
		{"end within a packet", bytes.NewReader([]byte{0x40, 2, 0}), io.ErrUnexpectedEOF},
		{"stream's own", iotest.ErrReader(broken), broken},
	}
	for _, tt := range tests {
		if _, err := NewReader(tt.src, 0).ReadPacket(V4); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	_, err := NewReader(bytes.NewReader([]byte{0x30, 100}), 50).ReadPacket(V4)
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Reason != PacketTooLarge {
		t.Errorf("over the limit: %v", err)
	}
}
