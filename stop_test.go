package thingd

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

func TestStopTellsClientsAndLeavesNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	h := start(t)
	d := h.device(t, everything)
	v4 := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "four", CleanStart: true})
	v5 := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "five", CleanStart: true})
	ws := h.open(t, h.signed(), mqtt.Connect{ClientID: "web", CleanStart: true})
	kept := h.dial(t, h.trust(&d))
	if head, _ := exchange(t, kept, post("/topics/a", "x")); !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Errorf("%s", head)
	}
	silent := h.tcp(t, h.Doors[0]) // before TLS
	config := h.trust(&d)
	config.NextProtos = []string{"http/1.1"}
	mute := h.dial(t, config) // before its first request

	began := time.Now()
	h.stopped(t)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the stop took %v although nothing was under way", took)
	}
	if got := rest(t, v4); got != "" {
		t.Errorf("3.1.1: the server sent % x, want nothing", got)
	}
	if p, ok := v5.read(t).(*mqtt.Disconnect); !ok || p.Reason != mqtt.ServerShuttingDown {
		t.Errorf("5: the server sent %+v, want DISCONNECT 0x8B", p)
	}
	for name, conn := range map[string]net.Conn{"WebSocket": ws, "silent": silent, "mute": mute, "kept": kept} {
		if got := rest(t, conn); got != "" {
			t.Errorf("%s: the server sent %q", name, got)
		}
	}
}

func TestRequestsUnderWayAreAnswered(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	conn := h.dial(t, h.trust(&d))
	_, err := io.WriteString(conn, "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
	must(t, err)
	waitFor(t, "a request under way", func() bool { return h.gateway.Early() == 0 })
	h.end()
	waitFor(t, "a closed door", func() bool {
		c, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + h.HTTP + "/healthz")
		if err == nil {
			c.Body.Close()
		}
		return err != nil
	})
	_, err = io.WriteString(conn, "cd")
	must(t, err)
	if head, _ := answer(t, bufio.NewReader(conn)); !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Errorf("the answer is %s", head)
	}
	h.stopped(t)
}

func TestARequestThatNeverEndsDoesNotKeepOthersFromTheirGoodbye(t *testing.T) {
	h := start(t, func(c *Config) { c.DrainTimeout = time.Second; c.LogLevel = "error" })
	d := h.device(t, everything)
	conn := h.dial(t, h.trust(&d))
	_, err := io.WriteString(conn, "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
	must(t, err)
	waitFor(t, "a request under way", func() bool { return h.gateway.Early() == 0 })
	v5 := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "five", CleanStart: true})
	h.stopped(t) // without an error
	if p, ok := v5.read(t).(*mqtt.Disconnect); !ok || p.Reason != mqtt.ServerShuttingDown {
		t.Errorf("the server sent %+v, want DISCONNECT 0x8B", p)
	}
}

func TestARestartKeepsEverything(t *testing.T) {
	h := start(t)
	d := h.device(t, everything)
	persistent := mqtt.Connect{ClientID: "sleeper"}
	sleeper := h.connected(t, d, mqtt.V4, persistent)
	sleeper.subscribe(t, "for/sleeper", mqtt.QoS1)
	sleeper.Close()
	waitFor(t, "an empty house", func() bool { return h.broker.Stats().Connections.Load() == 0 })
	talker := h.connected(t, d, mqtt.V5, mqtt.Connect{ClientID: "talker", CleanStart: true})
	talker.send(t, &mqtt.Publish{Topic: []byte("for/sleeper"), Payload: []byte("queued"), QoS: mqtt.QoS1, PacketID: 1})
	talker.read(t) // PUBACK
	talker.send(t, &mqtt.Publish{Topic: []byte("kept"), Payload: []byte("retained"), QoS: mqtt.QoS1, PacketID: 2, Retain: true})
	talker.read(t)
	refused := newClient(h.dial(t, h.trust(nil)), mqtt.V4)
	refused.send(t, &mqtt.Connect{ClientID: "stranger", CleanStart: true})
	rest(t, refused)
	before := h.causes(t)
	credentials := read(t, h.config.Data, "credentials")
	root := read(t, h.config.Data, "root-ca.pem")
	h.stopped(t)

	again := start(t, func(c *Config) { c.Data = h.config.Data })
	if read(t, h.config.Data, "credentials") != credentials || read(t, h.config.Data, "root-ca.pem") != root || again.keys != h.keys {
		t.Error("the access key or the root certificate changed")
	}
	c := newClient(again.dial(t, again.trust(&d)), mqtt.V4)
	c.send(t, &persistent)
	if ack, ok := c.read(t).(*mqtt.Connack); !ok || !ack.SessionPresent {
		t.Fatalf("CONNECT is answered with %+v, want a session", ack)
	}
	if got := c.message(t); got != "for/sleeper queued" {
		t.Errorf("the sleeper got %q", got)
	}
	reader := again.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "reader", CleanStart: true})
	reader.subscribe(t, "kept", mqtt.QoS0)
	if got := reader.message(t); got != "kept retained" {
		t.Errorf("the retained message is %q", got)
	}
	after := again.causes(t)
	for _, cause := range before {
		if !slices.Contains(after, cause) {
			t.Errorf("the journal lost %s: it has %v", cause, after)
		}
	}
	if !slices.Contains(after, why.NoCertificate) {
		t.Errorf("the journal has %v", after)
	}
}

func TestSealedSecretsNeedTheirKey(t *testing.T) {
	dir := t.TempDir()
	right := write(t, dir, "right", strings.Repeat("r", 32))
	wrong := write(t, dir, "wrong", strings.Repeat("w", 32))
	h := start(t, func(c *Config) { c.SealKeyFile = right })
	keys := h.keys
	h.stopped(t)
	for _, name := range []string{"root-ca.key", "device-ca.key", "server-ecdsa.key", "server-rsa.key"} {
		if text := read(t, h.config.Data, name); !strings.Contains(text, "SEALED") {
			t.Errorf("%s lies in the clear", name)
		}
	}
	if strings.Contains(read(t, h.config.Data, "thingd.db"), keys.SecretAccessKey) {
		t.Error("the root's secret lies in the database in the clear")
	}
	for name, c := range map[string]struct{ key, says string }{
		"none":  {"", "sealed"},
		"wrong": {wrong, "another key"},
	} {
		t.Run("refused/"+name, func(t *testing.T) {
			config := testSettings(t)
			config.Data, config.SealKeyFile = h.config.Data, c.key
			err := tryStart(t, config)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "root-ca.key") {
				t.Errorf("the start gives %v, want a word of %q", err, c.says)
			}
		})
	}
	again := start(t, func(c *Config) { c.Data, c.SealKeyFile = h.config.Data, right })
	if diff := cmp.Diff(keys, again.keys); diff != "" {
		t.Errorf("the access key changed (-before +after):\n%s", diff)
	}
	again.stillServes(t)
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	must(t, err)
	return string(text)
}
