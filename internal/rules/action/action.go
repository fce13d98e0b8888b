// Package action is what a rule does with its result: one file per kind of
// action of AWS IoT rules.
//
//	targets := action.New(action.Config{Publisher: broker, Credentials: assume, ...})
//	run, err := targets.Compile(spec, query)      // when the rule is made
//	delivery, err := run.Prepare(&action.Event{...}) // for each message
//	err = delivery.Send(ctx)
//
// Compile parses the ${...} templates, Prepare renders them for one message and
// has no effect, Send acts. The middle step is what the tester of rules shows.
// Whether and when to send again is the engine's business; Retryable tells it
// which failures are worth it.
package action

import (
	"context"
	"errors"
	"strings"
	"time"

	"thingd/internal/arn"
	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/message"
	"thingd/internal/rules/iotsql"
)

// Event is a message for which a rule matched, and what the rule made of it.
type Event struct {
	Rule    string
	Message iotsql.Message // the original, for templates
	Origin  message.Origin
	Env     *iotsql.Env

	Payload []byte       // the result of SELECT: compact JSON, or raw bytes
	JSON    bool         // Payload is JSON
	Value   iotsql.Value // Payload as a value
}

// Action is a compiled action. It is safe for concurrent use.
type Action struct {
	Kind  string   // member of AWS's Action: "s3"
	Name  string   // in error actions, logs and metrics: "S3Action"
	Roles []string // ARNs of the roles that it assumes

	// URL and Confirmation are the http action's, for the destinations that it
	// needs; nil otherwise. Batching says that it sends several messages at once.
	URL, Confirmation *iotsql.Template
	Batching          bool

	kind    *kind
	prepare prepare
}

// prepare renders an action for an event; send does it.
type (
	prepare func(r *rendering) send
	send    func(ctx context.Context) error
	// beginning starts an action. Where its outcome is known at once there is
	// nothing to wait for.
	beginning func(ctx context.Context) (wait send, settled bool, err error)
)

// kind is a row of the table of actions.
type kind struct {
	member  string // of AWS's Action
	name    string
	failed  string // what could not be done: "put S3 object"
	service string // as it is called in error texts
	compile func(c *compiler, spec *iot.Action) prepare
}

// kinds lists every action. Compile of a kind gives nil where the spec has
// another one.
var kinds = []kind{
	{"cloudwatchAlarm", "CloudwatchAlarmAction", "set the state of a CloudWatch alarm", "Amazon CloudWatch", compileCloudWatchAlarm},
	{"cloudwatchLogs", "CloudwatchLogsAction", "put events to CloudWatch Logs", "Amazon CloudWatch Logs", compileCloudWatchLogs},
	{"cloudwatchMetric", "CloudwatchMetricAction", "put a CloudWatch metric", "Amazon CloudWatch", compileCloudWatchMetric},
	{"dynamoDB", "DynamoAction", "write to DynamoDB", "Amazon DynamoDB", compileDynamoDB},
	{"dynamoDBv2", "DynamoDBv2Action", "put a DynamoDB item", "Amazon DynamoDB", compileDynamoDBv2},
	{"elasticsearch", "ElasticsearchAction", "put an Elasticsearch document", "Amazon OpenSearch Service", compileElasticsearch},
	{"firehose", "FirehoseAction", "put Firehose records", "Amazon Data Firehose", compileFirehose},
	{"http", "HttpAction", "make a request", "HTTP", compileHTTP},
	{"iotAnalytics", "IotAnalyticsAction", "put messages to IoT Analytics", "AWS IoT Analytics", compileIoTAnalytics},
	{"iotEvents", "IotEventsAction", "put messages to IoT Events", "AWS IoT Events", compileIoTEvents},
	{"iotSiteWise", "IotSiteWiseAction", "put property values to IoT SiteWise", "AWS IoT SiteWise", compileSiteWise},
	{"kafka", "KafkaAction", "produce a Kafka record", "Apache Kafka", compileKafka},
	{"kinesis", "KinesisAction", "put a Kinesis record", "Amazon Kinesis", compileKinesis},
	{"lambda", "LambdaAction", "invoke the Lambda function", "AWS Lambda", compileLambda},
	{"location", "LocationAction", "update a device position", "Amazon Location Service", compileLocation},
	{"openSearch", "OpenSearchAction", "put an OpenSearch document", "Amazon OpenSearch Service", compileOpenSearch},
	{"republish", "RepublishAction", "republish the message", "AWS IoT", compileRepublish},
	{"s3", "S3Action", "put S3 object", "Amazon S3", compileS3},
	{"salesforce", "SalesforceAction", "send to Salesforce", "Salesforce", compileSalesforce},
	{"sns", "SnsAction", "publish to the SNS topic", "Amazon SNS", compileSNS},
	{"sqs", "SqsAction", "send to the SQS queue", "Amazon SQS", compileSQS},
	{"stepFunctions", "StepFunctionsAction", "start a Step Functions execution", "AWS Step Functions", compileStepFunctions},
	{"timestream", "TimestreamAction", "write Timestream records", "Amazon Timestream", compileTimestream},
}

