package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

const everything = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}`

// policy makes a policy that allows everything.
func (c *control) policy(name string) {
	c.t.Helper()
	if _, err := c.CreatePolicy(c.ctx, &sdk.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(everything)}); err != nil {
		c.t.Fatal(err)
	}
}

func TestPolicyOperations(t *testing.T) {
	c := newControl(t)
	name, no := aws.String("lamps"), aws.String("no")
	document := "\n\t" + everything + " \r\n"
	quoted := fmt.Sprintf("%q", document)
	arn := `"PolicyArn":"arn:aws:iot:eu-west-1:111122223333:policy/lamps"`
	c.gives(`{"PolicyName":"lamps",` + arn + `,"PolicyDocument":` + quoted + `,"PolicyVersionId":"1"}`)(
		c.CreatePolicy(c.ctx, &sdk.CreatePolicyInput{PolicyName: name, PolicyDocument: &document}))
	c.refuses(409, "ResourceAlreadyExists", "Policy cannot be created - name already exists (name=lamps)")(
		c.CreatePolicy(c.ctx, &sdk.CreatePolicyInput{PolicyName: name, PolicyDocument: &document}))
	c.refuses(400, "MalformedPolicy")(c.CreatePolicy(c.ctx, &sdk.CreatePolicyInput{PolicyName: no, PolicyDocument: aws.String("{}")}))
	c.refuses(400, "InvalidRequest")(c.CreatePolicy(c.ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("a b"), PolicyDocument: &document}))
	c.gives(`{"PolicyName":"lamps",` + arn + `,"PolicyDocument":` + quoted + `,"DefaultVersionId":"1","GenerationId":"id-1",
		"CreationDate":"2023-11-14T22:13:20.123Z","LastModifiedDate":"2023-11-14T22:13:20.123Z"}`)(c.GetPolicy(c.ctx, &sdk.GetPolicyInput{PolicyName: name}))
	c.refuses(404, "ResourceNotFound", "Policy not found")(c.GetPolicy(c.ctx, &sdk.GetPolicyInput{PolicyName: no}))

	c.gives(`{` + arn + `,"PolicyDocument":` + quoted + `,"PolicyVersionId":"2","IsDefaultVersion":false}`)(
		c.CreatePolicyVersion(c.ctx, &sdk.CreatePolicyVersionInput{PolicyName: name, PolicyDocument: &document}))
	c.gives(`{` + arn + `,"PolicyDocument":` + quoted + `,"PolicyVersionId":"3","IsDefaultVersion":true}`)(
		c.CreatePolicyVersion(c.ctx, &sdk.CreatePolicyVersionInput{PolicyName: name, PolicyDocument: &document, SetAsDefault: true}))
	c.refuses(404, "ResourceNotFound")(c.CreatePolicyVersion(c.ctx, &sdk.CreatePolicyVersionInput{PolicyName: no, PolicyDocument: &document}))
	c.refuses(400, "MalformedPolicy")(c.CreatePolicyVersion(c.ctx, &sdk.CreatePolicyVersionInput{PolicyName: name, PolicyDocument: aws.String("x")}))
	for range 2 {
		if _, err := c.CreatePolicyVersion(c.ctx, &sdk.CreatePolicyVersionInput{PolicyName: name, PolicyDocument: &document}); err != nil {
			t.Fatal(err)
		}
	}
	c.refuses(409, "VersionsLimitExceeded", "The policy lamps already has the maximum number of versions (5)")(
		c.CreatePolicyVersion(c.ctx, &sdk.CreatePolicyVersionInput{PolicyName: name, PolicyDocument: &document}))
	c.gives(`{"PolicyName":"lamps",` + arn + `,"PolicyDocument":` + quoted + `,"PolicyVersionId":"2","IsDefaultVersion":false,"GenerationId":"id-1",
		"CreationDate":"2023-11-14T22:13:20.123Z","LastModifiedDate":"2023-11-14T22:13:20.123Z"}`)(
		c.GetPolicyVersion(c.ctx, &sdk.GetPolicyVersionInput{PolicyName: name, PolicyVersionId: aws.String("2")}))
	c.refuses(404, "ResourceNotFound")(c.GetPolicyVersion(c.ctx, &sdk.GetPolicyVersionInput{PolicyName: name, PolicyVersionId: aws.String("9")}))

	out, err := c.ListPolicyVersions(c.ctx, &sdk.ListPolicyVersionsInput{PolicyName: name})
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, v := range out.PolicyVersions {
		versions = append(versions, fmt.Sprint(aws.ToString(v.VersionId), v.IsDefaultVersion))
	}
	same(t, "5false 4false 3true 2false 1false", strings.Join(versions, " "))
	c.refuses(404, "ResourceNotFound")(c.ListPolicyVersions(c.ctx, &sdk.ListPolicyVersionsInput{PolicyName: no}))

	c.ok()(c.SetDefaultPolicyVersion(c.ctx, &sdk.SetDefaultPolicyVersionInput{PolicyName: name, PolicyVersionId: aws.String("1")}))
	c.refuses(404, "ResourceNotFound")(c.SetDefaultPolicyVersion(c.ctx, &sdk.SetDefaultPolicyVersionInput{PolicyName: name, PolicyVersionId: aws.String("9")}))
	c.refuses(400, "InvalidRequest", "Cannot delete the default version of a policy")(
		c.DeletePolicyVersion(c.ctx, &sdk.DeletePolicyVersionInput{PolicyName: name, PolicyVersionId: aws.String("1")}))
	c.refuses(409, "DeleteConflict", "Cannot delete the policy because it has one or more policy versions attached to it (name=lamps)")(
		c.DeletePolicy(c.ctx, &sdk.DeletePolicyInput{PolicyName: name}))
	for _, id := range []string{"2", "3", "4", "5"} {
		c.ok()(c.DeletePolicyVersion(c.ctx, &sdk.DeletePolicyVersionInput{PolicyName: name, PolicyVersionId: &id}))
	}
	c.refuses(404, "ResourceNotFound")(c.DeletePolicyVersion(c.ctx, &sdk.DeletePolicyVersionInput{PolicyName: name, PolicyVersionId: aws.String("2")}))
	c.ok()(c.DeletePolicy(c.ctx, &sdk.DeletePolicyInput{PolicyName: name}))
	c.refuses(404, "ResourceNotFound")(c.DeletePolicy(c.ctx, &sdk.DeletePolicyInput{PolicyName: name}))
}

func TestListPolicies(t *testing.T) {
	c := newControl(t)
	for _, name := range []string{"c", "a", "b"} {
		c.policy(name)
		c.now = c.now.Add(1e6)
	}
	names := func(ascending bool) []string {
		return all(t, func(marker *string, size *int32) ([]string, *string, error) {
			out, err := c.ListPolicies(c.ctx, &sdk.ListPoliciesInput{Marker: marker, PageSize: size, AscendingOrder: ascending})
			if err != nil {
				return nil, nil, err
			}
			return policyNames(out.Policies), out.NextMarker, nil
		})
	}
	same(t, []string{"c", "a", "b"}, names(true))
	same(t, []string{"b", "a", "c"}, names(false))
	c.refuses(400, "InvalidRequest")(c.ListPolicies(c.ctx, &sdk.ListPoliciesInput{Marker: aws.String("e30=")}))
}

func policyNames(policies []types.Policy) []string {
	var names []string
	for _, p := range policies {
		names = append(names, aws.ToString(p.PolicyName))
	}
	return names
}

func TestAttachmentOperations(t *testing.T) {
	c := newControl(t)
	for i := range 11 {
		c.policy(fmt.Sprintf("p%02d", i))
	}
	c.group("site", "")
	c.group("north", "site")
	first, no := aws.String("p00"), aws.String("no")
	cert, site, north := aws.String("arn:aws:iot:eu-west-1:111122223333:cert/"+strings.Repeat("a", 64)),
		aws.String("arn:aws:iot:eu-west-1:111122223333:thinggroup/site"), aws.String("arn:aws:iot:eu-west-1:111122223333:thinggroup/north")
	for i := range 10 {
		for range 2 {
			c.ok()(c.AttachPolicy(c.ctx, &sdk.AttachPolicyInput{PolicyName: aws.String(fmt.Sprintf("p%02d", i)), Target: cert}))
		}
	}
	c.refuses(410, "LimitExceeded")(c.AttachPolicy(c.ctx, &sdk.AttachPolicyInput{PolicyName: aws.String("p10"), Target: cert}))
	c.ok()(c.AttachPolicy(c.ctx, &sdk.AttachPolicyInput{PolicyName: first, Target: site}))
	c.ok()(c.AttachPolicy(c.ctx, &sdk.AttachPolicyInput{PolicyName: aws.String("p10"), Target: north}))
	c.refuses(404, "ResourceNotFound", "No thing group with ARN arn:aws:iot:eu-west-1:111122223333:thinggroup/no exists")(
		c.AttachPolicy(c.ctx, &sdk.AttachPolicyInput{PolicyName: first, Target: aws.String("arn:aws:iot:eu-west-1:111122223333:thinggroup/no")}))
	c.refuses(404, "ResourceNotFound", "Policy not found")(c.AttachPolicy(c.ctx, &sdk.AttachPolicyInput{PolicyName: no, Target: cert}))
	c.refuses(400, "InvalidRequest")(c.AttachPolicy(c.ctx, &sdk.AttachPolicyInput{PolicyName: first, Target: aws.String("thing")}))

	attached := all(t, func(marker *string, size *int32) ([]string, *string, error) {
		out, err := c.ListAttachedPolicies(c.ctx, &sdk.ListAttachedPoliciesInput{Target: cert, Marker: marker, PageSize: size})
		if err != nil {
			return nil, nil, err
		}
		return policyNames(out.Policies), out.NextMarker, nil
	})
	same(t, "p00 p01 p02 p03 p04 p05 p06 p07 p08 p09", strings.Join(attached, " "))
	c.gives(`{"Policies":[{"PolicyName":"p10","PolicyArn":"arn:aws:iot:eu-west-1:111122223333:policy/p10"}]}`)(
		c.ListAttachedPolicies(c.ctx, &sdk.ListAttachedPoliciesInput{Target: north}))
	c.gives(`{"Policies":[{"PolicyName":"p00","PolicyArn":"arn:aws:iot:eu-west-1:111122223333:policy/p00"},{"PolicyName":"p10","PolicyArn":"arn:aws:iot:eu-west-1:111122223333:policy/p10"}]}`)(
		c.ListAttachedPolicies(c.ctx, &sdk.ListAttachedPoliciesInput{Target: north, Recursive: true}))
	c.refuses(404, "ResourceNotFound")(c.ListAttachedPolicies(c.ctx, &sdk.ListAttachedPoliciesInput{Target: aws.String("arn:aws:iot:eu-west-1:111122223333:thinggroup/no")}))

	targets := all(t, func(marker *string, size *int32) ([]string, *string, error) {
		out, err := c.ListTargetsForPolicy(c.ctx, &sdk.ListTargetsForPolicyInput{PolicyName: first, Marker: marker, PageSize: aws.Int32(1)})
		if err != nil {
			return nil, nil, err
		}
		return out.Targets, out.NextMarker, nil
	})
	same(t, []string{*cert, *site}, targets)
	c.refuses(404, "ResourceNotFound", "Policy not found")(c.ListTargetsForPolicy(c.ctx, &sdk.ListTargetsForPolicyInput{PolicyName: no}))

	c.refuses(409, "DeleteConflict", "The policy cannot be deleted as the policy is attached to one or more principals (name=p10)")(
		c.DeletePolicy(c.ctx, &sdk.DeletePolicyInput{PolicyName: aws.String("p10")}))
	c.ok()(c.DetachPolicy(c.ctx, &sdk.DetachPolicyInput{PolicyName: aws.String("p10"), Target: north}))
	c.ok()(c.DetachPolicy(c.ctx, &sdk.DetachPolicyInput{PolicyName: aws.String("p10"), Target: north}))
	c.ok()(c.DeletePolicy(c.ctx, &sdk.DeletePolicyInput{PolicyName: aws.String("p10")}))
}

//lint:file-ignore SA1019 old tools still call the operations that AWS replaced.

func TestOldNamesOfAttachments(t *testing.T) {
	c := newControl(t)
	c.policy("a")
	c.policy("b")
	cert := aws.String("arn:aws:iot:eu-west-1:111122223333:cert/" + strings.Repeat("a", 64))
	for _, name := range []string{"a", "b"} {
		c.ok()(c.AttachPrincipalPolicy(c.ctx, &sdk.AttachPrincipalPolicyInput{PolicyName: &name, Principal: cert}))
	}
	c.refuses(404, "ResourceNotFound")(c.AttachPrincipalPolicy(c.ctx, &sdk.AttachPrincipalPolicyInput{PolicyName: aws.String("no"), Principal: cert}))
	out, err := c.ListPrincipalPolicies(c.ctx, &sdk.ListPrincipalPoliciesInput{Principal: cert, PageSize: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, []string{"a"}, policyNames(out.Policies))
	c.gives(`{"Policies":[{"PolicyName":"b","PolicyArn":"arn:aws:iot:eu-west-1:111122223333:policy/b"}]}`)(
		c.ListPrincipalPolicies(c.ctx, &sdk.ListPrincipalPoliciesInput{Principal: cert, Marker: out.NextMarker}))
	c.gives(`{"Principals":["` + *cert + `"]}`)(c.ListPolicyPrincipals(c.ctx, &sdk.ListPolicyPrincipalsInput{PolicyName: aws.String("a")}))
	c.refuses(404, "ResourceNotFound")(c.ListPolicyPrincipals(c.ctx, &sdk.ListPolicyPrincipalsInput{PolicyName: aws.String("no")}))
	c.ok()(c.DetachPrincipalPolicy(c.ctx, &sdk.DetachPrincipalPolicyInput{PolicyName: aws.String("a"), Principal: cert}))
	c.refuses(404, "ResourceNotFound")(c.DetachPrincipalPolicy(c.ctx, &sdk.DetachPrincipalPolicyInput{PolicyName: aws.String("no"), Principal: cert}))
	c.gives(`{"Policies":[{"PolicyName":"b","PolicyArn":"arn:aws:iot:eu-west-1:111122223333:policy/b"}]}`)(
		c.ListAttachedPolicies(c.ctx, &sdk.ListAttachedPoliciesInput{Target: cert}))
}

func TestAuthorizationOperations(t *testing.T) {
	c := newControl(t)
	cert := aws.String("arn:aws:iot:eu-west-1:111122223333:cert/" + strings.Repeat("a", 64))
	lamps := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/t/${iot:ClientId}"}}`
	if _, err := c.CreatePolicy(c.ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("lamps"), PolicyDocument: &lamps}); err != nil {
		t.Fatal(err)
	}
	c.ok()(c.AttachPolicy(c.ctx, &sdk.AttachPolicyInput{PolicyName: aws.String("lamps"), Target: cert}))
	c.gives(`{"EffectivePolicies":[{"PolicyName":"lamps","PolicyArn":"arn:aws:iot:eu-west-1:111122223333:policy/lamps","PolicyDocument":` + fmt.Sprintf("%q", lamps) + `}]}`)(
		c.GetEffectivePolicies(c.ctx, &sdk.GetEffectivePoliciesInput{Principal: cert}))
	c.refuses(404, "ResourceNotFound")(c.GetEffectivePolicies(c.ctx, &sdk.GetEffectivePoliciesInput{Principal: cert, ThingName: aws.String("no")}))

	ask := []types.AuthInfo{{ActionType: types.ActionTypePublish, Resources: []string{"arn:aws:iot:eu-west-1:111122223333:topic/t/lamp-7"}}}
	info := `"AuthInfo":{"ActionType":"PUBLISH","Resources":["arn:aws:iot:eu-west-1:111122223333:topic/t/lamp-7"]}`
	named := `[{"PolicyName":"lamps","PolicyArn":"arn:aws:iot:eu-west-1:111122223333:policy/lamps"}]`
	c.gives(`{"AuthResults":[{` + info + `,"AuthDecision":"ALLOWED","Allowed":{"Policies":` + named + `},
		"Denied":{"ImplicitDeny":{"Policies":[]},"ExplicitDeny":{"Policies":[]}},"MissingContextValues":[]}]}`)(
		c.TestAuthorization(c.ctx, &sdk.TestAuthorizationInput{Principal: cert, ClientId: aws.String("lamp-7"), AuthInfos: ask}))
	c.gives(`{"AuthResults":[{` + info + `,"AuthDecision":"IMPLICIT_DENY","Allowed":{"Policies":[]},
		"Denied":{"ImplicitDeny":{"Policies":` + named + `},"ExplicitDeny":{"Policies":[]}},"MissingContextValues":["iot:ClientId"]}]}`)(
		c.TestAuthorization(c.ctx, &sdk.TestAuthorizationInput{Principal: cert, AuthInfos: ask}))
	c.refuses(404, "ResourceNotFound")(c.TestAuthorization(c.ctx, &sdk.TestAuthorizationInput{Principal: cert, AuthInfos: ask, PolicyNamesToAdd: []string{"no"}}))
	c.refuses(400, "InvalidRequest")(c.TestAuthorization(c.ctx, &sdk.TestAuthorizationInput{Principal: cert,
		AuthInfos: []types.AuthInfo{{ActionType: types.ActionTypePublish, Resources: []string{"topic/x"}}}}))
}
