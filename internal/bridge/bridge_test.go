package bridge_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/bridge"
	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/why"
)

func qos1(in *bridge.Integration) { in.QoS = mqtt.QoS1 }

func v5(in *bridge.Integration) { in.Version = mqtt.V5 }

func TestMessagesGoBothWays(t *testing.T) {
	server, client := issue(t), issue(t)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(client.certificate))
	mutual := &tls.Config{Certificates: []tls.Certificate{server.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	for _, test := range []struct {
		name    string
		config  *tls.Config
		version mqtt.Version
		qos     mqtt.QoS
	}{
		{"3.1.1 plain QoS 0", nil, mqtt.V4, 0}, {"3.1.1 plain QoS 1", nil, mqtt.V4, 1}, {"5 plain QoS 0", nil, mqtt.V5, 0},
		{"5 plain QoS 1", nil, mqtt.V5, 1}, {"3.1.1 TLS QoS 0", mutual, mqtt.V4, 0}, {"5 TLS QoS 1", mutual, mqtt.V5, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, f := open(t), openFar(t, test.config)
			v, err := h.Create(t.Context(), f.to(func(in *bridge.Integration) {
				in.Version, in.QoS = test.version, test.qos
				if in.TLS {
					in.RootCA, in.Certificate, in.PrivateKey = server.certificate, client.certificate, client.key
				}
			}))
			must(t, err)
			h.becomes(t, v.ID, bridge.Connected)
			h.module(t, "u1", `{"module":"u1"}`, test.qos)
			h.module(t, "u2", "x", test.qos)
			if diff := cmp.Diff([]string{`sakura/hoge/u1 {"module":"u1"}`, "sakura/hoge/u2 x"}, f.received(2)); diff != "" {
				t.Errorf("uplinks (-want +got):\n%s", diff)
			}
			f.send(mqtt.Publish{Topic: []byte("sakura/down"), Payload: []byte(`{"module":"u2"}`), QoS: test.qos, PacketID: 7 * uint16(test.qos)})
			got := h.until(t, v.ID, func(v bridge.View) bool { return v.Counts.Received == 1 && v.Counts.Sent == 2 && v.Counts.Waiting == 0 })
			if diff := cmp.Diff(bridge.Counts{Sent: 2, Received: 1, Connects: 1}, got.Counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			down := h.spine.has()[0]
			down.Properties = nil
			want := message.Message{
				Topic: "modules/u2/down", Payload: []byte(`{"module":"u2"}`), QoS: test.qos,
				Origin: message.Origin{Kind: message.FromBridge, ClientID: v.ClientID},
			}
			if diff := cmp.Diff(want, down); diff != "" {
				t.Errorf("the downlink (-want +got):\n%s", diff)
			}
			if test.qos == 1 {
				eventually(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return slices.Contains(f.acked, 7) }, func() string { return "no PUBACK" })
			}
		})
	}
}

// A message that came over an integration leaves by none.
func TestMessagesOfIntegrationsDoNotLeaveAgain(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	v, err := h.Create(t.Context(), f.to(func(in *bridge.Integration) { in.LocalFilter = "modules/#" }))
	must(t, err)
	h.becomes(t, v.ID, bridge.Connected)
	f.send(mqtt.Publish{Topic: []byte("sakura/down"), Payload: []byte(`{"module":"u1"}`)})
	h.until(t, v.ID, func(v bridge.View) bool { return v.Counts.Received == 1 })
	h.module(t, "u1", "own", 0)
	if diff := cmp.Diff([]string{"sakura/hoge/u1/up own"}, f.received(1)); diff != "" {
		t.Errorf("uplinks (-want +got):\n%s", diff)
	}
}

