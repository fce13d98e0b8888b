package action_test

import (
	"encoding/json"
	"testing"
	"time"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

// FuzzActions compiles and renders whatever somebody calls an action.
func FuzzActions(f *testing.F) {
	const role = `"roleArn":"arn:aws:iam::123456789012:role/r"`
	for _, seed := range []string{
		`{"s3":{"bucketName":"b","key":"${topic(2)}/${timestamp()}",` + role + `}}`,
		`{"republish":{"topic":"$$aws/things/${name}/shadow/update","headers":{"messageExpiry":"${n}","correlationData":"YQ=="},` + role + `}}`,
		`{"http":{"url":"https://a.example/${name}","confirmationUrl":"https://a.example","headers":[{"key":"A","value":"${n}"}],"enableBatching":true}}`,
		`{"dynamoDB":{"tableName":"t","hashKeyField":"f","hashKeyValue":"${name}","hashKeyType":"NUMBER","operation":"UPDATE",` + role + `}}`,
		`{"dynamoDBv2":{"putItem":{"tableName":"t"},` + role + `}}`,
		`{"dynamoDBv2":{` + role + `}}`,
		`{"firehose":{"deliveryStreamName":"s","separator":"\n","batchMode":true,` + role + `}}`,
		`{"cloudwatchLogs":{"logGroupName":"g","batchMode":true,` + role + `}}`,
		`{"cloudwatchMetric":{"metricNamespace":"n","metricName":"m","metricValue":"${n}","metricUnit":"None","metricTimestamp":"1e300",` + role + `}}`,
		`{"timestream":{"databaseName":"d","tableName":"t","dimensions":[{"name":"a","value":"${name}"}],"timestamp":{"value":"9","unit":"SECONDS"},` + role + `}}`,
		`{"location":{"trackerName":"t","deviceId":"d","latitude":"NaN","longitude":"${n}","timestamp":{"value":"99999999999999999"},` + role + `}}`,
		`{"iotSiteWise":{"putAssetPropertyValueEntries":[{"propertyAlias":"a","propertyValues":[{"value":{"doubleValue":"Inf"},"timestamp":{"timeInSeconds":"1"}}]}],` + role + `}}`,
		`{"kafka":{"destinationArn":"d","topic":"t","partition":"${n}","clientProperties":{"bootstrap.servers":"a:9000"}}}`,
		`{"iotAnalytics":{"channelArn":"x"}}`, `{"iotEvents":{"inputName":"i",` + role + `}}`, `{"lambda":{"functionArn":"f"}}`, `{}`,
	} {
		f.Add(seed, `{"name":"x","n":1}`)
		f.Add(seed, `[{"timestamp":1,"message":"m"}]`)
		f.Add(seed, "\x00\xff")
	}
	query, err := iotsql.Parse("SELECT * FROM '#'", iotsql.V20160323)
	if err != nil {
		f.Fatal(err)
	}
	targets := action.New(action.Config{Scope: scope, Now: func() time.Time { return at }})
	f.Cleanup(targets.Close)
	f.Fuzz(func(t *testing.T, text, payload string) {
		var spec iot.Action
		if json.Unmarshal([]byte(text), &spec) != nil {
			return
		}
		compiled, err := targets.Compile(spec, query)
		if err != nil {
			return
		}
		delivery, err := compiled.Prepare(event(t, query, payload))
		if err != nil && delivery.Explain(err) == "" {
			t.Error("a failure without words")
		}
	})
}
