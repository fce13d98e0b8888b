package console

import (
	"net/http"
	"strconv"

	"thingd/internal/fault"
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
		return message.Message{}, fault.InvalidRequest("%s", v.text("mqtt.badqos"))
	}
	source, _ := remoteAddr(v.r)
	return message.Message{
		Topic: v.form("topic"), Payload: []byte(v.r.PostForm.Get("payload")), QoS: mqtt.QoS(qos), Retain: v.form("retain") != "",
		Origin: message.Origin{Kind: message.FromHTTP, Principal: v.actor.UserID, SourceIP: source},
	}, nil
}

// mayPublish holds a message against what devices must keep to as well, and
// against the visitor's policies.
func (v *visit) mayPublish(m message.Message) error {
	if err := v.Limits.Topics.CheckName(m.Topic); err != nil {
		return err
	}
	switch reserved := topic.IsReserved(m.Topic); {
	case reserved && !topic.MayPublish(m.Topic):
		return fault.InvalidRequest("%s", v.text("mqtt.reserved", m.Topic))
	case reserved && m.Retain:
		return fault.InvalidRequest("%s", v.text("mqtt.noretain", m.Topic))
	case len(m.Payload) > v.Limits.PayloadBytes:
		return fault.InvalidRequest("%s", v.text("mqtt.toolarge", v.Limits.PayloadBytes))
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
