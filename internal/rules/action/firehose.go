package action

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/iotsql"
)

// firehoseBatch is the most records of one PutRecordBatch.
const firehoseBatch = 500

// compileFirehose puts records into a delivery stream, with the separator
// behind each (firehose:PutRecord). In batch mode an array becomes one record
// per element (firehose:PutRecordBatch).
func compileFirehose(c *compiler, spec *iot.Action) prepare {
	a := spec.Firehose
	if a == nil {
		return nil
	}
	stream, role, t := c.text("deliveryStreamName", a.DeliveryStreamName), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		name := r.text(stream)
		r.resource = name
		r.detail("Stream", name)
		parts, err := elements(r.Event, a.BatchMode, firehoseBatch)
		if err != nil {
			return r.fail("%v", err)
		}
		records := make([]types.Record, len(parts))
		for i, part := range parts {
			records[i].Data = append(part[:len(part):len(part)], a.Separator...)
		}
		return func(ctx context.Context) error {
			left, err := t.putRecords(ctx, role, name, records)
			records = left
			return t.outcome(role, err)
		}
	}
}

// putRecords gives the records that are still to be put.
func (t *Targets) putRecords(ctx context.Context, role, stream string, records []types.Record) ([]types.Record, error) {
	config, err := t.sdk(ctx, "firehose", role)
	if err != nil {
		return records, err
	}
	client := firehose.NewFromConfig(config)
	if len(records) == 1 {
		_, err = client.PutRecord(ctx, &firehose.PutRecordInput{DeliveryStreamName: aws.String(stream), Record: &records[0]})
		return records, err
	}
	out, err := client.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String(stream), Records: records})
	if err != nil || aws.ToInt32(out.FailedPutCount) == 0 {
		return records, err
	}
	var left []types.Record
	why := ""
	for i, each := range out.RequestResponses {
		if each.ErrorCode != nil && i < len(records) {
			left, why = append(left, records[i]), *each.ErrorCode+": "+aws.ToString(each.ErrorMessage)
		}
	}
	// Records fail one by one where the stream is too busy.
	text := fmt.Sprintf("FirehoseAction failed to put %d of %d records to %s: %s", len(left), len(records), stream, why)
	return left, &Failure{Text: text, Again: true}
}

// elements gives what a batch mode sends one by one: the elements of the result
// where it is an array, the result itself otherwise.
func elements(ev *Event, batch *bool, most int) ([][]byte, error) {
	if batch == nil || !*batch || !ev.JSON || ev.Value.Kind() != iotsql.Array {
		return [][]byte{ev.Payload}, nil
	}
	all := ev.Value.Elements()
	if len(all) == 0 || len(all) > most {
		return nil, fmt.Errorf("the result has %d elements; a batch has 1 to %d", len(all), most)
	}
	parts := make([][]byte, len(all))
	for i, each := range all {
		text, ok := each.JSON()
		if !ok {
			return nil, fmt.Errorf("element %d of the result is too large", i)
		}
		parts[i] = text
	}
	return parts, nil
}
