package broker

import (
	"net"
	"sync"

	"thingd/internal/mqtt"
)

// intake cuts the bytes of a connection into packets. While it waits it holds
// a few bytes only; a buffer is lent to it while there is something to read.
type intake struct {
	conn       net.Conn
	limit      int    // longest packet, bytes
	beforeWait func() // called before a read that may wait

	rest []byte // read, not yet handed out; inside buf
	buf  []byte // lent, or nil
	tiny [64]byte
}

// readBuffers lends the intakes their memory.
var readBuffers = sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}

const readBuffer = 16 << 10 // bytes: one TLS record

// next gives the next packet. It points into the intake's buffer and is good
// until the next call. The error is an *mqtt.Error for bytes that are no packet,
// or the connection's.
func (in *intake) next() ([]byte, error) {
	for {
		total, ok, err := mqtt.Frame(in.rest, in.limit)
		if err != nil {
			return nil, err
		}
		if ok && total <= len(in.rest) {
			frame := in.rest[:total:total]
			in.rest = in.rest[total:]
			return frame, nil
		}
		if err := in.read(); err != nil {
			return nil, err
		}
	}
}

// read waits for more.
func (in *intake) read() error {
	if len(in.rest) == 0 {
		return in.readFirst()
	}
	in.makeRoom()
	in.beforeWait()
	n, err := in.conn.Read(in.buf[len(in.rest):])
	in.rest = in.buf[:len(in.rest)+n]
	if n > 0 {
		return nil
	}
	return err
}

// readFirst waits with nothing but the tiny buffer. What does not fit is at hand
// below and comes with the next read.
func (in *intake) readFirst() error {
	in.giveBack()
	in.beforeWait()
	n, err := in.conn.Read(in.tiny[:])
	if n == 0 {
		return err
	}
	in.rest = in.tiny[:n]
	return nil
}

// makeRoom moves what is left to the front of a buffer with room behind it. The
// buffer grows with what has come, not with what a header announces.
func (in *intake) makeRoom() {
	if in.buf == nil {
		in.buf = *readBuffers.Get().(*[]byte)
	}
	if len(in.rest) == len(in.buf) {
		bigger := make([]byte, 2*len(in.buf))
		n := copy(bigger, in.rest)
		in.giveBack()
		in.buf, in.rest = bigger, bigger[:n]
		return
	}
	n := copy(in.buf, in.rest)
	in.rest = in.buf[:n]
}

// giveBack ends the loan.
func (in *intake) giveBack() {
	if cap(in.buf) == readBuffer {
		b := in.buf[:readBuffer]
		readBuffers.Put(&b)
	}
	in.buf = nil
}
