package wire_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkiot "github.com/aws/aws-sdk-go-v2/service/iot"
	iottypes "github.com/aws/aws-sdk-go-v2/service/iot/types"
	sdkdata "github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"thingd/internal/aws/iot"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/sts"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
)

// registry implements some operations and keeps what it was asked last.
type registry struct {
	asked any
	err   error
}

func (r *registry) CreateThing(_ context.Context, in *iot.CreateThingRequest) (*iot.CreateThingResponse, error) {
	r.asked = in
	return &iot.CreateThingResponse{ThingName: in.ThingName, ThingArn: "arn:aws:iot:eu-west-1:111122223333:thing/" + in.ThingName, ThingId: "id-1"}, r.err
}

func (r *registry) DescribeThing(_ context.Context, in *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
	r.asked = in
	return &iot.DescribeThingResponse{ThingName: in.ThingName, Version: new(int64(7)), Attributes: map[string]string{"a": "", "b": "<&>"}}, r.err
}

func (r *registry) ListThings(_ context.Context, in *iot.ListThingsRequest) (*iot.ListThingsResponse, error) {
	r.asked = in
	return &iot.ListThingsResponse{Things: []iot.ThingAttribute{{ThingName: "one"}, {ThingName: "two"}}, NextToken: "more"}, r.err
}

func (r *registry) AttachThingPrincipal(_ context.Context, in *iot.AttachThingPrincipalRequest) (*iot.AttachThingPrincipalResponse, error) {
	r.asked = in
	return nil, r.err
}

func (r *registry) AttachPolicy(_ context.Context, in *iot.AttachPolicyRequest) error {
	r.asked = in
	return r.err
}

func (r *registry) CreateTopicRule(_ context.Context, in *iot.CreateTopicRuleRequest) error {
	r.asked = in
	return r.err
}

func (r *registry) TestAuthorization(_ context.Context, in *iot.TestAuthorizationRequest) (*iot.TestAuthorizationResponse, error) {
	r.asked = in
	return &iot.TestAuthorizationResponse{AuthResults: []iot.AuthResult{{AuthDecision: iot.AuthDecisionAllowed}}}, r.err
}

func (r *registry) DescribeCertificate(_ context.Context, in *iot.DescribeCertificateRequest) (*iot.DescribeCertificateResponse, error) {
	r.asked = in
	return &iot.DescribeCertificateResponse{CertificateDescription: &iot.CertificateDescription{
		CertificateId: in.CertificateId,
		CreationDate:  time.UnixMilli(1700000000123).UTC(),
	}}, r.err
}

func (r *registry) DeleteCommand(_ context.Context, in *iot.DeleteCommandRequest) (*iot.DeleteCommandResponse, error) {
	r.asked = in
	return &iot.DeleteCommandResponse{StatusCode: new(202)}, r.err
}

