package thingd

import (
	"fmt"
	"testing"

	"thingd/internal/aws/sigv4"
)

// user makes a user with a policy and gives its caller.
func (c *caller) user(t *testing.T, name, document string, tags ...string) *caller {
	t.Helper()
	c.must(t, `iam/CreateUser {"userName":"`+name+`","tags":[`+pairs(tags)+`]}`)
	if document != "" {
		c.must(t, `iam/PutUserPolicy {"userName":"`+name+`","policyName":"own","policyDocument":`+quote(document)+`}`)
	}
	key := c.must(t, `iam/CreateAccessKey {"userName":"`+name+`"}`).members["AccessKey"].(map[string]any)
	return c.with(sigv4.Credentials{AccessKeyID: key["AccessKeyId"].(string), SecretAccessKey: key["SecretAccessKey"].(string)})
}

// with gives a caller with other credentials.
func (c *caller) with(keys sigv4.Credentials) *caller {
	return callerOf(&house{Server: c.h.Server, Endpoint: c.h.Endpoint, roots: c.h.roots, keys: keys})
}

// pairs writes keys and values as the tags of an input.
func pairs(tags []string) (text string) {
	for i := 0; i+1 < len(tags); i += 2 {
		if i > 0 {
			text += ","
		}
		text += `{"Key":"` + tags[i] + `","Value":"` + tags[i+1] + `"}`
	}
	return text
}

