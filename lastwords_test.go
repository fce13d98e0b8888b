package thingd

import (
	"bytes"
	"testing"

	"thingd/internal/mqtt"
)

// A client that has sent more than the server reads still hears why it is turned
// away, or hung up on: the kernel must not reset the connection before.
func TestReasonsArriveAlthoughTheClientGoesOnSending(t *testing.T) {
	h := start(t)
	stranger := h.device(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:*:client/else"}}`)
	friend := h.device(t, everything)
	more := bytes.Repeat((&mqtt.Publish{Topic: []byte("t"), Payload: make([]byte, 1000)}).Append(nil, mqtt.V5), 100)
	for range 20 {
		c := newClient(h.dial(t, h.trust(&stranger)), mqtt.V5)
		_, err := c.Write(append((&mqtt.Connect{ClientID: "c", CleanStart: true}).Append(nil, mqtt.V5), more...))
		must(t, err)
		_, _ = c.Write(more)
		if ack, ok := c.read(t).(*mqtt.Connack); !ok || ack.Reason != mqtt.NotAuthorized {
			t.Fatalf("CONNECT is answered with %+v", ack)
		}
		c.Close()

		c = h.connected(t, friend, mqtt.V5, mqtt.Connect{ClientID: "c", CleanStart: true})
		_, err = c.Write(append((&mqtt.Connack{}).Append(nil, mqtt.V5), more...))
		must(t, err)
		_, _ = c.Write(more)
		if bye, ok := c.read(t).(*mqtt.Disconnect); !ok || bye.Reason != mqtt.ProtocolError {
			t.Fatalf("a packet of the server's is answered with %+v", bye)
		}
		c.Close()
	}
}
