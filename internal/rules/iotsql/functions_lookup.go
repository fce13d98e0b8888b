package iotsql

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
)

func lookupFunctions() []Function {
	const role = "'arn:aws:iam::123456789012:role/r'"
	return []Function{
		{
			Name: "get_thing_shadow", Arguments: "thing[, shadow], 'role ARN'", Min: 2, Max: 3, Since: V20160323, Group: GroupLookups, External: true,
			Doc: "The shadow document of a thing, with state, metadata, version and timestamp: its classic shadow or a named " +
				"one. The role needs iot:GetThingShadow.",
			Examples: []Example{
				example("get_thing_shadow('lamp-1', "+role+").state.reported.on", "true"),
				example("get_thing_shadow('lamp-1', 'night', "+role+").state.reported.on", "false"),
				example("get_thing_shadow(missing, "+role+")", "Undefined"),
			},
			roleLast: true,
			code:     lookup("get_thing_shadow", thingShadow),
		},
		{
			Name: "get_registry_data", Arguments: "'DescribeThing' | 'ListThingGroupsForThing', thing, 'role ARN'", Min: 3, Max: 3, Since: V20160323,
			Group: GroupLookups, External: true,
			Doc:      "The response of an operation of the registry about a thing; once in a statement. The role needs the operation.",
			Examples: []Example{example("get_registry_data('DescribeThing', 'lamp-1', "+role+").thingTypeName", `"lamp"`)},
			literals: []int{0}, roleLast: true,
			code: lookup("get_registry_data", registryData),
		},
		{
			Name: "get_dynamodb", Arguments: "table, key name, key[, sort name, sort key], 'role ARN'", Min: 4, Max: 6, Since: V20160323,
			Group: GroupLookups, External: true,
			Doc: "An item of a DynamoDB table as plain JSON; once in a statement, at most 8 KB. A missing item fails the " +
				"lookup. The role needs dynamodb:GetItem.",
			Examples: []Example{
				example("get_dynamodb('sites', 'id', 7, "+role+").city", `"Oslo"`),
				example("get_dynamodb('sites', 'id', 7, 'year', "+role+")", "Undefined"),
			},
			roleLast: true,
			code:     lookup("get_dynamodb", dynamoDBItem),
		},
		{
			Name: "get_secret", Arguments: "secret, 'SecretString' | 'SecretBinary'[, key], 'role ARN'", Min: 3, Max: 4, Since: V20151008,
			Group: GroupLookups, External: true,
			Doc: "The current version of a secret: its text, or its Object where it is JSON, or one member of that by its key; " +
				"base64 for a binary secret. The role needs secretsmanager:GetSecretValue and DescribeSecret.",
			Examples: []Example{
				example("get_secret('broker', 'SecretString', 'user', "+role+")", `"ann"`),
				example("get_secret('broker', 'SecretString', "+role+")", `{"user":"ann"}`),
				example("get_secret('keytab', 'SecretBinary', "+role+")", `"AQI="`),
			},
			roleLast: true,
			code:     secretFunction,
		},
		{
			Name: "aws_lambda", Arguments: "function ARN, json", Min: 2, Max: 2, Since: V20151008, Group: GroupLookups, External: true,
			Doc: "What a Lambda function returns when it is called with the value; it must be JSON, within 2 seconds. The " +
				"function's own policy must allow iot.amazonaws.com.",
			Examples: []Example{example("aws_lambda('arn:aws:lambda:eu-west-1:123456789012:function:echo', {'a': 1}).a", "1")},
			code:     lookup("aws_lambda", invokeLambda),
		},
		{
			Name: "machinelearning_predict", Arguments: "model, 'role ARN', record", Min: 3, Max: 3, Since: V20151008, Group: GroupLookups, External: true,
			Doc: "The prediction of a machine learning model for an Object of one level, with predictedLabel, predictedScores, " +
				"predictedValue and details.",
			Examples: []Example{example("machinelearning_predict('ml-1', "+role+", {'t': 21}).predictedLabel", `"21"`)},
			literals: []int{1},
			code:     lookup("machinelearning_predict", predict),
		},
	}
}

// errNoArgument stops a lookup before it starts: an argument is missing, so that
// the call is Undefined and nothing has failed.
var errNoArgument = errors.New("an argument of the lookup is missing")

// lookupSteps bounds how many lookups one evaluation can make.
const lookupSteps = stepsMax / 50

// lookup makes the code of a function that fetches a JSON document.
func lookup(name string, fetch func(context.Context, *evaluation, []Value) ([]byte, error)) func(*evaluation, []Value) Value {
	return func(ev *evaluation, args []Value) Value {
		if !ev.spend(lookupSteps) {
			return Value{}
		}
		text, err := fetch(ev.env.context(), ev, args)
		switch {
		case errors.Is(err, errNoArgument) || ev.err != nil:
			return Value{}
		case err != nil:
			ev.fail(&LookupError{name, err})
			return Value{}
		}
		return ev.document(name, text)
	}
}

