package action

import (
	"context"
	"encoding/base64"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"thingd/internal/aws/iot"
)

// compileSQS sends the payload as the body of a message, as text or in base64
// (sqs:SendMessage). Binary payloads need useBase64.
func compileSQS(c *compiler, spec *iot.Action) prepare {
	a := spec.Sqs
	if a == nil {
		return nil
	}
	queue, role, t := c.text("queueUrl", a.QueueUrl), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		body := string(r.Payload)
		if a.UseBase64 != nil && *a.UseBase64 {
			body = base64.StdEncoding.EncodeToString(r.Payload)
		}
		m := &sqs.SendMessageInput{QueueUrl: aws.String(r.text(queue)), MessageBody: aws.String(body)}
		r.resource = *m.QueueUrl
		r.detail("Queue", *m.QueueUrl)
		return func(ctx context.Context) error {
			config, err := t.sdk(ctx, "sqs", role)
			if err != nil {
				return err
			}
			_, err = sqs.NewFromConfig(config).SendMessage(ctx, m)
			return t.outcome(role, err)
		}
	}
}
