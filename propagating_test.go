package thingd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/mqtt"
)

// propagates settles what the type Lamp adds to the messages of its things.
func (c *caller) propagates(t *testing.T, attributes ...string) {
	t.Helper()
	c.must(t, `UpdateThingType {"thingTypeName":"Lamp","thingTypeProperties":{"mqtt5Configuration":{"propagatingAttributes":[`+strings.Join(attributes, ",")+`]}}}`)
}

const (
	siteAttribute   = `{"userPropertyKey":"site","thingAttribute":"site"}`
	clientAttribute = `{"userPropertyKey":"iot:ClientId","connectionAttribute":"iot:ClientId"}`
	thingAttribute  = `{"userPropertyKey":"thing","connectionAttribute":"iot:Thing.ThingName"}`
	noAttribute     = `{"userPropertyKey":"none","thingAttribute":"none"}`
)

// withLamp makes a thing of a type that adds to messages, and gives its device.
func (c *caller) withLamp(t *testing.T) device {
	t.Helper()
	c.must(t, `CreateThingType {"thingTypeName":"Lamp"}`)
	c.propagates(t, siteAttribute, noAttribute, clientAttribute, thingAttribute)
	c.must(t, `CreateThing {"thingName":"lamp-7","thingTypeName":"Lamp","attributePayload":{"attributes":{"site":"north"}}}`)
	d := c.h.device(t, everything)
	c.must(t, `AttachThingPrincipal {"thingName":"lamp-7","principal":"`+d.arn+`"}`)
	return d
}

// enriched is a PUBLISH as topic, payload and user properties.
func (c *client) enriched(t testing.TB) string {
	t.Helper()
	p, ok := c.read(t).(*mqtt.Publish)
	if !ok {
		t.Fatalf("a %v came, want a PUBLISH", p)
	}
	if p.QoS > 0 {
		c.send(t, &mqtt.Puback{PacketID: p.PacketID})
	}
	text := string(p.Topic) + " " + string(p.Payload)
	for _, u := range p.Properties.UserProperties {
		text += fmt.Sprintf(" %s=%s", u.Name, u.Value)
	}
	return text
}

func wants(t testing.TB, who, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s got %s, want %s", who, got, want)
	}
}

// TestPropagatingAttributesReachSubscribers: of MQTT 5, whatever the publisher
// speaks, with its own user properties before them.
func TestPropagatingAttributesReachSubscribers(t *testing.T) {
	c := newCaller(t)
	d, other := c.withLamp(t), c.h.device(t, everything)
	five := c.h.connected(t, other, mqtt.V5, mqtt.Connect{ClientID: "five", CleanStart: true})
	five.subscribe(t, "t/#", mqtt.QoS1)
	four := c.h.connected(t, other, mqtt.V4, mqtt.Connect{ClientID: "four", CleanStart: true})
	four.subscribe(t, "t/#", mqtt.QoS1)
	const added = " site=north iot:ClientId=lamp-7 thing=lamp-7"

	for _, version := range []mqtt.Version{mqtt.V4, mqtt.V5} {
		pub := c.h.connected(t, d, version, mqtt.Connect{ClientID: "lamp-7", CleanStart: true})
		m := &mqtt.Publish{Topic: []byte("t/a"), Payload: []byte("m"), QoS: mqtt.QoS1, PacketID: 1}
		want := "t/a m" + added
		if version == mqtt.V5 {
			m.Properties.UserProperties = []mqtt.UserPropertyBytes{{Name: []byte("site"), Value: []byte("mine")}}
			want = "t/a m site=mine" + added
		}
		pub.send(t, m)
		wants(t, "the subscriber of MQTT 5", five.enriched(t), want)
		wants(t, "the subscriber of MQTT 3.1.1", four.enriched(t), "t/a m")
		pub.Close()
	}
	will := &mqtt.Will{Topic: "t/will", Payload: []byte("gone"), QoS: mqtt.QoS1}
	c.h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "lamp-7", CleanStart: true, Will: will}).Close()
	wants(t, "the subscriber of MQTT 5", five.enriched(t), "t/will gone"+added)

	// A certificate that two things share says by its client ID which it is, and over
	// HTTPS there is none.
	c.h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "nobody", CleanStart: true}).send(t, &mqtt.Publish{Topic: []byte("t/a"), Payload: []byte("n")})
	wants(t, "the subscriber of MQTT 5", five.enriched(t), "t/a n")
	exchange(t, c.h.dial(t, c.h.trust(&d)), post("/topics/t/a", "h"))
	wants(t, "the subscriber of MQTT 5", five.enriched(t), "t/a h")
}

