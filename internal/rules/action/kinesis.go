package action

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/google/uuid"

	"thingd/internal/aws/iot"
)

// compileKinesis puts the payload as a record of a stream (kinesis:PutRecord).
// Without a partition key each record gets a random one (unconfirmed).
func compileKinesis(c *compiler, spec *iot.Action) prepare {
	a := spec.Kinesis
	if a == nil {
		return nil
	}
	stream, key, role, t := c.text("streamName", a.StreamName), c.optional("partitionKey", a.PartitionKey), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		record := &kinesis.PutRecordInput{StreamName: aws.String(r.text(stream)), PartitionKey: aws.String(r.text(key)), Data: r.Payload}
		if *record.PartitionKey == "" {
			record.PartitionKey = aws.String(uuid.NewString())
		}
		r.resource = *record.StreamName
		r.detail("Stream", *record.StreamName)
		return func(ctx context.Context) error {
			config, err := t.sdk(ctx, "kinesis", role)
			if err != nil {
				return err
			}
			_, err = kinesis.NewFromConfig(config).PutRecord(ctx, record)
			return t.outcome(role, err)
		}
	}
}
