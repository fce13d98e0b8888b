package thingd

import (
	"strings"
	"testing"

	"thingd/internal/mqtt"
	"thingd/internal/why"
)

// A policy says whether a device may see the addresses of connections.
func TestDevicesAskForConnections(t *testing.T) {
	h := start(t)
	d := h.device(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iot:Connect","iot:GetConnection"],"Resource":"*"},
		{"Effect":"Deny","Action":"iot:GetConnection","Resource":"*","Condition":{"Bool":{"iot:IncludeSocketInformation":"true"}}}]}`)
	h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "lamp", CleanStart: true})
	conn := h.dial(t, h.trust(&d))
	for _, c := range []struct{ target, status, says string }{
		{"/connections/lamp", "200", `"connected":true`},
		{"/connections/lamp?includeSocketInformation=false", "200", `"clientId":"lamp"`},
		{"/connections/lamp?includeSocketInformation=true", "403", `"Forbidden"`},
		{"/connections/lamp/subscriptions", "403", `"Forbidden"`},
		{"/connections/nobody", "404", "nobody"},
	} {
		head, body := exchange(t, conn, "GET "+c.target+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if !strings.HasPrefix(head, "HTTP/1.1 "+c.status) || !strings.Contains(body, c.says) {
			t.Errorf("%s is answered with %s%s", c.target, head, body)
		}
	}
	if event := h.last(t); event.Step != why.StepHTTP || event.Cause != why.PolicyImplicitDeny || event.Action != "iot:ListSubscriptions" {
		t.Errorf("the journal has %+v", event)
	}
}
