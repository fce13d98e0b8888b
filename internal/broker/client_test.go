package broker_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"thingd/internal/mqtt"
)

// client is the other end of a connection: it says what it is told to, and keeps
// what it hears.
type client struct {
	name    string
	version mqtt.Version
	conn    net.Conn
	heard   chan mqtt.Packet // closed when the server has closed
	connect *mqtt.Connect    // sent last
	nextID  uint16           // for exchanges whose packet identifier does not matter

	peeked mqtt.Packet // read by skips

	gate sync.Mutex // held while the client does not read
}

func newClient(name string, version mqtt.Version, conn net.Conn) *client {
	c := &client{name: name, version: version, conn: conn, heard: make(chan mqtt.Packet, 4096), nextID: 1000}
	go c.listen()
	return c
}

func (c *client) listen() {
	defer close(c.heard)
	r := mqtt.NewReader(gated{c}, 0)
	for {
		p, err := r.ReadPacket(c.version)
		if err != nil {
			return
		}
		c.heard <- p
	}
}

// gated reads only while the client does.
type gated struct{ c *client }

func (g gated) Read(p []byte) (int, error) {
	g.c.pass()
	return g.c.conn.Read(p)
}

// pass waits until the gate is open.
func (c *client) pass() {
	c.gate.Lock()
	defer c.gate.Unlock()
}

func (c *client) send(p mqtt.Packet) error {
	if connect, ok := p.(*mqtt.Connect); ok {
		c.connect = connect
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.conn.Write(p.Append(nil, c.version))
	if errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil // the server has heard enough; what it said about it is expected next
	}
	return err
}

// next gives what the server says next; nil when it has closed.
func (c *client) next() (mqtt.Packet, error) {
	if p := c.peeked; p != nil {
		c.peeked = nil
		return p, nil
	}
	select {
	case p := <-c.heard:
		return p, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("%s hears nothing", c.name)
	}
}

// barrier makes sure that nothing is on its way: what comes before the answer to
// a PINGREQ is a surprise.
func (c *client) barrier() error {
	if err := c.send(&mqtt.Pingreq{}); err != nil {
		return err
	}
	p, err := c.next()
	if err != nil {
		return err
	}
	if _, ok := p.(*mqtt.Pingresp); !ok {
		return fmt.Errorf("%s hears %s, wants nothing", c.name, show(p))
	}
	return nil
}

// closed reads to the end, which must be next.
func (c *client) closed() error {
	p, err := c.next()
	if err != nil {
		return err
	}
	if p != nil {
		return fmt.Errorf("%s hears %s, wants the connection closed", c.name, show(p))
	}
	c.conn.Close()
	return nil
}

// drop breaks the link.
func (c *client) drop() {
	c.conn.Close()
	for range c.heard { //nolint:revive // until the listener has seen it
	}
}

func (c *client) id() uint16 {
	c.nextID++
	return c.nextID
}

func show(p mqtt.Packet) string {
	if p == nil {
		return "that the connection is closed"
	}
	return fmt.Sprintf("%s %+v", p.Type(), p)
}
