package broker_test

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"thingd/internal/broker"
	"thingd/internal/mqtt"
)

// The benchmarks send over loopback TCP, without TLS, in bursts, and count the
// allocations of the broker and of clients that allocate nothing.
//
// The hot path is meant to allocate nothing at QoS 0 and not more than two blocks
// a message at QoS 1: the copy that outlives the packet.
func BenchmarkPublish(b *testing.B) {
	for _, bench := range []struct {
		name                    string
		publishers, subscribers int
		topic                   func(i int) string // of publisher or subscriber i
	}{
		{"pairs=4", 4, 4, func(i int) string { return fmt.Sprintf("bench/%d", i) }},
		{"fanin=8", 8, 1, func(int) string { return "bench/in" }},
		{"fanout=50", 1, 50, func(int) string { return "bench/out" }},
	} {
		for _, qos := range []mqtt.QoS{0, 1} {
			b.Run(fmt.Sprintf("%s/qos=%d", bench.name, qos), func(b *testing.B) {
				benchmark(b, bench.publishers, bench.subscribers, bench.topic, qos, false)
			})
		}
	}
	b.Run("stored/qos=1", func(b *testing.B) {
		benchmark(b, 4, 4, func(i int) string { return fmt.Sprintf("bench/%d", i) }, 1, true)
	})
}

func benchmark(b *testing.B, publishers, subscribers int, topic func(int) string, qos mqtt.QoS, persistent bool) {
	limits := broker.Standard()
	limits.QueueMessages, limits.OutboxBytes = 1<<30, 1<<30 // nothing is dropped
	w := newWorld(b, limits)
	w.listen()

	copies := subscribers / publishers // of each message
	if publishers >= subscribers {
		copies = 1
	}
	var arrived atomic.Int64
	want := int64(b.N / publishers * publishers * copies)
	done := make(chan struct{})
	for i := range subscribers {
		s := join(b, w.listener, fmt.Sprintf("sub-%d", i), persistent)
		s.write(&mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: topic(i), QoS: qos}}})
		s.expect(mqtt.TypeSuback)
		go s.count(&arrived, want, done)
	}
	var all []*peer
	for i := range publishers {
		all = append(all, join(b, w.listener, fmt.Sprintf("pub-%d", i), false))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i, p := range all {
		go p.publish(topic(i), qos, b.N/publishers)
	}
	if want > 0 {
		select {
		case <-done:
		case <-time.After(time.Minute):
			b.Errorf("%d of %d arrived", arrived.Load(), want)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(arrived.Load())/b.Elapsed().Seconds(), "deliveries/s")
}

// peer is a client that allocates nothing once it runs.
type peer struct {
	b    *testing.B
	conn net.Conn
	buf  []byte // read, from at to end
	at   int
	end  int
	out  []byte
}

func join(b *testing.B, listener net.Listener, id string, persistent bool) *peer {
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	p := &peer{b: b, conn: conn, buf: make([]byte, 256<<10), out: make([]byte, 0, 256<<10)}
	p.write(&mqtt.Connect{ClientID: id, CleanStart: !persistent})
	p.expect(mqtt.TypeConnack)
	return p
}

func (p *peer) write(packet mqtt.Packet) {
	if _, err := p.conn.Write(packet.Append(nil, mqtt.V4)); err != nil {
		p.b.Error(err)
	}
}

func (p *peer) expect(t mqtt.PacketType) {
	frame, err := p.next()
	if err != nil || mqtt.TypeOf(frame) != t {
		p.b.Fatalf("%v: %x, wanted %s", err, frame, t)
	}
}

// next gives the next frame, good until the one after.
func (p *peer) next() ([]byte, error) {
	for {
		total, ok, err := mqtt.Frame(p.buf[p.at:p.end], 0)
		if err != nil {
			return nil, err
		}
		if ok && total <= p.end-p.at {
			frame := p.buf[p.at : p.at+total]
			p.at += total
			return frame, nil
		}
		copy(p.buf, p.buf[p.at:p.end])
		p.at, p.end = 0, p.end-p.at
		n, err := p.conn.Read(p.buf[p.end:])
		if err != nil {
			return nil, err
		}
		p.end += n
	}
}

// count reads messages and acknowledges them, many at once.
func (p *peer) count(arrived *atomic.Int64, want int64, done chan struct{}) {
	var m mqtt.Publish
	for {
		frame, err := p.next()
		if err != nil {
			return
		}
		if mqtt.TypeOf(frame) != mqtt.TypePublish || m.Decode(mqtt.V4, frame) != nil {
			continue
		}
		if m.QoS > 0 {
			p.out = (&mqtt.Puback{PacketID: m.PacketID}).Append(p.out, mqtt.V4)
		}
		if p.at == p.end && len(p.out) > 0 {
			if _, err := p.conn.Write(p.out); err != nil {
				return
			}
			p.out = p.out[:0]
		}
		if arrived.Add(1) == want {
			close(done)
		}
	}
}

// burst is how many messages a publisher sends at once; at QoS 1 it waits for
// their acknowledgements.
const burst = 50

func (p *peer) publish(topic string, qos mqtt.QoS, count int) {
	m := mqtt.Publish{QoS: qos, Topic: []byte(topic), Payload: make([]byte, 64)}
	for sent := 0; sent < count; {
		p.out = p.out[:0]
		n := min(burst, count-sent)
		for i := range n {
			m.PacketID = uint16(i + 1)
			p.out = m.Append(p.out, mqtt.V4)
		}
		if _, err := p.conn.Write(p.out); err != nil {
			return
		}
		for i := 0; qos > 0 && i < n; i++ {
			if _, err := p.next(); err != nil {
				return
			}
		}
		sent += n
	}
}
