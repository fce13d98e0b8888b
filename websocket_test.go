package thingd

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/sigv4"
	"thingd/internal/iam"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// webSocket is a client's end, frame by frame.
type webSocket struct {
	net.Conn
	in *bufio.Reader
}

// frame sends one masked frame. op has FIN (0x80) in it.
func (w *webSocket) frame(t testing.TB, op byte, payload []byte) {
	t.Helper()
	_, err := w.Conn.Write(masked(op, payload))
	must(t, err)
}

func masked(op byte, payload []byte) []byte {
	b := []byte{op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// next reads a frame of the server, which is never masked.
func (w *webSocket) next(t testing.TB) (op byte, payload []byte) {
	t.Helper()
	must(t, w.SetReadDeadline(time.Now().Add(patience)))
	var head [2]byte
	_, err := io.ReadFull(w.in, head[:])
	must(t, err)
	length := uint64(head[1])
	if length&0x80 != 0 {
		t.Fatalf("the server sent a masked frame %x", head)
	}
	if long := map[uint64]int{126: 2, 127: 8}[length]; long > 0 {
		var bytes [8]byte
		_, err := io.ReadFull(w.in, bytes[8-long:])
		must(t, err)
		length = binary.BigEndian.Uint64(bytes[:])
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(w.in, payload)
	must(t, err)
	return head[0], payload
}

// packet reads a frame that holds one MQTT packet.
func (w *webSocket) packet(t testing.TB) mqtt.Packet {
	t.Helper()
	op, payload := w.next(t)
	if op != 0x82 {
		t.Fatalf("the server sent a frame %x with % x, want a binary one", op, payload)
	}
	p, err := mqtt.NewReader(bytes.NewReader(payload), 0).ReadPacket(mqtt.V4)
	must(t, err)
	return p
}

// upgrading is how a test asks for its WebSocket.
type upgrading struct {
	keys     sigv4.Credentials
	service  string // "" is without signature
	signHost string // "" is the Host header
	host     string // Host header; "" is localhost with the door's port
	protocol string
	key      string
	more     string // header lines
	device   *device
	spoil    bool // the signature
}

// upgrade sends the request and gives the head of the answer with the rest.
func (h *house) upgrade(t testing.TB, u upgrading) (head string, w *webSocket) {
	t.Helper()
	_, port, _ := net.SplitHostPort(h.Doors[0])
	if u.host == "" {
		u.host = "localhost:" + port
	}
	target := "/mqtt"
	if u.service != "" {
		target += "?" + h.presigned(t, u)
	}
	if u.key == "" {
		u.key = base64.StdEncoding.EncodeToString(make([]byte, 16))
	}
	config := h.trust(u.device)
	config.NextProtos = []string{"http/1.1"}
	w = &webSocket{Conn: h.dial(t, config)}
	w.in = bufio.NewReader(w.Conn)
	_, err := io.WriteString(w, "GET "+target+" HTTP/1.1\r\nHost: "+u.host+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: "+u.key+"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: "+u.protocol+"\r\n"+u.more+"\r\n")
	must(t, err)
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := w.in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
		head += line
	}
	return head, w
}

// presigned is a query as the device SDKs make it: the token comes behind the
// signature and is not signed.
func (h *house) presigned(t testing.TB, u upgrading) string {
	t.Helper()
	host := u.signHost
	if host == "" {
		host = u.host
	}
	r, err := http.NewRequest(http.MethodGet, "https://"+host+"/mqtt", nil)
	must(t, err)
	unsigned := u.keys
	unsigned.SessionToken = ""
	query := sigv4.Presign(r, unsigned, u.service, h.Region, time.Now(), 24*time.Hour).RawQuery
	if u.spoil {
		query = query[:len(query)-4] + "0000"
	}
	if u.keys.SessionToken != "" {
		query += "&X-Amz-Security-Token=" + url.QueryEscape(u.keys.SessionToken)
	}
	return query
}

// open gives a WebSocket whose MQTT 3.1.1 client is connected.
func (h *house) open(t testing.TB, u upgrading, connect mqtt.Connect) *webSocket {
	t.Helper()
	if u.protocol == "" {
		u.protocol = "mqtt"
	}
	head, w := h.upgrade(t, u)
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("the answer is %s", head)
	}
	w.frame(t, 0x82, connect.Append(nil, mqtt.V4))
	if ack, ok := w.packet(t).(*mqtt.Connack); !ok || ack.Reason.Failed() {
		t.Fatalf("CONNECT is answered with %+v", ack)
	}
	return w
}

func (h *house) signed() upgrading { return upgrading{keys: h.keys, service: "iotdevicegateway"} }

func TestWebSocketUpgrades(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	_, port, _ := net.SplitHostPort(h.Doors[0])
	temporary := sessionKeys(t, h)
	long := make([]byte, 128)
	_, _ = rand.Read(long)
	for name, u := range map[string]upgrading{
		"SDK v2":                        {keys: h.keys, service: "iotdevicegateway", protocol: "mqtt"},
		"Python SDK v1":                 {keys: h.keys, service: "iotdata", host: "localhost", protocol: "mqttv3.1", key: base64.StdEncoding.EncodeToString(long), more: "Sec-WebSocket-Extensions: permessage-deflate\r\n"},
		"port signed and not sent":      {keys: h.keys, service: "iotdata", host: "localhost", signHost: "localhost:" + port, protocol: "mqtt"},
		"port sent and not signed":      {keys: h.keys, service: "iotdata", signHost: "localhost", protocol: "mqtt"},
		"several subprotocols":          {keys: h.keys, service: "iotdata", protocol: "chat, mqtt"},
		"token behind the signature":    {keys: temporary, service: "iotdevicegateway", protocol: "mqtt"},
		"certificate and no signature":  {device: &d, protocol: "mqtt"},
		"both, and the signature holds": {device: &d, keys: h.keys, service: "iotdata", protocol: "mqtt"},
	} {
		t.Run(name, func(t *testing.T) {
			if u.key == "" {
				u.key = "dGhlIHNhbXBsZSBub25jZQ=="
			}
			head, w := h.upgrade(t, u)
			if len(head) >= 1024 || !strings.HasPrefix(head, "HTTP/1.1 101 Switching Protocols\r\n") {
				t.Fatalf("the answer has %d bytes: %s", len(head), head)
			}
			sum := sha1.Sum([]byte(u.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			protocol := "mqtt"
			if u.protocol == "mqttv3.1" {
				protocol = "mqttv3.1"
			}
			for _, line := range []string{
				"sec-websocket-accept: " + base64.StdEncoding.EncodeToString(sum[:]), "sec-websocket-protocol: " + protocol,
				"upgrade: websocket", "connection: Upgrade",
			} {
				if !strings.Contains(head, "\r\n"+line+"\r\n") {
					t.Errorf("the answer lacks %q:\n%s", line, head)
				}
			}
			if strings.Contains(strings.ToLower(head), "extensions") {
				t.Errorf("the answer agrees on an extension:\n%s", head)
			}
			w.frame(t, 0x82, (&mqtt.Connect{ClientID: "c", CleanStart: true}).Append(nil, mqtt.V4))
			if ack, ok := w.packet(t).(*mqtt.Connack); !ok || ack.Reason.Failed() {
				t.Errorf("CONNECT is answered with %+v", ack)
			}
		})
	}
}

// sessionKeys are temporary credentials of a role that may do everything.
func sessionKeys(t testing.TB, h *house) sigv4.Credentials {
	t.Helper()
	actor, _, err := h.iam.Find(t.Context(), h.keys.AccessKeyID, "")
	must(t, err)
	return sessionOf(t, h, &actor)
}

func sessionOf(t testing.TB, h *house, actor *iam.Actor) sigv4.Credentials {
	t.Helper()
	made, err := h.iam.SessionToken(t.Context(), actor, time.Hour)
	must(t, err)
	return sigv4.Credentials{AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey, SessionToken: made.SessionToken}
}

func TestWebSocketRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*upgrading)
		status string
		cause  why.Cause
	}{
		"wrong secret":           {func(u *upgrading) { u.keys.SecretAccessKey = "guess" }, "403", why.SignatureInvalid},
		"spoiled signature":      {func(u *upgrading) { u.spoil = true }, "403", why.SignatureInvalid},
		"unknown access key":     {func(u *upgrading) { u.keys.AccessKeyID = "AKIAIOSFODNN7EXAMPLE" }, "403", why.SignatureInvalid},
		"no subprotocol of ours": {func(u *upgrading) { u.protocol = "chat" }, "400", why.ProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t) // its own: the journal tells what happens again only once
			u := h.signed()
			u.protocol = "mqtt"
			c.change(&u)
			if head, _ := h.upgrade(t, u); !strings.HasPrefix(head, "HTTP/1.1 "+c.status+" ") {
				t.Errorf("the answer is %s, want %s", head, c.status)
			}
			if diff := cmp.Diff([]why.Cause{c.cause}, h.causes(t)); diff != "" {
				t.Errorf("what the journal says (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("neither signature nor certificate", func(t *testing.T) {
		h := start(t)
		_, w := h.upgrade(t, upgrading{protocol: "mqtt"})
		w.frame(t, 0x82, (&mqtt.Connect{ClientID: "c", CleanStart: true}).Append(nil, mqtt.V4))
		if got := rest(t, w); got != "" {
			t.Errorf("the server sent % x before it closed", got)
		}
		if got := h.causes(t)[0]; got != why.NoCertificate {
			t.Errorf("the journal says %s", got)
		}
	})
}

func TestWebSocketFramesAndPacketsNeedNotBeginTogether(t *testing.T) {
	h := start(t)
	_, w := h.upgrade(t, upgrading{keys: h.keys, service: "iotdata", protocol: "mqtt"})
	connect := (&mqtt.Connect{ClientID: "c", CleanStart: true}).Append(nil, mqtt.V4)
	w.frame(t, 0x02, connect[:3])   // a message in three frames,
	w.frame(t, 0x89, []byte("now")) // a ping in between,
	w.frame(t, 0x00, nil)
	w.frame(t, 0x80, connect[3:])
	if op, payload := w.next(t); op != 0x8A || string(payload) != "now" {
		t.Errorf("the ping is answered with %x %q", op, payload)
	}
	if _, ok := w.packet(t).(*mqtt.Connack); !ok {
		t.Error("no CONNACK")
	}
	// several packets in one frame, and the last of them in two,
	several := (&mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "a"}}}).Append(nil, mqtt.V4)
	several = (&mqtt.Publish{Topic: []byte("a"), Payload: []byte("1")}).Append(several, mqtt.V4)
	several = (&mqtt.Publish{Topic: []byte("a"), Payload: []byte("2")}).Append(several, mqtt.V4)
	w.frame(t, 0x82, several[:len(several)-2])
	w.frame(t, 0x82, several[len(several)-2:])
	var got []string
	for len(got) < 3 {
		_, payload := w.next(t)
		in := mqtt.NewReader(bytes.NewReader(payload), 0)
		for {
			p, err := in.ReadPacket(mqtt.V4)
			if err != nil {
				break
			}
			if publish, ok := p.(*mqtt.Publish); ok {
				got = append(got, string(publish.Payload))
			} else {
				got = append(got, p.Type().String())
			}
		}
	}
	if all := strings.Join(got, " "); all != "SUBACK 1 2" {
		t.Errorf("the server sent %s, want SUBACK 1 2", all)
	}
	// and a message of many records.
	large := bytes.Repeat([]byte("x"), 100<<10)
	w.frame(t, 0x82, (&mqtt.Publish{Topic: []byte("b"), Payload: large, QoS: mqtt.QoS1, PacketID: 3}).Append(nil, mqtt.V4))
	if ack, ok := w.packet(t).(*mqtt.Puback); !ok || ack.PacketID != 3 {
		t.Errorf("the large message is answered with %+v", ack)
	}
}

