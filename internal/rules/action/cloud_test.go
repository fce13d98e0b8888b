package action_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iot"
	"thingd/internal/aws/sigv4"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

// account is how a test looks at what the actions did.
func account() aws.Config {
	return aws.Config{
		Region: scope.Region, BaseEndpoint: aws.String(cloud.url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
	}
}

// must fails the test where setting the scene does.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func done(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestS3(t *testing.T) {
	targets := inCloud(t)
	ctx := context.Background()
	client := s3.NewFromConfig(account(), func(o *s3.Options) { o.UsePathStyle = true })
	must[*s3.CreateBucketOutput](t)(client.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: aws.String("climate-log"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"},
	}))
	put := func(bucket, key string) iot.Action {
		return iot.Action{S3: &iot.S3Action{BucketName: bucket, Key: key, CannedAcl: "public-read", RoleArn: role}}
	}
	done(t, run(t, targets, put("climate-log", "${topic()}/${timestamp()}"), `{ "name": "s3" }`))
	done(t, run(t, targets, put("climate-${name}", "test"), `{"name":"log"}`))
	done(t, run(t, targets, put("climate-log", "test"), "raw \x00 bytes"))
	for key, want := range map[string]string{"lab/7/1700000000123": `{"name":"s3"}`, "test": "raw \x00 bytes"} {
		got := must[*s3.GetObjectOutput](t)(client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("climate-log"), Key: &key}))
		body, err := io.ReadAll(got.Body)
		if err != nil || string(body) != want {
			t.Errorf("%s: got %q, %v", key, body, err)
		}
	}
	acl := must[*s3.GetObjectAclOutput](t)(client.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: aws.String("climate-log"), Key: aws.String("test")}))
	if len(acl.Grants) != 2 {
		t.Error("the object is not public", len(acl.Grants))
	}
}

func TestAMissingBucketIsExplained(t *testing.T) {
	targets := inCloud(t)
	delivery, err := prepare(t, targets, iot.Action{S3: &iot.S3Action{BucketName: "nowhere", Key: "k", RoleArn: role}}, `{}`)
	done(t, err)
	err = delivery.Send(context.Background())
	got := delivery.Explain(err)
	want := `Failed to put S3 object. The error received was The specified bucket does not exist (Service: Amazon S3; Status Code: 404; Error Code: NoSuchBucket; Request ID: `
	end := `). Message arrived on: lab/7, Action: s3, Bucket: nowhere, Key: "k"`
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, end) || action.Retryable(err) {
		t.Error(got)
	}
}

func TestSQS(t *testing.T) {
	targets := inCloud(t)
	ctx := context.Background()
	client := sqs.NewFromConfig(account())
	queue := must[*sqs.CreateQueueOutput](t)(client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("q")})).QueueUrl
	done(t, run(t, targets, iot.Action{Sqs: &iot.SqsAction{QueueUrl: *queue, RoleArn: role}}, `{"n":1}`))
	done(t, run(t, targets, iot.Action{Sqs: &iot.SqsAction{QueueUrl: *queue, RoleArn: role, UseBase64: new(true)}}, "\x01\x02"))
	var bodies []string
	for range 2 {
		out := must[*sqs.ReceiveMessageOutput](t)(client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue, VisibilityTimeout: 60}))
		for _, m := range out.Messages {
			bodies = append(bodies, *m.Body)
		}
	}
	if diff := cmp.Diff([]string{`{"n":1}`, "AQI="}, bodies); diff != "" {
		t.Error(diff)
	}
}

