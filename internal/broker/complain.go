package broker

import (
	"fmt"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// This file tells the journal what a client loses while its connection goes on. Such
// things come in floods: a second of one client is told once.
const complainEvery = time.Second

// complain tells the journal of a message that does not reach the client, unless it
// heard of one just before.
func (c *conn) complain(now time.Time, why func() *ending) {
	last, at := c.complained.Load(), now.UnixNano()
	if last != 0 && at-last < int64(complainEvery) || !c.complained.CompareAndSwap(last, at) {
		return
	}
	c.record(*why(), true)
}

// mayNotReceive is a message that the client's policies keep from it.
func (c *conn) mayNotReceive(now time.Time, name string) {
	c.b.stats.ReceiveDenied.Add(1)
	c.complain(now, func() *ending { return denied(why.StepReceive, "iot:Receive", "topic/"+name) })
}

// tooLong is a message that is longer than the client takes.
func (c *conn) tooLong(now time.Time, m *Message, n int) {
	c.b.stats.DroppedTooLarge.Add(1)
	c.complain(now, func() *ending {
		return clientError(why.StepReceive, mqtt.PacketTooLarge, why.PayloadTooLarge, "a message of %d bytes from %s; the client's Maximum Packet Size is %d", n, m.Topic, c.maxPacket)
	})
}

// slowly is the ending of a client that does not read what it is sent.
func slowly(format string, args ...any) ending {
	return slowReader.because(fmt.Errorf(format, args...))
}
