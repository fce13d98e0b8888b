package action

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/iotsql"
)

// compileDynamoDB writes the whole payload into one column of an item (AWS IoT
// action "DynamoDB"): INSERT is dynamodb:PutItem, UPDATE UpdateItem, DELETE
// DeleteItem. A JSON payload becomes a map, another one binary (unconfirmed).
func compileDynamoDB(c *compiler, spec *iot.Action) prepare {
	a := spec.DynamoDB
	if a == nil {
		return nil
	}
	d := &dynamoDB{
		t: c.t, role: c.role(a.RoleArn), table: c.text("tableName", a.TableName), operation: c.optional("operation", a.Operation),
		hash: c.key("hashKey", a.HashKeyField, a.HashKeyValue, a.HashKeyType), payload: c.optional("payloadField", a.PayloadField),
	}
	if a.RangeKeyField != "" {
		d.sort = c.key("rangeKey", a.RangeKeyField, a.RangeKeyValue, a.RangeKeyType)
	}
	return d.prepare
}

type dynamoDB struct {
	t                         *Targets
	role                      string
	table, operation, payload *parameter
	hash, sort                *keyParameter
}

// keyParameter is a key attribute of an item; all of it may have templates.
type keyParameter struct{ field, value, kind *parameter }

func (c *compiler) key(name, field, value, kind string) *keyParameter {
	return &keyParameter{c.text(name+"Field", field), c.text(name+"Value", value), c.optional(name+"Type", kind)}
}

// into renders the key into an item.
func (k *keyParameter) into(item map[string]types.AttributeValue, r *rendering) {
	if k == nil {
		return
	}
	name, value := r.text(k.field), r.text(k.value)
	if r.text(k.kind) == "NUMBER" {
		item[name] = &types.AttributeValueMemberN{Value: value}
	} else {
		item[name] = &types.AttributeValueMemberS{Value: value}
	}
	r.detail(k.field.name, name)
	r.quoted(k.value.name, value)
}

func (d *dynamoDB) prepare(r *rendering) send {
	table, operation := r.text(d.table), r.text(d.operation)
	r.resource = table
	r.detail("Table", table)
	key := map[string]types.AttributeValue{}
	d.hash.into(key, r)
	d.sort.into(key, r)
	column := r.text(d.payload)
	if column == "" {
		column = "payload"
	}
	switch operation {
	case "", "INSERT":
		key[column] = payloadAttribute(r.Event)
		return d.run(func(ctx context.Context, client *dynamodb.Client) error {
			_, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: key})
			return err
		})
	case "UPDATE":
		value := map[string]types.AttributeValue{":p": payloadAttribute(r.Event)}
		return d.run(func(ctx context.Context, client *dynamodb.Client) error {
			_, err := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: &table, Key: key, UpdateExpression: aws.String("SET #p = :p"),
				ExpressionAttributeNames: map[string]string{"#p": column}, ExpressionAttributeValues: value,
			})
			return err
		})
	case "DELETE":
		return d.run(func(ctx context.Context, client *dynamodb.Client) error {
			_, err := client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: key})
			return err
		})
	}
	return r.fail("operation %q is not one of INSERT, UPDATE, DELETE", operation)
}

func (d *dynamoDB) run(do func(context.Context, *dynamodb.Client) error) send {
	return func(ctx context.Context) error {
		config, err := d.t.sdk(ctx, "dynamodb", d.role)
		if err != nil {
			return err
		}
		return d.t.outcome(d.role, do(ctx, dynamodb.NewFromConfig(config)))
	}
}

func payloadAttribute(ev *Event) types.AttributeValue {
	if ev.JSON {
		return attribute(ev.Value)
	}
	return &types.AttributeValueMemberB{Value: ev.Payload}
}

// attribute makes a DynamoDB attribute of a value.
func attribute(v iotsql.Value) types.AttributeValue {
	switch v.Kind() {
	case iotsql.Boolean:
		return &types.AttributeValueMemberBOOL{Value: v.Truth()}
	case iotsql.Int, iotsql.Decimal:
		return &types.AttributeValueMemberN{Value: v.String()}
	case iotsql.String:
		return &types.AttributeValueMemberS{Value: v.Text()}
	case iotsql.Array:
		list := []types.AttributeValue{}
		for _, each := range v.Elements() {
			list = append(list, attribute(each))
		}
		return &types.AttributeValueMemberL{Value: list}
	case iotsql.Object:
		return &types.AttributeValueMemberM{Value: attributes(v)}
	}
	return &types.AttributeValueMemberNULL{Value: true}
}

// attributes makes an item of an object.
func attributes(v iotsql.Value) map[string]types.AttributeValue {
	item := map[string]types.AttributeValue{}
	for name, member := range v.Members() {
		if member.Kind() != iotsql.Undefined {
			item[name] = attribute(member)
		}
	}
	return item
}