func TestSNS(t *testing.T) {
	targets := inCloud(t)
	ctx := context.Background()
	topic := must[*sns.CreateTopicOutput](t)(sns.NewFromConfig(account()).CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("alarms")})).TopicArn
	inbox := sqs.NewFromConfig(account())
	queue := must[*sqs.CreateQueueOutput](t)(inbox.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("inbox")})).QueueUrl
	must[*sns.SubscribeOutput](t)(sns.NewFromConfig(account()).Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: topic, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:eu-west-1:123456789012:inbox"),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	}))
	done(t, run(t, targets, iot.Action{Sns: &iot.SnsAction{TargetArn: "arn:aws:sns:eu-west-1:123456789012:${name}", RoleArn: role}}, `{"name":"alarms"}`))
	done(t, run(t, targets, iot.Action{Sns: &iot.SnsAction{TargetArn: *topic, RoleArn: role, MessageFormat: "JSON"}}, `{"default":"d","sqs":"for the queue"}`))
	var bodies []string
	for range 2 {
		out := must[*sqs.ReceiveMessageOutput](t)(inbox.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue, VisibilityTimeout: 60}))
		for _, m := range out.Messages {
			bodies = append(bodies, *m.Body)
		}
	}
	if diff := cmp.Diff([]string{`{"name":"alarms"}`, "for the queue"}, bodies); diff != "" {
		t.Error(diff)
	}
}

func TestKinesis(t *testing.T) {
	targets := inCloud(t)
	ctx := context.Background()
	client := kinesis.NewFromConfig(account())
	stream := aws.String("readings")
	must[*kinesis.CreateStreamOutput](t)(client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(1)}))
	done(t, run(t, targets, iot.Action{Kinesis: &iot.KinesisAction{StreamName: "readings", PartitionKey: "${topic(2)}", RoleArn: role}}, `{"n":1}`))
	done(t, run(t, targets, iot.Action{Kinesis: &iot.KinesisAction{StreamName: "readings", RoleArn: role}}, `{"n":2}`))
	shards := must[*kinesis.ListShardsOutput](t)(client.ListShards(ctx, &kinesis.ListShardsInput{StreamName: stream}))
	from := must[*kinesis.GetShardIteratorOutput](t)(client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: stream, ShardId: shards.Shards[0].ShardId, ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon,
	}))
	records := must[*kinesis.GetRecordsOutput](t)(client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: from.ShardIterator})).Records
	if len(records) != 2 || string(records[0].Data) != `{"n":1}` || *records[0].PartitionKey != "7" || len(*records[1].PartitionKey) != 36 {
		t.Errorf("%+v", records)
	}
}

func TestFirehose(t *testing.T) {
	targets := inCloud(t)
	ctx := context.Background()
	files := s3.NewFromConfig(account(), func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String("firehose-out")
	must[*s3.CreateBucketOutput](t)(files.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"},
	}))
	must[*firehose.CreateDeliveryStreamOutput](t)(firehose.NewFromConfig(account()).CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String("f"), ExtendedS3DestinationConfiguration: &firehosetypes.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::firehose-out"), RoleARN: aws.String(role),
		},
	}))
	done(t, run(t, targets, iot.Action{Firehose: &iot.FirehoseAction{DeliveryStreamName: "f", Separator: "\n", BatchMode: new(true), RoleArn: role}}, `[{"n":1},{"n":2}]`))
	done(t, run(t, targets, iot.Action{Firehose: &iot.FirehoseAction{DeliveryStreamName: "f", RoleArn: role}}, `{"n":3}`))
	var bodies []string
	for _, object := range must[*s3.ListObjectsV2Output](t)(files.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})).Contents {
		out := must[*s3.GetObjectOutput](t)(files.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: object.Key}))
		bodies = append(bodies, string(must[[]byte](t)(io.ReadAll(out.Body))))
	}
	slices.Sort(bodies) // their names are random
	if diff := cmp.Diff([]string{"{\"n\":1}\n{\"n\":2}\n", `{"n":3}`}, bodies); diff != "" {
		t.Error(diff)
	}
}