// allowing is a policy that allows actions everywhere, under a condition.
func allowing(actions, condition string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"*","Condition":` + condition + `}]}`
}

// TestConditionsOfIAMPolicies: what AWS's condition keys say of a call, of the
// tags that it brings, of those on its resource and its caller, and of whom a
// role is passed to.
func TestConditionsOfIAMPolicies(t *testing.T) {
	c := newCaller(t)
	c.must(t, `CreateThingGroup {"thingGroupName":"red","tags":[{"Key":"color","Value":"red"}]}`)
	c.must(t, `CreateThingGroup {"thingGroupName":"blue","tags":[{"Key":"color","Value":"blue"}]}`)
	c.must(t, `CreateThingGroup {"thingGroupName":"plain"}`)
	c.must(t, `iam/CreateRole {"roleName":"passed","tags":[{"Key":"color","Value":"red"}],"assumeRolePolicyDocument":`+quote(trusting(""))+`}`)
	rule := `CreateTopicRule {"ruleName":"r","topicRulePayload":{"sql":"SELECT * FROM 'a'","actions":[{"republish":{"roleArn":"arn:aws:iam::123456789012:role/passed","topic":"b"}}]}}`
	alias := `CreateRoleAlias {"roleAlias":"a","roleArn":"arn:aws:iam::123456789012:role/passed"}`
	const ok, denied = "<nil>", "403 AccessDeniedException"
	const passing = `"iot:CreateTopicRule","iot:CreateRoleAlias","iam:PassRole"`
	for i, test := range []struct {
		policy string
		want   map[string]string // by call
	}{
		{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:CreateTopicRule","iot:CreateRoleAlias"],"Resource":"*"},
			{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"iot.amazonaws.com"}}}]}`, map[string]string{rule: ok, alias: denied}},
		{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:CreateTopicRule","iot:CreateRoleAlias"],"Resource":"*"},
			{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"credentials.iot.amazonaws.com"}}}]}`, map[string]string{rule: denied, alias: ok}},
		{allowing(`"iot:CreateThingGroup"`, `{"StringEquals":{"aws:RequestTag/team":"ops"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}`), map[string]string{
			`CreateThingGroup {"thingGroupName":"new1","tags":[{"Key":"team","Value":"ops"}]}`:                            ok,
			`CreateThingGroup {"thingGroupName":"new2","tags":[{"Key":"team","Value":"dev"}]}`:                            denied,
			`CreateThingGroup {"thingGroupName":"new3"}`:                                                                  denied,
			`CreateThingGroup {"thingGroupName":"new4","tags":[{"Key":"team","Value":"ops"},{"Key":"more","Value":"x"}]}`: denied,
		}},
		{allowing(`"iot:UntagResource"`, `{"ForAnyValue:StringEquals":{"aws:TagKeys":["may"]}}`), map[string]string{
			`UntagResource {"resourceArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/plain","tagKeys":["may"]}`:    ok,
			`UntagResource {"resourceArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/plain","tagKeys":["mayNot"]}`: denied,
		}},
		{allowing(passing, `{"StringEquals":{"aws:RequestTag/a b":"c=d"}}`), map[string]string{ // rules have their tags in a header
			`CreateTopicRule {"ruleName":"t","tags":"a+b=c%3Dd","topicRulePayload":{"sql":"SELECT 1","actions":[]}}`: ok,
			`CreateTopicRule {"ruleName":"u","tags":"a+b=c","topicRulePayload":{"sql":"SELECT 1","actions":[]}}`:     denied,
		}},
		{allowing(`"iot:*"`, `{"StringEquals":{"aws:ResourceTag/color":"red"}}`), map[string]string{
			`DescribeThingGroup {"thingGroupName":"red"}`:  ok,
			`DescribeThingGroup {"thingGroupName":"blue"}`: denied, `DescribeThingGroup {"thingGroupName":"plain"}`: denied,
			`DescribeThingGroup {"thingGroupName":"nobody"}`: denied, `ListThingGroups`: denied,
		}},
		{allowing(`"iot:DescribeThingGroup"`, `{"StringEquals":{"aws:ResourceTag/color":"${aws:PrincipalTag/color}"}}`), map[string]string{
			`DescribeThingGroup {"thingGroupName":"red"}`: denied, `DescribeThingGroup {"thingGroupName":"blue"}`: ok,
		}},
		{allowing(`"iam:GetRole"`, `{"StringEquals":{"iam:ResourceTag/color":"red"}}`), map[string]string{`iam/GetRole {"roleName":"passed"}`: ok}},
		{allowing(`"iam:GetRole"`, `{"StringEquals":{"iam:ResourceTag/color":"blue"}}`), map[string]string{`iam/GetRole {"roleName":"passed"}`: "403 AccessDenied"}},
		{allowing(`"iot:ListThings"`, `{"StringEquals":{"aws:ResourceAccount":"123456789012","aws:PrincipalAccount":"123456789012"},"Bool":{"aws:ViaAWSService":"false"}}`), map[string]string{`ListThings`: ok}},
		{allowing(`"iot:ListThings"`, `{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"},"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`), map[string]string{`ListThings`: ok}},
		{allowing(`"iot:ListThings"`, `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`), map[string]string{`ListThings`: denied}},
		{allowing(`"iot:ListThings"`, `{"Bool":{"aws:SecureTransport":"true"}}`), map[string]string{`ListThings`: denied}}, // this is the plain door
	} {
		user := c.user(t, fmt.Sprint("user", i), test.policy, "color", "blue")
		for call, want := range test.want {
			if _, err := user.call(call); exception(err) != want {
				t.Errorf("%s\nby policy %s\ngives %s, want %s: %v", call, test.policy, exception(err), want, err)
			}
		}
		_, _ = c.call(`DeleteTopicRule {"ruleName":"r"}`)
	}
}

// assumed gives the caller with a session of a role.
func (c *caller) assumed(t *testing.T, order string) *caller {
	t.Helper()
	got := c.must(t, `sts/AssumeRole `+order).members["Credentials"].(map[string]any)
	return c.with(sigv4.Credentials{AccessKeyID: got["AccessKeyId"].(string), SecretAccessKey: got["SecretAccessKey"].(string), SessionToken: got["SessionToken"].(string)})
}

// TestConditionsOfSessions: a session has the tags of its role, under those that
// it was given itself, and knows when it began, so that an operator can turn off
// the older ones.
func TestConditionsOfSessions(t *testing.T) {
	c := newCaller(t)
	const role = "arn:aws:iam::123456789012:role/job"
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
	c.must(t, `iam/CreateRole {"roleName":"job","tags":[{"Key":"color","Value":"red"}],"assumeRolePolicyDocument":`+quote(trust)+`}`)
	put := func(document string) {
		t.Helper()
		c.must(t, `iam/PutRolePolicy {"roleName":"job","policyName":"own","policyDocument":`+quote(document)+`}`)
	}
	plain := c.assumed(t, `{"roleArn":"`+role+`","roleSessionName":"plain"}`)
	tagged := c.assumed(t, `{"roleArn":"`+role+`","roleSessionName":"tagged","tags":[{"Key":"color","Value":"blue"}]}`)
	for _, test := range []struct{ policy, plain, tagged string }{
		{allowing(`"iot:*"`, `{"StringEquals":{"aws:PrincipalTag/color":"red"}}`), "<nil>", "403 AccessDeniedException"},
		{allowing(`"iot:*"`, `{"StringEquals":{"aws:PrincipalTag/Color":"blue"}}`), "403 AccessDeniedException", "<nil>"},
		{allowing(`"iot:*"`, `{"DateGreaterThan":{"aws:TokenIssueTime":"2020-01-01T00:00:00Z"}}`), "<nil>", "<nil>"},
		{allowing(`"iot:*"`, `{"DateGreaterThan":{"aws:TokenIssueTime":"2100-01-01T00:00:00Z"}}`), "403 AccessDeniedException", "403 AccessDeniedException"},
	} {
		put(test.policy)
		_, err1 := plain.call("ListThings")
		_, err2 := tagged.call("ListThings")
		if got := [2]string{exception(err1), exception(err2)}; got != [2]string{test.plain, test.tagged} {
			t.Errorf("by %s: %v", test.policy, got)
		}
	}
}