// texts converts the arguments of a lookup.
func (ev *evaluation) texts(args []Value) ([]string, error) {
	out := make([]string, len(args))
	for i, v := range args {
		text, ok := ev.toText(v)
		if !ok {
			return nil, errNoArgument
		}
		out[i] = text
	}
	return out, nil
}

func thingShadow(ctx context.Context, ev *evaluation, args []Value) ([]byte, error) {
	words, err := ev.texts(args)
	if err != nil {
		return nil, err
	}
	name := ""
	if len(words) == 3 {
		name = words[1]
	}
	return ev.env.lookups().ThingShadow(ctx, words[0], name, words[len(words)-1])
}

func registryData(ctx context.Context, ev *evaluation, args []Value) ([]byte, error) {
	words, err := ev.texts(args)
	if err != nil || words[0] != "DescribeThing" && words[0] != "ListThingGroupsForThing" {
		return nil, errNoArgument
	}
	if !ev.callAllowed(callRegistry, registryCallsMax, "get_registry_data") {
		return nil, nil
	}
	return ev.env.lookups().RegistryData(ctx, words[0], words[1], words[2])
}

func dynamoDBItem(ctx context.Context, ev *evaluation, args []Value) ([]byte, error) {
	if len(args) == 5 {
		return nil, errNoArgument
	}
	key := DynamoDBKey{Table: args[0].Text(), PartitionName: args[1].Text(), Partition: args[2]}
	if len(args) == 6 {
		key.SortName, key.Sort = args[3].Text(), args[4]
	}
	named := key.Table != "" && key.PartitionName != "" && isKey(key.Partition)
	if !named || len(args) == 6 && (key.SortName == "" || !isKey(key.Sort)) {
		return nil, errNoArgument
	}
	if !ev.callAllowed(callDynamoDB, dynamoDBCallsMax, "get_dynamodb") {
		return nil, nil
	}
	return ev.env.lookups().DynamoDBItem(ctx, key, args[len(args)-1].Text())
}

func isKey(v Value) bool { return v.kind == String || v.kind == Int || v.kind == Decimal }

func invokeLambda(ctx context.Context, ev *evaluation, args []Value) ([]byte, error) {
	function := args[0].Text()
	if function == "" || isMissing(args[1]) {
		return nil, errNoArgument
	}
	payload, ok := ev.jsonText(args[1])
	if !ok {
		return nil, nil // noted already
	}
	return ev.env.lookups().InvokeLambda(ctx, function, []byte(payload))
}

func predict(ctx context.Context, ev *evaluation, args []Value) ([]byte, error) {
	if args[0].Text() == "" || args[2].kind != Object {
		return nil, errNoArgument
	}
	record := make(map[string]string)
	for name, v := range args[2].Members() {
		if text, ok := ev.toText(v); ok {
			record[name] = text
		}
	}
	return ev.env.lookups().Predict(ctx, args[0].text, record, args[1].text)
}

// secretFunction is get_secret. Unlike the other lookups it may give a plain
// String.
func secretFunction(ev *evaluation, args []Value) Value {
	words, err := ev.texts(args)
	if err != nil || !ev.spend(lookupSteps) {
		return Value{}
	}
	if words[1] != "SecretString" && words[1] != "SecretBinary" {
		return Value{}
	}
	secret, err := ev.env.lookups().Secret(ev.env.context(), words[0], words[len(words)-1])
	var v Value
	if err == nil {
		v, err = ev.secretValue(secret, words[1:len(words)-1])
	}
	if err != nil {
		ev.fail(&LookupError{"get_secret", err})
		return Value{}
	}
	return v
}

// secretValue takes a secret as its type, and its key where one is named.
func (ev *evaluation) secretValue(secret Secret, how []string) (Value, error) {
	binary, keyed := how[0] == "SecretBinary", len(how) == 2
	switch {
	case binary != (secret.Binary != nil):
		return Value{}, errors.New("the secret is not a " + how[0])
	case binary && keyed:
		return Value{}, errors.New("a binary secret has no keys")
	case binary:
		return ev.string(base64.StdEncoding.EncodeToString(secret.Binary)), nil
	}
	v, ok := Value{}, false
	if strings.HasPrefix(strings.TrimSpace(secret.Text), "{") {
		v, ok = ev.readJSON(secret.Text)
	}
	switch {
	case keyed && !ok:
		return Value{}, errors.New("the secret is not JSON and has no keys")
	case keyed:
		return v.Member(how[1]), nil
	case ok:
		return v, nil
	}
	return ev.string(secret.Text), nil
}