// The reader answers pings while others write messages: no frame may begin
// within another.
func TestPongsAndMessagesDoNotMix(t *testing.T) {
	h := start(t, func(c *Config) { c.Limits = map[string]string{"publish-rate": "0", "byte-rate": "0"} })
	w := h.open(t, h.signed(), mqtt.Connect{ClientID: "reader", CleanStart: true})
	w.frame(t, 0x82, (&mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "many"}}}).Append(nil, mqtt.V4))
	w.packet(t)
	const count = 300
	d := h.device(t, everything)
	talker := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "talker", CleanStart: true})
	go func() {
		for i := range count {
			p := mqtt.Publish{Topic: []byte("many"), Payload: bytes.Repeat([]byte{byte(i)}, 1000)}
			if _, err := talker.Write(p.Append(nil, mqtt.V4)); err != nil {
				return
			}
		}
	}()
	go func() {
		for range count {
			if _, err := w.Conn.Write(masked(0x89, []byte("ping"))); err != nil {
				return
			}
		}
	}()
	var messages, pongs int
	for messages < count || pongs < count {
		op, payload := w.next(t)
		if op == 0x8A && string(payload) == "ping" {
			pongs++
			continue
		}
		if op != 0x82 {
			t.Fatalf("a frame %x came with % x", op, payload)
		}
		for in := mqtt.NewReader(bytes.NewReader(payload), 0); ; messages++ {
			p, err := in.ReadPacket(mqtt.V4)
			if err == io.EOF {
				break
			}
			must(t, err)
			publish, ok := p.(*mqtt.Publish)
			if want := bytes.Repeat([]byte{byte(messages)}, 1000); !ok || !bytes.Equal(publish.Payload, want) {
				t.Fatalf("message %d is %+v", messages, p)
			}
		}
	}
}

