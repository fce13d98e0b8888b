package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/wire"
	"thingd/internal/broker"
	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/topic"
)

// Publish publishes the body of an HTTPS request. It answers when the message is
// where a QoS 1 message must be.
func (a *IoTData) Publish(ctx context.Context, in *iotdata.PublishRequest) error {
	m := message.Message{
		Topic: in.Topic, Payload: in.Payload, Retain: in.Retain != nil && *in.Retain,
		Origin: origin(ctx),
	}
	if in.Qos != nil {
		m.QoS = mqtt.QoS(*in.Qos)
	}
	if err := checkMessage(a.Limits, &m); err != nil {
		return err
	}
	props, err := a.properties(in.UserProperties, in.PayloadFormatIndicator, in.ContentType, in.ResponseTopic, in.CorrelationData)
	if err != nil {
		return err
	}
	m.Properties = props
	if in.MessageExpiry != nil {
		if m.Properties == nil {
			m.Properties = &message.Properties{}
		}
		m.Properties.MessageExpiry = mqtt.Some(time.Duration(*in.MessageExpiry) * time.Second)
		m.Expires = a.Limits.Expires(*m.Properties, a.Now())
	}
	if err := a.Broker.MayPublish(m); err != nil {
		return err
	}
	return message.Publish(ctx, a.Publisher, m)
}

// checkMessage holds a message against what MQTT clients must keep to as well.
func checkMessage(l broker.Limits, m *message.Message) error {
	if err := l.Topics.CheckName(m.Topic); err != nil {
		return err
	}
	switch {
	case topic.IsReserved(m.Topic) && !topic.MayPublish(m.Topic):
		return fault.InvalidRequest("clients cannot publish to %s", m.Topic)
	case topic.IsReserved(m.Topic) && m.Retain:
		return fault.InvalidRequest("messages cannot be retained on %s", m.Topic)
	case m.QoS > mqtt.QoS1:
		return fault.InvalidRequest("qos is %d; 0 and 1 are supported", m.QoS)
	case len(m.Payload) > l.PayloadBytes:
		return fault.InvalidRequest("payload has %d bytes; at most %d are allowed", len(m.Payload), l.PayloadBytes)
	}
	return nil
}

// properties turns headers and query of an HTTP publish into MQTT 5 properties, which
// are bounded as those of MQTT clients are; nil when there are none.
func (a *IoTData) properties(user json.RawMessage, format, contentType, responseTopic, correlation string) (*message.Properties, error) {
	p, err := readProperties(user, format, contentType, responseTopic, correlation)
	if err != nil || p == nil {
		return nil, err
	}
	if detail := a.Limits.CheckProperties(p); detail != "" {
		return nil, fault.InvalidRequest("%s", detail)
	}
	return p, nil
}

func readProperties(user json.RawMessage, format, contentType, responseTopic, correlation string) (*message.Properties, error) {
	p := &message.Properties{}
	var err error
	if p.UserProperties, err = userProperties(user); err != nil {
		return nil, err
	}
	switch format {
	case "":
	case "UTF8_DATA":
		p.PayloadFormat = mqtt.Some(mqtt.UTF8Data)
	default:
		p.PayloadFormat = mqtt.Some(mqtt.UnspecifiedBytes)
	}
	if contentType != "" {
		p.ContentType = []byte(contentType)
	}
	if responseTopic != "" {
		p.ResponseTopic = []byte(responseTopic)
	}
	if correlation != "" {
		if p.CorrelationData, err = base64.StdEncoding.DecodeString(correlation); err != nil {
			return nil, fault.InvalidRequest("x-amz-mqtt5-correlation-data is not base64")
		}
	}
	if len(p.UserProperties) == 0 && !p.PayloadFormat.Present && p.ContentType == nil && p.ResponseTopic == nil && p.CorrelationData == nil {
		return nil, nil
	}
	return p, nil
}

// userPropertiesMax bounds the header with user properties, bytes of JSON.
const userPropertiesMax = 64 << 10

// userProperties reads a JSON array of one-pair objects. Some SDKs encode it
// twice, so that a string holds the array.
func userProperties(raw json.RawMessage) ([]message.UserProperty, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	wrong := fault.InvalidRequest(`x-amz-mqtt5-user-properties is not base64 of a JSON array such as [{"name":"value"}] of at most %d bytes`, userPropertiesMax)
	var twice string
	if json.Unmarshal(raw, &twice) == nil {
		raw = json.RawMessage(twice)
	}
	var pairs []map[string]string
	if len(raw) > userPropertiesMax || json.Unmarshal(raw, &pairs) != nil {
		return nil, wrong
	}
	var all []message.UserProperty
	for _, pair := range pairs {
		if len(pair) != 1 {
			return nil, wrong
		}
		for name, value := range pair {
			all = append(all, message.UserProperty{Name: []byte(name), Value: []byte(value)})
		}
	}
	return all, nil
}

// origin says who sent an HTTP request's message.
func origin(ctx context.Context) message.Origin {
	caller := wire.CallerFrom(ctx)
	o := message.Origin{Kind: message.FromHTTP, SourceIP: wire.SourceIP(ctx), TraceID: wire.RequestID(ctx)}
	switch caller.Kind {
	case wire.Certificate:
		o.Principal = caller.CertificateID
	case wire.Custom:
		o.Principal = caller.Principal
	default:
		o.Principal = caller.UserID
	}
	return o
}
