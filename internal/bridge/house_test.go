package bridge_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"thingd/internal/bridge"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
	"thingd/internal/topic"
	"thingd/internal/why"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = time.Minute

// spine is a broker as integrations see one. Messages are given to the handlers
// by the goroutine that publishes, as the broker does.
type spine struct {
	mu    sync.Mutex
	hooks []*hook
	heard []message.Message // from integrations
	fails error             // what Publish fails with
}

type hook struct {
	filter string
	handle message.Handler
}

func (s *spine) Handle(filter string, h message.Handler) func() {
	one := &hook{filter, h}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, one)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range s.hooks {
			if s.hooks[i] == one {
				s.hooks = append(s.hooks[:i:i], s.hooks[i+1:]...)
				return
			}
		}
	}
}

// Publish implements message.Publisher.
func (s *spine) Publish(m message.Message, done message.Done) {
	s.mu.Lock()
	hooks, fails := s.hooks, s.fails
	if m.Origin.Kind == message.FromBridge && fails == nil {
		s.heard = append(s.heard, m)
	}
	s.mu.Unlock()
	var left atomic.Int32
	left.Store(1)
	settle := func(error) {
		if left.Add(-1) == 0 && done != nil {
			done(fails)
		}
	}
	for _, h := range hooks {
		if topic.AWS.Match(h.filter, m.Topic) {
			left.Add(1)
			h.handle(m, settle)
		}
	}
	settle(nil)
}

func (s *spine) has() []message.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]message.Message(nil), s.heard...)
}

// journal keeps what is recorded.
type journal struct {
	mu     sync.Mutex
	causes []why.Cause
}

func (j *journal) Record(e why.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.causes = append(j.causes, e.Cause)
}

func (j *journal) all() []why.Cause {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]why.Cause(nil), j.causes...)
}

// house is a Service on a real database, next to a broker of the test's.
type house struct {
	*bridge.Service
	spine   *spine
	journal *journal
	db      *store.DB
	path    string
	config  bridge.Config
	end     func()
	numbers atomic.Int64
}

func open(t *testing.T, change ...func(*bridge.Config)) *house {
	t.Helper()
	h := &house{path: filepath.Join(t.TempDir(), "thingd.db"), journal: &journal{}}
	h.config = bridge.Config{
		Journal: h.journal, Topics: topic.AWS, NewID: func() string { return fmt.Sprintf("00000000-0000-%04d", h.numbers.Add(1)) },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond,
	}
	for _, fn := range change {
		fn(&h.config)
	}
	h.start(t)
	t.Cleanup(func() { h.stop(t) })
	return h
}

func (h *house) start(t *testing.T) {
	t.Helper()
	var err error
	h.db, err = store.Open(t.Context(), storetest.Ready(t, h.path), h.config.Log)
	must(t, err)
	h.spine = &spine{}
	h.config.Broker, h.config.Store = h.spine, h.db.Bridge("111122223333")
	h.Service = bridge.New(h.config)
	must(t, h.Start(t.Context()))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.Run(ctx) })
	h.end = func() { cancel(); running.Wait() }
}

// stop ends everything in order.
func (h *house) stop(t *testing.T) {
	t.Helper()
	h.end()
	must(t, h.Close(context.Background()))
	must(t, h.db.Close())
}

// crash ends the process as far as the database can see: nothing that is not
// committed by now will be.
func (h *house) crash(t *testing.T) {
	t.Helper()
	must(t, h.db.Close())
	h.end()
	h.start(t)
}

// module publishes an uplink of a module and waits until it is acknowledged.
func (h *house) module(t *testing.T, module, payload string, qos message.QoS) {
	t.Helper()
	m := message.Message{Topic: "modules/" + module + "/up", Payload: []byte(payload), QoS: qos, Origin: message.Origin{Kind: message.FromDevice}}
	must(t, message.Publish(t.Context(), h.spine, m))
}

// change saves an integration with one change.
func (h *house) change(t *testing.T, id string, change func(*bridge.Integration)) (bridge.View, error) {
	t.Helper()
	v, err := h.Describe(id)
	must(t, err)
	change(&v.Integration)
	return h.Update(t.Context(), v.Integration)
}

// becomes waits until an integration is in a state.
func (h *house) becomes(t *testing.T, id string, state bridge.State) bridge.View {
	t.Helper()
	return h.until(t, id, func(v bridge.View) bool { return v.Status.State == state })
}

func (h *house) until(t *testing.T, id string, holds func(bridge.View) bool) bridge.View {
	t.Helper()
	var v bridge.View
	eventually(t, func() bool {
		var err error
		v, err = h.Describe(id)
		must(t, err)
		return holds(v)
	}, func() string { return fmt.Sprintf("the integration is %+v, %+v", v.Status, v.Counts) })
	return v
}

func eventually(t *testing.T, holds func() bool, is func() string) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("waited in vain; %s", is())
		}
	}
}

// far is a foreign broker: one that the test tells what to do.
type far struct {
	t      *testing.T
	addr   *net.TCPAddr
	config *tls.Config // nil: no TLS

	mu       sync.Mutex
	door     net.Listener
	conns    map[net.Conn]*peer
	connects []*mqtt.Connect
	got      []*mqtt.Publish
	acked    []uint16
	unsubs   []string
	mute     bool            // it acknowledges nothing
	refuse   mqtt.ReasonCode // of CONNECT; hangUp closes without a word
	denies   bool            // the subscription
	puback   mqtt.ReasonCode
	present  bool // it has a session
	away     bool // nobody more is let in
	running  sync.WaitGroup
}

