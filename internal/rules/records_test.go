package rules_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/rules"
)

func TestRulesAreChecked(t *testing.T) {
	h := open(t, func(c *rules.Config) {
		c.Actions.AnyURL = false
		c.PassRole = func(_ context.Context, role string) error {
			if strings.HasSuffix(role, "/secret") {
				return fault.New(fault.CodeAccessDenied, "not authorized to perform: iam:PassRole on resource: %s", role)
			}
			return nil
		}
	})
	good := republish("out")
	h.rule("taken", "SELECT * FROM 'a'", nil)
	on := true
	for _, test := range []struct {
		name string
		rule rules.Rule
		code fault.Code
	}{
		{"ok/no actions", rules.Rule{Name: "r1", SQL: "SELECT * FROM 'a'"}, ""},
		{"ok/no FROM", rules.Rule{Name: "r2", SQL: "SELECT *", Actions: []iot.Action{good}}, ""},
		{"ok/ten actions", rules.Rule{Name: "r3", SQL: "SELECT *", Actions: []iot.Action{good, good, good, good, good, good, good, good, good, good}}, ""},
		{"bad/eleven actions", rules.Rule{Name: "r", SQL: "SELECT *", Actions: []iot.Action{good, good, good, good, good, good, good, good, good, good, good}}, fault.CodeInvalidRequest},
		{"bad/name", rules.Rule{Name: "a-b", SQL: "SELECT * FROM 'a'"}, fault.CodeInvalidRequest},
		{"bad/statement", rules.Rule{Name: "r", SQL: "SELEC * FROM 'a'"}, fault.CodeSQLParse},
		{"bad/version", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Version: "2020-01-01"}, fault.CodeInvalidRequest},
		{"bad/function of a newer version", rules.Rule{Name: "r", SQL: "SELECT parse_time('yyyy', 1) FROM 'a'"}, fault.CodeSQLParse},
		{"bad/template", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{republish("${topic(")}}, fault.CodeSQLParse},
		{"bad/template of the error action", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", ErrorAction: new(republish("${"))}, fault.CodeSQLParse},
		{"bad/empty action", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{}}}, fault.CodeInvalidRequest},
		{"bad/two in one", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{
			Republish: good.Republish, Lambda: &iot.LambdaAction{FunctionArn: "f"}}}}, fault.CodeInvalidRequest},
		{"bad/single dollar", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{republish("$aws/things/a/shadow/update")}}, fault.CodeInvalidRequest},
		{"bad/role", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{
			Republish: &iot.RepublishAction{Topic: "t", RoleArn: "me"}}}}, fault.CodeInvalidRequest},
		{"bad/role of another account", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{
			Republish: &iot.RepublishAction{Topic: "t", RoleArn: "arn:aws:iam::444455556666:role/r"}}}}, fault.CodeInvalidRequest},
		{"denied/role that the caller may not pass", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{
			Republish: &iot.RepublishAction{Topic: "t", RoleArn: "arn:aws:iam::111122223333:role/secret"}}}}, fault.CodeAccessDenied},
		{"bad/too large", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Description: strings.Repeat("x", 128<<10)}, fault.CodeInvalidRequest},
		{"bad/plain HTTP", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{Http: &iot.HttpAction{Url: "http://a.example"}}}}, fault.CodeInvalidRequest},
		{"bad/odd port", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{Http: &iot.HttpAction{Url: "https://a.example:99"}}}}, fault.CodeInvalidRequest},
		{"bad/template without confirmation", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{
			Http: &iot.HttpAction{Url: "https://a.example/${topic()}"}}}}, fault.CodeInvalidRequest},
		{"bad/confirmation elsewhere", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", Actions: []iot.Action{{
			Http: &iot.HttpAction{Url: "https://a.example/", ConfirmationUrl: "https://b.example/"}}}}, fault.CodeInvalidRequest},
		{"bad/error action in batches", rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'", ErrorAction: &iot.Action{
			Http: &iot.HttpAction{Url: "https://a.example/", EnableBatching: &on}}}, fault.CodeInvalidRequest},
		{"conflict/name taken", rules.Rule{Name: "taken", SQL: "SELECT * FROM 'a'"}, fault.CodeAlreadyExists},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := h.Create(h.ctx, test.rule, nil); fault.CodeOf(err) != test.code {
				t.Errorf("got %v, want %s", err, test.code)
			}
		})
	}
}

func TestAMissingRuleIsDenied(t *testing.T) {
	h := open(t, nil)
	_, getErr := h.Get(h.ctx, "nope")
	_, firingsErr := h.Firings("nope")
	for name, err := range map[string]error{
		"get": getErr, "firings": firingsErr, "replace": h.Replace(h.ctx, rules.Rule{Name: "nope", SQL: "SELECT *"}),
		"delete": h.Delete(h.ctx, "nope"), "enable": h.SetDisabled(h.ctx, "nope", false),
	} {
		want := "Unauthorized: Access to topic rule 'nope' was denied"
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestAReplacedRuleKeepsTheTimeOfItsCreation(t *testing.T) {
	h := open(t, nil)
	h.rule("r", "SELECT * FROM 'a'", new(republish("failed")), republish("out"))
	if err := h.Replace(h.ctx, rules.Rule{Name: "r", SQL: "SELECT 1 FROM 'b'", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	got, err := h.Get(h.ctx, "r")
	want := rules.Rule{Name: "r", SQL: "SELECT 1 FROM 'b'", Version: "2015-10-08", Topic: "b", Disabled: true, Created: at}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestARuleThatCannotBeTaggedIsNotMade(t *testing.T) {
	h := open(t, nil)
	wrong := errors.New("no such key")
	err := h.Create(h.ctx, rules.Rule{Name: "r", SQL: "SELECT * FROM 'a'"}, func(name string) error {
		if name != "arn:aws:iot:eu-west-1:111122223333:rule/r" {
			t.Error(name)
		}
		return wrong
	})
	found, existsErr := h.Exists(h.ctx, "r")
	if !errors.Is(err, wrong) || found || existsErr != nil {
		t.Error(err, found, existsErr)
	}
}

// A second Service on the same database is a second node.
func TestRefreshFollowsTheStore(t *testing.T) {
	var config rules.Config
	h := open(t, func(c *rules.Config) { config = *c })
	h.rule("kept", "SELECT VALUE 1 FROM 'in'", nil, republish("out/kept"))
	h.rule("gone", "SELECT VALUE 2 FROM 'in'", nil, republish("out/gone"))
	other := newSpine()
	config.Broker, config.Actions.Publisher = other, other
	node := rules.New(config)
	if err := node.Start(h.ctx); err != nil {
		t.Fatal(err)
	}
	defer node.Close(h.ctx)
	if err := h.Delete(h.ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	if err := node.Refresh(h.ctx); err != nil {
		t.Fatal(err)
	}
	other.Publish(device("in", "{}"), nil)
	if diff := cmp.Diff([]string{"out/kept 1"}, heard(other.republished(1))); diff != "" {
		t.Error(diff)
	}
}
