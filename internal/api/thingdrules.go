package api

import (
	"context"
	"encoding/json"

	"thingd/internal/aws/iot"
	"thingd/internal/aws/thingdapi"
	"thingd/internal/fault"
	"thingd/internal/rules"
	"thingd/internal/rules/iotsql"
)

// TestTopicRule says what a rule would do with a message, and does nothing. The
// rule is given in the request or by the name of one that exists.
func (a *Thingd) TestTopicRule(ctx context.Context, in *thingdapi.TestTopicRuleRequest) (*thingdapi.TestTopicRuleResponse, error) {
	trial, err := a.trial(ctx, in)
	if err != nil {
		return nil, err
	}
	r, err := a.Rules.Test(ctx, trial)
	if err != nil {
		return nil, err
	}
	out := &thingdapi.TestTopicRuleResponse{
		Matched: new(r.Matched), Reason: r.Why, TopicPattern: r.Filter, Output: r.Output,
		OutputIsJson: new(r.JSON), PayloadIsNotJson: new(r.NotJSON), Actions: []thingdapi.TestedAction{},
	}
	for _, tried := range r.Actions {
		out.Actions = append(out.Actions, testedAction(tried))
	}
	if r.ErrorAction != nil {
		out.ErrorAction = new(testedAction(*r.ErrorAction))
	}
	return out, nil
}

func (a *Thingd) trial(ctx context.Context, in *thingdapi.TestTopicRuleRequest) (rules.Trial, error) {
	t := rules.Trial{SQL: in.Sql, Version: iotsql.Version(in.AwsIotSqlVersion), Message: iotsql.Message{
		Topic: in.Topic, Payload: in.Payload, ClientID: in.ClientId, Principal: in.Principal, SourceIP: in.SourceIp,
	}}
	t.Message.Properties.ContentType = in.ContentType
	for _, p := range in.UserProperties {
		t.Message.Properties.User = append(t.Message.Properties.User, iotsql.UserProperty{Key: p.Name, Value: p.Value})
	}
	if (in.RuleName == "") == (in.Sql == "") {
		return t, fault.InvalidRequest("give either ruleName or sql")
	}
	if in.RuleName != "" {
		r, err := a.Rules.Get(ctx, in.RuleName)
		t.SQL, t.Version, t.Actions, t.ErrorAction = r.SQL, r.Version, r.Actions, r.ErrorAction
		return t, err
	}
	for _, text := range in.Actions {
		spec, err := actionOf(text)
		if err != nil {
			return t, err
		}
		t.Actions = append(t.Actions, spec)
	}
	if in.ErrorAction != nil {
		spec, err := actionOf(*in.ErrorAction)
		t.ErrorAction = &spec
		return t, err
	}
	return t, nil
}

// actionOf reads an action in the form of CreateTopicRule.
func actionOf(text json.RawMessage) (iot.Action, error) {
	var spec iot.Action
	if err := json.Unmarshal(text, &spec); err != nil {
		return spec, fault.InvalidRequest("an action is not of the form of CreateTopicRule: %v", err)
	}
	return spec, nil
}

func testedAction(t rules.TrialAction) thingdapi.TestedAction {
	out := thingdapi.TestedAction{Action: t.Action, Resource: t.Resource, Error: t.Error, Parameters: []thingdapi.Field{}}
	for _, f := range t.Fields {
		out.Parameters = append(out.Parameters, thingdapi.Field{Name: f.Name, Value: f.Value})
	}
	return out
}

// ListRuleFirings tells what happened last in a rule, newest first.
func (a *Thingd) ListRuleFirings(_ context.Context, in *thingdapi.ListRuleFiringsRequest) (*thingdapi.ListRuleFiringsResponse, error) {
	found, err := a.Rules.Firings(in.RuleName)
	if err != nil {
		return nil, err
	}
	c := a.Rules.Stats().Rules[in.RuleName]
	out := &thingdapi.ListRuleFiringsResponse{Firings: []thingdapi.Firing{}, Counts: &thingdapi.RuleCounts{
		TopicMatch: new(c.TopicMatch), Executed: new(c.Executed), ParseError: new(c.ParseError),
		Throttled: new(c.Throttled), Dropped: new(c.Dropped), Waiting: new(c.Waiting), StatementFailed: new(c.StatementFailed),
	}}
	for _, f := range found {
		out.Firings = append(out.Firings, firing(f))
	}
	return out, nil
}

func firing(f rules.Firing) thingdapi.Firing {
	out := thingdapi.Firing{
		Time: new(f.At.UnixMilli()), TraceId: f.TraceID, Topic: f.Topic, ClientId: f.ClientID, Outcome: string(f.Outcome), Reason: f.Why,
		Payload: f.Payload, Output: f.Output, TookMilliseconds: new(f.Took.Milliseconds()), Actions: []thingdapi.FiredAction{},
	}
	for _, a := range f.Actions {
		out.Actions = append(out.Actions, firedAction(a))
	}
	if f.ErrorAction != nil {
		out.ErrorAction = new(firedAction(*f.ErrorAction))
	}
	return out
}

func firedAction(a rules.ActionResult) thingdapi.FiredAction {
	return thingdapi.FiredAction{Action: a.Action, Resource: a.Resource, Error: a.Error, Tries: new(a.Tries)}
}
