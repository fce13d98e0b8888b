package api

import (
	"context"
	"encoding/json"

	"thingd/internal/aws/iotdata"
	"thingd/internal/fault"
	"thingd/internal/message"
)

// GetRetainedMessage gives the message retained on a topic.
func (a *IoTData) GetRetainedMessage(ctx context.Context, in *iotdata.GetRetainedMessageRequest) (*iotdata.GetRetainedMessageResponse, error) {
	r, err := a.Broker.RetainedMessage(ctx, in.Topic)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fault.NotFound("No retained message for topic %s", in.Topic)
	}
	out := &iotdata.GetRetainedMessageResponse{
		Topic: r.Message.Topic, Payload: r.Message.Payload, Qos: new(int(r.Message.QoS)), LastModifiedTime: new(r.Modified.UnixMilli()),
	}
	if p := r.Message.Properties; p != nil && len(p.UserProperties) > 0 {
		out.UserProperties = userPropertiesJSON(p.UserProperties)
	}
	return out, nil
}

func userPropertiesJSON(all []message.UserProperty) []byte {
	pairs := make([]map[string]string, len(all))
	for i, u := range all {
		pairs[i] = map[string]string{string(u.Name): string(u.Value)}
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		panic(err) // maps of strings always encode
	}
	return text
}

// retainedPage is the largest page, and the default.
const retainedPage = 200

// ListRetainedMessages lists the topics that have one, by name.
func (a *IoTData) ListRetainedMessages(ctx context.Context, in *iotdata.ListRetainedMessagesRequest) (*iotdata.ListRetainedMessagesResponse, error) {
	size := retainedPage
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	after, err := lastKey(in.NextToken)
	if err != nil {
		return nil, err
	}
	page, err := a.Broker.RetainedMessages(ctx, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &iotdata.ListRetainedMessagesResponse{RetainedTopics: []iotdata.RetainedMessageSummary{}}
	for _, r := range page[:min(size, len(page))] {
		out.RetainedTopics = append(out.RetainedTopics, iotdata.RetainedMessageSummary{
			Topic: r.Message.Topic, PayloadSize: new(int64(len(r.Message.Payload))), Qos: new(int(r.Message.QoS)), LastModifiedTime: new(r.Modified.UnixMilli()),
		})
	}
	if len(page) > size {
		out.NextToken = token(page[size-1].Message.Topic)
	}
	return out, nil
}