func TestARefusalIsAnErrorUntilASaveConnects(t *testing.T) {
	for _, test := range []struct {
		name   string
		broken func(*far)
		cause  why.Cause
		says   string
	}{
		{"hangs up", func(f *far) { f.refuse = hangUp }, why.IntegrationRefused, "hung up without an answer"},
		{"not authorized", func(f *far) { f.refuse = mqtt.NotAuthorized }, why.IntegrationRefused, "Not authorized"},
		{"no subscription", func(f *far) { f.denies = true }, why.IntegrationSubscribe, "Unspecified error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t, func(c *bridge.Config) { c.RetryMin, c.RetryMax = time.Hour, time.Hour }) // only a save
			f := openFar(t, nil)
			f.set(test.broken)
			v, err := h.Create(t.Context(), f.to())
			must(t, err)
			got := h.becomes(t, v.ID, bridge.Failed)
			if got.Status.Cause != test.cause || !strings.Contains(got.Status.Detail, test.says) || got.Status.Next.IsZero() {
				t.Errorf("the status is %+v", got.Status)
			}
			f.set(func(f *far) { f.refuse, f.denies = 0, false })
			v, err = h.change(t, v.ID, func(in *bridge.Integration) { in.Name = "renamed" })
			must(t, err)
			h.becomes(t, v.ID, bridge.Connected)
			f.set(test.broken)
			_, err = h.change(t, v.ID, func(in *bridge.Integration) { in.Name = "again" })
			must(t, err)
			h.becomes(t, v.ID, bridge.Failed)
			if diff := cmp.Diff([]why.Cause{test.cause, test.cause}, h.journal.all()); diff != "" {
				t.Errorf("the journal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailuresSayWhatIsWrong(t *testing.T) {
	h, server := open(t), issue(t)
	tlsFar := openFar(t, &tls.Config{Certificates: []tls.Certificate{server.pair}})
	strict := openFar(t, &tls.Config{Certificates: []tls.Certificate{server.pair}, ClientAuth: tls.RequireAnyClientCert})
	plain := openFar(t, nil)
	closed := openFar(t, nil)
	closed.close()
	closed.set(func(f *far) { f.conns = nil })
	for _, test := range []struct {
		name  string
		in    bridge.Integration
		cause why.Cause
		says  string
	}{
		{"nobody listens", closed.to(), why.IntegrationUnreachable, "refused"},
		{"no such name", plain.to(func(in *bridge.Integration) { in.Host = "nobody.invalid" }), why.IntegrationUnreachable, "nobody.invalid"},
		{"unknown root", tlsFar.to(), why.IntegrationTLS, "certificate signed by unknown authority"},
		{"wants a certificate", strict.to(func(in *bridge.Integration) { in.RootCA = server.certificate }), why.IntegrationTLS, "certificate required"},
		{"no TLS there", plain.to(func(in *bridge.Integration) { in.TLS = true }), why.IntegrationTLS, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := h.Create(t.Context(), test.in)
			must(t, err)
			got := h.becomes(t, v.ID, bridge.Failed)
			if got.Status.Cause != test.cause || !strings.Contains(got.Status.Detail, test.says) {
				t.Errorf("the status is %+v", got.Status)
			}
			must(t, h.Delete(t.Context(), v.ID))
		})
	}
}

// QoS 1 waits on disk while the far side is away, through a crash of ours too.
func TestNothingOfQoS1IsLost(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	v, err := h.Create(t.Context(), f.to(qos1))
	must(t, err)
	h.becomes(t, v.ID, bridge.Connected)
	f.close()
	h.becomes(t, v.ID, bridge.Failed)
	var want []string
	add := func(from, to int) {
		for n := from; n < to; n++ {
			h.module(t, "u1", fmt.Sprint(n), 1)
			want = append(want, fmt.Sprintf("sakura/hoge/u1 %d", n))
		}
	}
	add(0, 150) // more than is read from disk at once
	h.crash(t)
	add(150, 170)
	if got, _ := h.Describe(v.ID); got.Counts.Waiting != 170 {
		t.Errorf("%d messages wait", got.Counts.Waiting)
	}
	f.open()
	if diff := cmp.Diff(want, f.received(170)); diff != "" {
		t.Errorf("uplinks (-want +got):\n%s", diff)
	}
	h.until(t, v.ID, func(v bridge.View) bool { return v.Counts.Waiting == 0 && v.Counts.Sent == 170 })
	h.crash(t)
	if got, _ := h.Describe(v.ID); got.Counts.Waiting != 0 {
		t.Errorf("%d messages wait although they were acknowledged", got.Counts.Waiting)
	}
}

// What was sent and not acknowledged goes again: to a far side that has our
// session as a repetition, to another as new.
func TestUnacknowledgedMessagesGoAgain(t *testing.T) {
	for _, present := range []bool{true, false} {
		t.Run(fmt.Sprintf("session present %v", present), func(t *testing.T) {
			h, f := open(t), openFar(t, nil)
			f.set(func(f *far) { f.mute = true })
			v, err := h.Create(t.Context(), f.to(qos1))
			must(t, err)
			h.becomes(t, v.ID, bridge.Connected)
			h.module(t, "u1", "a", 1)
			h.module(t, "u1", "b", 1)
			f.received(2)
			f.close()
			f.set(func(f *far) { f.mute, f.present = false, present })
			f.open()
			f.received(4)
			h.until(t, v.ID, func(v bridge.View) bool { return v.Counts.Waiting == 0 })
			f.mu.Lock()
			defer f.mu.Unlock()
			for i, first := range f.got[:2] {
				second := f.got[i+2]
				if !bytes.Equal(first.Payload, second.Payload) || second.Dup != present || present && second.PacketID != first.PacketID {
					t.Errorf("%s came as %+v and then as %+v", first.Payload, first, second)
				}
			}
		})
	}
}

func TestAFullQueueLetsTheOldestGo(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	v, err := h.Create(t.Context(), f.to(qos1, func(in *bridge.Integration) { in.QueueMessages = 3 }))
	must(t, err)
	h.becomes(t, v.ID, bridge.Connected)
	f.close()
	h.becomes(t, v.ID, bridge.Failed)
	for n := range 5 {
		h.module(t, "u1", fmt.Sprint(n), 1)
	}
	const inMemory = 1000
	for n := range inMemory + 2 {
		h.module(t, "u2", fmt.Sprint(n), 0)
	}
	if got, _ := h.Describe(v.ID); got.Counts.Waiting != 3+inMemory || got.Counts.Dropped != 2+2 {
		t.Errorf("counts are %+v", got.Counts)
	}
	f.open()
	got := f.received(3 + inMemory)
	var ones []string
	for _, one := range got {
		if strings.HasPrefix(one, "sakura/hoge/u1 ") {
			ones = append(ones, one)
		}
	}
	if diff := cmp.Diff([]string{"sakura/hoge/u1 2", "sakura/hoge/u1 3", "sakura/hoge/u1 4"}, ones); diff != "" {
		t.Errorf("QoS 1 (-want +got):\n%s", diff)
	}
	if !slices.Contains(got, "sakura/hoge/u2 2") || slices.Contains(got, "sakura/hoge/u2 1") {
		t.Error("not the oldest of QoS 0 went")
	}
}

// Bytes bound the queue as well, and what does not fit in memory comes back from
// disk.
func TestLargeMessagesWaitOnDiskAlone(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	f.close()
	v, err := h.Create(t.Context(), f.to(qos1, func(in *bridge.Integration) { in.QueueBytes = 3 << 20 }))
	must(t, err)
	for n := range 40 {
		h.module(t, "u1", fmt.Sprint(n)+strings.Repeat("x", 100<<10), 1)
	}
	got, _ := h.Describe(v.ID)
	if got.Counts.WaitingBytes > 3<<20 || got.Counts.Dropped+got.Counts.Waiting != 40 || got.Counts.Dropped == 0 {
		t.Errorf("counts are %+v", got.Counts)
	}
	f.open()
	all := f.received(int(got.Counts.Waiting))
	if !strings.HasPrefix(all[len(all)-1], "sakura/hoge/u1 39x") {
		t.Errorf("the last message is not there")
	}
	h.until(t, v.ID, func(v bridge.View) bool { return v.Counts.Waiting == 0 && v.Counts.WaitingBytes == 0 })
}

func TestWhatHasNoPlaceIsCounted(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	f.set(func(f *far) { f.puback = mqtt.NotAuthorized })
	v, err := h.Create(t.Context(), f.to(qos1, v5))
	must(t, err)
	h.becomes(t, v.ID, bridge.Connected)
	h.module(t, "u1\x00", "the topic of a board", 1)
	h.module(t, "u1", "refused", 1)
	for n, payload := range []string{"no JSON", `{"module":"a/b"}`, `{}`} {
		f.send(mqtt.Publish{Topic: []byte("sakura/down"), Payload: []byte(payload), QoS: 1, PacketID: uint16(n + 1)})
	}
	f.send(mqtt.Publish{Topic: []byte("from/an/older/subscription"), QoS: 1, PacketID: 4})
	got := h.until(t, v.ID, func(v bridge.View) bool { return v.Counts.Invalid == 5 && v.Counts.Refused == 1 })
	if got.Counts.Waiting != 0 || got.Problem.Cause != why.IntegrationMessage || got.Status.State != bridge.Connected {
		t.Errorf("the integration is %+v", got)
	}
	eventually(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.acked) == 4 && len(f.unsubs) == 1 },
		func() string { return "the far side is not told" })
}

// A downlink that cannot be kept here is not acknowledged there.
func TestADownlinkIsAcknowledgedWhenItIsKept(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	v, err := h.Create(t.Context(), f.to(qos1))
	must(t, err)
	h.becomes(t, v.ID, bridge.Connected)
	h.spine.mu.Lock()
	h.spine.fails = errDisk
	h.spine.mu.Unlock()
	f.send(mqtt.Publish{Topic: []byte("sakura/down"), Payload: []byte(`{"module":"u1"}`), QoS: 1, PacketID: 1})
	got := h.until(t, v.ID, func(v bridge.View) bool { return v.Counts.Failures > 0 })
	if got.Problem.Cause != why.ServerError || !strings.Contains(got.Problem.Detail, errDisk.Error()) {
		t.Errorf("the problem is %+v", got.Problem)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.acked) != 0 {
		t.Error("the downlink is acknowledged")
	}
}

func TestSecretsAreSealedAndKept(t *testing.T) {
	server, client := issue(t), issue(t)
	seal := &rot13{}
	h := open(t, func(c *bridge.Config) { c.Sealer = seal })
	f := openFar(t, &tls.Config{Certificates: []tls.Certificate{server.pair}, ClientAuth: tls.RequireAnyClientCert})
	v, err := h.Create(t.Context(), f.to(func(in *bridge.Integration) {
		in.RootCA, in.Certificate, in.PrivateKey, in.Username, in.Password = server.certificate, client.certificate, client.key, "u", "hidden"
	}))
	must(t, err)
	if v.PrivateKey != "" || v.Password != "" || !v.HasPrivateKey || !v.HasPassword || v.Expires.IsZero() {
		t.Errorf("the view is %+v", v)
	}
	must(t, h.db.Bridge("111122223333").View(t.Context(), func(tx bridge.Tx) error {
		all, err := tx.Integrations("", 1)
		if !all[0].Sealed || bytes.Contains(all[0].Secrets, []byte("hidden")) {
			t.Errorf("the secrets lie as %s", all[0].Secrets)
		}
		return err
	}))
	h.crash(t)
	h.becomes(t, v.ID, bridge.Connected)
	f.mu.Lock()
	last := f.connects[len(f.connects)-1]
	f.mu.Unlock()
	if string(last.Password) != "hidden" || last.Username.Value != "u" {
		t.Errorf("CONNECT is %+v", last)
	}
	v, err = h.change(t, v.ID, func(in *bridge.Integration) { in.Name = "renamed" })
	must(t, err)
	if !v.HasPrivateKey || !v.HasPassword {
		t.Errorf("a save without secrets loses them: %+v", v)
	}
	h.becomes(t, v.ID, bridge.Connected)
	h.config.Sealer = nil
	h.crash(t)
	if got := h.becomes(t, v.ID, bridge.Failed); !strings.Contains(got.Status.Detail, "sealed") {
		t.Errorf("the status is %+v", got.Status)
	}
}

// rot13 is no secret at all.
type rot13 struct{}

func (rot13) Seal(name string, plain []byte) ([]byte, error) { return turn(plain, len(name)), nil }

func (rot13) Open(name string, sealed []byte) ([]byte, error) {
	return turn(sealed, 256-len(name)), nil
}

func turn(text []byte, by int) []byte {
	out := make([]byte, len(text))
	for i, b := range text {
		out[i] = b + byte(by)
	}
	return out
}

func TestIntegrationsAreListedAndDeleted(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	var ids []string
	for _, name := range []string{"b", "a"} {
		v, err := h.Create(t.Context(), f.to(qos1, func(in *bridge.Integration) { in.Name = name }))
		must(t, err)
		ids = append(ids, v.ID)
	}
	names := func(all []bridge.View) (names []string) {
		for _, v := range all {
			names = append(names, v.Name)
		}
		return names
	}
	if diff := cmp.Diff([]string{"a", "b"}, names(h.All())); diff != "" {
		t.Errorf("by name (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a"}, names(h.List(ids[0], 5))); diff != "" {
		t.Errorf("after the first (-want +got):\n%s", diff)
	}
	must(t, h.Delete(t.Context(), ids[0]))
	for what, err := range map[string]error{
		"describe": second(h.Describe(ids[0])), "delete": h.Delete(t.Context(), ids[0]),
		"update": second(h.Update(t.Context(), bridge.Integration{ID: ids[0]})),
	} {
		if !fault.Is(err, fault.CodeNotFound) {
			t.Errorf("%s of what is gone: %v", what, err)
		}
	}
	h.crash(t)
	if diff := cmp.Diff([]string{"a"}, names(h.All())); diff != "" {
		t.Errorf("after a crash (-want +got):\n%s", diff)
	}
}

func second[T any](_ T, err error) error { return err }

func TestThereIsAnEndToIntegrations(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	for n := 0; ; n++ {
		_, err := h.Create(t.Context(), f.to())
		if err == nil && n < bridge.IntegrationsMax {
			continue
		}
		if !fault.Is(err, fault.CodeLimitExceeded) || n != bridge.IntegrationsMax {
			t.Errorf("number %d: %v", n+1, err)
		}
		return
	}
}

// A change that is refused leaves the connection alone.
func TestARefusedChangeChangesNothing(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	v, err := h.Create(t.Context(), f.to())
	must(t, err)
	before := h.becomes(t, v.ID, bridge.Connected)
	_, err = h.change(t, v.ID, func(in *bridge.Integration) { in.SubscribeTopic = "sakura/hoge/#" })
	if m, ok := errors.AsType[*bridge.Mistake](err); !ok || m.Kind != bridge.WildcardInTopic {
		t.Errorf("the change: %v", err)
	}
	after, err := h.Describe(v.ID)
	must(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the integration (-before +after):\n%s", diff)
	}
}

// A change of the local filter holds from the next message on.
func TestTheLocalFilterMoves(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	v, err := h.Create(t.Context(), f.to())
	must(t, err)
	_, err = h.change(t, v.ID, func(in *bridge.Integration) { in.LocalFilter, in.LocalTopic = "other/#", "fixed" })
	must(t, err)
	h.becomes(t, v.ID, bridge.Connected)
	h.module(t, "u1", "not any more", 0)
	h.spine.Publish(message.Message{Topic: "other/a/b", Payload: []byte("x")}, nil)
	if diff := cmp.Diff([]string{"sakura/hoge/a/b x"}, f.received(1)); diff != "" {
		t.Errorf("uplinks (-want +got):\n%s", diff)
	}
	f.send(mqtt.Publish{Topic: []byte("sakura/down"), Payload: []byte("anything")})
	eventually(t, func() bool { return len(h.spine.has()) == 1 && h.spine.has()[0].Topic == "fixed" }, func() string { return "no downlink" })
}

// After the end of Run what modules send still waits for the next start.
func TestMessagesWaitWhileTheServerStops(t *testing.T) {
	h, f := open(t), openFar(t, nil)
	v, err := h.Create(t.Context(), f.to(qos1))
	must(t, err)
	h.becomes(t, v.ID, bridge.Connected)
	h.end()
	h.module(t, "u1", "late", 1)
	must(t, h.Close(context.Background()))
	must(t, h.db.Close())
	h.start(t)
	if diff := cmp.Diff([]string{"sakura/hoge/u1 late"}, f.received(1)); diff != "" {
		t.Errorf("uplinks (-want +got):\n%s", diff)
	}
	h.until(t, v.ID, func(v bridge.View) bool { return v.Counts.Waiting == 0 })
}
