package thingd

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"thingd/internal/mqtt"
)

// TestAnEventThatACrashLeftBehindIsPublished: the deed is on disk, its event too,
// and the process ended before anybody heard of it.
func TestAnEventThatACrashLeftBehindIsPublished(t *testing.T) {
	first := start(t)
	d := first.device(t, everything)
	stays := mqtt.Connect{ClientID: "listener"}
	c := first.connected(t, d, mqtt.V4, stays)
	c.subscribe(t, "$aws/events/thing/#", mqtt.QoS1)
	c.send(t, &mqtt.Disconnect{})
	rest(t, c)
	first.stopped(t)

	db, err := sql.Open("sqlite", filepath.Join(first.config.Data, "thingd.db"))
	must(t, err)
	_, err = db.Exec(`INSERT INTO registry_events (account, id, kept, topic, payload) VALUES (?, 'e1', 1, '$aws/events/thing/pump7/created', '{"eventId":"e1"}')`, first.config.Account)
	must(t, err)
	must(t, db.Close())

	again := func(c *Config) { c.Data = first.config.Data }
	second := start(t, again)
	c = second.connected(t, d, mqtt.V4, stays)
	if got, want := c.message(t), `$aws/events/thing/pump7/created {"eventId":"e1"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// It is forgotten a moment after: what is stopped in between says it once more.
	look := lookAt(t, filepath.Join(first.config.Data, "thingd.db"))
	for end := time.Now().Add(patience); len(look.rows(t, "registry_events")) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the event is still to be published")
		}
	}
}

// TestRegistryEventsReachSubscribers: and none stays behind.
func TestRegistryEventsReachSubscribers(t *testing.T) {
	c := newCaller(t)
	device := c.h.connected(t, c.h.device(t, everything), mqtt.V5, mqtt.Connect{ClientID: "listener", CleanStart: true})
	device.subscribe(t, "$aws/events/thing/#", mqtt.QoS1)
	c.must(t, `CreateThing {"thingName":"quiet"}`)
	c.must(t, `UpdateEventConfigurations {"eventConfigurations":{"THING":{"enabled":true}}}`)
	c.must(t, `CreateThing {"thingName":"pump7"}`)
	if got := device.message(t); !strings.HasPrefix(got, "$aws/events/thing/pump7/created {") {
		t.Errorf("got %s", got)
	}
	must(t, c.h.registry.Close(t.Context()))
	left := lookAt(t, filepath.Join(c.h.config.Data, "thingd.db")).rows(t, "registry_events")
	if len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
