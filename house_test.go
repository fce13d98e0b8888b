package thingd

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"thingd/internal/aws/sigv4"
	"thingd/internal/journal"
	"thingd/internal/mqtt"
	"thingd/internal/pki"
	"thingd/internal/store/storetest"
	"thingd/internal/why"
)

// patience is how long a test waits for what must come. It is never waited for
// in full unless the test fails.
const patience = time.Minute

// house is a whole server in this process, with its sockets open.
type house struct {
	*Server
	Endpoint
	roots *x509.CertPool
	keys  sigv4.Credentials

	end   context.CancelFunc
	ended chan error
	ahead atomic.Int64 // how far its clock is put forward, ns
}

// settings are what a test's server runs with, in a folder of its own.
func testSettings(t testing.TB) Config {
	return Config{
		Data: t.TempDir(), Host: []string{"localhost"}, Listen: []string{"127.0.0.1:0"}, HTTP: "127.0.0.1:0",
		Account: "123456789012", Region: "us-east-1", Profile: "aws",
		LogLevel: "error", LogFormat: "text", DrainTimeout: patience, HandshakeTimeout: patience,
	}
}

// start runs a server until the test ends. change may alter the settings.
func start(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	config := testSettings(t)
	for _, fn := range change {
		fn(&config)
	}
	storetest.Ready(t, filepath.Join(config.Data, "thingd.db"))
	h := &house{ended: make(chan error, 1)}
	var err error
	h.Server, err = newServer(t.Context(), config, func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) })
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	h.end = cancel
	ready := make(chan Endpoint, 1)
	go func() { h.ended <- h.Run(ctx, func(e Endpoint) { ready <- e }) }()
	select {
	case h.Endpoint = <-ready:
	case err := <-h.ended:
		t.Fatal(err)
	}
	t.Cleanup(func() { h.stopped(t) })
	h.roots = x509.NewCertPool()
	h.roots.AppendCertsFromPEM(h.authority.RootPEM())
	key, err := h.iam.RootKey(t.Context())
	must(t, err)
	h.keys = sigv4.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	return h
}

// stopped stops the server, once, and waits for it.
func (h *house) stopped(t testing.TB) {
	t.Helper()
	if h.end == nil {
		return
	}
	h.end()
	h.end = nil
	select {
	case err := <-h.ended:
		must(t, err)
	case <-time.After(2 * patience):
		t.Fatal("the server does not stop")
	}
}

// device is a client's certificate, registered or not.
type device struct {
	tls.Certificate
	id  pki.CertificateID
	arn string
}

const everything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`

// device makes a device with an ACTIVE certificate and a policy of its own.
func (h *house) device(t testing.TB, policy string) device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	d := newDevice(t, key)
	h.register(t, d, pki.Active)
	d.arn = h.pki.ARN(d.id)
	if policy != "" {
		_, err = h.access.CreatePolicy(t.Context(), string(d.id), policy, nil)
		must(t, err)
		must(t, h.access.AttachPolicy(t.Context(), string(d.id), d.arn))
	}
	return d
}

// newDevice makes a self-signed certificate that nobody knows. It lasts so long that
// nobody is warned of its end in the middle of a test.
func newDevice(t testing.TB, key crypto.Signer) device {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * day),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return device{Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, id: pki.IDOf(der)}
}

func (h *house) register(t testing.TB, d device, status pki.Status) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.Leaf.Raw})
	_, err := h.pki.RegisterWithoutCA(t.Context(), string(text), status)
	must(t, err)
}

// trust is a TLS client that trusts the server and shows the device's
// certificate, if there is a device.
func (h *house) trust(d *device) *tls.Config {
	c := &tls.Config{RootCAs: h.roots, ServerName: "localhost"}
	if d != nil {
		c.Certificates = []tls.Certificate{d.Certificate}
	}
	return c
}

// dial does the TLS handshake with the first door.
func (h *house) dial(t testing.TB, c *tls.Config) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", h.Doors[0], c)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn
}

// client is an MQTT client that does as it is told.
type client struct {
	net.Conn
	in      *mqtt.Reader
	version mqtt.Version
}

func newClient(conn net.Conn, v mqtt.Version) *client {
	return &client{Conn: conn, in: mqtt.NewReader(conn, 0), version: v}
}

// connected gives a client of the device that the server has let in.
func (h *house) connected(t testing.TB, d device, v mqtt.Version, connect mqtt.Connect) *client {
	t.Helper()
	c := newClient(h.dial(t, h.trust(&d)), v)
	c.send(t, &connect)
	if ack, ok := c.read(t).(*mqtt.Connack); !ok || ack.Reason.Failed() {
		t.Fatalf("the server answered CONNECT with %+v", ack)
	}
	return c
}

func (c *client) send(t testing.TB, p mqtt.Packet) {
	t.Helper()
	_, err := c.Write(p.Append(nil, c.version))
	must(t, err)
}

func (c *client) read(t testing.TB) mqtt.Packet {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	p, err := c.in.ReadPacket(c.version)
	must(t, err)
	return p
}

// subscribe subscribes and waits until it is granted.
func (c *client) subscribe(t testing.TB, filter string, qos mqtt.QoS) {
	t.Helper()
	c.send(t, &mqtt.Subscribe{PacketID: 1, Subscriptions: []mqtt.Subscription{{Filter: filter, QoS: qos}}})
	ack, ok := c.read(t).(*mqtt.Suback)
	if !ok || len(ack.Reasons) != 1 || ack.Reasons[0].Failed() {
		t.Fatalf("the server answered SUBSCRIBE with %+v", ack)
	}
}

// message waits for a PUBLISH and gives topic and payload.
func (c *client) message(t testing.TB) string {
	t.Helper()
	p, ok := c.read(t).(*mqtt.Publish)
	if !ok {
		t.Fatalf("a %v came, want a PUBLISH", p)
	}
	return string(p.Topic) + " " + string(p.Payload)
}

// rest gives everything that the server sends until it closes the connection.
func rest(t testing.TB, conn net.Conn) string {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	got, err := io.ReadAll(conn)
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		t.Fatalf("the connection stays open; the server sent %q", got)
	}
	return string(got) // a reset counts as closed
}

// exchange sends a raw HTTP request and gives the answer's head, as sent, and
// body.
func exchange(t testing.TB, conn net.Conn, request string) (head, body string) {
	t.Helper()
	_, err := io.WriteString(conn, request)
	must(t, err)
	return answer(t, bufio.NewReader(conn))
}

func answer(t testing.TB, in *bufio.Reader) (head, body string) {
	t.Helper()
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
		head += line
	}
	response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(head), in)), nil)
	must(t, err)
	text, err := io.ReadAll(response.Body)
	must(t, err)
	return head, string(text)
}

// causes gives what the journal has, the newest first.
func (h *house) causes(t testing.TB) []why.Cause {
	t.Helper()
	entries, _, err := h.journal.Recent(t.Context(), journal.Query{Limit: 1000})
	must(t, err)
	all := make([]why.Cause, len(entries))
	for i, e := range entries {
		all[i] = e.Event.Cause
	}
	return all
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
