package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"thingd/internal/broker"
	"thingd/internal/message"
	"thingd/internal/mqtt"
)

func TestMessageHeadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawMessage(t)
		r := reader{bytes: appendMessage(nil, want)}
		got, err := readMessage(&r, want.Payload)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatalf("(-want +got):\n%s%v", diff, err)
		}
	})
}

func drawMessage(t *rapid.T) *message.Message {
	text := rapid.StringN(0, 20, -1)
	m := &message.Message{
		Topic: text.Draw(t, "topic"), QoS: mqtt.QoS(rapid.IntRange(0, 2).Draw(t, "qos")), Retain: rapid.Bool().Draw(t, "retain"),
		Origin: message.Origin{Kind: message.Kind(rapid.Byte().Draw(t, "kind")), ClientID: text.Draw(t, "client"),
			Principal: text.Draw(t, "principal"), SourceIP: text.Draw(t, "ip"), TraceID: text.Draw(t, "trace"),
			Rules: rapid.IntRange(0, 1000).Draw(t, "rules")},
	}
	if rapid.Bool().Draw(t, "expires") {
		m.Expires = time.UnixMilli(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "at")).UTC()
	}
	if rapid.Bool().Draw(t, "properties") {
		m.Properties = drawProperties(t)
	}
	return m
}

func drawProperties(t *rapid.T) *message.Properties {
	optional := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 20))
	p := &message.Properties{ContentType: optional.Draw(t, "type"), ResponseTopic: optional.Draw(t, "response"),
		CorrelationData: optional.Draw(t, "correlation")}
	if rapid.Bool().Draw(t, "format") {
		p.PayloadFormat = mqtt.Some(mqtt.PayloadFormat(rapid.IntRange(0, 1).Draw(t, "format")))
	}
	if rapid.Bool().Draw(t, "expiry") {
		p.MessageExpiry = mqtt.Some(time.Duration(rapid.Uint32().Draw(t, "seconds")) * time.Second)
	}
	for range rapid.IntRange(0, 3).Draw(t, "user properties") {
		some := rapid.SliceOfN(rapid.Byte(), 0, 20)
		p.UserProperties = append(p.UserProperties, message.UserProperty{Name: some.Draw(t, "name"), Value: some.Draw(t, "value")})
	}
	return p
}

// A damaged row is an error, never a panic or an allocation out of proportion.
func FuzzMessageHead(f *testing.F) {
	f.Add(appendMessage(nil, fullMessage("t")))
	f.Add(appendMessage(appendQueued(nil, broker.StoredMessage{QoS: 2, SubscriptionIDs: []uint32{1}}), &message.Message{}))
	f.Fuzz(func(t *testing.T, head []byte) {
		var entry broker.StoredMessage
		rest := readQueued(head, &entry)
		_, _ = readMessage(&rest, nil)
		m, err := readMessage(&reader{bytes: head}, nil)
		if err != nil {
			return
		}
		again, err := readMessage(&reader{bytes: appendMessage(nil, m)}, nil)
		if diff := cmp.Diff(m, again); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

func TestMessageHeadThatIsDamaged(t *testing.T) {
	head := appendMessage(nil, fullMessage("t"))
	newer := append([]byte{messageVersion + 1}, head[1:]...)
	for name, damaged := range map[string][]byte{
		"empty": nil, "cut": head[:len(head)-1], "longer": append(head[:len(head):len(head)], 0), "newer": newer,
	} {
		if m, err := readMessage(&reader{bytes: damaged}, nil); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}