// hangUp as far.refuse closes without CONNACK.
const hangUp mqtt.ReasonCode = 0x01

type peer struct {
	conn    net.Conn
	version mqtt.Version
	filters []string
}

func openFar(t *testing.T, config *tls.Config) *far {
	t.Helper()
	f := &far{t: t, config: config, conns: map[net.Conn]*peer{}}
	f.listen("127.0.0.1:0")
	t.Cleanup(f.close)
	return f
}

func (f *far) listen(addr string) {
	f.t.Helper()
	var door net.Listener
	eventually(f.t, func() bool {
		var err error
		door, err = net.Listen("tcp", addr)
		return err == nil
	}, func() string { return "the port is taken" })
	f.addr = door.Addr().(*net.TCPAddr)
	if f.config != nil {
		door = tls.NewListener(door, f.config)
	}
	f.mu.Lock()
	f.door, f.away = door, false
	f.mu.Unlock()
	f.running.Go(func() {
		for {
			conn, err := door.Accept()
			if err != nil {
				return
			}
			if p := f.admit(conn); p != nil {
				f.running.Go(func() { f.serve(p) })
			}
		}
	})
}

// admit enters a connection where close finds it. One that was accepted while
// close went through the others is closed here.
func (f *far) admit(conn net.Conn) *peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		conn.Close()
		return nil
	}
	p := &peer{conn: conn, version: mqtt.V4}
	f.conns[conn] = p
	return p
}

// close is an outage; open ends it.
func (f *far) close() {
	f.mu.Lock()
	f.away = true
	f.door.Close()
	for conn := range f.conns {
		conn.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

func (f *far) open() { f.listen(f.addr.String()) }

func (f *far) serve(p *peer) {
	conn := p.conn
	defer func() {
		conn.Close()
		f.mu.Lock()
		delete(f.conns, conn)
		f.mu.Unlock()
	}()
	in := mqtt.NewReader(conn, 0)
	for {
		packet, err := in.ReadPacket(p.version)
		if err != nil {
			return
		}
		f.mu.Lock()
		answers, stay := f.answer(p, packet)
		var out []byte
		for _, a := range answers {
			out = a.Append(out, p.version)
		}
		_, _ = conn.Write(out)
		f.mu.Unlock()
		if !stay {
			return
		}
	}
}

// answer is called with the lock.
func (f *far) answer(p *peer, packet mqtt.Packet) (answers []mqtt.Packet, stay bool) {
	switch q := packet.(type) {
	case *mqtt.Connect:
		p.version = q.Version
		f.connects = append(f.connects, q)
		if f.refuse == hangUp {
			return nil, false
		}
		return []mqtt.Packet{&mqtt.Connack{Reason: f.refuse, SessionPresent: f.present && f.refuse == 0}}, f.refuse == 0
	case *mqtt.Subscribe:
		reason := mqtt.ReasonCode(q.Subscriptions[0].QoS)
		if f.denies {
			reason = mqtt.UnspecifiedError
		}
		p.filters = append(p.filters, q.Subscriptions[0].Filter)
		return []mqtt.Packet{&mqtt.Suback{PacketID: q.PacketID, Reasons: []mqtt.ReasonCode{reason}}}, true
	case *mqtt.Publish:
		f.got = append(f.got, q)
		if q.QoS == mqtt.QoS1 && !f.mute {
			return []mqtt.Packet{&mqtt.Puback{PacketID: q.PacketID, Reason: f.puback}}, true
		}
	case *mqtt.Puback:
		f.acked = append(f.acked, q.PacketID)
	case *mqtt.Unsubscribe:
		f.unsubs = append(f.unsubs, q.Filters...)
	case *mqtt.Pingreq:
		return []mqtt.Packet{&mqtt.Pingresp{}}, true
	case *mqtt.Disconnect:
		return nil, false
	}
	return nil, true
}

// set changes how it behaves.
func (f *far) set(change func(*far)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// send gives a message to everybody who is connected.
func (f *far) send(m mqtt.Publish) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn, p := range f.conns {
		_, _ = conn.Write(m.Append(nil, p.version))
	}
}

// received waits for so many messages and gives them as "topic payload".
func (f *far) received(n int) []string {
	f.t.Helper()
	var all []string
	eventually(f.t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		all = nil
		for _, p := range f.got {
			all = append(all, string(p.Topic)+" "+string(p.Payload))
		}
		return len(all) >= n
	}, func() string { return "the far side has " + strings.Join(all, ", ") })
	return all
}

// to is an integration with this far side.
func (f *far) to(change ...func(*bridge.Integration)) bridge.Integration {
	in := bridge.Integration{
		Name: "sakura", Host: "127.0.0.1", Port: f.addr.Port, Prefix: "sakura/hoge/", SubscribeTopic: "sakura/down", TLS: f.config != nil,
	}
	for _, fn := range change {
		fn(&in)
	}
	return in
}

// issued is a certificate with its key, in PEM and for TLS.
type issued struct {
	certificate, key string
	pair             tls.Certificate
}

func issue(t *testing.T) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	i := issued{
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})),
	}
	i.pair, err = tls.X509KeyPair([]byte(i.certificate), []byte(i.key))
	must(t, err)
	return i
}

var errDisk = errors.New("the disk is full")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
