package action

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/iotsql"
)

// compileCloudWatchLogs writes the payload as one log event, or in batch mode an
// array of {"timestamp": ms, "message": "…"} as one event each
// (logs:PutLogEvents, logs:CreateLogStream). The stream is named like the rule
// and the day, which AWS does not document (unconfirmed).
func compileCloudWatchLogs(c *compiler, spec *iot.Action) prepare {
	a := spec.CloudwatchLogs
	if a == nil {
		return nil
	}
	group, role, t := c.text("logGroupName", a.LogGroupName), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		name := r.text(group)
		r.resource = name
		r.detail("LogGroup", name)
		events := []types.InputLogEvent{{Message: aws.String(string(r.Payload)), Timestamp: aws.Int64(t.Now().UnixMilli())}}
		if a.BatchMode != nil && *a.BatchMode {
			if events = logEvents(r.Value); events == nil {
				return r.fail(`the payload is not an array of {"timestamp": milliseconds, "message": "text"}`)
			}
		}
		put := &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: &name, LogStreamName: aws.String(r.Rule + "/" + t.Now().UTC().Format(time.DateOnly)), LogEvents: events,
		}
		return func(ctx context.Context) error { return t.outcome(role, t.putLogEvents(ctx, role, put)) }
	}
}

// logEvents reads the payload of the batch mode; nil where it is something else.
func logEvents(v iotsql.Value) []types.InputLogEvent {
	var events []types.InputLogEvent
	for _, each := range v.Elements() {
		text, at := each.Member("message"), each.Member("timestamp")
		ms, ok := wholeNumber(at)
		if text.Kind() != iotsql.String || !ok {
			return nil
		}
		events = append(events, types.InputLogEvent{Message: aws.String(text.Text()), Timestamp: &ms})
	}
	// PutLogEvents wants them in order.
	slices.SortStableFunc(events, func(a, b types.InputLogEvent) int { return cmp.Compare(*a.Timestamp, *b.Timestamp) })
	return events
}

// putLogEvents makes the stream when it is missing.
func (t *Targets) putLogEvents(ctx context.Context, role string, put *cloudwatchlogs.PutLogEventsInput) error {
	config, err := t.sdk(ctx, "logs", role)
	if err != nil {
		return err
	}
	client := cloudwatchlogs.NewFromConfig(config)
	_, err = client.PutLogEvents(ctx, put)
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		return err
	}
	_, err = client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: put.LogGroupName, LogStreamName: put.LogStreamName})
	var exists *types.ResourceAlreadyExistsException
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	_, err = client.PutLogEvents(ctx, put)
	return err
}