// Compile prepares an action of a rule whose statement is query. The error is a
// fault in the caller's words: SqlParse for a template, InvalidRequest else.
func (t *Targets) Compile(spec iot.Action, query *iotsql.Query) (*Action, error) {
	var found *Action
	for i := range kinds {
		c := &compiler{t: t, query: query, action: &Action{Kind: kinds[i].member, Name: kinds[i].name, kind: &kinds[i]}}
		c.action.prepare = kinds[i].compile(c, &spec)
		switch {
		case c.action.prepare == nil:
			continue
		case c.err != nil:
			return nil, c.err
		case found != nil:
			return nil, fault.InvalidRequest("an action has both %s and %s; each needs an entry of its own", found.Kind, c.action.Kind)
		}
		found = c.action
	}
	if found == nil {
		return nil, fault.InvalidRequest("an action has no member that says what to do, such as s3 or republish")
	}
	return found, nil
}

// compiler reads the parameters of one action and keeps the first problem.
type compiler struct {
	t      *Targets
	query  *iotsql.Query
	action *Action
	err    error
}

// parameter is a field of an action that may hold templates.
type parameter struct {
	name     string
	template *iotsql.Template
	secret   bool // it asks for a secret: its value is not for people's eyes
}

// text reads a field with templates.
func (c *compiler) text(name, text string) *parameter {
	template, err := c.query.ParseTemplate(text)
	if err != nil && c.err == nil {
		c.err = err
	}
	return &parameter{name, template, strings.Contains(strings.ToLower(text), "get_secret")}
}

// optional reads a field that may be absent; nil then.
func (c *compiler) optional(name, text string) *parameter {
	if text == "" {
		return nil
	}
	return c.text(name, text)
}

// role reads a roleArn: never a template.
func (c *compiler) role(text string) string {
	name, err := arn.Parse(text)
	if err != nil || name.Service != "iam" || !strings.HasPrefix(name.Resource, "role/") {
		c.refuse("roleArn %q is not the ARN of a role", text)
	} else if c.t.Scope.Account != "" && name.Account != c.t.Scope.Account {
		c.refuse("role %s is not of this account", text)
	}
	c.action.Roles = append(c.action.Roles, text)
	return text
}

// refuse keeps a problem unless there is one already.
func (c *compiler) refuse(format string, args ...any) {
	if c.err == nil {
		c.err = fault.InvalidRequest(format, args...)
	}
}

// oneOf refuses a word that is not among those allowed; "" is allowed always.
func (c *compiler) oneOf(name, word string, allowed ...string) string {
	if word == "" {
		return word
	}
	for _, a := range allowed {
		if word == a {
			return word
		}
	}
	c.refuse("%s %q is not one of %s", name, word, strings.Join(allowed, ", "))
	return word
}

// Field is a parameter of an action after its templates were rendered.
type Field struct{ Name, Value string }

// Delivery is an action for one event, ready to be sent.
type Delivery struct {
	Resource string        // what it goes to: a bucket, a queue …
	Fields   []Field       // the rendered parameters, in their order
	Budget   time.Duration // for all tries together
	Tries    int           // at most

	kind    *kind
	topic   string
	details []detail
	begin   beginning
	send    send
}

type detail struct {
	name, value string
	quoted      bool
}

// rendering renders the parameters of an action for one event.
type rendering struct {
	*Event
	resource string
	fields   []Field
	details  []detail
	budget   time.Duration
	tries    int
	begin    beginning // of actions that keep the order of messages
	err      error
}

// text renders a parameter; absent ones are "".
func (r *rendering) text(p *parameter) string {
	if p == nil || r.err != nil {
		return ""
	}
	text, err := p.template.Render(r.Env, r.Message)
	if err != nil {
		r.err = err
		return ""
	}
	shown := text
	if p.secret {
		shown = "(a secret)"
	}
	r.fields = append(r.fields, Field{p.name, shown})
	return text
}

// detail adds a word to what is said of a failure.
func (r *rendering) detail(name, value string) {
	r.details = append(r.details, detail{name: name, value: value})
}

// quoted is a detail that is written with quotes around it.
func (r *rendering) quoted(name, value string) {
	r.details = append(r.details, detail{name, value, true})
}

// fail says that the action cannot be done for this event.
func (r *rendering) fail(format string, args ...any) send {
	if r.err == nil {
		r.err = fault.InvalidRequest(format, args...)
	}
	return nil
}

// What bounds the tries of one delivery, where the action says nothing else.
const (
	budget = time.Minute
	tries  = 5
)

// Prepare renders the action for an event and has no effect. A template whose
// lookup fails, or a payload that the action cannot take, is an error; the
// Delivery then has what is known, for the words about the failure.
func (a *Action) Prepare(ev *Event) (*Delivery, error) {
	r := &rendering{Event: ev, budget: budget, tries: tries}
	do := a.prepare(r)
	d := &Delivery{
		Resource: r.resource, Fields: r.fields, Budget: r.budget, Tries: r.tries,
		kind: a.kind, topic: ev.Message.Topic, details: r.details, begin: r.begin, send: do,
	}
	if r.err == nil && do == nil {
		r.err = errors.New("nothing to send")
	}
	return d, r.err
}

// Begin starts what must happen in the order of the messages, without waiting
// for it; Send then waits, unless the outcome is known already (settled). Actions
// that keep no order do not begin (begun is false). Begin is called once or never.
func (d *Delivery) Begin(ctx context.Context) (begun, settled bool, err error) {
	if d.begin == nil {
		return false, false, nil
	}
	d.send, settled, err = d.begin(ctx)
	return true, settled, err
}

// Send acts, once. It may be called again where Retryable says so.
func (d *Delivery) Send(ctx context.Context) error { return d.send(ctx) }