// TestPropagatingAttributesAreForRules: by the topic, by Basic Ingest, and in what a
// rule publishes.
func TestPropagatingAttributesAreForRules(t *testing.T) {
	c := newCaller(t)
	d := c.withLamp(t)
	c.mighty(t, "role", trusting(""))
	c.must(t, `CreateTopicRule {"ruleName":"r","topicRulePayload":{"awsIotSqlVersion":"2016-03-23",
		"sql":"SELECT n, get_user_properties('site') AS sites, get_user_properties() AS everything FROM 'in' WHERE get(get_user_properties('site'),0) = 'north'",
		"actions":[{"republish":{"roleArn":"arn:aws:iam::123456789012:role/role","topic":"out",
			"headers":{"userProperties":[{"key":"where","value":"${get(get_user_properties('site'),0)}"}]}}}]}}`)
	sub := c.h.connected(t, c.h.device(t, everything), mqtt.V5, mqtt.Connect{ClientID: "sub", CleanStart: true})
	sub.subscribe(t, "out", mqtt.QoS0)
	const want = `out {"n":1,"sites":["north"],"everything":[{"site":"north"},{"iot:ClientId":"lamp-7"},{"thing":"lamp-7"}]} where=north`
	for _, version := range []mqtt.Version{mqtt.V4, mqtt.V5} {
		pub := c.h.connected(t, d, version, mqtt.Connect{ClientID: "lamp-7", CleanStart: true})
		for _, topic := range []string{"in", "$aws/rules/r/in"} {
			pub.send(t, &mqtt.Publish{Topic: []byte(topic), Payload: []byte(`{"n":1}`)})
			wants(t, "the rule's subscriber", sub.enriched(t), want)
		}
		pub.Close()
	}
}

// TestPropagatingAttributesChangeOnLiveConnections: what is changed counts from when
// the change was answered.
func TestPropagatingAttributesChangeOnLiveConnections(t *testing.T) {
	c := newCaller(t)
	d := c.withLamp(t)
	sub := c.h.connected(t, c.h.device(t, everything), mqtt.V5, mqtt.Connect{ClientID: "sub", CleanStart: true})
	sub.subscribe(t, "t", mqtt.QoS0)
	pub := c.h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "lamp-7", CleanStart: true})
	c.must(t, `CreateThingType {"thingTypeName":"Other","thingTypeProperties":{"mqtt5Configuration":{"propagatingAttributes":[`+thingAttribute+`]}}}`)
	type step struct{ do, want string }
	got := []step{}
	steps := []step{
		{`DescribeThing {"thingName":"lamp-7"}`, "t m site=north iot:ClientId=lamp-7 thing=lamp-7"},
		{`UpdateThing {"thingName":"lamp-7","attributePayload":{"attributes":{"site":"south"}}}`, "t m site=south iot:ClientId=lamp-7 thing=lamp-7"},
		{`UpdateThingType {"thingTypeName":"Lamp","thingTypeProperties":{"mqtt5Configuration":{"propagatingAttributes":[` + siteAttribute + `]}}}`, "t m site=south"},
		{`UpdateThing {"thingName":"lamp-7","attributePayload":{"attributes":{"site":""},"merge":true}}`, "t m"},
		{`UpdateThing {"thingName":"lamp-7","thingTypeName":"Other"}`, "t m thing=lamp-7"},
		{`UpdateThing {"thingName":"lamp-7","removeThingType":true}`, "t m"},
		{`UpdateThing {"thingName":"lamp-7","thingTypeName":"Other"}`, "t m thing=lamp-7"},
		{`DetachThingPrincipal {"thingName":"lamp-7","principal":"` + d.arn + `"}`, "t m"},
		{`AttachThingPrincipal {"thingName":"lamp-7","principal":"` + d.arn + `"}`, "t m thing=lamp-7"},
		{`DeprecateThingType {"thingTypeName":"Other"}`, "t m thing=lamp-7"},
		{`UpdateThingType {"thingTypeName":"Other","thingTypeProperties":{"mqtt5Configuration":{"propagatingAttributes":[]}}}`, "t m"},
	}
	for _, s := range steps {
		c.must(t, s.do)
		pub.send(t, &mqtt.Publish{Topic: []byte("t"), Payload: []byte("m")})
		got = append(got, step{s.do, sub.enriched(t)})
	}
	if diff := cmp.Diff(steps, got, cmp.AllowUnexported(step{})); diff != "" {
		t.Errorf("what a live connection publishes (-want +got):\n%s", diff)
	}
}

// TestPropagatingAttributesOutliveTheServer: with what is queued and what is retained,
// as they were when the message came.
func TestPropagatingAttributesOutliveTheServer(t *testing.T) {
	c := newCaller(t)
	d, reader := c.withLamp(t), c.h.device(t, everything)
	stays := mqtt.Connect{ClientID: "reader", SessionExpiry: mqtt.Some(time.Hour)}
	sub := c.h.connected(t, reader, mqtt.V5, stays)
	sub.subscribe(t, "q", mqtt.QoS1)
	sub.send(t, &mqtt.Disconnect{})
	rest(t, sub)
	pub := c.h.connected(t, d, mqtt.V4, mqtt.Connect{ClientID: "lamp-7", CleanStart: true})
	for id, topic := range map[uint16]string{1: "q", 2: "kept"} {
		pub.send(t, &mqtt.Publish{Topic: []byte(topic), Payload: []byte("m"), QoS: mqtt.QoS1, PacketID: id, Retain: topic == "kept"})
		if ack, ok := pub.read(t).(*mqtt.Puback); !ok || ack.Reason.Failed() {
			t.Fatalf("PUBLISH is answered with %+v", ack)
		}
	}
	c.propagates(t)
	c.h.stopped(t)

	second := start(t, func(config *Config) { config.Data = c.h.config.Data })
	const added = " site=north iot:ClientId=lamp-7 thing=lamp-7"
	sub = second.connected(t, reader, mqtt.V5, stays)
	wants(t, "the reader", sub.enriched(t), "q m"+added)
	sub.subscribe(t, "kept", mqtt.QoS0)
	wants(t, "the reader", sub.enriched(t), "kept m"+added)
}
