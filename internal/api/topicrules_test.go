package api_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/api"
	"thingd/internal/arn"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/thingdapi"
	"thingd/internal/aws/wire"
	"thingd/internal/message"
	"thingd/internal/registry"
	"thingd/internal/rules"
	"thingd/internal/rules/action"
	"thingd/internal/store"
	"thingd/internal/store/storetest"
)

// ruleFront is the operations of topic rules behind the wire.
type ruleFront struct {
	t     *testing.T
	mux   *wire.Mux
	rules *rules.Service
	asked chan string // bodies of requests to confirm
	hook  string      // URL that is asked
}

// noBroker is where rules hang that no message reaches.
type noBroker struct{}

func (noBroker) Handle(string, message.Handler) func()         { return func() {} }
func (noBroker) Collect(string, message.Collector, any) func() { return func() {} }

func newRuleFront(t *testing.T) *ruleFront {
	t.Helper()
	ctx := context.Background()
	f := &ruleFront{t: t, asked: make(chan string, 10)}
	owner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.asked <- string(body)
	}))
	f.hook = owner.URL
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := store.Open(ctx, storetest.Ready(t, filepath.Join(t.TempDir(), "thingd.db")), quiet)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.UnixMilli(1_700_000_000_123).UTC() }
	things := registry.New(registry.Config{Store: db.Registry(controlScope.Account), Scope: controlScope, Now: now})
	f.rules = rules.New(rules.Config{
		Store: db.Rules(controlScope.Account), Scope: controlScope, Broker: noBroker{}, Now: now, Log: quiet,
		Actions: action.Config{AnyURL: true}, BaseURL: func() string { return "https://iot.example" },
	})
	if err := f.rules.Start(ctx); err != nil {
		t.Fatal(err)
	}
	things.TagExists = map[string]func(context.Context, arn.ARN) (bool, error){
		"rule": func(ctx context.Context, a arn.ARN) (bool, error) {
			_, name := a.Kind()
			return f.rules.Exists(ctx, name)
		},
	}
	f.mux = wire.NewMux(wire.Options{Authenticator: anyone{}, Authorizer: anyone{}, Now: time.Now, Log: quiet})
	f.mux.Mount(iot.Service, &api.IoT{Scope: controlScope, Registry: things, Rules: f.rules})
	f.mux.Mount(thingdapi.Service, &api.Thingd{Rules: f.rules})
	t.Cleanup(func() {
		owner.Close()
		if err := f.rules.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// ask sends a signed request and gives status, exception and body.
func (f *ruleFront) ask(service, method, path, body string, header ...string) (int, string, string) {
	f.t.Helper()
	r := httptest.NewRequest(method, "https://localhost"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if service != "" {
		sigv4.Sign(r, []byte(body), sigv4.Credentials{AccessKeyID: "AKIATESTTESTTESTTEST", SecretAccessKey: "secret"}, service, "eu-west-1", time.Now())
	}
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	exception := ""
	for name, values := range w.Header() {
		if strings.EqualFold(name, "x-amzn-ErrorType") {
			exception = values[0]
		}
	}
	return w.Code, exception, w.Body.String()
}

// sameJSON compares JSON texts; * stands for any text.
func sameJSON(t *testing.T, what, want, got string) {
	t.Helper()
	var a, b any
	if json.Unmarshal([]byte(want), &a) != nil || json.Unmarshal([]byte(got), &b) != nil {
		if want != got {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
		return
	}
	any := cmp.FilterValues(func(x, y string) bool { return x == "*" || y == "*" }, cmp.Ignore())
	if diff := cmp.Diff(a, b, any); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

func TestTopicRules(t *testing.T) {
	f := newRuleFront(t)
	const role = `"roleArn":"arn:aws:iam::111122223333:role/rules"`
	const s3 = `{"s3":{"bucketName":"climate-log","key":"${topic(2)}/${timestamp()}.json","cannedAcl":"private",` + role + `}}`
	const failed = `{"republish":{"topic":"rules/failed","qos":0,` + role + `}}`
	const hot = `{"sql":"SELECT room, t FROM 'site/+/climate' WHERE t > 30","awsIotSqlVersion":"2016-03-23","ruleDisabled":false,
	 "description":"hot rooms","actions":[` + s3 + `],"errorAction":` + failed + `}`
	const summary = `{"ruleArn":"arn:aws:iot:eu-west-1:111122223333:rule/hot_rooms","ruleName":"hot_rooms","topicPattern":"site/+/climate","createdAt":1700000000.123,"ruleDisabled":false}`
	const cold = `{"ruleArn":"arn:aws:iot:eu-west-1:111122223333:rule/cold","ruleName":"cold","topicPattern":"a","createdAt":1700000000.123,"ruleDisabled":true}`
	for _, step := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		exception, want          string
	}{
		{"created", "POST", "/rules/hot_rooms", hot, []string{"x-amz-tagging", "team=climate&stage=te%20st"}, 200, "", ""},
		{"created again", "POST", "/rules/hot_rooms", hot, nil, 409, "ResourceAlreadyExistsException",
			`{"message":"*","resourceId":"hot_rooms","resourceArn":"arn:aws:iot:eu-west-1:111122223333:rule/hot_rooms"}`},
		{"not SQL", "POST", "/rules/r", `{"sql":"SELECT * FRM 'a'","actions":[]}`, nil, 400, "SqlParseException", ""},
		{"no SQL", "POST", "/rules/r", `{"actions":[]}`, nil, 400, "InvalidRequestException", ""},
		{"no actions", "POST", "/rules/r", `{"sql":"SELECT * FROM 'a'"}`, nil, 400, "InvalidRequestException", ""},
		{"a hyphen", "POST", "/rules/a-b", `{"sql":"SELECT * FROM 'a'","actions":[]}`, nil, 400, "InvalidRequestException", ""},
		{"bad tags", "POST", "/rules/r", `{"sql":"SELECT * FROM 'a'","actions":[]}`, []string{"x-amz-tagging", "aws:x=y"}, 400, "InvalidRequestException", ""},
		{"read", "GET", "/rules/hot_rooms", "", nil, 200, "", `{"ruleArn":"arn:aws:iot:eu-west-1:111122223333:rule/hot_rooms","rule":{
			"ruleName":"hot_rooms","sql":"SELECT room, t FROM 'site/+/climate' WHERE t > 30","description":"hot rooms","createdAt":1700000000.123,
			"actions":[` + s3 + `],"ruleDisabled":false,"awsIotSqlVersion":"2016-03-23","errorAction":` + failed + `}}`},
		{"tags", "GET", "/tags?resourceArn=arn:aws:iot:eu-west-1:111122223333:rule/hot_rooms", "", nil, 200, "",
			`{"tags":[{"Key":"stage","Value":"te st"},{"Key":"team","Value":"climate"}]}`},
		{"bare", "POST", "/rules/cold", `{"sql":"SELECT * FROM 'a'","actions":[]}`, nil, 200, "", ""},
		{"disabled", "POST", "/rules/cold/disable", "", nil, 200, "", ""},
		{"all", "GET", "/rules", "", nil, 200, "", `{"rules":[` + cold + `,` + summary + `]}`},
		{"a page", "GET", "/rules?maxResults=1", "", nil, 200, "", `{"rules":[` + cold + `],"nextToken":"Y29sZA=="}`},
		{"the next page", "GET", "/rules?maxResults=1&nextToken=Y29sZA%3D%3D", "", nil, 200, "", `{"rules":[` + summary + `]}`},
		{"by topic", "GET", "/rules?topic=a", "", nil, 200, "", `{"rules":[` + cold + `]}`},
		{"enabled ones", "GET", "/rules?ruleDisabled=false", "", nil, 200, "", `{"rules":[` + summary + `]}`},
		{"replaced", "PATCH", "/rules/cold", `{"sql":"SELECT 1 FROM 'b'","actions":[` + failed + `]}`, nil, 200, "", ""},
		{"read again", "GET", "/rules/cold", "", nil, 200, "", `{"ruleArn":"arn:aws:iot:eu-west-1:111122223333:rule/cold","rule":{
			"ruleName":"cold","sql":"SELECT 1 FROM 'b'","createdAt":1700000000.123,"actions":[` + failed + `],"ruleDisabled":false,"awsIotSqlVersion":"2015-10-08"}}`},
		{"deleted", "DELETE", "/rules/cold", "", nil, 200, "", ""},
		{"gone", "GET", "/rules/cold", "", nil, 401, "UnauthorizedException", `{"message":"Access to topic rule 'cold' was denied"}`},
		{"deleted again", "DELETE", "/rules/cold", "", nil, 401, "UnauthorizedException", ""},
		{"enabled when gone", "POST", "/rules/cold/enable", "", nil, 401, "UnauthorizedException", ""},
		{"a foreign token", "GET", "/rules?nextToken=%21", "", nil, 400, "InvalidRequestException", ""},
	} {
		status, exception, got := f.ask("iot", step.method, step.path, step.body, step.header...)
		if status != step.status || exception != step.exception {
			t.Errorf("%s: got %d %s %s, want %d %s", step.name, status, exception, got, step.status, step.exception)
		} else if step.want != "" || step.status == 200 {
			sameJSON(t, step.name, step.want, got)
		}
	}
}

func TestTopicRuleDestinations(t *testing.T) {
	f := newRuleFront(t)
	status, _, got := f.ask("iot", "POST", "/destinations", `{"destinationConfiguration":{"httpUrlConfiguration":{"confirmationUrl":"`+f.hook+`"}}}`)
	var created iot.CreateTopicRuleDestinationResponse
	if err := json.Unmarshal([]byte(`{"topicRuleDestination":{"arn":`+between(got, `"arn":`, ",")+`}}`), &created); err != nil || status != 200 {
		t.Fatal(status, err, got)
	}
	name := created.TopicRuleDestination.Arn
	const times = `"createdAt":1700000000.123,"lastUpdatedAt":1700000000.123`
	body := func(status, reason string) string {
		return `{"arn":"` + name + `","status":"` + status + `","statusReason":"` + reason + `",` + times + `,"httpUrlProperties":{"confirmationUrl":"` + f.hook + `"}}`
	}
	sameJSON(t, "created", `{"topicRuleDestination":`+body("IN_PROGRESS", "*")+`}`, got)
	var asked struct{ ConfirmationToken string }
	if err := json.Unmarshal([]byte(<-f.asked), &asked); err != nil {
		t.Fatal(err)
	}
	summary := `{"destinationSummaries":[{"arn":"` + name + `","status":"DISABLED",` + times + `,"httpUrlSummary":{"confirmationUrl":"` + f.hook + `"}}]}`
	enabled := strings.Replace(body("ENABLED", ""), `"statusReason":"",`, "", 1)
	for _, step := range []struct {
		name, service, method, path, body string
		status                            int
		exception, want                   string
	}{
		{"read", "iot", "GET", "/destinations/" + name, "", 200, "", `{"topicRuleDestination":` + body("IN_PROGRESS", "*") + `}`},
		{"a wrong token", "", "GET", "/confirmdestination/x", "", 400, "InvalidRequestException", ""},
		{"twice", "iot", "POST", "/destinations", `{"destinationConfiguration":{"httpUrlConfiguration":{"confirmationUrl":"` + f.hook + `"}}}`, 409, "ResourceAlreadyExistsException", ""},
		{"nothing", "iot", "POST", "/destinations", `{"destinationConfiguration":{}}`, 400, "InvalidRequestException", ""},
		{"too early", "iot", "PATCH", "/destinations", `{"arn":"` + name + `","status":"ENABLED"}`, 400, "InvalidRequestException", ""},
		{"confirmed by a browser", "", "GET", "/confirmdestination/" + asked.ConfirmationToken, "", 200, "", `{}`},
		{"read when confirmed", "iot", "GET", "/destinations/" + strings.ReplaceAll(name, ":", "%3A"), "", 200, "", `{"topicRuleDestination":` + enabled + `}`},
		{"disabled", "iot", "PATCH", "/destinations", `{"arn":"` + name + `","status":"DISABLED"}`, 200, "", `{}`},
		{"listed", "iot", "GET", "/destinations", "", 200, "", summary},
		{"deleted", "iot", "DELETE", "/destinations/" + name, "", 200, "", `{}`},
		{"empty", "iot", "GET", "/destinations", "", 200, "", `{"destinationSummaries":[]}`},
		{"gone", "iot", "GET", "/destinations/" + name, "", 401, "UnauthorizedException", ""},
	} {
		status, exception, got := f.ask(step.service, step.method, step.path, step.body)
		if status != step.status || exception != step.exception {
			t.Errorf("%s: got %d %s %s, want %d %s", step.name, status, exception, got, step.status, step.exception)
		} else if step.want != "" {
			sameJSON(t, step.name, step.want, got)
		}
	}
}

// between gives what stands between two texts.
func between(text, after, before string) string {
	_, rest, _ := strings.Cut(text, after)
	found, _, _ := strings.Cut(rest, before)
	return found
}

func TestTrialsOfTopicRules(t *testing.T) {
	f := newRuleFront(t)
	const act = `{"republish":{"topic":"out/${clientid()}","roleArn":"arn:aws:iam::111122223333:role/rules"}}`
	for _, step := range []struct {
		name, service, method, path, body string
		status                            int
		want                              string
	}{
		{"match", "thingd", "POST", "/thingd/rules/test", `{"sql":"SELECT n FROM 'a/+'","topic":"a/b","clientId":"dev","payload":"eyJuIjoxfQ==","actions":[` + act + `]}`, 200,
			`{"matched":true,"topicPattern":"a/+","output":"eyJuIjoxfQ==","outputIsJson":true,"payloadIsNotJson":false,
			 "actions":[{"action":"RepublishAction","resource":"out/dev","parameters":[{"name":"topic","value":"out/dev"}]}]}`},
		{"no match", "thingd", "POST", "/thingd/rules/test", `{"sql":"SELECT n FROM 'a/+' WHERE n > 1","payload":"eyJuIjoxfQ=="}`, 200,
			`{"matched":false,"reason":"*","topicPattern":"a/+","outputIsJson":false,"payloadIsNotJson":false,"actions":[]}`},
		{"not SQL", "thingd", "POST", "/thingd/rules/test", `{"sql":"SELECT"}`, 400, ""},
		{"neither", "thingd", "POST", "/thingd/rules/test", `{}`, 400, ""},
		{"no such rule", "thingd", "POST", "/thingd/rules/test", `{"ruleName":"r"}`, 401, ""},
		{"created", "iot", "POST", "/rules/r", `{"sql":"SELECT VALUE 1 FROM 'a'","actions":[],"errorAction":` + act + `}`, 200, ""},
		{"by name", "thingd", "POST", "/thingd/rules/test", `{"ruleName":"r","payload":""}`, 200,
			`{"matched":true,"topicPattern":"a","output":"MQ==","outputIsJson":true,"payloadIsNotJson":false,"actions":[],
			 "errorAction":{"action":"RepublishAction","resource":"out/n/a","parameters":[{"name":"topic","value":"out/n/a"}]}}`},
		{"firings", "thingd", "GET", "/thingd/rules/r/firings", "", 200,
			`{"firings":[],"counts":{"topicMatch":0,"executed":0,"parseError":0,"throttled":0,"dropped":0,"waiting":0,"statementFailed":0}}`},
		{"firings of nothing", "thingd", "GET", "/thingd/rules/x/firings", "", 401, ""},
	} {
		status, _, got := f.ask(step.service, step.method, step.path, step.body)
		if status != step.status {
			t.Errorf("%s: got %d %s, want %d", step.name, status, got, step.status)
		} else if step.want != "" {
			sameJSON(t, step.name, step.want, got)
		}
	}
}
