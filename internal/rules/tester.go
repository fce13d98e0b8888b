package rules

import (
	"context"
	"errors"
	"strings"

	"thingd/internal/aws/iot"
	"thingd/internal/rules/action"
	"thingd/internal/rules/iotsql"
)

// Trial is a statement to try on a message.
type Trial struct {
	SQL         string
	Version     iotsql.Version
	Actions     []iot.Action // may be empty
	ErrorAction *iot.Action
	Message     iotsql.Message // without a topic, FROM is not asked
}

// TrialResult is what the rule would do. A statement that does not parse is an
// error of Test, not a result.
type TrialResult struct {
	Filter  string // after FROM
	Matched bool
	Why     string // why it did not match, or what failed
	Output  []byte // what the actions would get
	JSON    bool   // Output is JSON
	NotJSON bool   // members were asked of a payload that is not JSON

	Actions []TrialAction // where it matched
	// ErrorAction is rendered as if an action had failed; nil: there is none.
	ErrorAction *TrialAction
}

// TrialAction is an action with its templates rendered.
type TrialAction struct {
	Action   string // "S3Action"
	Resource string
	Fields   []action.Field
	Error    string // why it would fail before it is sent
}

// trialName is the rule's name where templates and checks want one.
const trialName = "trial"

// Test says what a rule would do with a message, and does nothing. Lookups that
// only read are made, with roles that the caller may pass; Lambda functions are
// not invoked.
func (s *Service) Test(ctx context.Context, t Trial) (TrialResult, error) {
	c, err := s.compile(&Rule{Name: trialName, SQL: t.SQL, Version: t.Version, Actions: t.Actions, ErrorAction: t.ErrorAction})
	if err != nil {
		return TrialResult{}, err
	}
	if err := s.checkRoles(ctx, c); err != nil {
		return TrialResult{}, err
	}
	out := TrialResult{Filter: c.rule.Topic}
	if why := missed(c.query, t.Message.Topic); why != "" {
		out.Why = why
		return out, nil
	}
	env := s.env(action.ForRule(ctx, s.scope.IoT("rule", trialName)), s.now())
	env.Lookups = trialLookups{s.lookups, s.passRole}
	result, err := c.query.Evaluate(env, t.Message)
	out.Matched, out.NotJSON = result.Matched, result.NotJSON
	switch {
	case err != nil:
		out.Matched, out.Why = false, err.Error()
	case !result.Matched:
		out.Why = result.Unmet.String()
	default:
		out.Output, out.JSON = result.Payload, result.JSON
		t.Message.Variables = result.Variables
		out.render(c, &action.Event{
			Rule: trialName, Message: t.Message, Env: env, Payload: result.Payload, JSON: result.JSON, Value: result.Value,
		})
	}
	return out, nil
}

// missed says why a topic does not reach a rule; "" where it does.
func missed(query *iotsql.Query, topic string) string {
	switch {
	case topic == "" || strings.HasPrefix(topic, basicIngest) || query.Matches(topic):
		return ""
	case query.Topic() == "":
		return "the statement has no FROM: it runs for Basic Ingest ($aws/rules/RULE/…) alone"
	}
	return "the topic " + topic + " does not match FROM '" + query.Topic() + "'"
}

// render renders the actions without sending them.
func (out *TrialResult) render(c *compiled, event *action.Event) {
	for _, a := range c.actions {
		out.Actions = append(out.Actions, try(a, event))
	}
	if c.errorAction != nil {
		tried := try(c.errorAction, event)
		out.ErrorAction = &tried
	}
}

func try(a *action.Action, event *action.Event) TrialAction {
	delivery, err := a.Prepare(event)
	tried := TrialAction{Action: a.Name, Resource: delivery.Resource, Fields: delivery.Fields}
	if err != nil {
		tried.Error = delivery.Explain(err)
	}
	return tried
}

// trialLookups are lookups for somebody who only tries: what a role may read is
// shown to those who may pass the role, and nothing is set in motion.
type trialLookups struct {
	iotsql.Lookups
	passRole func(ctx context.Context, roleARN string) error
}

// ThingShadow implements iotsql.Lookups.
func (l trialLookups) ThingShadow(ctx context.Context, thing, name, roleARN string) ([]byte, error) {
	if err := l.passRole(ctx, roleARN); err != nil {
		return nil, err
	}
	return l.Lookups.ThingShadow(ctx, thing, name, roleARN)
}

// RegistryData implements iotsql.Lookups.
func (l trialLookups) RegistryData(ctx context.Context, api, thing, roleARN string) ([]byte, error) {
	if err := l.passRole(ctx, roleARN); err != nil {
		return nil, err
	}
	return l.Lookups.RegistryData(ctx, api, thing, roleARN)
}

// DynamoDBItem implements iotsql.Lookups.
func (l trialLookups) DynamoDBItem(ctx context.Context, key iotsql.DynamoDBKey, roleARN string) ([]byte, error) {
	if err := l.passRole(ctx, roleARN); err != nil {
		return nil, err
	}
	return l.Lookups.DynamoDBItem(ctx, key, roleARN)
}

// Secret implements iotsql.Lookups.
func (l trialLookups) Secret(ctx context.Context, id, roleARN string) (iotsql.Secret, error) {
	if err := l.passRole(ctx, roleARN); err != nil {
		return iotsql.Secret{}, err
	}
	return l.Lookups.Secret(ctx, id, roleARN)
}

// InvokeLambda fails: a function may have effects.
func (l trialLookups) InvokeLambda(context.Context, string, []byte) ([]byte, error) {
	return nil, errors.New("functions are not invoked by a test")
}
