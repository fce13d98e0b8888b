package action

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"thingd/internal/arn"
	"thingd/internal/aws/iot"
)

// iotAnalyticsBatch is the most messages of one BatchPutMessage.
const iotAnalyticsBatch = 100

// compileIoTAnalytics puts the payload, or in batch mode each element of an
// array, into a channel (iotanalytics:BatchPutMessage).
func compileIoTAnalytics(c *compiler, spec *iot.Action) prepare {
	a := spec.IotAnalytics
	if a == nil {
		return nil
	}
	channel := a.ChannelName
	if channel == "" {
		name, err := arn.Parse(a.ChannelArn) // the older way
		if err != nil {
			c.refuse("iotAnalytics needs a channelName")
		}
		_, channel = name.Kind()
	}
	to, role, t := c.text("channelName", channel), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		name := r.text(to)
		r.resource = name
		r.detail("Channel", name)
		parts, err := elements(r.Event, a.BatchMode, iotAnalyticsBatch)
		if err != nil {
			return r.fail("%v", err)
		}
		messages := make([]eventMessage, len(parts))
		for i, part := range parts {
			messages[i] = eventMessage{ID: uuid.NewString(), Payload: part}
		}
		body, err := json.Marshal(map[string]any{"channelName": name, "messages": messages})
		if err != nil {
			return r.fail("%v", err)
		}
		return func(ctx context.Context) error {
			answer, err := t.post(ctx, "iotanalytics", role, "/messages/batch", body)
			if err != nil {
				return err
			}
			return refusedEntries("IotAnalyticsAction", answer, "batchPutMessageErrorEntries")
		}
	}
}
