package iam_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/iotjobs"
	"thingd/internal/aws/sagemaker"
	"thingd/internal/aws/sigv4"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
	"thingd/internal/iam"
)

// call is a call of an operation with an input.
func call(t testing.TB, s *wire.Service, name string, input any) wire.Call {
	t.Helper()
	op := s.Operation(name)
	if op == nil {
		t.Fatal("no such operation:", name)
	}
	return wire.Call{Service: s, Operation: op, Input: input}
}

// What a call touches shows in the refusals: each resource is allowed in turn
// until nothing is refused any more.
func TestResourcesOfCalls(t *testing.T) {
	const iotARN, iamARN = "arn:aws:iot:us-east-1:111122223333:", "arn:aws:iam::111122223333:"
	h := open(t, nil)
	ann, _ := h.user(t, "ann", "")
	if _, err := h.CreateUser(t.Context(), iam.User{Name: "bob", Path: "/lab/"}); err != nil {
		t.Fatal(err)
	}
	gate := iam.NewGate(h.Service)
	for _, test := range []struct {
		call wire.Call
		want []string // action and resource
	}{
		{call(t, iot.Service, "CreateThing", &iot.CreateThingRequest{ThingName: "a"}), []string{"iot:CreateThing " + iotARN + "thing/a"}},
		{call(t, iot.Service, "ListThings", &iot.ListThingsRequest{}), []string{"iot:ListThings *"}},
		{call(t, iot.Service, "CreateKeysAndCertificate", &iot.CreateKeysAndCertificateRequest{}), []string{"iot:CreateKeysAndCertificate *"}},
		{call(t, iot.Service, "DescribeCACertificate", &iot.DescribeCACertificateRequest{CertificateId: "c"}), []string{"iot:DescribeCACertificate " + iotARN + "cacert/c"}},
		{call(t, iot.Service, "AttachPolicy", &iot.AttachPolicyRequest{PolicyName: "p", Target: iotARN + "cert/c"}), []string{"iot:AttachPolicy " + iotARN + "cert/c"}},
		{call(t, iot.Service, "AddThingToThingGroup", &iot.AddThingToThingGroupRequest{ThingName: "a", ThingGroupArn: iotARN + "thinggroup/g"}),
			[]string{"iot:AddThingToThingGroup " + iotARN + "thing/a", "iot:AddThingToThingGroup " + iotARN + "thinggroup/g"}},
		{call(t, iot.Service, "CreateJob", &iot.CreateJobRequest{JobId: "j", Targets: []string{iotARN + "thing/a"}}),
			[]string{"iot:CreateJob " + iotARN + "thing/a", "iot:CreateJob " + iotARN + "job/j"}},
		{call(t, iot.Service, "UpdateThingGroupsForThing", &iot.UpdateThingGroupsForThingRequest{ThingName: "a", ThingGroupsToAdd: []string{"g"}}),
			[]string{"iot:UpdateThingGroupsForThing " + iotARN + "thinggroup/g", "iot:UpdateThingGroupsForThing " + iotARN + "thing/a"}},
		{call(t, iot.Service, "CreateRoleAlias", &iot.CreateRoleAliasRequest{RoleAlias: "r", RoleArn: iamARN + "role/x"}),
			[]string{"iot:CreateRoleAlias " + iotARN + "rolealias/r", "iam:PassRole " + iamARN + "role/x"}},
		{call(t, iot.Service, "CreateTopicRule", &iot.CreateTopicRuleRequest{RuleName: "r", TopicRulePayload: &iot.TopicRulePayload{
			Actions:     []iot.Action{{S3: &iot.S3Action{RoleArn: iamARN + "role/x"}}},
			ErrorAction: &iot.Action{Republish: &iot.RepublishAction{RoleArn: iamARN + "role/y"}}}}),
			[]string{"iot:CreateTopicRule " + iotARN + "rule/r", "iam:PassRole " + iamARN + "role/x", "iam:PassRole " + iamARN + "role/y"}},
		{call(t, iot.Service, "TagResource", &iot.TagResourceRequest{ResourceArn: iotARN + "policy/p"}), []string{"iot:TagResource " + iotARN + "policy/p"}},
		{call(t, iotdata.Service, "Publish", &iotdata.PublishRequest{Topic: "a/b"}), []string{"iot:Publish " + iotARN + "topic/a/b"}},
		{call(t, iotdata.Service, "GetThingShadow", &iotdata.GetThingShadowRequest{ThingName: "a"}), []string{"iot:GetThingShadow " + iotARN + "thing/a"}},
		{call(t, iotdata.Service, "GetThingShadow", &iotdata.GetThingShadowRequest{ThingName: "a", ShadowName: "s"}), []string{"iot:GetThingShadow " + iotARN + "thing/a/s"}},
		{call(t, iotjobs.Service, "DescribeJobExecution", &iotjobs.DescribeJobExecutionRequest{ThingName: "a", JobId: "j"}),
			[]string{"iotjobsdata:DescribeJobExecution " + iotARN + "job/j", "iotjobsdata:DescribeJobExecution " + iotARN + "thing/a"}},
		{call(t, sagemaker.Service, "DescribeDeviceFleet", &sagemaker.DescribeDeviceFleetRequest{DeviceFleetName: "Fleet"}),
			[]string{"sagemaker:DescribeDeviceFleet arn:aws:sagemaker:us-east-1:111122223333:device-fleet/fleet"}},
		{call(t, iamapi.Service, "DeleteUser", &iamapi.DeleteUserRequest{UserName: "bob"}), []string{"iam:DeleteUser " + iamARN + "user/lab/bob"}},
		{call(t, iamapi.Service, "DeleteUser", &iamapi.DeleteUserRequest{UserName: "nobody"}), []string{"iam:DeleteUser " + iamARN + "user/nobody"}},
		{call(t, iamapi.Service, "GetUser", &iamapi.GetUserRequest{}), []string{"iam:GetUser " + iamARN + "user/ann"}},
		{call(t, iamapi.Service, "CreateRole", &iamapi.CreateRoleRequest{RoleName: "r", Path: "/lab/"}), []string{"iam:CreateRole " + iamARN + "role/lab/r"}},
		{call(t, iamapi.Service, "CreatePolicy", &iamapi.CreatePolicyRequest{PolicyName: "p"}), []string{"iam:CreatePolicy " + iamARN + "policy/p"}},
		{call(t, iamapi.Service, "GetPolicy", &iamapi.GetPolicyRequest{PolicyArn: iamARN + "policy/p"}), []string{"iam:GetPolicy " + iamARN + "policy/p"}},
		{call(t, iamapi.Service, "ListRoles", &iamapi.ListRolesRequest{}), []string{"iam:ListRoles *"}},
	} {
		t.Run(test.call.Action(), func(t *testing.T) {
			got := refusals(t, h, gate, ann, test.call)
			want := slices.Sorted(slices.Values(test.want))
			if diff := cmp.Diff(want, slices.Sorted(slices.Values(got))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// refusals allows what is refused, one thing after the other.
func refusals(t *testing.T, h *house, gate *iam.Gate, actor iam.Actor, c wire.Call) []string {
	t.Helper()
	var all []string
	statements := `{"Effect":"Allow","Action":"none:None","Resource":"*"}`
	for range 10 {
		document := `{"Version":"2012-10-17","Statement":[` + statements + `]}`
		if err := h.PutInline(t.Context(), iam.ByUser, "ann", "inline", document); err != nil {
			t.Fatal(err)
		}
		err := gate.Authorize(t.Context(), wire.Caller{Kind: wire.AccessKey, Detail: &actor}, c)
		if err == nil {
			return all
		}
		_, rest, _ := strings.Cut(err.Error(), "is not authorized to perform: ")
		rest, _, found := strings.Cut(rest, " because no")
		action, resource, _ := strings.Cut(rest, " on resource: ")
		if !found {
			t.Fatal(err)
		}
		all = append(all, action+" "+resource)
		statements += `,{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}`
	}
	t.Fatal("there is no end to it:", all)
	return nil
}

// No operation of any service breaks the Gate, whatever its input lacks, and
// none goes through without permission but those that are meant to.
func TestEveryOperationNeedsPermission(t *testing.T) {
	h := open(t, nil)
	ann, _ := h.user(t, "ann", "")
	gate := iam.NewGate(h.Service)
	for _, s := range []*wire.Service{iot.Service, iotdata.Service, iotjobs.Service, sagemaker.Service, iamapi.Service} {
		for i := range s.Operations {
			err := gate.Authorize(t.Context(), wire.Caller{Kind: wire.AccessKey, Detail: &ann},
				wire.Call{Service: s, Operation: &s.Operations[i], Input: newInput(s.Operations[i].In)})
			if !fault.Is(err, fault.CodeAccessDenied) {
				t.Errorf("%s: %v", s.Operations[i].Name, err)
			}
		}
	}
}

// newInput makes an empty input of the type of a nil pointer.
func newInput(in any) any { return reflect.New(reflect.TypeOf(in).Elem()).Interface() }

func TestGateAuthenticate(t *testing.T) {
	h := open(t, nil)
	root, err := h.RootKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gate := iam.NewGate(h.Service)
	request := func(id, secret string, at time.Time) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "https://localhost/things", nil)
		sigv4.Sign(r, nil, sigv4.Credentials{AccessKeyID: id, SecretAccessKey: secret}, "iot", "us-east-1", at)
		return r
	}
	for _, test := range []struct {
		name string
		r    *http.Request
		code fault.Code
	}{
		{"ok/root", request(root.ID, root.Secret, start), ""},
		{"refused/wrong secret", request(root.ID, "guess", start), sigv4.CodeInvalid},
		{"refused/unknown key", request("AKIANOBODY", root.Secret, start), sigv4.CodeUnrecognized},
		{"refused/an old signature", request(root.ID, root.Secret, start.Add(-time.Hour)), sigv4.CodeInvalid},
		{"refused/unsigned", httptest.NewRequest(http.MethodGet, "https://localhost/things", nil), sigv4.CodeMissing},
	} {
		t.Run(test.name, func(t *testing.T) {
			caller, err := gate.Authenticate(t.Context(), test.r, nil)
			wantCode(t, err, test.code)
			if err != nil {
				return
			}
			caller.Detail = nil
			want := wire.Caller{Kind: wire.AccessKey, AccountID: account, ARN: "arn:aws:iam::111122223333:root", UserID: account, AccessKeyID: root.ID}
			if diff := cmp.Diff(want, caller); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Conditions see the request: where it came from, and over what.
func TestGateConditions(t *testing.T) {
	h := open(t, nil)
	_, key := h.user(t, "ann", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:ListThings","Resource":"*",
		"Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}]}`)
	gate := iam.NewGate(h.Service)
	for _, test := range []struct {
		name, url, region string
		code              fault.Code
	}{
		{"ok/TLS and region", "https://localhost/things", "us-east-1", ""},
		{"refused/plain", "http://localhost/things", "us-east-1", fault.CodeAccessDenied},
		{"refused/another region", "https://localhost/things", "eu-west-1", fault.CodeAccessDenied},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, test.url, nil)
			sigv4.Sign(r, nil, sigv4.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, "iot", test.region, start)
			caller, err := gate.Authenticate(t.Context(), r, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantCode(t, gate.Authorize(t.Context(), caller, call(t, iot.Service, "ListThings", &iot.ListThingsRequest{})), test.code)
		})
	}
	_, key = h.user(t, "bob", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:GetConnection","Resource":"*",
		"Condition":{"Bool":{"iot:IncludeSocketInformation":"false"}}}]}`)
	for _, test := range []struct {
		name    string
		sockets *bool
		code    fault.Code
	}{{"ok/GetConnection", nil, ""}, {"refused/GetConnection with addresses", new(true), fault.CodeAccessDenied}} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "https://localhost/connections/a", nil)
			sigv4.Sign(r, nil, sigv4.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, "iotdata", "us-east-1", start)
			caller, err := gate.Authenticate(t.Context(), r, nil)
			if err != nil {
				t.Fatal(err)
			}
			in := &iotdata.GetConnectionRequest{ClientId: "a", IncludeSocketInformation: test.sockets}
			wantCode(t, gate.Authorize(t.Context(), caller, call(t, iotdata.Service, "GetConnection", in)), test.code)
		})
	}
	t.Run("refused/no access key", func(t *testing.T) {
		err := gate.Authorize(t.Context(), wire.Caller{Kind: wire.Certificate}, call(t, iot.Service, "ListThings", &iot.ListThingsRequest{}))
		wantCode(t, err, fault.CodeAccessDenied)
	})
}
