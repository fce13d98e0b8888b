package action

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/iotsql"
)

// compileDynamoDBv2 puts an item with one attribute per member of the payload,
// the table's keys among them (dynamodb:PutItem).
func compileDynamoDBv2(c *compiler, spec *iot.Action) prepare {
	a := spec.DynamoDBv2
	if a == nil {
		return nil
	}
	if a.PutItem == nil {
		c.refuse("dynamoDBv2 needs putItem")
		return func(*rendering) send { return nil }
	}
	table, role, t := c.text("tableName", a.PutItem.TableName), c.role(a.RoleArn), c.t
	return func(r *rendering) send {
		name := r.text(table)
		r.resource = name
		r.detail("Table", name)
		if !r.JSON || r.Value.Kind() != iotsql.Object {
			return r.fail("the payload is not a JSON object")
		}
		put := &dynamodb.PutItemInput{TableName: aws.String(name), Item: attributes(r.Value)}
		return func(ctx context.Context) error {
			config, err := t.sdk(ctx, "dynamodb", role)
			if err != nil {
				return err
			}
			_, err = dynamodb.NewFromConfig(config).PutItem(ctx, put)
			return t.outcome(role, err)
		}
	}
}
