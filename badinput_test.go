package thingd

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"thingd/internal/journal"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// stillServes fails the test unless the server lets a device in and delivers.
func (h *house) stillServes(t testing.TB) {
	t.Helper()
	d := h.device(t, everything)
	c := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: string(d.id), CleanStart: true})
	c.subscribe(t, "still/alive", mqtt.QoS0)
	c.send(t, &mqtt.Publish{Topic: []byte("still/alive"), Payload: []byte("yes")})
	if got := c.message(t); got != "still/alive yes" {
		t.Errorf("a device got %q", got)
	}
}

func TestBytesBeforeCONNECT(t *testing.T) {
	h := start(t, func(c *Config) { c.Limits = map[string]string{"connect-timeout": "200ms"} })
	d := h.device(t, everything)
	for _, c := range []struct {
		name, alpn, bytes string
		cause             why.Cause
		want              string // all that the server sends
	}{
		{"an unknown protocol", "", "\x00\x01\x02", why.NotMQTT, ""},
		{"lower-case letters", "", "hello", why.NotMQTT, ""},
		{"PINGREQ first", "x-amzn-mqtt-ca", "\xc0\x00", why.ProtocolError, ""},
		{"PUBLISH first", "x-amzn-mqtt-ca", "\x30\x03\x00\x01a", why.ProtocolError, ""},
		{"a CONNECT without end", "", "\x10\xff\xff\xff\x7f" + strings.Repeat("x", 100), why.PayloadTooLarge, ""},
		{"a remaining length of five bytes", "", "\x10\xff\xff\xff\xff\x01", why.Malformed, ""},
		{"a CONNECT of zero bytes", "", "\x10\x00", why.Malformed, ""},
		{"a protocol name of another protocol", "", "\x10\x0c\x00\x04XMPP\x04\x02\x00\x3c\x00\x00", why.ProtocolVersion, "\x20\x02\x00\x01"},
		{"version 6", "", "\x10\x0c\x00\x04MQTT\x06\x02\x00\x3c\x00\x00", why.ProtocolVersion, "\x20\x02\x00\x01"},
		{"MQTT 3.1 without a client ID", "", "\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00", why.ClientIDInvalid, "\x20\x02\x00\x02"},
		{"MQTT 3.2", "", "\x10\x0f\x00\x06MQIsdp\x07\x02\x00\x3c\x00\x01p", why.ProtocolVersion, "\x20\x02\x00\x01"},
		{"a reserved connect flag", "", "\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00", why.Malformed, ""},
		{"a client ID that is no UTF-8", "", "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02\xff\xfe", why.Malformed, ""},
		{"a string that leaves the packet", "", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\xff\xff", why.Malformed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := h.trust(&d)
			if c.alpn != "" {
				config.NextProtos = []string{c.alpn}
			}
			conn := h.dial(t, config)
			_, err := io.WriteString(conn, c.bytes)
			must(t, err)
			if got := rest(t, conn); got != c.want {
				t.Errorf("the server sent % x, want % x", got, c.want)
			}
			if e := h.about(t, conn); e.Cause != c.cause {
				t.Errorf("the journal says %s (%s), want %s", e.Cause, e.Detail, c.cause)
			}
		})
	}
	h.stillServes(t)
}

// about gives what the journal has of a connection.
func (h *house) about(t testing.TB, conn net.Conn) why.Event {
	t.Helper()
	entries, _, err := h.journal.Recent(t.Context(), journal.Query{})
	must(t, err)
	for _, e := range entries {
		if e.Event.Source == conn.LocalAddr().String() {
			return e.Event
		}
	}
	t.Errorf("the journal knows nothing of %v", conn.LocalAddr())
	return why.Event{}
}

