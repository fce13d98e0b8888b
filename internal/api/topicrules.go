package api

import (
	"context"
	"net/url"

	"thingd/internal/aws/iot"
	"thingd/internal/fault"
	"thingd/internal/registry"
	"thingd/internal/rules"
	"thingd/internal/rules/iotsql"
)

// CreateTopicRule adds a rule. The body is the rule itself; tags come in a
// header.
func (a *IoT) CreateTopicRule(ctx context.Context, in *iot.CreateTopicRuleRequest) error {
	tags, err := headerTags(in.Tags)
	if err != nil {
		return err
	}
	var tag func(string) error
	if len(tags) > 0 {
		tag = func(ruleARN string) error { return a.Registry.TagResource(ctx, ruleARN, tags) }
	}
	return a.Rules.Create(ctx, ruleIn(in.RuleName, in.TopicRulePayload), tag)
}

// headerTags reads the header x-amz-tagging: "team=climate&stage=test".
func headerTags(text string) ([]registry.Tag, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, fault.InvalidRequest("x-amz-tagging is not of the form key1=value1&key2=value2")
	}
	var tags []registry.Tag
	for key, of := range values {
		if len(of) > 1 {
			return nil, fault.InvalidRequest("x-amz-tagging has the key %q more than once", key)
		}
		tags = append(tags, registry.Tag{Key: key, Value: of[0]})
	}
	return tags, nil
}

func ruleIn(name string, p *iot.TopicRulePayload) rules.Rule {
	return rules.Rule{
		Name: name, SQL: p.Sql, Description: p.Description, Version: iotsql.Version(p.AwsIotSqlVersion),
		Disabled: isTrue(p.RuleDisabled), Actions: p.Actions, ErrorAction: p.ErrorAction,
	}
}

// GetTopicRule gives a rule.
func (a *IoT) GetTopicRule(ctx context.Context, in *iot.GetTopicRuleRequest) (*iot.GetTopicRuleResponse, error) {
	r, err := a.Rules.Get(ctx, in.RuleName)
	if err != nil {
		return nil, err
	}
	return &iot.GetTopicRuleResponse{RuleArn: a.Rules.ARN(r.Name), Rule: &iot.TopicRule{
		RuleName: r.Name, Sql: r.SQL, Description: r.Description, CreatedAt: r.Created, Actions: r.Actions,
		RuleDisabled: new(r.Disabled), AwsIotSqlVersion: string(r.Version), ErrorAction: r.ErrorAction,
	}}, nil
}

// ReplaceTopicRule puts another rule in place of one.
func (a *IoT) ReplaceTopicRule(ctx context.Context, in *iot.ReplaceTopicRuleRequest) error {
	return a.Rules.Replace(ctx, ruleIn(in.RuleName, in.TopicRulePayload))
}

// DeleteTopicRule removes a rule and its tags.
func (a *IoT) DeleteTopicRule(ctx context.Context, in *iot.DeleteTopicRuleRequest) error {
	if err := a.Rules.Delete(ctx, in.RuleName); err != nil {
		return err
	}
	return a.Registry.ForgetTags(ctx, a.Rules.ARN(in.RuleName))
}

// EnableTopicRule lets a rule run.
func (a *IoT) EnableTopicRule(ctx context.Context, in *iot.EnableTopicRuleRequest) error {
	return a.Rules.SetDisabled(ctx, in.RuleName, false)
}

// DisableTopicRule stops a rule.
func (a *IoT) DisableTopicRule(ctx context.Context, in *iot.DisableTopicRuleRequest) error {
	return a.Rules.SetDisabled(ctx, in.RuleName, true)
}

// rulesPage is the default size of a page (unconfirmed).
const rulesPage = 100

// ListTopicRules lists rules by name; topic selects those whose FROM filter is
// the same text (unconfirmed).
func (a *IoT) ListTopicRules(ctx context.Context, in *iot.ListTopicRulesRequest) (*iot.ListTopicRulesResponse, error) {
	after, err := lastKey(in.NextToken)
	if err != nil {
		return nil, err
	}
	size := pageSize(in.MaxResults, rulesPage)
	found, err := a.Rules.List(ctx, rules.RuleFilter{Topic: in.Topic, Disabled: in.RuleDisabled, After: after, Limit: size + 1})
	if err != nil {
		return nil, err
	}
	out := &iot.ListTopicRulesResponse{Rules: []iot.TopicRuleListItem{}}
	for _, r := range found[:min(size, len(found))] {
		out.Rules = append(out.Rules, iot.TopicRuleListItem{
			RuleArn: a.Rules.ARN(r.Name), RuleName: r.Name, TopicPattern: r.Topic, CreatedAt: r.Created, RuleDisabled: new(r.Disabled),
		})
	}
	if len(found) > size {
		out.NextToken = token(found[size-1].Name)
	}
	return out, nil
}

// pageSize is what was asked for, or the default.
func pageSize(asked *int, absent int) int {
	if asked == nil {
		return absent
	}
	return *asked
}
