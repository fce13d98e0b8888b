package api

import (
	"context"
	"encoding/base64"
	"time"

	"thingd/internal/aws/iotdata"
	"thingd/internal/broker"
	"thingd/internal/fault"
)

// DeleteConnection cuts a client's connection; with cleanSession it ends its
// session too.
func (a *IoTData) DeleteConnection(ctx context.Context, in *iotdata.DeleteConnectionRequest) error {
	return a.Broker.Disconnect(ctx, in.ClientId, isTrue(in.CleanSession), isTrue(in.PreventWillMessage))
}

// GetConnection tells what is known of a client.
func (a *IoTData) GetConnection(_ context.Context, in *iotdata.GetConnectionRequest) (*iotdata.GetConnectionResponse, error) {
	c, ok := a.Broker.Connection(in.ClientId)
	if !ok {
		return nil, fault.NotFound("No connection of client %s is known", in.ClientId)
	}
	out := &iotdata.GetConnectionResponse{
		ClientId: c.ClientID, Connected: &c.Connected, ThingName: c.ThingName, CleanSession: &c.CleanSession,
		SessionExpiry: new(int64(c.SessionExpiry / time.Second)),
	}
	if c.Connected {
		out.KeepAliveDuration = new(int(c.KeepAlive / time.Second))
		out.ConnectedSince = new(c.ConnectedSince.UnixMilli())
	} else if a.Now().Sub(c.Left) <= broker.LeftKept {
		out.DisconnectedSince = new(c.Left.UnixMilli())
		out.DisconnectReason = c.DisconnectReason
	}
	if isTrue(in.IncludeSocketInformation) && c.Connected {
		out.SourceIp, out.SourcePort, out.TargetIp, out.TargetPort = c.SourceIP, &c.SourcePort, c.TargetIP, &c.TargetPort
	}
	return out, nil
}

// subscriptionsPage is the default size of a page.
const subscriptionsPage = 20

// ListSubscriptions lists a client's filters, by name.
func (a *IoTData) ListSubscriptions(_ context.Context, in *iotdata.ListSubscriptionsRequest) (*iotdata.ListSubscriptionsResponse, error) {
	size := subscriptionsPage
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	after, err := lastKey(in.NextToken)
	if err != nil {
		return nil, err
	}
	found, err := a.Broker.Subscriptions(in.ClientId, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &iotdata.ListSubscriptionsResponse{Subscriptions: []iotdata.SubscriptionSummary{}}
	for _, s := range found[:min(size, len(found))] {
		out.Subscriptions = append(out.Subscriptions, iotdata.SubscriptionSummary{TopicFilter: s.Filter, Qos: new(int(s.QoS))})
	}
	if len(found) > size {
		out.NextToken = token(found[size-1].Filter)
	}
	return out, nil
}

// SendDirectMessage sends a message to one client, subscribed or not.
func (a *IoTData) SendDirectMessage(ctx context.Context, in *iotdata.SendDirectMessageRequest) (*iotdata.SendDirectMessageResponse, error) {
	m, err := a.directMessage(ctx, in)
	if err != nil {
		return nil, err
	}
	wait := broker.NoConfirmation
	if isTrue(in.Confirmation) {
		wait = 5 * time.Second
		if in.Timeout != nil {
			wait = time.Duration(*in.Timeout) * time.Second
		}
	}
	if err := a.Broker.SendDirect(ctx, in.ClientId, m, wait); err != nil {
		return nil, err
	}
	return &iotdata.SendDirectMessageResponse{Message: "OK", TraceId: m.Origin.TraceID}, nil
}

func (a *IoTData) directMessage(ctx context.Context, in *iotdata.SendDirectMessageRequest) (broker.Message, error) {
	m := broker.Message{Topic: in.Topic, Payload: in.Payload, Origin: origin(ctx)}
	if err := a.Limits.Topics.CheckName(m.Topic); err != nil {
		return m, err
	}
	if len(m.Payload) > a.Limits.PayloadBytes {
		return m, fault.New(fault.CodeEntityTooLarge, "payload has %d bytes; at most %d are allowed", len(m.Payload), a.Limits.PayloadBytes)
	}
	var err error
	m.Properties, err = a.properties(in.UserProperties, in.PayloadFormatIndicator, in.ContentType, in.ResponseTopic, in.CorrelationData)
	return m, err
}

func isTrue(b *bool) bool { return b != nil && *b }

// token and lastKey make a page token of the last key of a page, and back.
func token(key string) string { return base64.StdEncoding.EncodeToString([]byte(key)) }

func lastKey(token string) (string, error) {
	key, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return "", fault.InvalidRequest("nextToken is not one of ours")
	}
	return string(key), nil
}
