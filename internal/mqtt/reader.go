package mqtt

import (
	"io"
	"slices"
)

// Reader reads packets from a stream, for clients and tests. A broker reads into
// buffers of its own and calls Frame and Decode itself.
type Reader struct {
	src   io.Reader
	limit int
	buf   []byte // read, not yet handed out
	err   error  // what src ended with, told once buf holds no whole packet
}

// readSize is how much room a Reader asks to be filled at once, in bytes.
const readSize = 4 << 10

// NewReader gives a Reader of src that refuses packets longer than limit bytes;
// zero or less means [MaxFrame].
func NewReader(src io.Reader, limit int) *Reader { return &Reader{src: src, limit: limit} }

// ReadPacket waits for the next packet. It owns its memory, a PUBLISH too. The
// error is io.EOF at the end of the stream, io.ErrUnexpectedEOF at an end within
// a packet, an *[Error] for a packet that is not sound, or the stream's own.
func (r *Reader) ReadPacket(v Version) (Packet, error) {
	for {
		total, ok, err := Frame(r.buf, r.limit)
		if err != nil {
			return nil, err
		}
		if ok && total <= len(r.buf) {
			return r.take(v, total)
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

func (r *Reader) take(v Version, total int) (Packet, error) {
	frame := slices.Clone(r.buf[:total])
	r.buf = append(r.buf[:0], r.buf[total:]...)
	return Decode(v, frame)
}

// fill reads once. The buffer grows with what has come, not with what a header
// announces.
func (r *Reader) fill() error {
	if r.err == io.EOF && len(r.buf) > 0 {
		return io.ErrUnexpectedEOF
	}
	if r.err != nil {
		return r.err
	}
	r.buf = slices.Grow(r.buf, readSize)
	var n int
	n, r.err = r.src.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	return nil
}
