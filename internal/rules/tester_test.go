package rules_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/rules"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

func TestATrialTellsAndDoesNothing(t *testing.T) {
	h := open(t, func(c *rules.Config) {
		c.Shadow = func(context.Context, string, string) ([]byte, error) { return []byte(`{"version":4}`), nil }
		c.PassRole = func(_ context.Context, name string) error {
			if name != role {
				return fault.New(fault.CodeAccessDenied, "no iam:PassRole on %s", name)
			}
			return nil
		}
	})
	s3 := iot.Action{S3: &iot.S3Action{BucketName: "b", Key: "${name}/${timestamp()}", RoleArn: role}}
	message := iotsql.Message{Topic: "data/pump7", Payload: []byte(`{"name":"s3","t":21}`), ClientID: "dev-7"}
	for _, test := range []struct {
		name  string
		trial rules.Trial
		want  rules.TrialResult
	}{
		{"match", rules.Trial{SQL: "SELECT name FROM 'data/+' WHERE name = 's3'", Actions: []iot.Action{s3, lambda()}, ErrorAction: new(republish("failed/${clientid()}"))},
			rules.TrialResult{
				Filter: "data/+", Matched: true, Output: []byte(`{"name":"s3"}`), JSON: true,
				Actions: []rules.TrialAction{
					{Action: "S3Action", Resource: "b", Fields: []action.Field{{Name: "bucketName", Value: "b"}, {Name: "key", Value: "s3/1700000000123"}}},
					{Action: "LambdaAction", Resource: function, Fields: []action.Field{{Name: "functionArn", Value: function}}},
				},
				ErrorAction: &rules.TrialAction{Action: "RepublishAction", Resource: "failed/dev-7", Fields: []action.Field{{Name: "topic", Value: "failed/dev-7"}}},
			}},
		{"no match/WHERE", rules.Trial{SQL: "SELECT * FROM 'data/+' WHERE t > 30", Actions: []iot.Action{s3}},
			rules.TrialResult{Filter: "data/+", Why: "`t > 30` is false: 21 > 30"}},
		{"no match/topic", rules.Trial{SQL: "SELECT * FROM 'other/+'"},
			rules.TrialResult{Filter: "other/+", Why: "the topic data/pump7 does not match FROM 'other/+'"}},
		{"no match/no FROM", rules.Trial{SQL: "SELECT *"},
			rules.TrialResult{Why: "the statement has no FROM: it runs for Basic Ingest ($aws/rules/RULE/…) alone"}},
		{"match/lookup", rules.Trial{SQL: "SELECT VALUE get_thing_shadow('a', '" + role + "').version FROM '#'", Version: "2016-03-23"},
			rules.TrialResult{Filter: "#", Matched: true, Output: []byte("4"), JSON: true}},
		{"failed/role of somebody else", rules.Trial{SQL: "SELECT VALUE get_thing_shadow('a', 'arn:aws:iam::111122223333:role/x').version FROM '#'", Version: "2016-03-23"},
			rules.TrialResult{Filter: "#", Why: "get_thing_shadow: AccessDenied: no iam:PassRole on arn:aws:iam::111122223333:role/x"}},
		{"failed/function", rules.Trial{SQL: "SELECT VALUE aws_lambda('" + function + "', *) FROM '#'", Version: "2016-03-23"},
			rules.TrialResult{Filter: "#", Why: "aws_lambda: functions are not invoked by a test"}},
		{"match/action that cannot be", rules.Trial{SQL: "SELECT * FROM '#'", Actions: []iot.Action{{S3: &iot.S3Action{BucketName: "b", Key: "${missing}", RoleArn: role}}}},
			rules.TrialResult{Filter: "#", Matched: true, Output: message.Payload, JSON: true, Actions: []rules.TrialAction{{
				Action: "S3Action", Resource: "b", Fields: []action.Field{{Name: "bucketName", Value: "b"}, {Name: "key"}},
				Error: `Failed to put S3 object. The error received was bucketName and key must not be empty after substitution. Message arrived on: data/pump7, Action: s3, Bucket: b, Key: ""`,
			}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.trial.Message = message
			got, err := h.Test(h.ctx, test.trial)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
	if n := len(h.web.wait(0)) + len(h.spine.republished(0)); n != 0 {
		t.Error("a trial had", n, "effects")
	}
	if _, err := h.Test(h.ctx, rules.Trial{SQL: "SELECT", Message: message}); !fault.Is(err, fault.CodeSQLParse) {
		t.Error(err)
	}
}