func TestMalformedPacketsOfConnectedClients(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	for name, c := range map[string]struct {
		bytes  string
		reason mqtt.ReasonCode // told to MQTT 5
	}{
		"type 0":                        {"\x00\x00", mqtt.MalformedPacket},
		"flags of PINGREQ":              {"\xc1\x00", mqtt.MalformedPacket},
		"QoS 3":                         {"\x36\x05\x00\x01a\x00\x01", mqtt.MalformedPacket},
		"SUBSCRIBE without filter":      {"\x82\x02\x00\x01", mqtt.MalformedPacket},
		"packet ID 0":                   {"\x32\x05\x00\x01a\x00\x00", mqtt.MalformedPacket},
		"second CONNECT":                {"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00", mqtt.ProtocolError},
		"a packet of the server":        {"\x20\x03\x00\x00\x00", mqtt.ProtocolError},
		"a packet beyond the limit":     {"\x30\xff\xff\xff\x7f", mqtt.PacketTooLarge},
		"a length that does not end":    {"\x30\x80\x80\x80\x80\x80", mqtt.MalformedPacket},
		"a topic that leaves the frame": {"\x30\x03\x00\xffa", mqtt.MalformedPacket},
	} {
		t.Run(name, func(t *testing.T) {
			v4 := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "four", CleanStart: true})
			_, err := io.WriteString(v4, c.bytes)
			must(t, err)
			if got := rest(t, v4); got != "" {
				t.Errorf("3.1.1: the server sent % x, want nothing", got)
			}
			v5 := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "five", CleanStart: true})
			_, err = io.WriteString(v5, c.bytes)
			must(t, err)
			p, ok := v5.read(t).(*mqtt.Disconnect)
			if !ok || p.Reason != c.reason && !(c.reason == mqtt.MalformedPacket && p.Reason == mqtt.ProtocolError) {
				t.Errorf("5: the server sent %+v, want DISCONNECT %v", p, c.reason)
			}
			if got := rest(t, v5); got != "" {
				t.Errorf("5: the server sent % x after DISCONNECT", got)
			}
		})
	}
	h.stillServes(t)
}

// Whoever drips bytes, or sends none, is cut off at each stage of a connection.
func TestSlowClientsAreCutOff(t *testing.T) {
	const short = 150 * time.Millisecond
	h := start(t, func(c *Config) {
		c.HandshakeTimeout = short
		c.Limits = map[string]string{"connect-timeout": short.String()}
	})
	d := h.device(t, everything)
	secured := func(alpn string) func(*testing.T) net.Conn {
		return func(t *testing.T) net.Conn {
			config := h.trust(&d)
			config.NextProtos = []string{alpn}
			return h.dial(t, config)
		}
	}
	for _, c := range []struct {
		name string
		dial func(*testing.T) net.Conn
		drip string
	}{
		{"before TLS", func(t *testing.T) net.Conn { return h.tcp(t, h.Doors[0]) }, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
		{"after TLS", secured("nobody"), ""},
		{"in CONNECT", secured("x-amzn-mqtt-ca"), "\x10\x20\x00\x04MQTT\x04\x02\x00\x3c"},
		{"in CONNECT, found by its first byte", secured("nobody"), "\x10\x20\x00\x04MQTT\x04\x02\x00\x3c"},
		{"in the head of an HTTPS request", secured("http/1.1"), "POST /topics/a HTTP/1.1\r\n"},
		{"on the plain door", func(t *testing.T) net.Conn { return h.tcp(t, h.HTTP) }, "GET / HTTP/1.1\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := c.dial(t)
			go func() {
				for _, b := range []byte(c.drip) {
					if _, err := conn.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(short / 20) // the client's slowness is what is tested
				}
			}()
			rest(t, conn)
		})
	}
}

