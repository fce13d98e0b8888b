package rules_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/aws/iot"
	"thingd/internal/message"
	"thingd/internal/mqtt"
	"thingd/internal/rules"
)

// heard is what was republished, in short.
func heard(all []message.Message) (short []string) {
	for _, m := range all {
		short = append(short, m.Topic+" "+string(m.Payload))
	}
	return short
}

func TestARuleRepublishesWhatMatches(t *testing.T) {
	h := open(t, nil)
	h.rule("names", "SELECT name FROM 'data/+' WHERE name = 's3'", nil, republish("out/${topic(2)}/${timestamp()}"))
	h.publish("data/pump7", `{"name": "other"}`)
	h.publish("elsewhere/pump7", `{"name": "s3"}`)
	h.publish("data/pump7", `{ "name": "s3" }`)
	got := h.spine.republished(1)
	want := []message.Message{{Topic: "out/pump7/1700000000123", Payload: []byte(`{"name":"s3"}`), Origin: message.Origin{
		Kind: message.FromRule, TraceID: "0b6f3a52-93c4-4f3e-8a55-0d5b9f6f6c11", Rules: 1,
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRepublishedPropertiesComeFromTheRule(t *testing.T) {
	h := open(t, nil)
	qos := 1
	h.rule("props", "SELECT * FROM 'a'", nil, iot.Action{Republish: &iot.RepublishAction{
		Topic: "$$aws/things/${get(get_user_properties('thing'), 0)}/shadow/update", RoleArn: role, Qos: &qos,
		Headers: &iot.MqttHeaders{
			PayloadFormatIndicator: "UTF8_DATA", ContentType: "text/${n}", ResponseTopic: "re/${clientid()}",
			CorrelationData: "YWJj", MessageExpiry: "${n}", UserProperties: []iot.UserProperty{{Key: "k", Value: "v${n}"}},
		},
	}})
	m := device("a", `{"n":5}`)
	m.Properties = &message.Properties{ContentType: []byte("lost"), UserProperties: []message.UserProperty{{Name: []byte("thing"), Value: []byte("lamp1")}}}
	h.spine.Publish(m, nil)
	got := h.spine.republished(1)[0]
	got.Origin = message.Origin{}
	want := message.Message{
		Topic: "$aws/things/lamp1/shadow/update", Payload: []byte(`{"n":5}`), QoS: message.QoS1, Expires: at.Add(5 * time.Second),
		Properties: &message.Properties{
			PayloadFormat: mqtt.Some(mqtt.UTF8Data), MessageExpiry: mqtt.Some(5 * time.Second), ContentType: []byte("text/5"),
			ResponseTopic: []byte("re/dev-7"), CorrelationData: []byte("abc"),
			UserProperties: []message.UserProperty{{Name: []byte("k"), Value: []byte("v5")}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBasicIngest(t *testing.T) {
	h := open(t, nil)
	h.rule("rpm", "SELECT topic() AS t, topic(2) AS two FROM 'never/+'", nil, republish("out/1"))
	h.rule("nofrom", "SELECT *", nil, republish("out/2"))
	h.rule("all", "SELECT * FROM '$aws/#'", nil, republish("out/3"))
	var acks atomic.Int32
	for _, name := range []string{"$aws/rules/rpm/plant/7/speed", "$aws/rules/nofrom", "$aws/rules/unknown/x"} {
		m := device(name, `{"n":1}`)
		for _, hook := range h.spine.hooks {
			if hook.filter == "$aws/rules/#" {
				hook.handle(m, func(err error) {
					if err == nil {
						acks.Add(1)
					}
				})
			}
		}
		h.spine.republished(int(min(acks.Load(), 2)))
	}
	if diff := cmp.Diff([]string{`out/1 {"t":"plant/7/speed","two":"7"}`, `out/2 {"n":1}`}, heard(h.spine.republished(2))); diff != "" {
		t.Error(diff)
	}
	if acks.Load() != 3 || h.Stats().NotFound != 1 {
		t.Error("acknowledged", acks.Load(), "not found", h.Stats().NotFound)
	}
	// A rule's own filter does not reach into Basic Ingest.
	h.publish("$aws/rules/rpm/plant/7/speed", "{}")
	h.spine.republished(3)
	if n := h.Stats().Rules["all"].TopicMatch; n != 0 {
		t.Error("$aws/# matched Basic Ingest", n)
	}
}

func TestARuleKeepsTheOrderOfMessages(t *testing.T) {
	h := open(t, nil)
	h.rule("order", "SELECT VALUE n FROM 'in'", nil, republish("out"))
	const n = 2000
	var want []string
	for i := range n {
		h.publish("in", fmt.Sprintf(`{"n":%d}`, i))
		want = append(want, fmt.Sprintf("out %d", i))
	}
	if diff := cmp.Diff(want, heard(h.spine.republished(n))); diff != "" {
		t.Error(diff)
	}
}

func TestARuleChangesWhileMessagesFlow(t *testing.T) {
	h := open(t, nil)
	h.rule("swap", "SELECT VALUE n FROM 'in'", nil, republish("out/0"))
	const n = 500
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for i := range n {
			h.publish("in", fmt.Sprintf(`{"n":%d}`, i))
		}
	})
	for i := range 20 {
		r := rules.Rule{Name: "swap", SQL: "SELECT VALUE n FROM 'in'", Actions: []iot.Action{republish(fmt.Sprintf("out/%d", i))}}
		if err := h.Replace(h.ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	publisher.Wait()
	seen := map[string]int{}
	for _, m := range h.spine.republished(n) {
		seen[string(m.Payload)]++
	}
	if len(seen) != n || h.Stats().Rules["swap"].Executed != n {
		t.Errorf("%d different messages of %d, executed %d times", len(seen), n, h.Stats().Rules["swap"].Executed)
	}
}

func TestARuleRunsWhileItIsEnabled(t *testing.T) {
	h := open(t, nil)
	h.rule("r", "SELECT VALUE n FROM 'in'", nil, republish("out"))
	steps := []struct {
		do   func() error
		runs bool
	}{
		{func() error { return h.SetDisabled(h.ctx, "r", true) }, false},
		{func() error { return h.SetDisabled(h.ctx, "r", false) }, true},
		{func() error {
			return h.Replace(h.ctx, rules.Rule{Name: "r", SQL: "SELECT VALUE n FROM 'other'", Actions: []iot.Action{republish("out")}})
		}, false},
		{func() error {
			return h.Replace(h.ctx, rules.Rule{Name: "r", SQL: "SELECT VALUE n FROM '+'", Actions: []iot.Action{republish("out/x")}})
		}, true},
		{func() error { return h.Delete(h.ctx, "r") }, false},
	}
	var want []string
	for i, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		h.publish("in", fmt.Sprintf(`{"n":%d}`, i))
		if step.runs {
			h.spine.republished(len(want) + 1)
			want = append(want, fmt.Sprint(i))
		}
	}
	var got []string
	for _, m := range h.spine.republished(len(want)) {
		got = append(got, string(m.Payload))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRulesThatFeedEachOtherStop(t *testing.T) {
	h := open(t, nil)
	failed := lambda()
	h.rule("loop", "SELECT * FROM 'loop'", &failed, republish("loop"))
	h.publish("loop", `{}`)
	report := asJSON(t, h.web.wait(1)[0].Body).(map[string]any)["failures"]
	want := []any{map[string]any{"failedAction": "RepublishAction", "failedResource": "loop",
		"errorMessage": "RepublishAction stopped: the message was republished by rules 10 times; do rules feed each other?"}}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
	if n := len(h.spine.republished(10)); n != 10 {
		t.Error("republished", n)
	}
}

func TestAFailedActionIsTriedAgain(t *testing.T) {
	h := open(t, nil)
	h.web.answers(func(n int, _ *http.Request) int {
		if n < 3 {
			return 503
		}
		return 200
	})
	h.rule("r", "SELECT * FROM 'in'", nil, lambda(), republish("done"))
	h.publish("in", `{"n":1}`)
	got := h.firings("r", 1)
	want := []rules.Firing{{
		At: at, TraceID: "0b6f3a52-93c4-4f3e-8a55-0d5b9f6f6c11", Topic: "in", ClientID: "dev-7", Outcome: rules.Matched,
		Payload: `{"n":1}`, Output: `{"n":1}`, Actions: []rules.ActionResult{
			{Action: "LambdaAction", Resource: function, Tries: 3}, {Action: "RepublishAction", Resource: "done", Tries: 1},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// firings waits for n firings that are done.
func (h *house) firings(rule string, n int) []rules.Firing {
	h.t.Helper()
	for {
		got, err := h.Firings(rule)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(got) >= n {
			return got
		}
		time.Sleep(time.Millisecond) // the history wakes nobody
	}
}

func TestTheErrorActionGetsOneMessageAboutAllFailures(t *testing.T) {
	h := open(t, nil)
	failed := republish("failed/${topic(2)}/${clientid()}")
	h.web.answers(func(int, *http.Request) int { return 400 })
	h.rule("hot_rooms", "SELECT room FROM 'site/#'", &failed, lambda(), republish("ok"),
		iot.Action{S3: &iot.S3Action{BucketName: "climate-log", Key: "${room}.json", RoleArn: role}})
	h.publish("site/4/climate", `{"room":"4A","t":31}`)
	var report string
	for _, m := range h.spine.republished(2) {
		if m.Topic == "failed/4/dev-7" {
			report = string(m.Payload)
		}
	}
	want := `{"ruleName":"hot_rooms","topic":"site/4/climate",
	 "cloudwatchTraceId":"0b6f3a52-93c4-4f3e-8a55-0d5b9f6f6c11","clientId":"dev-7","sourceIp":"192.0.2.44",
	 "base64OriginalPayload":"eyJyb29tIjoiNEEiLCJ0IjozMX0=",
	 "failures":[
	  {"failedAction":"LambdaAction","failedResource":"` + function + `",
	   "errorMessage":"Failed to invoke the Lambda function. The error received was status 400 Bad Request. Message arrived on: site/4/climate, Action: lambda, FunctionArn: ` + function + `"},
	  {"failedAction":"S3Action","failedResource":"climate-log",
	   "errorMessage":"Failed to put S3 object. The error received was no endpoint is configured for the service s3. Message arrived on: site/4/climate, Action: s3, Bucket: climate-log, Key: \"4A.json\""}]}`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, report)); diff != "" {
		t.Error(diff, report)
	}
	h.firings("hot_rooms", 1)
	counts := map[string]rules.ActionCounts{"LambdaAction": {Failure: 1}, "S3Action": {Failure: 1}, "RepublishAction": {Success: 1, ErrorActionSuccess: 1}}
	if diff := cmp.Diff(counts, h.Stats().Rules["hot_rooms"].Actions); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedLookupEndsTheRule(t *testing.T) {
	h := open(t, func(c *rules.Config) {
		c.Shadow = func(context.Context, string, string) ([]byte, error) { return nil, errors.New("no shadow exists") }
	})
	failed := republish("failed")
	h.rule("r", "SELECT get_thing_shadow('lamp', '"+role+"') AS s FROM 'in'", &failed, republish("out"))
	h.publish("in", `{}`)
	got := h.firings("r", 1)
	want := []rules.Firing{{
		Outcome: rules.StatementFailed, Topic: "in", ClientID: "dev-7", Payload: "{}", Why: got[0].Why,
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(rules.Firing{}, "At", "TraceID")); diff != "" {
		t.Error(diff)
	}
	if n := len(h.spine.republished(0)); n != 0 || got[0].Why == "" {
		t.Error("republished", n, got[0].Why)
	}
}

func TestOneSlowRuleDoesNotHoldUpAnother(t *testing.T) {
	h := open(t, func(c *rules.Config) { c.Firings, c.QueueMessages = 1, 300 })
	release := make(chan struct{})
	h.web.answers(func(int, *http.Request) int { <-release; return 200 })
	h.rule("slow", "SELECT * FROM 'in'", nil, lambda())
	h.rule("quick", "SELECT * FROM 'in'", nil, republish("out"))
	for i := range 300 { // twice what the slow rule may have waiting
		h.publish("in", `{}`)
		h.spine.await(i + 1)
	}
	close(release)
	if n := h.Stats().Rules["slow"].Throttled; n < 140 {
		t.Error("throttled", n)
	}
}

func TestCloseLetsTheQueueRunEmpty(t *testing.T) {
	h := open(t, nil)
	h.rule("r", "SELECT * FROM 'in'", nil, lambda())
	for range 50 {
		h.publish("in", `{}`)
	}
	if err := h.Close(h.ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(h.web.wait(0)); n != 50 {
		t.Error("arrived", n)
	}
}

func TestCloseGivesUpInItsTime(t *testing.T) {
	h := open(t, func(c *rules.Config) { c.Firings = 1 })
	release := make(chan struct{})
	defer close(release)
	h.web.answers(func(int, *http.Request) int { <-release; return 200 })
	h.rule("r", "SELECT * FROM 'in'", nil, lambda())
	for range 50 {
		h.publish("in", `{}`)
	}
	h.web.wait(1)
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Millisecond)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestMissesAreExplained(t *testing.T) {
	h := open(t, nil)
	h.rule("r", "SELECT * FROM 'in' WHERE t > 30", nil, republish("out"))
	h.publish("in", `{"t":21}`)
	h.publish("in", `{"t":22}`) // within the second
	h.publish("in", `{"t":31}`)
	h.spine.republished(1)
	got := h.firings("r", 2)
	var short []string
	for _, f := range got {
		short = append(short, fmt.Sprint(f.Outcome, " ", f.Payload, " ", f.Why))
	}
	want := []string{`matched {"t":31} `, `not matched {"t":21} ` + "`t > 30` is false: 21 > 30"}
	if diff := cmp.Diff(want, short); diff != "" {
		t.Error(diff)
	}
}
