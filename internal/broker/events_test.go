package broker_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/broker"
	"thingd/internal/mqtt"
)

// Lifecycle events as AWS documents them, down to the letter.
func TestLifecycleEventsDownToTheLetter(t *testing.T) {
	w := newWorld(t, broker.AWS())
	events := &inbox{}
	w.broker.Handle("$aws/events/#", events.handle)
	w.guard.change(func() { w.guard.denied["bad iot:Connect client/bad"] = true })
	car := joined(t, w, &mqtt.Connect{ClientID: "car", CleanStart: true})
	subscribed(t, car, "a/b", "c/+")
	if err := car.send(&mqtt.Unsubscribe{PacketID: 2, Filters: []string{"c/+"}}); err != nil {
		t.Fatal(err)
	}
	_, heard := car.next()
	bad := newClient("bad", mqtt.V5, w.dial())
	defer bad.drop()
	if err := errors.Join(heard, bad.send(&mqtt.Connect{ClientID: "bad"}), car.send(&mqtt.Disconnect{})); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.next(); err != nil {
		t.Fatal(err)
	}
	const presence, subscriptions = "$aws/events/presence/", "$aws/events/subscriptions/"
	const session = `"sessionIdentifier":"00000000-0000-4000-8000-000000000001","principalIdentifier":"cert-car"`
	const at = `"timestamp":1735787045000,"eventType":`
	for topic, want := range map[string]string{
		presence + "connected/car":         `{"clientId":"car",` + at + `"connected",` + session + `,"ipAddress":"198.51.100.23","versionNumber":0}`,
		presence + "disconnected/car":      `{"clientId":"car",` + at + `"disconnected",` + session + `,"clientInitiatedDisconnect":true,"disconnectReason":"CLIENT_INITIATED_DISCONNECT","versionNumber":0}`,
		subscriptions + "subscribed/car":   `{"clientId":"car",` + at + `"subscribed",` + session + `,"topics":["a/b","c/+"]}`,
		subscriptions + "unsubscribed/car": `{"clientId":"car",` + at + `"unsubscribed",` + session + `,"topics":["c/+"]}`,
		presence + "connect_failed/bad":    `{"clientId":"bad",` + at + `"connect_failed","connectFailureReason":"AUTHORIZATION_FAILED","sessionIdentifier":"00000000-0000-0000-0000-000000000000","principalIdentifier":"cert-bad","ipAddress":"198.51.100.23"}`,
	} {
		m, err := events.await(topic)
		if diff := cmp.Diff(want, string(m.Payload)); diff != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s%v", topic, diff, err)
		}
	}
}
