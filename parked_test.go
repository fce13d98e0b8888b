package thingd

import (
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// quiet lets time pass until n connections are parked. Nobody may be due for
// anything else meanwhile.
func (h *house) quiet(t testing.TB, n int64) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("connections are parked on Linux alone")
	}
	for end := time.Now().Add(patience); h.broker.Stats().Parked.Load() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are parked, want %d", h.broker.Stats().Parked.Load(), n)
		}
		if h.ahead.Load() < int64(20*time.Second) {
			h.ahead.Add(int64(time.Second))
		}
		h.broker.Sweep()
	}
}

func TestAQuietClientIsServedOn(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	c := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "c", CleanStart: true})
	web := h.open(t, h.signed(), mqtt.Connect{ClientID: "web", CleanStart: true})
	c.subscribe(t, "a", mqtt.QoS1)
	for range 3 {
		h.quiet(t, 2)
		h.ahead.Store(0)
		c.send(t, &mqtt.Pingreq{})
		if p, ok := c.read(t).(*mqtt.Pingresp); !ok {
			t.Fatalf("a ping is answered with %+v", p)
		}
		web.frame(t, 0x82, (&mqtt.Publish{Topic: []byte("a"), QoS: mqtt.QoS1, PacketID: 7, Payload: []byte("x")}).Append(nil, mqtt.V4))
		if got := c.message(t); got != "a x" {
			t.Fatalf("the message is %q", got)
		}
		if p, ok := web.packet(t).(*mqtt.Puback); !ok || p.PacketID != 7 {
			t.Fatalf("a message is answered with %+v", p)
		}
		web.frame(t, 0x89, []byte("hi"))
		if op, payload := web.next(t); op != 0x8A || string(payload) != "hi" {
			t.Fatalf("a WebSocket ping is answered with %x %q", op, payload)
		}
	}
}

func TestAParkedClientHearsOfItsMessages(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	c := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "c", CleanStart: true})
	c.subscribe(t, "a", mqtt.QoS0)
	h.quiet(t, 1)
	h.broker.Publish(message.Message{Topic: "a", Payload: []byte("x")}, nil)
	if got := c.message(t); got != "a x" {
		t.Errorf("the message is %q", got)
	}
	if n := h.broker.Stats().Parked.Load(); n != 1 {
		t.Errorf("%d connections are parked after it, want 1", n)
	}
}

func TestAParkedClientEndsAsOthersDo(t *testing.T) {
	ends := []struct {
		name string
		end  func(t *testing.T, h *house, d device, c *client)
		want mqtt.ReasonCode // of the server's DISCONNECT; 0: none
		why  why.Cause       // "": in good order
	}{
		{"it leaves", func(t *testing.T, _ *house, _ device, c *client) { c.send(t, &mqtt.Disconnect{}) }, 0, ""},
		{"it hangs up", func(_ *testing.T, _ *house, _ device, c *client) { c.Close() }, 0, why.ConnectionLost},
		{"it is silent for too long", func(_ *testing.T, h *house, _ device, _ *client) {
			h.ahead.Add(int64(time.Hour))
			h.broker.Sweep()
		}, mqtt.KeepAliveTimeout, why.KeepAliveTimeout},
		{"another one takes its name", func(t *testing.T, h *house, d device, _ *client) {
			h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "c", CleanStart: true})
		}, mqtt.SessionTakenOver, why.TakenOver},
		{"its certificate is revoked", func(t *testing.T, h *house, d device, _ *client) {
			must(t, h.pki.SetStatus(t.Context(), d.id, "REVOKED"))
		}, mqtt.NotAuthorized, why.CertificateWithdrawn},
		{"it sends nonsense", func(t *testing.T, _ *house, _ device, c *client) {
			_, err := c.Write([]byte{0xF3, 0xFF, 0xFF, 0xFF, 0xFF})
			must(t, err)
		}, mqtt.MalformedPacket, why.Malformed},
	}
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			h := start(t)
			d := h.device(t, everything)
			c := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "c", CleanStart: true})
			h.quiet(t, 1)
			e.end(t, h, d, c)
			if e.want != 0 {
				if p, ok := c.read(t).(*mqtt.Disconnect); !ok || p.Reason != e.want {
					t.Errorf("the server says good-bye with %+v, want %v", p, e.want)
				}
			}
			for end := time.Now().Add(patience); h.broker.Stats().Disconnects.Load() == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the connection does not end")
				}
			}
			if n := h.broker.Stats().Parked.Load(); n != 0 {
				t.Errorf("%d connections are parked still", n)
			}
			if e.why == "" {
				return
			}
			for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
				if all := h.causes(t); len(all) > 0 && all[0] == e.why {
					return
				} else if time.Now().After(end) {
					t.Fatalf("the journal has %v, want %v", all, e.why)
				}
			}
		})
	}
}

func TestAStopTellsParkedClients(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	h := start(t)
	d := h.device(t, everything)
	c := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "c", CleanStart: true})
	web := h.open(t, h.signed(), mqtt.Connect{ClientID: "web", CleanStart: true})
	h.quiet(t, 2)
	h.stopped(t)
	if p, ok := c.read(t).(*mqtt.Disconnect); !ok || p.Reason != mqtt.ServerShuttingDown {
		t.Errorf("the server says good-bye with %+v", p)
	}
	if got := rest(t, web); got != "" {
		t.Errorf("WebSocket: the server sent %q", got)
	}
}
