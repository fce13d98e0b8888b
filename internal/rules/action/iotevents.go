package action

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"thingd/internal/aws/iot"
)

// iotEventsBatch is the most messages of one BatchPutMessage.
const iotEventsBatch = 10

// compileIoTEvents puts the payload, or in batch mode each element of an array,
// as a message to an input (iotevents:BatchPutMessage).
func compileIoTEvents(c *compiler, spec *iot.Action) prepare {
	a := spec.IotEvents
	if a == nil {
		return nil
	}
	if a.MessageId != "" && a.BatchMode != nil && *a.BatchMode {
		c.refuse("messageId cannot be given in batch mode")
	}
	input, id, role, t := c.text("inputName", a.InputName), c.optional("messageId", a.MessageId), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		name, given := r.text(input), r.text(id)
		r.resource = name
		r.detail("Input", name)
		parts, err := elements(r.Event, a.BatchMode, iotEventsBatch)
		if err != nil {
			return r.fail("%v", err)
		}
		messages := make([]eventMessage, len(parts))
		for i, part := range parts {
			messages[i] = eventMessage{Input: name, ID: given, Payload: part}
			if given == "" {
				messages[i].ID = uuid.NewString()
			}
		}
		body, err := json.Marshal(map[string]any{"messages": messages})
		if err != nil {
			return r.fail("%v", err)
		}
		return func(ctx context.Context) error {
			answer, err := t.post(ctx, "ioteventsdata", role, "/inputs/messages", body)
			if err != nil {
				return err
			}
			return refusedEntries("IotEventsAction", answer, "BatchPutMessageErrorEntries")
		}
	}
}

// eventMessage is an entry of BatchPutMessage.
type eventMessage struct {
	Input   string `json:"inputName,omitempty"`
	ID      string `json:"messageId"`
	Payload []byte `json:"payload"`
}

// refusedEntries reads the answer of a batch operation, whose status is 200
// even where entries were refused. member is the list of these.
func refusedEntries(action string, answer []byte, member string) error {
	var out map[string]json.RawMessage
	if json.Unmarshal(answer, &out) != nil {
		return nil // no entries are listed
	}
	var refused []struct {
		ErrorCode, ErrorMessage string
	}
	if json.Unmarshal(out[member], &refused) != nil || len(refused) == 0 {
		return nil
	}
	first := refused[0]
	again := first.ErrorCode == "ThrottlingException" || first.ErrorCode == "InternalFailureException" || first.ErrorCode == "ServiceUnavailableException"
	return &Failure{Text: fmt.Sprintf("%s was refused %d messages: %s: %s", action, len(refused), first.ErrorCode, first.ErrorMessage), Again: again}
}