func table(t *testing.T, name string) *dynamodb.Client {
	client := dynamodb.NewFromConfig(account())
	must[*dynamodb.CreateTableOutput](t)(client.CreateTable(context.Background(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: dynamodbtypes.BillingModePayPerRequest,
		KeySchema: []dynamodbtypes.KeySchemaElement{
			{AttributeName: aws.String("id"), KeyType: dynamodbtypes.KeyTypeHash}, {AttributeName: aws.String("at"), KeyType: dynamodbtypes.KeyTypeRange},
		},
		AttributeDefinitions: []dynamodbtypes.AttributeDefinition{
			{AttributeName: aws.String("id"), AttributeType: dynamodbtypes.ScalarAttributeTypeS},
			{AttributeName: aws.String("at"), AttributeType: dynamodbtypes.ScalarAttributeTypeN},
		},
	}))
	return client
}

func items(t *testing.T, client *dynamodb.Client, name string) []map[string]dynamodbtypes.AttributeValue {
	return must[*dynamodb.ScanOutput](t)(client.Scan(context.Background(), &dynamodb.ScanInput{TableName: &name})).Items
}

func TestDynamoDBv2(t *testing.T) {
	targets := inCloud(t)
	client := table(t, "v2")
	spec := iot.Action{DynamoDBv2: &iot.DynamoDBv2Action{RoleArn: role, PutItem: &iot.PutItemInput{TableName: "v${at}"}}}
	done(t, run(t, targets, spec, `{"id":"a","at":2,"t":21.5,"on":true,"z":null,"l":[1,"x"],"o":{"k":"v"}}`))
	want := []map[string]dynamodbtypes.AttributeValue{{
		"id": &dynamodbtypes.AttributeValueMemberS{Value: "a"}, "at": &dynamodbtypes.AttributeValueMemberN{Value: "2"},
		"t": &dynamodbtypes.AttributeValueMemberN{Value: "21.5"}, "on": &dynamodbtypes.AttributeValueMemberBOOL{Value: true},
		"z": &dynamodbtypes.AttributeValueMemberNULL{Value: true},
		"l": &dynamodbtypes.AttributeValueMemberL{Value: []dynamodbtypes.AttributeValue{
			&dynamodbtypes.AttributeValueMemberN{Value: "1"}, &dynamodbtypes.AttributeValueMemberS{Value: "x"}}},
		"o": &dynamodbtypes.AttributeValueMemberM{Value: map[string]dynamodbtypes.AttributeValue{"k": &dynamodbtypes.AttributeValueMemberS{Value: "v"}}},
	}}
	if diff := cmp.Diff(want, items(t, client, "v2"), cmpAttributes); diff != "" {
		t.Error(diff)
	}
	if err := run(t, targets, spec, `[1]`); err == nil {
		t.Error("an array was put")
	}
}

// cmpAttributes compares attributes by what they say.
var cmpAttributes = cmp.Transformer("attribute", func(a dynamodbtypes.AttributeValue) string {
	text, _ := json.Marshal(a)
	return string(text)
})

func TestDynamoDB(t *testing.T) {
	targets := inCloud(t)
	client := table(t, "v1")
	spec := func(operation string) iot.Action {
		return iot.Action{DynamoDB: &iot.DynamoDBAction{
			TableName: "v1", RoleArn: role, Operation: operation, HashKeyField: "id", HashKeyValue: "${topic(2)}",
			RangeKeyField: "at", RangeKeyValue: "${at}", RangeKeyType: "NUMBER", PayloadField: "data",
		}}
	}
	item := func(data dynamodbtypes.AttributeValue) []map[string]dynamodbtypes.AttributeValue {
		return []map[string]dynamodbtypes.AttributeValue{{
			"id": &dynamodbtypes.AttributeValueMemberS{Value: "7"}, "at": &dynamodbtypes.AttributeValueMemberN{Value: "5"}, "data": data,
		}}
	}
	five := &dynamodbtypes.AttributeValueMemberM{Value: map[string]dynamodbtypes.AttributeValue{"at": &dynamodbtypes.AttributeValueMemberN{Value: "5"}}}
	more := &dynamodbtypes.AttributeValueMemberM{Value: map[string]dynamodbtypes.AttributeValue{
		"at": &dynamodbtypes.AttributeValueMemberN{Value: "5"}, "x": &dynamodbtypes.AttributeValueMemberS{Value: "y"}}}
	for _, step := range []struct {
		operation, payload string
		want               []map[string]dynamodbtypes.AttributeValue
	}{
		{"", `{"at":5}`, item(five)},
		{"UPDATE", `{"at":5,"x":"y"}`, item(more)},
		{"INSERT", `{"at":5}`, item(five)},
		{"DELETE", `{"at":5}`, nil},
	} {
		done(t, run(t, targets, spec(step.operation), step.payload))
		if diff := cmp.Diff(step.want, append([]map[string]dynamodbtypes.AttributeValue(nil), items(t, client, "v1")...), cmpAttributes); diff != "" {
			t.Error(step.operation, diff)
		}
	}
}

