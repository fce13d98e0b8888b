package thingd

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// freely lets clients send as much as they like.
func freely(c *Config) {
	c.Limits = map[string]string{"publish-rate": "0", "byte-rate": "0", "outbox-bytes": "1000"}
}

// deafen lets a client write for as long as it likes. Its receive buffer stays as the
// system has made it: the kernel throws away what comes beyond a smaller one, the
// word that it may send again among it, and both ends would wait for ever.
func deafen(t *testing.T, conn net.Conn) {
	t.Helper()
	must(t, conn.SetDeadline(time.Time{}))
}

// A client that sends and never reads is read from all the same, until the answers
// that wait for it are too many.
func TestAnswersThatNobodyReads(t *testing.T) {
	h := start(t, freely)
	d := h.device(t, everything)
	for _, version := range []mqtt.Version{mqtt.V4, mqtt.V5} {
		t.Run(version.String(), func(t *testing.T) {
			deaf := h.connected(t, d, version, mqtt.Connect{ClientID: "deaf", CleanStart: true})
			deafen(t, deaf.Conn)
			ended := h.nextDisconnectOf(t, "deaf")
			go flood(deaf, bytes.Repeat((&mqtt.Pingreq{}).Append(nil, version), 500))
			e := ended()
			if e.Cause != why.SlowReader || e.Disconnect != why.ClientError || !strings.Contains(e.Detail, "outbox-bytes") {
				t.Errorf("the journal has %+v", e)
			}
		})
	}
	h.stillServes(t)
}

// flood writes the same until nobody takes it any more.
func flood(conn net.Conn, p []byte) {
	for {
		if _, err := conn.Write(p); err != nil {
			return
		}
	}
}

// nextDisconnectOf gives what waits for the end of a client's connection.
func (h *house) nextDisconnectOf(t *testing.T, clientID string) func() why.Event {
	t.Helper()
	events, cancel := h.journal.Subscribe()
	return func() why.Event {
		defer cancel()
		late := time.After(2 * patience)
		for {
			select {
			case e := <-events:
				if e.ClientID == clientID && e.Disconnect != "" {
					return e
				}
			case <-late:
				t.Fatalf("the connection of %s does not end", clientID)
			}
		}
	}
}

// The pongs of a WebSocket do not hold up its reader either.
func TestPongsThatNobodyReads(t *testing.T) {
	h := start(t, freely)
	d := h.device(t, everything)
	listener := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "listener", CleanStart: true})
	listener.subscribe(t, "alive", mqtt.QoS1)
	deaf := h.open(t, h.signed(), mqtt.Connect{ClientID: "deaf", CleanStart: true})
	deafen(t, deaf.Conn)
	pings := bytes.Repeat(masked(0x89, make([]byte, 125)), 100)
	for range 600 { // more than any socket holds
		_, err := deaf.Conn.Write(pings)
		must(t, err)
	}
	deaf.frame(t, 0x82, (&mqtt.Publish{Topic: []byte("alive"), Payload: []byte("yes")}).Append(nil, mqtt.V4))
	if got := listener.message(t); got != "alive yes" {
		t.Errorf("a listener got %q", got)
	}
}

// Who takes over a client ID does not wait long for a client that does not read.
func TestADeafClientIsTakenOver(t *testing.T) {
	h := start(t, func(c *Config) {
		freely(c)
		c.Limits["outbox-bytes"] = "100000000"
	})
	d := h.device(t, everything)
	deaf := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "same", CleanStart: true})
	deafen(t, deaf.Conn)
	pings := bytes.Repeat((&mqtt.Pingreq{}).Append(nil, mqtt.V5), 500)
	for range 8000 {
		_, err := deaf.Write(pings)
		must(t, err)
	}
	h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "same", CleanStart: true})
}
