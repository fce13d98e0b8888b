package rules

import (
	"encoding/json"

	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

// failureMessage is what an error action gets, in AWS's form ("Error action
// message format"). The payload is the one that came in, not the one that SELECT
// made of it.
type failureMessage struct {
	Rule  string `json:"ruleName"`
	Topic string `json:"topic"`
	*original
	Batch    []original      `json:"payloadsWithMetadata,omitempty"`
	Failures []failureReport `json:"failures"`
}

// original is the message that an action failed for.
type original struct {
	ID       int    `json:"id,omitempty"` // within a batch
	TraceID  string `json:"cloudwatchTraceId"`
	ClientID string `json:"clientId"`
	SourceIP string `json:"sourceIp"`
	Payload  []byte `json:"base64OriginalPayload"`
}

type failureReport struct {
	IDs      []int  `json:"affectedIds,omitempty"`
	Action   string `json:"failedAction"`
	Resource string `json:"failedResource"`
	Message  string `json:"errorMessage"`
}

// failureOf writes the message for the error action. Rules whose http action
// sends in batches get AWS's form for batches, with this one message in it: each
// message fails by itself here, also when a batch failed as a whole.
func (f *firing) failureOf(failed []*attempt) []byte {
	from := original{
		TraceID: f.message.Origin.TraceID, ClientID: f.message.Origin.ClientID,
		SourceIP: f.message.Origin.SourceIP, Payload: f.message.Payload,
	}
	if from.ClientID == "" {
		from.ClientID = "n/a" // as clientid() says
	}
	if from.Payload == nil {
		from.Payload = []byte{}
	}
	m := failureMessage{Rule: f.rule.rule.Name, Topic: f.message.Topic}
	var ids []int
	if f.rule.batching() {
		from.ID, ids = 1, []int{1}
		m.Batch = []original{from}
	} else {
		m.original = &from
	}
	for _, a := range failed {
		m.Failures = append(m.Failures, failureReport{ids, a.action.Name, a.delivery.Resource, a.delivery.Explain(a.err)})
	}
	text, _ := json.Marshal(m) // strings, numbers and bytes always marshal
	return text
}

// everything turns a message into a value.
const everything = "SELECT *"

// runErrorAction runs the error action once for all failures of a message. Its
// own failure is counted and shown, and nothing more.
func (f *firing) runErrorAction(failed []*attempt) {
	if f.rule.errorAction == nil {
		return
	}
	event, err := f.failureEvent(f.failureOf(failed))
	if err != nil {
		f.s.log.Error("the message of an error action could not be made", "rule", f.rule.rule.Name, "error", err)
		return
	}
	a := prepare(f.rule.errorAction, event)
	if a.err == nil {
		f.deliver(a)
	}
	if a.err != nil && f.s.work.Err() != nil {
		f.broken = true
		return
	}
	f.state.metrics.action(a.action.Name, a.err == nil, true)
	result := a.result()
	f.record.ErrorAction = &result
}

// failureEvent is the error action's event: its templates see the original
// message, its payload is the failure.
func (f *firing) failureEvent(text []byte) (*action.Event, error) {
	query, err := iotsql.Parse(everything, iotsql.V20160323)
	if err != nil {
		return nil, err
	}
	result, err := query.Evaluate(nil, iotsql.Message{Payload: text})
	if err != nil {
		return nil, err
	}
	return &action.Event{
		Rule: f.rule.rule.Name, Message: f.seen, Origin: f.message.Origin, Env: f.env,
		Payload: text, JSON: true, Value: result.Value,
	}, nil
}