// query calls CloudWatch in the Query protocol.
func query(t *testing.T, parameters ...string) string {
	t.Helper()
	form := url.Values{"Version": {"2010-08-01"}}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	r := must[*http.Request](t)(http.NewRequest(http.MethodPost, cloud.url, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sigv4.Sign(r, []byte(form.Encode()), sigv4.Credentials{AccessKeyID: "AKIATEST", SecretAccessKey: "secret"}, "monitoring", scope.Region, time.Now())
	answer := must[*http.Response](t)(http.DefaultClient.Do(r))
	defer answer.Body.Close()
	text := must[[]byte](t)(io.ReadAll(answer.Body))
	if answer.StatusCode != 200 {
		t.Fatal(answer.Status, string(text))
	}
	return string(text)
}

func TestCloudWatchMetric(t *testing.T) {
	targets := inCloud(t)
	done(t, run(t, targets, iot.Action{CloudwatchMetric: &iot.CloudwatchMetricAction{
		RoleArn: role, MetricNamespace: "House", MetricName: "t-${topic(2)}", MetricValue: "${t}", MetricUnit: "None", MetricTimestamp: "${floor(timestamp() / 1000)}",
	}}, `{"t":21.5}`))
	got := query(t, "Action", "GetMetricStatistics", "Namespace", "House", "MetricName", "t-7", "Period", "60", "Statistics.member.1", "Sum",
		"StartTime", at.Add(-time.Minute).Format(time.RFC3339), "EndTime", at.Add(time.Minute).Format(time.RFC3339))
	if !strings.Contains(got, "<Sum>21.5</Sum>") {
		t.Error(got)
	}
}

func TestCloudWatchAlarm(t *testing.T) {
	targets := inCloud(t)
	query(t, "Action", "PutMetricAlarm", "AlarmName", "hot", "ComparisonOperator", "GreaterThanThreshold", "EvaluationPeriods", "1",
		"MetricName", "t", "Namespace", "House", "Period", "60", "Threshold", "30", "Statistic", "Maximum")
	set := func(name string) iot.Action {
		return iot.Action{CloudwatchAlarm: &iot.CloudwatchAlarmAction{RoleArn: role, AlarmName: name, StateReason: "it is ${t}", StateValue: "ALARM"}}
	}
	done(t, run(t, targets, set("hot"), `{"t":31}`))
	got := query(t, "Action", "DescribeAlarms", "AlarmNames.member.1", "hot")
	if !strings.Contains(got, "<StateValue>ALARM</StateValue>") || !strings.Contains(got, "it is 31") {
		t.Error(got)
	}
	delivery := must[*action.Delivery](t)(prepare(t, targets, set("cold"), `{"t":31}`))
	err := delivery.Send(context.Background())
	if words := delivery.Explain(err); !strings.Contains(words, "(Service: Amazon CloudWatch; Status Code: 404; Error Code: ResourceNotFound") {
		t.Error(words)
	}
}

func TestCloudWatchLogs(t *testing.T) {
	_ = inCloud(t)
	// The service takes no events that are older than two weeks.
	targets := action.New(action.Config{
		Scope: scope, Credentials: keys, Endpoints: map[string]action.Endpoint{action.Anywhere: {URL: cloud.url}},
	})
	defer targets.Close()
	ctx := context.Background()
	client := cloudwatchlogs.NewFromConfig(account())
	group := aws.String("rules")
	must[*cloudwatchlogs.CreateLogGroupOutput](t)(client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}))
	done(t, run(t, targets, iot.Action{CloudwatchLogs: &iot.CloudwatchLogsAction{LogGroupName: "rules", RoleArn: role}}, `{"n":1}`))
	done(t, run(t, targets, iot.Action{CloudwatchLogs: &iot.CloudwatchLogsAction{LogGroupName: "rules", RoleArn: role}}, `{"n":2}`))
	streams := must[*cloudwatchlogs.DescribeLogStreamsOutput](t)(client.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group}))
	var messages []string
	for _, s := range streams.LogStreams {
		out := must[*cloudwatchlogs.GetLogEventsOutput](t)(client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: s.LogStreamName}))
		for _, e := range out.Events {
			messages = append(messages, *e.Message)
		}
	}
	if diff := cmp.Diff([]string{`{"n":1}`, `{"n":2}`}, messages); diff != "" {
		t.Error(diff)
	}
}