func TestSDKRoundTrips(t *testing.T) {
	impl := &registry{}
	f := serve(t, map[*wire.Service]any{iot.Service: impl})
	client := sdkiot.NewFromConfig(f.config())
	ctx := context.Background()
	for _, tc := range []struct {
		name  string
		call  func() (any, error)
		asked any
		want  any // compared with call's, where it is not nil
	}{
		{
			"ok/label with a colon and nested members",
			func() (any, error) {
				out, err := client.CreateThing(ctx, &sdkiot.CreateThingInput{
					ThingName:        aws.String("pump:7"),
					AttributePayload: &iottypes.AttributePayload{Attributes: map[string]string{"site": "north"}, Merge: true},
				})
				return aws.ToString(out.ThingArn), err
			},
			&iot.CreateThingRequest{ThingName: "pump:7", AttributePayload: &iot.AttributePayload{Attributes: map[string]string{"site": "north"}, Merge: new(true)}},
			"arn:aws:iot:eu-west-1:111122223333:thing/pump:7",
		},
		{
			"ok/number and map out, an empty string among the values",
			func() (any, error) {
				out, err := client.DescribeThing(ctx, &sdkiot.DescribeThingInput{ThingName: aws.String("pump")})
				return []any{out.Version, out.Attributes}, err
			},
			&iot.DescribeThingRequest{ThingName: "pump"},
			[]any{int64(7), map[string]string{"a": "", "b": "<&>"}},
		},
		{
			"ok/query parameters",
			func() (any, error) {
				out, err := client.ListThings(ctx, &sdkiot.ListThingsInput{
					AttributeName: aws.String("a/b"), AttributeValue: aws.String("x=[y]"), MaxResults: aws.Int32(2), UsePrefixAttributeValue: true,
				})
				if err != nil {
					return nil, err
				}
				return []any{len(out.Things), aws.ToString(out.NextToken)}, nil
			},
			&iot.ListThingsRequest{AttributeName: "a/b", AttributeValue: "x=[y]", MaxResults: new(2), UsePrefixAttributeValue: new(true)},
			[]any{2, "more"},
		},
		{
			"ok/header",
			func() (any, error) {
				_, err := client.AttachThingPrincipal(ctx, &sdkiot.AttachThingPrincipalInput{ThingName: aws.String("t"), Principal: aws.String("arn:aws:iot:eu-west-1:111122223333:cert/ab")})
				return nil, err
			},
			&iot.AttachThingPrincipalRequest{ThingName: "t", Principal: "arn:aws:iot:eu-west-1:111122223333:cert/ab"},
			nil,
		},
		{
			"ok/no output",
			func() (any, error) {
				_, err := client.AttachPolicy(ctx, &sdkiot.AttachPolicyInput{PolicyName: aws.String("p"), Target: aws.String("arn:x")})
				return nil, err
			},
			&iot.AttachPolicyRequest{PolicyName: "p", Target: "arn:x"},
			nil,
		},
		{
			"ok/body that is one member",
			func() (any, error) {
				_, err := client.CreateTopicRule(ctx, &sdkiot.CreateTopicRuleInput{
					RuleName: aws.String("r1"), Tags: aws.String("k=v"),
					TopicRulePayload: &iottypes.TopicRulePayload{
						Sql:     aws.String("select * from 'data/#'"),
						Actions: []iottypes.Action{{S3: &iottypes.S3Action{BucketName: aws.String("b"), Key: aws.String("k"), RoleArn: aws.String("arn:r")}}},
					},
				})
				return nil, err
			},
			&iot.CreateTopicRuleRequest{
				RuleName: "r1", Tags: "k=v",
				TopicRulePayload: &iot.TopicRulePayload{
					Sql:          "select * from 'data/#'",
					Actions:      []iot.Action{{S3: &iot.S3Action{BucketName: "b", Key: "k", RoleArn: "arn:r"}}},
					RuleDisabled: nil,
				},
			},
			nil,
		},
		{
			"ok/lists and query in one",
			func() (any, error) {
				out, err := client.TestAuthorization(ctx, &sdkiot.TestAuthorizationInput{
					ClientId:  aws.String("c"),
					AuthInfos: []iottypes.AuthInfo{{ActionType: iottypes.ActionTypePublish, Resources: []string{"arn:1"}}},
				})
				if err != nil {
					return nil, err
				}
				return out.AuthResults[0].AuthDecision, nil
			},
			&iot.TestAuthorizationRequest{ClientId: "c", AuthInfos: []iot.AuthInfo{{ActionType: "PUBLISH", Resources: []string{"arn:1"}}}},
			iottypes.AuthDecisionAllowed,
		},
		{
			"ok/timestamp with milliseconds",
			func() (any, error) {
				id := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
				out, err := client.DescribeCertificate(ctx, &sdkiot.DescribeCertificateInput{CertificateId: &id})
				if err != nil {
					return nil, err
				}
				return out.CertificateDescription.CreationDate.UnixMilli(), nil
			},
			&iot.DescribeCertificateRequest{CertificateId: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
			int64(1700000000123),
		},
		{
			"ok/status code as a member",
			func() (any, error) {
				out, err := client.DeleteCommand(ctx, &sdkiot.DeleteCommandInput{CommandId: aws.String("c")})
				if err != nil {
					return nil, err
				}
				return out.StatusCode, nil
			},
			&iot.DeleteCommandRequest{CommandId: "c"},
			int32(202),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.call()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.asked, normal(impl.asked)); diff != "" {
				t.Errorf("input (-want +got):\n%s", diff)
			}
			if tc.want != nil {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("output (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// normal drops what this SDK sends although it is the default.
func normal(in any) any {
	if rule, ok := in.(*iot.CreateTopicRuleRequest); ok {
		rule.TopicRulePayload.RuleDisabled = nil
	}
	return in
}

func TestSDKTypesErrors(t *testing.T) {
	impl := &registry{}
	f := serve(t, map[*wire.Service]any{iot.Service: impl})
	client := sdkiot.NewFromConfig(f.config())
	create := func() error {
		_, err := client.CreateThing(context.Background(), &sdkiot.CreateThingInput{ThingName: aws.String("pump")})
		return err
	}
	t.Run("conflict/names the resource", func(t *testing.T) {
		impl.err = fault.AlreadyExists("Thing pump exists").About("id-9", "arn:aws:iot:eu-west-1:111122223333:thing/pump")
		got, ok := errors.AsType[*iottypes.ResourceAlreadyExistsException](create())
		if !ok || aws.ToString(got.ResourceArn) != "arn:aws:iot:eu-west-1:111122223333:thing/pump" || aws.ToString(got.ResourceId) != "id-9" || aws.ToString(got.Message) != "Thing pump exists" {
			t.Errorf("got %#v", got)
		}
	})
	t.Run("throttled/400 on the control plane", func(t *testing.T) {
		impl.err = fault.New(fault.CodeThrottling, "slow down")
		if got, ok := errors.AsType[*iottypes.ThrottlingException](create()); !ok {
			t.Errorf("got %v", got)
		}
	})
	t.Run("internal/hidden but logged", func(t *testing.T) {
		impl.err = errors.New("the disk has a name")
		got, ok := errors.AsType[*iottypes.InternalFailureException](create())
		if !ok || contains(got.Error(), "disk") {
			t.Errorf("got %v", got)
		}
		if !contains(f.log.String(), "the disk has a name") || !contains(f.log.String(), requestID) {
			t.Errorf("log: %s", f.log)
		}
	})
	t.Run("not implemented/says so", func(t *testing.T) {
		_, err := client.CreateJob(context.Background(), &sdkiot.CreateJobInput{JobId: aws.String("j"), Targets: []string{"arn"}})
		got, ok := errors.AsType[smithy.APIError](err)
		if !ok || got.ErrorCode() != "NotImplementedException" || got.ErrorMessage() != "thingd does not implement CreateJob." {
			t.Errorf("got %v", err)
		}
	})
	t.Run("denied", func(t *testing.T) {
		impl.err = nil
		f.door.denied = "iot:CreateThing"
		got, ok := errors.AsType[smithy.APIError](create())
		if !ok || got.ErrorCode() != "AccessDeniedException" {
			t.Errorf("got %v", got)
		}
	})
}

func TestSDKValidation(t *testing.T) {
	f := serve(t, map[*wire.Service]any{iot.Service: &registry{}})
	client := sdkiot.NewFromConfig(f.config())
	_, err := client.CreateThing(context.Background(), &sdkiot.CreateThingInput{
		ThingName:        aws.String("a b"),
		AttributePayload: &iottypes.AttributePayload{Attributes: map[string]string{"k": "x y"}},
	})
	got, ok := errors.AsType[*iottypes.InvalidRequestException](err)
	if !ok {
		t.Fatal(err)
	}
	want := "2 validation errors detected: " +
		"Value 'a b' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+; " +
		"Value '{k=x y}' at 'attributePayload.attributes' failed to satisfy constraint: Map value must satisfy constraint: " +
		"[Member must have length less than or equal to 800, Member must satisfy regular expression pattern: [a-zA-Z0-9_.,@/:#=\\[\\]-]*]"
	if diff := cmp.Diff(want, aws.ToString(got.Message)); diff != "" {
		t.Error(diff)
	}
}

// identity implements STS.
type identity struct{}

func (identity) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	c := wire.CallerFrom(ctx)
	return &sts.GetCallerIdentityResponse{Account: c.AccountID, Arn: c.ARN, UserId: c.UserID}, nil
}

func (identity) AssumeRole(_ context.Context, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	if in.RoleSessionName == "none" {
		return nil, fault.New(fault.CodeAccessDenied, "no & never")
	}
	return &sts.AssumeRoleResponse{Credentials: &sts.Credentials{
		AccessKeyId: "ASIATESTTESTTESTTEST", SecretAccessKey: "s", SessionToken: fmt.Sprint(in.Tags),
		Expiration: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}}, nil
}

func TestSDKQueryProtocol(t *testing.T) {
	f := serve(t, map[*wire.Service]any{sts.Service: identity{}})
	client := sdksts.NewFromConfig(f.config())
	ctx := context.Background()
	who, err := client.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(who.Account) != "111122223333" || aws.ToString(who.Arn) != "arn:aws:iam::111122223333:user/tester" {
		t.Errorf("got %+v", who)
	}
	t.Run("ok/lists of structures, and a time", func(t *testing.T) {
		got, err := client.AssumeRole(ctx, &sdksts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::111122223333:role/r"), RoleSessionName: aws.String("ok"),
			Tags: []ststypes.Tag{{Key: aws.String("a"), Value: aws.String("")}, {Key: aws.String("b"), Value: aws.String("2")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if token := aws.ToString(got.Credentials.SessionToken); token != "[{a } {b 2}]" {
			t.Errorf("tags arrived as %s", token)
		}
		if want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC); !got.Credentials.Expiration.Equal(want) {
			t.Errorf("expiration %v", got.Credentials.Expiration)
		}
	})
	t.Run("denied/code and message in XML", func(t *testing.T) {
		_, err := client.AssumeRole(ctx, &sdksts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/r"), RoleSessionName: aws.String("none")})
		got, ok := errors.AsType[smithy.APIError](err)
		if !ok || got.ErrorCode() != "AccessDenied" || got.ErrorMessage() != "no & never" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("invalid", func(t *testing.T) {
		_, err := client.AssumeRole(ctx, &sdksts.AssumeRoleInput{RoleArn: aws.String("short"), RoleSessionName: aws.String("ok")})
		got, ok := errors.AsType[smithy.APIError](err)
		if !ok || got.ErrorCode() != "ValidationError" || !contains(got.ErrorMessage(), "at 'roleArn'") {
			t.Errorf("got %v", err)
		}
	})
}

// plane implements some of the data plane.
type plane struct{ asked *iotdata.PublishRequest }

func (p *plane) Publish(_ context.Context, in *iotdata.PublishRequest) error {
	p.asked = in
	return nil
}

func (p *plane) GetThingShadow(context.Context, *iotdata.GetThingShadowRequest) (*iotdata.GetThingShadowResponse, error) {
	return &iotdata.GetThingShadowResponse{Payload: []byte(`{"state":{}}`)}, nil
}

func (p *plane) SendDirectMessage(ctx context.Context, _ *iotdata.SendDirectMessageRequest) (*iotdata.SendDirectMessageResponse, error) {
	return &iotdata.SendDirectMessageResponse{Message: "OK", TraceId: wire.RequestID(ctx)}, nil
}

func TestSDKDataPlane(t *testing.T) {
	impl := &plane{}
	f := serve(t, map[*wire.Service]any{iotdata.Service: impl})
	client := sdkdata.NewFromConfig(f.config())
	ctx := context.Background()
	_, err := client.Publish(ctx, &sdkdata.PublishInput{
		Topic: aws.String("a//b/c d"), Qos: 1, Payload: []byte("\x00raw"), UserProperties: aws.String(`[{"site":"north"}]`),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &iotdata.PublishRequest{Topic: "a//b/c d", Qos: new(1), Payload: []byte("\x00raw"), UserProperties: []byte(`[{"site":"north"}]`)}
	if diff := cmp.Diff(want, impl.asked); diff != "" {
		t.Errorf("Publish (-want +got):\n%s", diff)
	}
	shadow, err := client.GetThingShadow(ctx, &sdkdata.GetThingShadowInput{ThingName: aws.String("t")})
	if err != nil || string(shadow.Payload) != `{"state":{}}` {
		t.Errorf("GetThingShadow = %+v, %v", shadow, err)
	}
	direct, err := client.SendDirectMessage(ctx, &sdkdata.SendDirectMessageInput{ClientId: aws.String("c"), Topic: aws.String("t"), Timeout: 3})
	if err != nil || aws.ToString(direct.TraceId) != requestID {
		t.Errorf("SendDirectMessage = %+v, %v", direct, err)
	}
}
