package thingd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
)

// offer has one account offer a new certificate to another; it gives the ID.
func (c *caller) offer(t *testing.T, to string) string {
	t.Helper()
	id := c.must(t, `CreateCertificateFromCsr {"certificateSigningRequest":`+quote(newCSR(t))+`}`).members["CertificateId"].(string)
	c.must(t, `TransferCertificate {"certificateId":"`+id+`","targetAwsAccount":"`+to+`"}`)
	return id
}

// TestDeletingAnAccount: it goes with all that is its own, and with nothing of
// others; an account of the same ID begins anew.
func TestDeletingAnAccount(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	third := a.account(t, "777788889999")
	for _, c := range []*caller{a, b, third} {
		c.must(t, `CreateThing {"thingName":"pump"}`)
		c.object(t, "PUT", "/bucket", "")
	}
	device, neighbor := b.h.device(t, everything), third.h.device(t, everything)
	session := mqtt.Connect{ClientID: "d", SessionExpiry: mqtt.Some(time.Hour)}
	online := b.h.connected(t, device, mqtt.V5, session)
	online.subscribe(t, "t", mqtt.QoS1)
	stays := third.h.connected(t, neighbor, mqtt.V5, mqtt.Connect{ClientID: "d", CleanStart: true})
	stays.subscribe(t, "t", mqtt.QoS1)
	fromA, toA := a.offer(t, otherAccount), b.offer(t, "123456789012")

	must(t, accounts{a.h.Server}.Delete(t.Context(), otherAccount))

	if bye, ok := online.read(t).(*mqtt.Disconnect); !ok {
		t.Errorf("its connection gets %+v", bye)
	}
	rest(t, online)
	if _, err := b.call("ListThings"); exception(err) != "403 UnrecognizedClientException" {
		t.Errorf("its root gets %v", err)
	}
	refused := newClient(a.h.dial(t, a.h.trust(&device)), mqtt.V5)
	refused.send(t, &session)
	if ack, ok := refused.read(t).(*mqtt.Connack); !ok || !ack.Reason.Failed() {
		t.Errorf("its device is let in: %+v", ack)
	}
	if _, err := os.Stat(b.h.config.Data); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
	if got := a.must(t, `DescribeCertificate {"certificateId":"`+fromA+`"}`).members["CertificateDescription"].(map[string]any)["Status"]; got != "INACTIVE" {
		t.Errorf("what was offered to it is %v", got)
	}
	if _, err := a.call(`DescribeCertificate {"certificateId":"` + toA + `"}`); exception(err) != "404 ResourceNotFoundException" {
		t.Errorf("what it offered: %v", err)
	}
	stays.send(t, &mqtt.Publish{Topic: []byte("t"), Payload: []byte("still here")})
	if got := stays.message(t); got != "t still here" {
		t.Errorf("a neighbor hears %q", got)
	}
	third.must(t, `DescribeThing {"thingName":"pump"}`)
	a.must(t, `DescribeThing {"thingName":"pump"}`)

	again := a.account(t, otherAccount)
	if again.h.keys == b.h.keys {
		t.Error("the new account has the old one's key")
	}
	if list := again.must(t, "ListThings").members["Things"].([]any); len(list) > 0 {
		t.Errorf("the new account has %v", list)
	}
	if status, _ := again.object(t, "GET", "/bucket", ""); status != 404 {
		t.Errorf("the new account's bucket: %d", status)
	}
	must(t, accounts{a.h.Server}.Delete(t.Context(), otherAccount))
	a.h.stopped(t)
	c := &caller{h: start(t, func(c *Config) { c.Data = a.h.config.Data })}
	ids, err := accounts{c.h.Server}.List(t.Context())
	must(t, err)
	if diff := cmp.Diff([]string{"123456789012", "777788889999"}, ids); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// TestAnAccountThatACrashLeftHalfDeleted is deleted by the next start, or by
// whoever makes one of its ID.
func TestAnAccountThatACrashLeftHalfDeleted(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	b.must(t, `CreateThing {"thingName":"pump"}`)
	must(t, a.h.db.EndAccount(t.Context(), otherAccount, a.h.now()))
	a.h.stopped(t)
	again := callerOf(start(t, func(c *Config) { c.Data = a.h.config.Data }))
	if _, err := os.Stat(filepath.Join(a.h.config.Data, "accounts", otherAccount)); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
	if _, err := again.account(t, otherAccount).call(`DescribeThing {"thingName":"pump"}`); exception(err) != "404 ResourceNotFoundException" {
		t.Errorf("its thing: %v", err)
	}
}

func TestWhoDeletesAccounts(t *testing.T) {
	a := newCaller(t)
	b := a.account(t, otherAccount)
	for name, c := range map[string]struct {
		by       *caller
		id, want string
	}{
		"refused/the first":      {a, "123456789012", "InvalidRequest"},
		"refused/nobody's":       {a, "777788889999", "ResourceNotFound"},
		"refused/another's root": {b, otherAccount, "AccessDenied"},
	} {
		err := accounts{c.by.h.Server}.Delete(t.Context(), c.id)
		if got := strings.SplitN(errText(err), ":", 2)[0]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	b.must(t, "ListThings")
}