func TestStepFunctions(t *testing.T) {
	targets := inCloud(t)
	ctx := context.Background()
	client := sfn.NewFromConfig(account())
	machine := must[*sfn.CreateStateMachineOutput](t)(client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: aws.String("m"), RoleArn: aws.String(role),
		Definition: aws.String(`{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`),
	})).StateMachineArn
	done(t, run(t, targets, iot.Action{StepFunctions: &iot.StepFunctionsAction{StateMachineName: "m", ExecutionNamePrefix: "p-${topic(2)}-", RoleArn: role}}, `{"n":1}`))
	all := must[*sfn.ListExecutionsOutput](t)(client.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: machine})).Executions
	if len(all) != 1 || !strings.HasPrefix(*all[0].Name, "p-7-") {
		t.Fatalf("%+v", all)
	}
	one := must[*sfn.DescribeExecutionOutput](t)(client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: all[0].ExecutionArn}))
	if *one.Input != `{"n":1}` {
		t.Error(*one.Input)
	}
}

func TestLookupsInTheCloud(t *testing.T) {
	targets := inCloud(t)
	ctx := context.Background()
	lookups := &action.Lookups{Targets: targets, ObjectRole: role}
	client := table(t, "lookups")
	must[*dynamodb.PutItemOutput](t)(client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("lookups"), Item: map[string]dynamodbtypes.AttributeValue{
		"id": &dynamodbtypes.AttributeValueMemberS{Value: "a"}, "at": &dynamodbtypes.AttributeValueMemberN{Value: "1"},
		"l": &dynamodbtypes.AttributeValueMemberSS{Value: []string{"x", "y"}},
	}}))
	secrets := secretsmanager.NewFromConfig(account())
	must[*secretsmanager.CreateSecretOutput](t)(secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String("key"), SecretString: aws.String(`{"k":"v"}`),
	}))
	env := &iotsql.Env{Context: ctx, Lookups: lookups}
	for sql, want := range map[string]string{
		"SELECT VALUE get_dynamodb('lookups', 'id', 'a', 'at', 1, '" + role + "') FROM 'a'":                    `{"at":1,"id":"a","l":["x","y"]}`,
		"SELECT VALUE get_secret('key', 'SecretString', 'k', '" + role + "') FROM 'a'":                         `"v"`,
		"SELECT VALUE get_or_default(get_dynamodb('lookups', 'id', 'b', 'at', 1, '" + role + "'), 9) FROM 'a'": `9`,
	} {
		query, err := iotsql.Parse(sql, iotsql.V20160323)
		done(t, err)
		got, err := query.Evaluate(env, iotsql.Message{Topic: "a"})
		if err != nil || string(got.Payload) != want {
			t.Errorf("%s: got %s, %v", sql, got.Payload, err)
		}
	}
	_, err := lookups.Object(ctx, "nowhere", "k")
	var answered smithy.APIError
	if !errors.As(err, &answered) || answered.ErrorCode() != "NoSuchBucket" {
		t.Error(err)
	}
}
