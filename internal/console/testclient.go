package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// clientPage is what the MQTT test client begins with.
type clientPage struct {
	Filters []string
	Topic   string
	QoS2    bool // the profile has QoS 2
}

func (v *visit) testClient() error {
	filters := v.r.URL.Query()["filter"]
	if len(filters) > filtersMax {
		filters = filters[:filtersMax]
	}
	return v.render("mqtt", clientPage{Filters: filters, Topic: v.query("topic"), QoS2: v.Limits.MaxQoS >= mqtt.QoS2})
}

// publish sends one message as whoever is signed in.
func (v *visit) publish() error {
	m, err := v.messageOf()
	if err != nil {
		return err
	}
	v.note("topic", m.Topic)
	if err := v.mayPublish(m); err != nil {
		return err
	}
	if err := message.Publish(v.r.Context(), v.Broker, m); err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

// messageOf reads the form.
func (v *visit) messageOf() (message.Message, error) {
	qos, err := strconv.ParseUint(v.form("qos"), 10, 8)
	if err != nil || mqtt.QoS(qos) > v.Limits.MaxQoS {
		return message.Message{}, v.wrong("mqtt.badqos")
	}
	properties, err := v.messageProperties()
	if err != nil {
		return message.Message{}, err
	}
	source, _ := remoteAddr(v.r)
	m := message.Message{
		Topic: v.form("topic"), Payload: payloadOf(v.r.PostForm.Get("payload"), v.form("binary") != ""), QoS: mqtt.QoS(qos), Retain: v.form("retain") != "",
		Properties: properties, Origin: message.Origin{Kind: message.FromHTTP, Principal: v.actor.UserID, SourceIP: source},
	}
	if properties != nil && properties.MessageExpiry.Present {
		m.Expires = v.Now().Add(properties.MessageExpiry.Value)
	}
	return m, nil
}

// messageProperties reads the MQTT 5 properties of the form; nil where it has
// none.
func (v *visit) messageProperties() (*message.Properties, error) {
	p := &message.Properties{
		ContentType: bytesOf(v.form("contenttype")), ResponseTopic: bytesOf(v.form("responsetopic")), CorrelationData: bytesOf(v.form("correlation")),
	}
	if len(p.ResponseTopic) > 0 {
		if err := v.Limits.Topics.CheckName(string(p.ResponseTopic)); err != nil {
			return nil, err
		}
	}
	if text := v.form("expiry"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, v.wrong("mqtt.badexpiry")
		}
		p.MessageExpiry = mqtt.Some(time.Duration(seconds) * time.Second)
	}
	for line := range strings.Lines(v.form("userproperties")) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		p.UserProperties = append(p.UserProperties, message.UserProperty{Name: []byte(strings.TrimSpace(name)), Value: []byte(value)})
	}
	switch {
	case len(p.UserProperties) > propertiesMax:
		return nil, v.wrong("mqtt.manyproperties", propertiesMax)
	case len(p.ContentType)+len(p.ResponseTopic)+len(p.CorrelationData)+len(p.UserProperties) == 0 && !p.MessageExpiry.Present:
		return nil, nil //nolint:nilnil // there are none
	}
	return p, nil
}

// bytesOf is nil where a text is empty, as an absent property is.
func bytesOf(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

// mayPublish holds a message against what devices must keep to as well, and
// against the visitor's policies.
func (v *visit) mayPublish(m message.Message) error {
	if err := v.Limits.Topics.CheckName(m.Topic); err != nil {
		return err
	}
	switch reserved := topic.IsReserved(m.Topic); {
	case reserved && !topic.MayPublish(m.Topic):
		return v.wrong("mqtt.reserved", m.Topic)
	case reserved && m.Retain:
		return v.wrong("mqtt.noretain", m.Topic)
	case len(m.Payload) > v.Limits.PayloadBytes:
		return v.wrong("mqtt.toolarge", v.Limits.PayloadBytes)
	}
	if m.Retain {
		if err := v.mayIoT("RetainPublish", "topic", m.Topic); err != nil {
			return err
		}
	}
	return v.mayIoT("Publish", "topic", m.Topic)
}

var clientRoutes = []route{
	{"GET /console/mqtt", (*visit).testClient},
	{"POST /console/mqtt/publish", (*visit).publish},
	{"GET /console/stream", (*visit).stream},
	{"GET /console/stream/check", (*visit).tryFilter},
}
