package thingd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
)

// get asks the plain door for a path.
func (h *house) get(t testing.TB, path string) (head, body string) {
	t.Helper()
	return exchange(t, h.tcp(t, h.HTTP), "GET "+path+" HTTP/1.1\r\nHost: "+h.HTTP+"\r\n\r\n")
}

func TestThePlainDoorTellsHowTheServerIs(t *testing.T) {
	h := start(t, func(c *Config) { c.Host = []string{"iot.example.com", "localhost"} })
	d := h.device(t, everything)
	c := h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "c", CleanStart: true})
	c.send(t, &mqtt.Publish{Topic: []byte("a"), Payload: []byte("12345")})
	c.send(t, &mqtt.Pingreq{})
	c.read(t) // the message before is counted by now
	refused := newClient(h.dial(t, h.trust(nil)), mqtt.V4)
	refused.send(t, &mqtt.Connect{ClientID: "x", CleanStart: true})
	rest(t, refused)

	for _, path := range []string{"/healthz", "/readyz"} {
		if head, body := h.get(t, path); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || body != "ok\n" {
			t.Errorf("%s: %s%s", path, head, body)
		}
		conn := h.tcp(t, h.HTTP)
		if _, err := conn.Write([]byte("HEAD " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if got := rest(t, conn); !strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n") {
			t.Errorf("HEAD %s: %s", path, got)
		}
	}
	t.Run("metrics", func(t *testing.T) {
		_, body := h.get(t, "/metrics")
		for _, line := range []string{
			"thingd_connections 1", "thingd_connects_total 1", "thingd_connects_refused_total 1",
			"thingd_publish_in_total 1", "thingd_publish_in_bytes_total 5", "thingd_accepted_total 2", "thingd_tls_failed_total 0",
			// of overload
			"thingd_connects_throttled_total 0", "thingd_overflow_total 0", "thingd_disconnects_slow_total 0", "thingd_subscriptions 0",
			"thingd_publish_in_throttled_total 0", "thingd_publish_in_delayed_total 0", "thingd_publish_retained_throttled_total 0",
			"thingd_publish_out_dropped_slow_total 0", "thingd_publish_out_dropped_full_total 0", "thingd_publish_out_throttled_total 0",
			"thingd_queued_throttled_total 0", "thingd_subscribes_refused_total 0", "thingd_subscribes_throttled_total 0",
		} {
			if !strings.Contains(body, "\n"+line+"\n") {
				got := regexp.MustCompile(`(?m)^` + strings.Fields(line)[0] + ` .*$`).FindString(body)
				t.Errorf("they say %q, want %q", got, line)
			}
		}
	})
	t.Run("root CA", func(t *testing.T) {
		if _, body := h.get(t, "/root-ca.pem"); body != read(t, h.config.Data, "root-ca.pem") {
			t.Error("it is not the file in the data folder")
		}
	})
	t.Run("the way to the console", func(t *testing.T) {
		if head, _ := h.get(t, "/"); !strings.HasPrefix(head, "HTTP/1.1 303 ") || !strings.Contains(head, "\r\nLocation: /console/\r\n") {
			t.Errorf("the answer is %s", head)
		}
	})
	t.Run("the AWS API, which asks for a signature", func(t *testing.T) {
		if head, _ := h.get(t, "/things"); !strings.HasPrefix(head, "HTTP/1.1 403 ") {
			t.Errorf("the answer is %s", head)
		}
	})
}

func TestTheEndpointFileTellsWhereTheServerListens(t *testing.T) {
	h := start(t, func(c *Config) { c.Listen = []string{"127.0.0.1:0", "127.0.0.1:0"} })
	got, err := ReadEndpoint(h.config.Data)
	must(t, err)
	if diff := cmp.Diff(h.Endpoint, got); diff != "" || len(got.Doors) != 2 {
		t.Errorf("endpoint.json (-told +written):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(h.config.Data, "credentials"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("credentials have mode %o", info.Mode().Perm())
	}
	t.Run("refused/never started", func(t *testing.T) {
		if _, err := ReadEndpoint(t.TempDir()); err == nil || !strings.Contains(err.Error(), "thingd serve --data") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("refused/damaged", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "endpoint.json", "{")
		if _, err := ReadEndpoint(dir); err == nil || !strings.Contains(err.Error(), "damaged") || !json.Valid([]byte(read(t, h.config.Data, "endpoint.json"))) {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestProfilesAndLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		qos2   bool
		large  bool // a payload of 200 KiB
	}{
		{"aws", func(*Config) {}, false, false},
		{"mqtt", func(c *Config) { c.Profile = "mqtt" }, true, true},
		{"aws with larger packets", func(c *Config) {
			c.Limits = map[string]string{"payload-bytes": "300000", "packet-bytes": "310000"}
		}, false, true},
		{"mqtt without QoS 2", func(c *Config) { c.Profile = "mqtt"; c.Limits = map[string]string{"max-qos": "1"} }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t, c.change)
			d := h.device(t, everything)
			v5 := newClient(h.dial(t, h.trust(&d)), mqtt.V5)
			v5.send(t, &mqtt.Connect{ClientID: "c", CleanStart: true})
			ack, ok := v5.read(t).(*mqtt.Connack)
			if !ok || ack.Reason.Failed() {
				t.Fatalf("CONNECT is answered with %+v", ack)
			}
			if got := ack.MaximumQoS.Or(mqtt.QoS2) == mqtt.QoS2; got != c.qos2 {
				t.Errorf("QoS 2 offered: %v, want %v", got, c.qos2)
			}
			large := mqtt.Publish{Topic: []byte("a"), Payload: make([]byte, 200<<10), QoS: mqtt.QoS1, PacketID: 1}
			_, _ = v5.Write(large.Append(nil, mqtt.V5)) // the server may close before it has read it all,
			answer, _ := v5.in.ReadPacket(mqtt.V5)      // and its DISCONNECT may then be lost
			if _, taken := answer.(*mqtt.Puback); taken != c.large {
				t.Errorf("200 KiB taken: %v, want %v", taken, c.large)
			}
		})
	}
}