func TestWebSocketEndings(t *testing.T) {
	h := start(t)
	watcher := h.open(t, h.signed(), mqtt.Connect{ClientID: "watcher", CleanStart: true})
	watcher.frame(t, 0x82, (&mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: "gone/+"}}}).Append(nil, mqtt.V4))
	if _, ok := watcher.packet(t).(*mqtt.Suback); !ok {
		t.Fatal("no SUBACK")
	}
	for _, c := range []struct {
		name string
		end  func(t *testing.T, w *webSocket)
		code uint16 // of the Close frame; 0: none
		will bool
	}{
		{"a Close frame leaves no will", func(t *testing.T, w *webSocket) { w.frame(t, 0x88, []byte{3, 0xE8}) }, 1000, false},
		{"an empty Close frame, too", func(t *testing.T, w *webSocket) { w.frame(t, 0x88, nil) }, 1000, false},
		{"a lost connection does", func(t *testing.T, w *webSocket) { w.Conn.(*tls.Conn).NetConn().Close() }, 0, true},
		{"a text frame is refused", func(t *testing.T, w *webSocket) { w.frame(t, 0x81, []byte("hi")) }, 1003, true},
		{"reserved bits are refused", func(t *testing.T, w *webSocket) { w.frame(t, 0xC2, []byte("hi")) }, 1002, true},
		{"an unmasked frame is refused", func(t *testing.T, w *webSocket) { _, _ = w.Write([]byte{0x82, 1, 0}) }, 1002, true},
		{"a continuation of nothing is refused", func(t *testing.T, w *webSocket) { w.frame(t, 0x80, []byte{0}) }, 1002, true},
		{"a long ping is refused", func(t *testing.T, w *webSocket) { w.frame(t, 0x89, make([]byte, 126)) }, 1002, true},
		{"a huge frame is refused", func(t *testing.T, w *webSocket) {
			_, _ = w.Write([]byte{0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4})
		}, 1009, true},
		{"a length beyond 63 bits is refused", func(t *testing.T, w *webSocket) {
			_, _ = w.Write([]byte{0x82, 0xFF, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4})
		}, 1002, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			topic := "gone/" + rand.Text()
			w := h.open(t, h.signed(), mqtt.Connect{ClientID: "leaver", CleanStart: true, Will: &mqtt.Will{Topic: topic}})
			c.end(t, w)
			if c.code != 0 {
				op, payload := w.next(t)
				if op != 0x88 || len(payload) != 2 || binary.BigEndian.Uint16(payload) != c.code {
					t.Errorf("the server says good-bye with %x % x, want a Close frame with %d", op, payload, c.code)
				}
			}
			if c.code != 0 {
				rest(t, w)
			}
			// A client that comes after with the same ID waits for the will of the one
			// before, so the message behind is the proof that there was none.
			h.open(t, h.signed(), mqtt.Connect{ClientID: "leaver", CleanStart: true}).
				frame(t, 0x82, (&mqtt.Publish{Topic: []byte("gone/after")}).Append(nil, mqtt.V4))
			p, ok := watcher.packet(t).(*mqtt.Publish)
			if got := ok && string(p.Topic) == topic; got != c.will {
				t.Errorf("will published: %v, want %v", got, c.will)
			}
			if got := h.lastOf(t, "leaver"); c.code > 1000 && got.Disconnect != why.ClientError {
				t.Errorf("the journal says %s: %s", got.Disconnect, got.Detail)
			}
			if c.will {
				watcher.packet(t)
			}
		})
	}
}
