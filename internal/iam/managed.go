package iam

import (
	"strings"
	"time"
)

// awsManaged are the policies that AWS manages and that tutorials for devices
// attach. Their documents are ours and grant what thingd has of it.
var awsManaged = []struct{ path, name, actions, description string }{
	{"/", "AdministratorAccess", `"*"`, "Everything."},
	{"/", "ReadOnlyAccess", `"iot:Describe*","iot:Get*","iot:List*","iot:SearchIndex","iam:Get*","iam:List*","s3:Get*","s3:List*","sagemaker:Describe*","sagemaker:List*","iotjobsdata:Describe*","iotjobsdata:Get*"`, "Looking at everything."},
	{"/", "AWSIoTFullAccess", `"iot:*","iotjobsdata:*"`, "All of IoT."},
	{"/", "AWSIoTDataAccess", `"iot:Connect","iot:Publish","iot:Subscribe","iot:Receive","iot:GetThingShadow","iot:UpdateThingShadow","iot:DeleteThingShadow","iot:ListNamedShadowsForThing"`, "Messages and shadows."},
	{"/", "AWSIoTConfigAccess", `"iot:AcceptCertificateTransfer","iot:Add*","iot:Attach*","iot:Cancel*","iot:Create*","iot:Delete*","iot:Describe*","iot:Detach*","iot:Disable*","iot:Enable*","iot:Get*","iot:List*","iot:Register*","iot:Reject*","iot:Remove*","iot:Replace*","iot:SearchIndex","iot:Set*","iot:Start*","iot:Stop*","iot:Test*","iot:TransferCertificate","iot:Update*","iot:Validate*","iot:AssociateTargetsWithJob","iot:ClearDefaultAuthorizer","iot:DeprecateThingType"`, "Settings of IoT."},
	{"/", "AWSIoTConfigReadOnlyAccess", `"iot:Describe*","iot:Get*","iot:List*","iot:SearchIndex","iot:TestAuthorization","iot:TestInvokeAuthorizer","iot:ValidateSecurityProfileBehaviors"`, "Looking at the settings of IoT."},
	{"/", "AmazonS3FullAccess", `"s3:*"`, "All of S3."},
	{"/", "AmazonS3ReadOnlyAccess", `"s3:Get*","s3:List*"`, "Reading from S3."},
	{"/", "IAMFullAccess", `"iam:*"`, "All of IAM."},
	{"/", "IAMReadOnlyAccess", `"iam:Get*","iam:List*"`, "Looking at IAM."},
	{"/", "AmazonSageMakerFullAccess", `"sagemaker:*"`, "All of SageMaker Edge."},
	{"/service-role/", "AWSIoTThingsRegistration", `"iot:AddThingToThingGroup","iot:AddThingToBillingGroup","iot:AttachPolicy","iot:AttachPrincipalPolicy","iot:AttachThingPrincipal","iot:CreateCertificateFromCsr","iot:CreatePolicy","iot:CreateThing","iot:DescribeCertificate","iot:DescribeThing","iot:DescribeThingGroup","iot:DescribeThingType","iot:DetachPolicy","iot:DetachThingPrincipal","iot:GetPolicy","iot:ListAttachedPolicies","iot:ListPolicyPrincipals","iot:ListPrincipalPolicies","iot:ListPrincipalThings","iot:ListTargetsForPolicy","iot:ListThingGroupsForThing","iot:ListThingPrincipals","iot:RegisterCertificate","iot:RegisterThing","iot:RemoveThingFromThingGroup","iot:UpdateCertificate","iot:UpdateThing","iot:UpdateThingGroupsForThing"`, "Provisioning of things by templates."},
	{"/service-role/", "AWSIoTLogging", `"logs:*"`, "Writing logs."},
	{"/service-role/", "AWSIoTRuleActions", `"dynamodb:PutItem","kinesis:PutRecord","iot:Publish","s3:PutObject","sns:Publish","sqs:SendMessage*","cloudwatch:PutMetricData","firehose:PutRecord"`, "What rules do."},
	{"/service-role/", "AmazonSageMakerEdgeDeviceFleetPolicy", `"s3:PutObject","s3:GetBucketLocation","sagemaker:GetDeviceRegistration","sagemaker:SendHeartbeat","iot:CreateRoleAlias","iot:DescribeRoleAlias","iot:UpdateRoleAlias","iot:TagResource","iot:ListTagsForResource","iam:GetRole","iam:PassRole"`, "Devices of an edge fleet."},
}

// awsManagedPrefix begins the ARNs of policies that AWS manages.
const awsManagedPrefix = "arn:aws:iam::aws:policy"

// ManagedByAWS gives the policy that AWS manages under the ARN, if thingd knows
// it. Such a policy is the same in every account and cannot be changed.
func ManagedByAWS(arn string) (Policy, bool) {
	if !strings.HasPrefix(arn, awsManagedPrefix) {
		return Policy{}, false
	}
	for _, m := range awsManaged {
		if arn == awsManagedPrefix+m.path+m.name {
			return Policy{
				Name: m.name, Path: m.path, ARN: arn, ID: policyPrefix + "MANAGEDBYAWS", Description: m.description,
				Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + m.actions + `],"Resource":"*"}]}`,
				Created:  time.Date(2015, 2, 6, 18, 0, 0, 0, time.UTC),
			}, true
		}
	}
	return Policy{}, false
}

// AllManagedByAWS lists those policies (ListPolicies with scope AWS).
func AllManagedByAWS() []Policy {
	all := make([]Policy, 0, len(awsManaged))
	for _, m := range awsManaged {
		p, _ := ManagedByAWS(awsManagedPrefix + m.path + m.name)
		all = append(all, p)
	}
	return all
}
