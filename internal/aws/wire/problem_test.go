package wire_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"thingd/internal/aws/iamapi"
	"thingd/internal/aws/iot"
	"thingd/internal/aws/iotdata"
	"thingd/internal/aws/iotjobs"
	"thingd/internal/aws/sagemaker"
	"thingd/internal/aws/sagemakeredge"
	"thingd/internal/aws/sts"
	"thingd/internal/aws/tunneling"
	"thingd/internal/aws/wire"
	"thingd/internal/fault"
)

func TestErrorSpeaksAsTheServiceDoes(t *testing.T) {
	for _, tc := range []struct {
		service *wire.Service
		op      string
		code    fault.Code
		name    string
		status  int
	}{
		{iot.Service, "CreateThing", fault.CodeNotFound, "ResourceNotFoundException", 404},
		{iot.Service, "CreateThing", fault.CodeThrottling, "ThrottlingException", 400},
		{iot.Service, "CreateThing", fault.CodeInvalidRequest, "InvalidRequestException", 400},
		{iot.Service, "CreatePackage", fault.CodeInvalidRequest, "ValidationException", 400},
		{iot.Service, "CreatePackage", fault.CodeAlreadyExists, "ConflictException", 409},
		{iot.Service, "CreatePackage", fault.CodeLimitExceeded, "ServiceQuotaExceededException", 402},
		{iot.Service, "CreateJob", fault.CodeLimitExceeded, "LimitExceededException", 410},
		{iot.Service, "CreateThing", fault.CodeForbidden, "AccessDeniedException", 403},
		{iot.Service, "CreateTopicRule", fault.Internal, "InternalException", 500},
		{iot.Service, "", fault.Internal, "InternalFailureException", 500},
		{iot.Service, "ListThings", fault.CodeVersionConflict, "VersionConflictException", 409}, // not modelled there, and sent
		{iotdata.Service, "Publish", fault.CodeThrottling, "ThrottlingException", 429},
		{iotdata.Service, "Publish", fault.CodeAccessDenied, "ForbiddenException", 403},
		{iotdata.Service, "UpdateThingShadow", fault.CodeVersionConflict, "ConflictException", 409},
		{iotdata.Service, "Publish", fault.CodeValidation, "InvalidRequestException", 400},
		{iotdata.Service, "SendDirectMessage", fault.CodeGatewayTimeout, "GatewayTimeoutException", 504},
		{iotjobs.Service, "UpdateJobExecution", fault.CodeInvalidStateTransition, "InvalidStateTransitionException", 409},
		{iotjobs.Service, "DescribeJobExecution", fault.CodeTerminalState, "TerminalStateException", 410},
		{iotjobs.Service, "StartCommandExecution", fault.CodeInvalidRequest, "ValidationException", 400},
		{tunneling.Service, "DescribeTunnel", fault.CodeNotFound, "ResourceNotFoundException", 400},
		{tunneling.Service, "DescribeTunnel", fault.CodeForbidden, "AccessDeniedException", 400},
		{sagemaker.Service, "CreateDeviceFleet", fault.CodeAlreadyExists, "ResourceInUse", 400},
		{sagemaker.Service, "DescribeDeviceFleet", fault.CodeNotFound, "ResourceNotFound", 400},
		{sagemaker.Service, "DeleteDeviceFleet", fault.CodeDeleteConflict, "ResourceInUse", 400},
		{sagemaker.Service, "DescribeDeviceFleet", fault.CodeNotImplemented, "NotImplementedException", 501},
		{sagemakeredge.Service, "SendHeartbeat", fault.Internal, "InternalFailureException", 500},
		{iamapi.Service, "GetRole", fault.CodeNotFound, "NoSuchEntity", 404},
		{iamapi.Service, "CreateRole", fault.CodeAlreadyExists, "EntityAlreadyExists", 409},
		{iamapi.Service, "DeleteRole", fault.CodeDeleteConflict, "DeleteConflict", 409},
		{iamapi.Service, "CreateRole", fault.CodeLimitExceeded, "LimitExceeded", 409},
		{iamapi.Service, "CreateRole", fault.CodeMalformedPolicy, "MalformedPolicyDocument", 400},
		{iamapi.Service, "CreateRole", fault.CodeInvalidRequest, "InvalidInput", 400},
		{iamapi.Service, "CreateRole", fault.Internal, "ServiceFailure", 500},
		{sts.Service, "AssumeRole", fault.CodeAccessDenied, "AccessDenied", 403},
		{sts.Service, "AssumeRole", fault.CodeThrottling, "Throttling", 400},
		{sts.Service, "AssumeRole", fault.Internal, "InternalFailure", 500},
		{sts.Service, "AssumeRole", "PackedPolicyTooLarge", "PackedPolicyTooLarge", 400},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", tc.service.Name, tc.op, tc.code), func(t *testing.T) {
			want := wire.Problem{Name: tc.name, Status: tc.status, Message: "why", Members: map[string]string{}}
			got := wire.Error(tc.service, tc.service.Operation(tc.op), fmt.Errorf("on the way: %w", fault.New(tc.code, "why")))
			if tc.code == fault.Internal {
				got.Message = "why" // says less than it knows
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(wire.Problem{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorHidesWhatIsNoFault(t *testing.T) {
	got := wire.Error(iot.Service, nil, errors.New("sql: no such table"))
	if got.Status != 500 || contains(got.Message, "sql") {
		t.Errorf("got %+v", got)
	}
	got = wire.Error(iot.Service, nil, fault.NotFound("gone").Because(errors.New("sql: no rows")).About("id", "arn"))
	want := wire.Problem{Name: "ResourceNotFoundException", Status: 404, Message: "gone", Members: map[string]string{"resourceId": "id", "resourceArn": "arn"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(wire.Problem{})); diff != "" {
		t.Error(diff)
	}
}