func (h *house) tcp(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestEveryPortSurvivesEveryProtocol(t *testing.T) {
	h := start(t)
	connect := (&mqtt.Connect{ClientID: "c", CleanStart: true}).Append(nil, mqtt.V4)
	random := make([]byte, 4096)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(random)
	for name, text := range map[string][]byte{
		"plain MQTT":       connect,
		"random bytes":     random,
		"zeros":            make([]byte, 4096),
		"a line":           []byte("EHLO example.com\r\n"),
		"an SSH banner":    []byte("SSH-2.0-OpenSSH_9.6\r\n"),
		"a TLS fragment":   []byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"),
		"a TLS bomb":       append([]byte("\x16\x03\x01\x40\x00\x01\xff\xff\xff"), make([]byte, 16380)...),
		"a SOCKS hello":    []byte("\x05\x01\x00"),
		"the HTTP/2 hello": []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		"nothing":          nil,
	} {
		for _, addr := range []string{h.Doors[0], h.HTTP} {
			t.Run(name+" to "+addr, func(t *testing.T) {
				conn := h.tcp(t, addr)
				_, _ = conn.Write(text)
				must(t, conn.(*net.TCPConn).CloseWrite()) // a half-closed socket, too
				if got := rest(t, conn); got != "" && !strings.HasPrefix(got, "HTTP/1.") && !strings.HasPrefix(got, "\x15\x03") {
					t.Errorf("the server answered %q: neither HTTP nor a TLS alert", got)
				}
			})
		}
	}
	t.Run("TLS to the plain door", func(t *testing.T) {
		if conn, err := tls.Dial("tcp", h.HTTP, h.trust(nil)); err == nil {
			conn.Close()
			t.Error("the handshake went well")
		}
	})
	t.Run("half-closed after TLS", func(t *testing.T) {
		conn := h.dial(t, h.trust(nil))
		must(t, conn.CloseWrite())
		if got := rest(t, conn); got != "" {
			t.Errorf("the server sent %q", got)
		}
	})
	t.Run("HTTP/2 hello behind TLS", func(t *testing.T) {
		conn := h.dial(t, h.trust(nil))
		_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		if head, _ := answer(t, bufio.NewReader(conn)); !strings.HasPrefix(head, "HTTP/1.1 4") && !strings.HasPrefix(head, "HTTP/1.1 505") {
			t.Errorf("the answer is %s", head)
		}
	})
	h.stillServes(t)
}

func TestAPeerThatIsNotTLSIsNamedOnce(t *testing.T) {
	h := start(t)
	conn := h.tcp(t, h.Doors[0])
	_, err := conn.Write((&mqtt.Connect{ClientID: "c", CleanStart: true}).Append(nil, mqtt.V4))
	must(t, err)
	rest(t, conn)
	entries, _, err := h.journal.Recent(t.Context(), journal.Query{})
	must(t, err)
	if len(entries) != 1 || entries[0].Event.Cause != why.TLSFailed || entries[0].Event.Source != conn.LocalAddr().String() ||
		!strings.Contains(entries[0].Event.Detail, "does not speak TLS") {
		t.Errorf("the journal has %+v", entries)
	}
}

// Requests that two servers in a row might cut differently are refused, or end
// the connection.
func TestHTTPRequestsThatSmuggle(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	const inner = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, c := range map[string]struct{ request, status string }{
		"two lengths":               {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + inner, "400"},
		"a length with a sign":      {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: +0\r\n\r\n" + inner, "400"},
		"an unknown encoding":       {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n" + inner, "501"},
		"two encodings":             {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "501"},
		"a space before the colon":  {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length : 0\r\n\r\n", "400"},
		"a folded header":           {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\n folded: x\r\nContent-Length: 0\r\n\r\n", ""},
		"no host":                   {"POST /topics/a HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "400"},
		"two hosts":                 {"POST /topics/a HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n", "400"},
		"NUL in a header":           {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n", "400"},
		"a chunk size of 17 digits": {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000001\r\nx\r\n0\r\n\r\n", "400"},
		"a chunk that lies":         {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", "400"},
		"a header of a megabyte":    {"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "431"},
		"a path of a megabyte":      {"POST /topics/" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", ""},
		"version 3":                 {"POST /topics/a HTTP/3.0\r\nHost: localhost\r\n\r\n", "505"},
		"no version":                {"POST /topics/a\r\n\r\n", "400"},
		"an escape that is none":    {"POST /topics/%zz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := h.dial(t, h.trust(&d))
			go io.WriteString(conn, c.request)
			status := firstStatus(t, conn)
			if c.status != "" && status != c.status || status == "200" {
				t.Errorf("the answer is %q, want %s", status, c.status)
			}
		})
	}
	t.Run("a length beside chunks counts for nothing", func(t *testing.T) {
		conn := h.dial(t, h.trust(&d))
		_, err := io.WriteString(conn, "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+inner)
		must(t, err)
		in := bufio.NewReader(conn)
		if head, _ := answer(t, in); !strings.HasPrefix(head, "HTTP/1.1 200") && !strings.HasPrefix(head, "HTTP/1.1 400") {
			t.Errorf("the first answer is %s", head)
		}
	})
	h.stillServes(t)
}

// firstStatus gives the status of the first answer; "" where the server closes
// without one.
func firstStatus(t testing.TB, conn net.Conn) string {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Fatal("the server neither answers nor closes")
	}
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return ""
	}
	return fields[1]
}

// Beyond the bound on unsettled connections new ones are closed at once, in
// whatever stage the others idle; who is connected is not disturbed, and
// there is room again when they go.
func TestAFloodOfConnectionsIsBounded(t *testing.T) {
	const bound = 30
	h := start(t, func(c *Config) { c.Handshaking = bound; c.HandshakeTimeout = time.Minute })
	d := h.device(t, everything)
	good := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "good", CleanStart: true})

	var idle []net.Conn
	for i := range bound {
		switch i % 3 {
		case 0: // says nothing
			idle = append(idle, h.tcp(t, h.Doors[0]))
		case 1: // finishes TLS, no CONNECT
			config := h.trust(&d)
			config.NextProtos = []string{"x-amzn-mqtt-ca"}
			idle = append(idle, h.dial(t, config))
		case 2: // finishes TLS, no request
			config := h.trust(&d)
			config.NextProtos = []string{"http/1.1"}
			idle = append(idle, h.dial(t, config))
		}
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			conn, err := net.Dial("tcp", h.Doors[0])
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if got := rest(t, conn); got != "" {
				t.Errorf("the server sent % x", got)
			}
		})
	}
	group.Wait()
	if got := h.gateway.Stats().Overflow.Load(); got != 10 {
		t.Errorf("%d connections were turned away, want 10", got)
	}
	if !slices.Contains(h.causes(t), why.TooFast) {
		t.Errorf("the journal has %v", h.causes(t))
	}
	good.send(t, &mqtt.Pingreq{})
	if _, ok := good.read(t).(*mqtt.Pingresp); !ok {
		t.Error("the connected client gets no PINGRESP")
	}
	for _, conn := range idle {
		conn.Close()
	}
	waitFor(t, "room for new connections", func() bool { return h.gateway.Early() == 0 })
	h.stillServes(t)
}

// waitFor polls for what happens by itself soon.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there is never %s", what)
		}
	}
}

// A client that connects and publishes garbage on many connections at once
// leaves nothing behind.
func TestRandomBytesBehindTLSLeaveNothingBehind(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	var group sync.WaitGroup
	for seed := range byte(8) {
		group.Go(func() {
			random := rand.New(rand.NewChaCha8([32]byte{seed}))
			for i := range 12 {
				conn, err := tls.Dial("tcp", h.Doors[0], h.trust(&d))
				if err != nil {
					t.Error(err)
					return
				}
				client := mqtt.Connect{ClientID: fmt.Sprint("c", seed), CleanStart: true}
				_, _ = conn.Write(mutated(random, client.Append(nil, mqtt.V4+mqtt.Version(i%2))))
				_ = conn.CloseWrite()
				_ = conn.SetReadDeadline(time.Now().Add(patience))
				_, err = io.Copy(io.Discard, conn)
				if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
					t.Error("a connection stays open")
				}
				conn.Close()
			}
		})
	}
	group.Wait()
	waitFor(t, "an empty house", func() bool { return h.gateway.Early() == 0 && h.broker.Stats().Connections.Load() == 0 })
	h.stillServes(t)
}

// mutated gives a sound packet followed by one with a few bytes changed.
func mutated(random *rand.Rand, packet []byte) []byte {
	wrong := bytes.Clone(packet)
	for range random.IntN(4) {
		wrong[random.IntN(len(wrong))] = byte(random.Uint32())
	}
	tail := make([]byte, random.IntN(200))
	for i := range tail {
		tail[i] = byte(random.Uint32())
	}
	if random.IntN(2) == 0 {
		return append(wrong, tail...)
	}
	return slices.Concat(packet, wrong, tail)
}

func TestThePlainDoorKnowsItsName(t *testing.T) {
	h := start(t)
	_, port, _ := net.SplitHostPort(h.HTTP)
	for host, want := range map[string]int{
		"localhost:" + port: 200, "localhost": 200, "LOCALHOST:" + port: 200, "127.0.0.1:" + port: 200, "[::1]:" + port: 200, "[::1]": 200,
		"attacker.test": 403, "attacker.test:" + port: 403, "localhost.attacker.test": 403, "10.0.0.1:" + port: 403, "[::2]": 403,
	} {
		conn := h.tcp(t, h.HTTP)
		head, _ := exchange(t, conn, "GET /healthz HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if got := parse(t, head).StatusCode; got != want {
			t.Errorf("Host %s is answered with %d, want %d", host, got, want)
		}
	}
	for _, path := range []string{"/things", "/", "/metrics"} {
		head, _ := exchange(t, h.tcp(t, h.HTTP), "GET "+path+" HTTP/1.1\r\nHost: attacker.test\r\n\r\n")
		if got := parse(t, head).StatusCode; got != http.StatusForbidden {
			t.Errorf("%s is answered to a stranger's name with %d", path, got)
		}
	}
}
