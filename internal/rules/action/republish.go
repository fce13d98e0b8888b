package action

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"thingd/internal/aws/iot"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// headerMax bounds each text of a republished message's MQTT 5 properties, bytes.
const headerMax = 1024

// compileRepublish publishes the payload to another topic. The properties of the
// incoming message are not copied: headers says what the new one carries. It is
// not retained, and may match rules again, up to HopsMax times.
func compileRepublish(c *compiler, spec *iot.Action) prepare {
	a := spec.Republish
	if a == nil {
		return nil
	}
	if strings.HasPrefix(a.Topic, "$aws") {
		c.refuse("topic %q: write the $ of a reserved topic twice, as in $$aws/things/…", a.Topic)
	}
	to, role, headers := c.text("topic", a.Topic), c.role(a.RoleArn), c.headers(a.Headers)
	qos := message.QoS0
	if a.Qos != nil && *a.Qos == 1 {
		qos = message.QoS1
	}
	t := c.t
	return func(r *rendering) send {
		m := message.Message{Topic: unescaped(r.text(to)), Payload: r.Payload, QoS: qos, Origin: message.Origin{
			Kind: message.FromRule, TraceID: r.Origin.TraceID, Rules: r.Origin.Rules + 1,
		}}
		r.resource = m.Topic
		r.quoted("Topic", m.Topic)
		headers.render(r, &m, t.Now())
		if r.err == nil {
			r.err = t.mayRepublish(&m)
		}
		r.begin = func(ctx context.Context) (send, bool, error) { return t.republish(ctx, role, m) }
		return func(ctx context.Context) error { return t.republishAndWait(ctx, role, m) }
	}
}

// unescaped undoes the doubled dollar that reserved topics are written with.
func unescaped(name string) string {
	if strings.HasPrefix(name, "$$") {
		return name[1:]
	}
	return name
}

// mayRepublish says why a message cannot be published by a rule.
func (t *Targets) mayRepublish(m *message.Message) error {
	if err := t.Topics.CheckName(m.Topic); err != nil {
		return err
	}
	reserved := topic.IsReserved(m.Topic)
	switch {
	case reserved && !topic.MayPublish(m.Topic), reserved && strings.Contains(m.Topic, "/jobs/"):
		return &Failure{Text: "RepublishAction cannot publish to the reserved topic " + m.Topic}
	case len(m.Payload) > t.PayloadMax:
		return &Failure{Text: "RepublishAction has a payload of " + strconv.Itoa(len(m.Payload)) + " bytes; at most " + strconv.Itoa(t.PayloadMax) + " are allowed"}
	case m.Origin.Rules > t.HopsMax:
		return &Failure{Text: "RepublishAction stopped: the message was republished by rules " + strconv.Itoa(t.HopsMax) + " times; do rules feed each other?"}
	}
	return nil
}

// republish hands the message to the broker, now.
func (t *Targets) republish(ctx context.Context, role string, m message.Message) (wait send, settled bool, err error) {
	if err := t.Allow(ctx, role, "iot:Publish", t.Scope.IoT("topic", m.Topic)); err != nil {
		return nil, true, err
	}
	outcome := make(chan error, 1)
	t.Publisher.Publish(m, func(err error) { outcome <- err })
	select {
	case err := <-outcome:
		return nil, true, err
	default:
	}
	return func(ctx context.Context) error {
		select {
		case err := <-outcome:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}, false, nil
}

func (t *Targets) republishAndWait(ctx context.Context, role string, m message.Message) error {
	wait, settled, err := t.republish(ctx, role, m)
	if settled {
		return err
	}
	return wait(ctx)
}

// headers are the MQTT 5 properties that a republished message gets.
type headers struct {
	format, contentType, responseTopic, correlation, expiry *parameter
	user                                                    []userHeader
}

type userHeader struct {
	key   string
	value *parameter
}

func (c *compiler) headers(h *iot.MqttHeaders) headers {
	if h == nil {
		return headers{}
	}
	out := headers{
		format:        c.optional("payloadFormatIndicator", h.PayloadFormatIndicator),
		contentType:   c.optional("contentType", h.ContentType),
		responseTopic: c.optional("responseTopic", h.ResponseTopic),
		correlation:   c.optional("correlationData", h.CorrelationData),
		expiry:        c.optional("messageExpiry", h.MessageExpiry),
	}
	for _, u := range h.UserProperties {
		out.user = append(out.user, userHeader{u.Key, c.text("userProperties."+u.Key, u.Value)})
	}
	return out
}

func (h headers) empty() bool {
	return h.format == nil && h.contentType == nil && h.responseTopic == nil && h.correlation == nil && h.expiry == nil && h.user == nil
}

// render gives m its properties.
func (h headers) render(r *rendering, m *message.Message, now time.Time) {
	if h.empty() {
		return
	}
	p := &message.Properties{ContentType: h.bytes(r, h.contentType), ResponseTopic: h.bytes(r, h.responseTopic)}
	if strings.ContainsAny(string(p.ResponseTopic), "+#") {
		r.fail("responseTopic %q contains a wildcard", p.ResponseTopic)
	}
	h.renderFormat(r, p)
	h.renderCorrelation(r, p)
	h.renderExpiry(r, p)
	if p.MessageExpiry.Present {
		m.Expires = now.Add(p.MessageExpiry.Value)
	}
	for _, u := range h.user {
		p.UserProperties = append(p.UserProperties, message.UserProperty{Name: []byte(u.key), Value: h.bytes(r, u.value)})
	}
	m.Properties = p
}

// bytes renders a property; nil for an absent one.
func (h headers) bytes(r *rendering, p *parameter) []byte {
	if p == nil {
		return nil
	}
	text := r.text(p)
	if len(text) > headerMax {
		r.fail("%s has %d bytes; at most %d are allowed", p.name, len(text), headerMax)
	}
	return []byte(text)
}

func (h headers) renderFormat(r *rendering, p *message.Properties) {
	if h.format == nil {
		return
	}
	switch text := r.text(h.format); text {
	case "UTF8_DATA":
		p.PayloadFormat = mqtt.Some(mqtt.UTF8Data)
	case "UNSPECIFIED_BYTES", "":
		p.PayloadFormat = mqtt.Some(mqtt.UnspecifiedBytes)
	default:
		r.fail("payloadFormatIndicator %q is neither UTF8_DATA nor UNSPECIFIED_BYTES", text)
	}
}

func (h headers) renderCorrelation(r *rendering, p *message.Properties) {
	if h.correlation == nil {
		return
	}
	data, err := base64.StdEncoding.DecodeString(string(h.bytes(r, h.correlation)))
	if err != nil {
		r.fail("correlationData is not base64")
	}
	p.CorrelationData = data
}

// renderExpiry leaves the property out where the text is empty, so that a
// template may decide.
func (h headers) renderExpiry(r *rendering, p *message.Properties) {
	text := r.text(h.expiry)
	if text == "" {
		return
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		r.fail("messageExpiry %q is not a number of seconds", text)
	}
	p.MessageExpiry = mqtt.Some(time.Duration(seconds) * time.Second)
}
