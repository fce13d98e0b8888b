package api

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkiot "github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"

	"thingd/internal/iam"
)

const (
	trustAccount = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}`
	mayList      = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:List*","Resource":"*"}]}`
)

// between gives what stands between two marks, such as an XML element's.
func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	found, _, _ := strings.Cut(rest, to)
	return found
}

func TestIAMOperations(t *testing.T) {
	f := openIdentityFront(t)
	for _, step := range []struct {
		name   string
		action string
		values []string
		status int
		want   string // in the answer
	}{
		{"ok/user", "CreateUser", []string{"UserName", "ann"}, 200, "<Arn>arn:aws:iam::111122223333:user/ann</Arn>"},
		{"conflict/user", "CreateUser", []string{"UserName", "ann"}, 409, "<Code>EntityAlreadyExists</Code><Message>User with name ann already exists.</Message>"},
		{"ok/own user is the root", "GetUser", nil, 200, "<Arn>arn:aws:iam::111122223333:root</Arn>"},
		{"missing/user", "GetUser", []string{"UserName", "bob"}, 404, "<Code>NoSuchEntity</Code><Message>The user with name bob cannot be found.</Message>"},
		{"ok/users", "ListUsers", nil, 200, "<UserName>ann</UserName>"},
		{"ok/role", "CreateRole", []string{"RoleName", "edge", "AssumeRolePolicyDocument", trustAccount, "MaxSessionDuration", "7200"}, 200, "<MaxSessionDuration>7200</MaxSessionDuration>"},
		{"refused/trust that is none", "CreateRole", []string{"RoleName", "x", "AssumeRolePolicyDocument", "{}"}, 400, "<Code>MalformedPolicyDocument</Code>"},
		{"ok/document is percent-encoded", "GetRole", []string{"RoleName", "edge"}, 200, "<AssumeRolePolicyDocument>%7B%22Version%22"},
		{"ok/inline policy", "PutRolePolicy", []string{"RoleName", "edge", "PolicyName", "p", "PolicyDocument", mayList}, 200, "RequestId"},
		{"ok/inline policy read", "GetRolePolicy", []string{"RoleName", "edge", "PolicyName", "p"}, 200, "%22iot%3AList%2A%22"},
		{"ok/inline policies", "ListRolePolicies", []string{"RoleName", "edge"}, 200, "<member>p</member>"},
		{"ok/managed policy", "CreatePolicy", []string{"PolicyName", "m", "PolicyDocument", mayList}, 200, "<Arn>arn:aws:iam::111122223333:policy/m</Arn>"},
		{"ok/attach", "AttachRolePolicy", []string{"RoleName", "edge", "PolicyArn", "arn:aws:iam::111122223333:policy/m"}, 200, "RequestId"},
		{"ok/attach AWS's", "AttachUserPolicy", []string{"UserName", "ann", "PolicyArn", "arn:aws:iam::aws:policy/AWSIoTFullAccess"}, 200, "RequestId"},
		{"missing/attach", "AttachRolePolicy", []string{"RoleName", "edge", "PolicyArn", "arn:aws:iam::aws:policy/Nothing"}, 404, "NoSuchEntity"},
		{"ok/attached", "ListAttachedRolePolicies", []string{"RoleName", "edge"}, 200, "<PolicyName>m</PolicyName>"},
		{"ok/policy counts", "GetPolicy", []string{"PolicyArn", "arn:aws:iam::111122223333:policy/m"}, 200, "<AttachmentCount>1</AttachmentCount>"},
		{"ok/version", "GetPolicyVersion", []string{"PolicyArn", "arn:aws:iam::111122223333:policy/m", "VersionId", "v1"}, 200, "<IsDefaultVersion>true</IsDefaultVersion>"},
		{"missing/version", "GetPolicyVersion", []string{"PolicyArn", "arn:aws:iam::111122223333:policy/m", "VersionId", "v2"}, 404, "NoSuchEntity"},
		{"ok/versions", "ListPolicyVersions", []string{"PolicyArn", "arn:aws:iam::111122223333:policy/m"}, 200, "<VersionId>v1</VersionId>"},
		{"ok/policies", "ListPolicies", []string{"Scope", "Local"}, 200, "<PolicyName>m</PolicyName>"},
		{"conflict/policy in use", "DeletePolicy", []string{"PolicyArn", "arn:aws:iam::111122223333:policy/m"}, 409, "<Code>DeleteConflict</Code>"},
		{"conflict/role in use", "DeleteRole", []string{"RoleName", "edge"}, 409, "<Code>DeleteConflict</Code>"},
		{"ok/tag", "TagRole", []string{"RoleName", "edge", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v"}, 200, "RequestId"},
		{"ok/tags", "ListRoleTags", []string{"RoleName", "edge"}, 200, "<Key>k</Key><Value>v</Value>"},
		{"ok/untag", "UntagRole", []string{"RoleName", "edge", "TagKeys.member.1", "k"}, 200, "RequestId"},
		{"ok/trust changed", "UpdateAssumeRolePolicy", []string{"RoleName", "edge", "PolicyDocument", trustAccount}, 200, "RequestId"},
		{"ok/no instances", "ListInstanceProfilesForRole", []string{"RoleName", "edge"}, 200, "<IsTruncated>false</IsTruncated>"},
		{"ok/detach", "DetachRolePolicy", []string{"RoleName", "edge", "PolicyArn", "arn:aws:iam::111122223333:policy/m"}, 200, "RequestId"},
		{"ok/inline policy gone", "DeleteRolePolicy", []string{"RoleName", "edge", "PolicyName", "p"}, 200, "RequestId"},
		{"ok/role gone", "DeleteRole", []string{"RoleName", "edge"}, 200, "RequestId"},
		{"ok/policy gone", "DeletePolicy", []string{"PolicyArn", "arn:aws:iam::111122223333:policy/m"}, 200, "RequestId"},
		{"refused/boundary", "CreateUser", []string{"UserName", "bob", "PermissionsBoundary", "arn:aws:iam::aws:policy/ReadOnlyAccess"}, 400, "not supported"},
	} {
		t.Run(step.name, func(t *testing.T) {
			status, body := f.callIAM(t, f.root, step.action, step.values...)
			if squeezed := squeeze(body); status != step.status || !strings.Contains(squeezed, step.want) {
				t.Errorf("%d %s, want %d with %s", status, squeezed, step.status, step.want)
			}
		})
	}
}

// squeeze takes the white space between elements out.
func squeeze(xml string) string {
	lines := strings.Split(xml, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "")
}

func TestAccessKeyOperations(t *testing.T) {
	f := openIdentityFront(t)
	f.callIAM(t, f.root, "CreateUser", "UserName", "ann")
	f.callIAM(t, f.root, "PutUserPolicy", "UserName", "ann", "PolicyName", "p", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"arn:aws:iam::*:user/${aws:username}"}]}`)
	_, body := f.callIAM(t, f.root, "CreateAccessKey", "UserName", "ann")
	ann := iam.AccessKey{ID: between(body, "<AccessKeyId>", "<"), Secret: between(body, "<SecretAccessKey>", "<")}
	for _, step := range []struct {
		name   string
		key    iam.AccessKey
		action string
		values []string
		status int
		want   string
	}{
		{"ok/own keys", ann, "ListAccessKeys", nil, 200, "<UserName>ann</UserName><AccessKeyId>" + ann.ID},
		{"refused/others' keys", ann, "ListAccessKeys", []string{"UserName", "root"}, 403, "is not authorized to perform: iam:ListAccessKeys"},
		{"ok/second key", ann, "CreateAccessKey", nil, 200, "<SecretAccessKey>"},
		{"refused/third key", ann, "CreateAccessKey", nil, 409, "<Code>LimitExceeded</Code>"},
		{"ok/turned off by the root", f.root, "UpdateAccessKey", []string{"UserName", "ann", "AccessKeyId", ann.ID, "Status", "Inactive"}, 200, ""},
		{"refused/turned off", ann, "ListAccessKeys", nil, 403, "InvalidClientTokenId"},
		{"ok/deleted", f.root, "DeleteAccessKey", []string{"UserName", "ann", "AccessKeyId", ann.ID}, 200, ""},
		{"refused/wrong secret", iam.AccessKey{ID: f.root.ID, Secret: "guess"}, "ListUsers", nil, 403, "SignatureDoesNotMatch"},
	} {
		t.Run(step.name, func(t *testing.T) {
			status, body := f.callIAM(t, step.key, step.action, step.values...)
			if squeezed := squeeze(body); status != step.status || !strings.Contains(squeezed, step.want) {
				t.Errorf("%d %s, want %d with %s", status, squeezed, step.status, step.want)
			}
		})
	}
}

func TestSTSOperations(t *testing.T) {
	f := openIdentityFront(t)
	ctx := t.Context()
	root := f.sts(f.root.ID, f.root.Secret, "")
	f.callIAM(t, f.root, "CreateRole", "RoleName", "edge", "AssumeRolePolicyDocument", trustAccount)
	f.callIAM(t, f.root, "PutRolePolicy", "RoleName", "edge", "PolicyName", "p", "PolicyDocument", mayList)
	assumed, err := root.AssumeRole(ctx, &sdksts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/edge"), RoleSessionName: aws.String("job")})
	if err != nil {
		t.Fatal(err)
	}
	c := assumed.Credentials
	if left := time.Until(*c.Expiration); left < 59*time.Minute || left > time.Hour {
		t.Error(left)
	}
	t.Run("ok/who am I", func(t *testing.T) {
		got, err := f.sts(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken).GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
		if err != nil || *got.Arn != "arn:aws:sts::111122223333:assumed-role/edge/job" || *got.UserId != *assumed.AssumedRoleUser.AssumedRoleId || *got.Account != "111122223333" {
			t.Error(got, err)
		}
	})
	t.Run("ok/root", func(t *testing.T) {
		got, err := root.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
		if err != nil || *got.Arn != "arn:aws:iam::111122223333:root" || *got.UserId != "111122223333" {
			t.Error(got, err)
		}
	})
	device := sdkiot.NewFromConfig(f.config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken))
	t.Run("ok/what the role may", func(t *testing.T) {
		_, err := device.ListCertificates(ctx, &sdkiot.ListCertificatesInput{})
		wantException(t, err, "")
	})
	t.Run("refused/what it may not, with AWS's sentence", func(t *testing.T) {
		id := strings.Repeat("a", 64)
		_, err := device.DescribeCertificate(ctx, &sdkiot.DescribeCertificateInput{CertificateId: &id})
		wantException(t, err, "AccessDeniedException")
		want := "User: arn:aws:sts::111122223333:assumed-role/edge/job is not authorized to perform: iot:DescribeCertificate on resource: " +
			"arn:aws:iot:us-east-1:111122223333:cert/" + id + " because no identity-based policy allows the iot:DescribeCertificate action"
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Error(err)
		}
	})
	t.Run("refused/without the token", func(t *testing.T) {
		_, err := f.sts(*c.AccessKeyId, *c.SecretAccessKey, "").GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
		wantException(t, err, "InvalidClientTokenId")
	})
	t.Run("ok/session token", func(t *testing.T) {
		got, err := root.GetSessionToken(ctx, &sdksts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)})
		if err != nil || !strings.HasPrefix(*got.Credentials.AccessKeyId, "ASIA") {
			t.Error(got, err)
		}
	})
	t.Run("refused/web identity", func(t *testing.T) {
		_, err := root.AssumeRoleWithWebIdentity(ctx, &sdksts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/edge"),
			RoleSessionName: aws.String("job"), WebIdentityToken: aws.String("token")})
		wantException(t, err, "InvalidIdentityToken")
	})
	t.Run("refused/no trust", func(t *testing.T) {
		_, err := f.sts(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken).AssumeRole(ctx, &sdksts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/edge"), RoleSessionName: aws.String("again")})
		wantException(t, err, "AccessDenied")
	})
}

// Whoever may make rules and role aliases must not thereby become any role.
func TestPassRole(t *testing.T) {
	f := openIdentityFront(t)
	f.callIAM(t, f.root, "CreateUser", "UserName", "ann")
	f.callIAM(t, f.root, "PutUserPolicy", "UserName", "ann", "PolicyName", "p", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111122223333:role/small"}]}`)
	_, body := f.callIAM(t, f.root, "CreateAccessKey", "UserName", "ann")
	client := sdkiot.NewFromConfig(f.config(between(body, "<AccessKeyId>", "<"), between(body, "<SecretAccessKey>", "<"), ""))
	_, err := client.CreateTopicRule(t.Context(), &sdkiot.CreateTopicRuleInput{RuleName: aws.String("r"), TopicRulePayload: &iottypes.TopicRulePayload{
		Sql: aws.String("SELECT * FROM 'a'"), Actions: []iottypes.Action{{S3: &iottypes.S3Action{
			RoleArn: aws.String("arn:aws:iam::111122223333:role/admin"), BucketName: aws.String("b"), Key: aws.String("k")}}}}})
	wantException(t, err, "AccessDeniedException")
	if err == nil || !strings.Contains(err.Error(), "perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/admin") {
		t.Error(err)
	}
}
