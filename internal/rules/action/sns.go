package action

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"thingd/internal/aws/iot"
)

// compileSNS publishes the payload as a notification (sns:Publish). With format
// JSON the payload has a member per protocol, "default" among them.
func compileSNS(c *compiler, spec *iot.Action) prepare {
	a := spec.Sns
	if a == nil {
		return nil
	}
	target, role, t := c.text("targetArn", a.TargetArn), c.role(a.RoleArn), c.t
	c.oneOf("messageFormat", a.MessageFormat, "RAW", "JSON")
	return func(r *rendering) send {
		m := &sns.PublishInput{TargetArn: aws.String(r.text(target)), Message: aws.String(string(r.Payload))}
		if a.MessageFormat == "JSON" {
			m.MessageStructure = aws.String("json")
		}
		r.resource = *m.TargetArn
		r.detail("Target", *m.TargetArn)
		return func(ctx context.Context) error {
			config, err := t.sdk(ctx, "sns", role)
			if err != nil {
				return err
			}
			_, err = sns.NewFromConfig(config).Publish(ctx, m)
			return t.outcome(role, err)
		}
	}
}
