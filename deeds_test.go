package thingd

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"thingd/internal/aws/wire"
	"thingd/internal/mqtt"
)

// deed is a call that is done twice.
type deed struct {
	do    string
	keep  string // NAME=Member of the answer to keep for later calls; Member may be a path
	want  string // error of the first call; "" is success
	again string // error of the second; "" is success, and for questions the same answer; "*" is either

	later time.Duration // the clock is put forward by this before the call
}

const (
	trustAll   = `{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":[\"sts:AssumeRole\",\"sts:AssumeRoleWithWebIdentity\"],\"Principal\":{\"AWS\":\"*\"}}}`
	role       = `arn:aws:iam::123456789012:role/r`
	arnPrefix  = `arn:aws:iot:us-east-1:123456789012:`
	notFound   = "404 ResourceNotFoundException"
	exists     = "409 ResourceAlreadyExistsException"
	noEntity   = "404 NoSuchEntity"
	entity     = "409 EntityAlreadyExists"
	limit      = "410 LimitExceededException"
	limitIAM   = "409 LimitExceeded"
	badRequest = "400 InvalidRequestException"
)

// deeds use every operation that is built, in an order in which they succeed. A
// deed that changes something is done again at once: what clients that retry see.
var deeds = []deed{
	{do: `DescribeEndpoint {"endpointType":"iot:Data-ATS"}`},
	{do: `UpdateEventConfigurations {"eventConfigurations":{"THING":{"enabled":true}}}`}, {do: `DescribeEventConfigurations`},
	{do: `DescribeEncryptionConfiguration`}, {do: `UpdateEncryptionConfiguration {"encryptionType":"AWS_OWNED_KMS_KEY"}`},
	{do: `GetV2LoggingOptions`, want: "404 NotConfiguredException", again: "404 NotConfiguredException"},
	{do: `ListV2LoggingLevels`, want: "404 NotConfiguredException", again: "404 NotConfiguredException"},
	{do: `SetV2LoggingLevel {"logTarget":{"targetType":"CLIENT_ID","targetName":"c"},"logLevel":"INFO"}`, want: "404 NotConfiguredException", again: "404 NotConfiguredException"},
	{do: `SetLoggingOptions {"loggingOptionsPayload":{"roleArn":"` + role + `","logLevel":"INFO"}}`}, {do: `GetLoggingOptions`},
	{do: `SetV2LoggingOptions {"roleArn":"` + role + `","defaultLogLevel":"INFO"}`}, {do: `GetV2LoggingOptions`},
	{do: `SetV2LoggingLevel {"logTarget":{"targetType":"CLIENT_ID","targetName":"c"},"logLevel":"INFO"}`}, {do: `ListV2LoggingLevels`},
	{do: `DeleteV2LoggingLevel {"targetType":"CLIENT_ID","targetName":"c"}`},

	{do: `CreateThingType {"thingTypeName":"type"}`}, {do: `DescribeThingType {"thingTypeName":"type"}`}, {do: `ListThingTypes`},
	{do: `UpdateThingType {"thingTypeName":"type","thingTypeProperties":{"thingTypeDescription":"d"}}`},
	{do: `UpdateThingType {"thingTypeName":"no","thingTypeProperties":{"thingTypeDescription":"d"}}`, want: notFound, again: notFound},
	{do: `CreateThing {"thingName":"thing","thingTypeName":"type","attributePayload":{"attributes":{"a":"b"}}}`},
	{do: `DescribeThing {"thingName":"thing"}`}, {do: `ListThings`}, {do: `UpdateThing {"thingName":"thing","removeThingType":true}`},
	{do: `DeprecateThingType {"thingTypeName":"type"}`}, {do: `DeleteThingType {"thingTypeName":"type"}`, want: badRequest, again: badRequest},
	{do: `CreateThingGroup {"thingGroupName":"group"}`}, {do: `CreateThingGroup {"thingGroupName":"child","parentGroupName":"group"}`},
	{do: `DescribeThingGroup {"thingGroupName":"child"}`}, {do: `ListThingGroups {"recursive":true}`},
	{do: `ListThingGroups {"parentGroup":"no"}`, want: notFound, again: notFound},
	{do: `UpdateThingGroup {"thingGroupName":"group","thingGroupProperties":{"thingGroupDescription":"d"}}`},
	{do: `AddThingToThingGroup {"thingName":"thing","thingGroupName":"child"}`},
	{do: `ListThingsInThingGroup {"thingGroupName":"group","recursive":true}`}, {do: `ListThingGroupsForThing {"thingName":"thing"}`},
	{do: `ListThingGroupsForThing {"thingName":"no"}`, want: notFound, again: notFound},
	{do: `RemoveThingFromThingGroup {"thingName":"thing","thingGroupName":"child"}`},
	{do: `RemoveThingFromThingGroup {"thingName":"no","thingGroupName":"child"}`, want: notFound, again: notFound},
	{do: `UpdateThingGroupsForThing {"thingName":"thing","thingGroupsToAdd":["group"]}`},
	{do: `UpdateThingGroupsForThing {"thingName":"thing","thingGroupsToAdd":["no"]}`, want: notFound, again: notFound},
	{do: `CreateBillingGroup {"billingGroupName":"billing"}`}, {do: `DescribeBillingGroup {"billingGroupName":"billing"}`}, {do: `ListBillingGroups`},
	{do: `UpdateBillingGroup {"billingGroupName":"billing","billingGroupProperties":{"billingGroupDescription":"d"}}`},
	{do: `UpdateBillingGroup {"billingGroupName":"no","billingGroupProperties":{}}`, want: notFound, again: notFound},
	{do: `AddThingToBillingGroup {"thingName":"thing","billingGroupName":"billing"}`}, {do: `ListThingsInBillingGroup {"billingGroupName":"billing"}`},
	{do: `AddThingToBillingGroup {"thingName":"no","billingGroupName":"billing"}`, want: notFound, again: notFound},
	{do: `RemoveThingFromBillingGroup {"thingName":"thing","billingGroupName":"billing"}`},
	{do: `RemoveThingFromBillingGroup {"thingName":"no","billingGroupName":"billing"}`, want: notFound, again: notFound},
	{do: `TagResource {"resourceArn":"` + arnPrefix + `thinggroup/group","tags":[{"key":"k","value":"v"}]}`},
	{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `thinggroup/group"}`},
	{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `thinggroup/no"}`, want: notFound, again: notFound},
	{do: `UntagResource {"resourceArn":"` + arnPrefix + `thinggroup/group","tagKeys":["k"]}`},
	{do: `UntagResource {"resourceArn":"` + arnPrefix + `thinggroup/no","tagKeys":["k"]}`, want: notFound, again: notFound},
	{do: `TagResource {"resourceArn":"` + arnPrefix + `thinggroup/group","tags":[{TAGS51}]}`, want: limit, again: limit},

	{do: `CreateKeysAndCertificate {"setAsActive":true}`},
	{do: `CreateCertificateFromCsr {"setAsActive":true,"certificateSigningRequest":{CSR}}`, keep: "CERT=CertificateArn"},
	{do: `DescribeCertificate {"certificateId":"{CERT#}"}`, keep: "PEM=CertificateDescription.CertificatePem"}, {do: `ListCertificates`},
	{do: `AttachThingPrincipal {"thingName":"thing","principal":"{CERT}"}`}, {do: `ListThingPrincipals {"thingName":"thing"}`}, {do: `ListThingPrincipalsV2 {"thingName":"thing"}`},
	{do: `ListThingPrincipalsV2 {"thingName":"no"}`, want: notFound, again: notFound},
	{do: `ListPrincipalThings {"principal":"{CERT}"}`}, {do: `ListPrincipalThingsV2 {"principal":"{CERT}"}`},
	{do: `CreatePolicy {"policyName":"policy","policyDocument":"` + doc + `"}`, again: exists}, {do: `GetPolicy {"policyName":"policy"}`}, {do: `ListPolicies`},
	{do: `CreatePolicyVersion {"policyName":"policy","policyDocument":"` + doc + `"}`}, {do: `GetPolicyVersion {"policyName":"policy","policyVersionId":"2"}`},
	{do: `CreatePolicyVersion {"policyName":"no","policyDocument":"` + doc + `"}`, want: notFound, again: notFound},
	{do: `ListPolicyVersions {"policyName":"policy"}`}, {do: `ListPolicyVersions {"policyName":"no"}`, want: notFound, again: notFound},
	{do: `SetDefaultPolicyVersion {"policyName":"policy","policyVersionId":"2"}`}, {do: `SetDefaultPolicyVersion {"policyName":"policy","policyVersionId":"9"}`, want: notFound, again: notFound},
	{do: `DeletePolicyVersion {"policyName":"policy","policyVersionId":"1"}`, again: notFound},
	{do: `AttachPolicy {"policyName":"policy","target":"{CERT}"}`}, {do: `ListAttachedPolicies {"target":"{CERT}"}`}, {do: `ListTargetsForPolicy {"policyName":"policy"}`},
	{do: `ListAttachedPolicies {"target":"` + arnPrefix + `thinggroup/no"}`, want: notFound, again: notFound},
	{do: `ListPrincipalPolicies {"principal":"{CERT}"}`}, {do: `ListPolicyPrincipals {"policyName":"policy"}`},
	{do: `ListPolicyPrincipals {"policyName":"no"}`, want: notFound, again: notFound},
	{do: `GetEffectivePolicies {"principal":"{CERT}"}`}, {do: `GetEffectivePolicies {"thingName":"no"}`, want: notFound, again: notFound},
	{do: `TestAuthorization {"principal":"{CERT}","authInfos":[{"actionType":"PUBLISH","resources":["` + arnPrefix + `topic/t"]}]}`},
	{do: `TestAuthorization {"principal":"{CERT}","policyNamesToAdd":["no"],"authInfos":[{"actionType":"PUBLISH","resources":["` + arnPrefix + `topic/t"]}]}`, want: notFound, again: notFound},
	{do: `DetachPolicy {"policyName":"policy","target":"{CERT}"}`},
	{do: `AttachPrincipalPolicy {"policyName":"policy","principal":"{CERT}"}`}, {do: `AttachPrincipalPolicy {"policyName":"no","principal":"{CERT}"}`, want: notFound, again: notFound},
	{do: `DeleteCertificate {"certificateId":"{CERT#}","forceDelete":true}`, want: "406 CertificateStateException", again: "406 CertificateStateException"},
	{do: `UpdateCertificate {"certificateId":"{CERT#}","newStatus":"INACTIVE"}`},
	{do: `UpdateCertificate {"certificateId":"{CERT#}","newStatus":"PENDING_TRANSFER"}`, want: "406 CertificateStateException", again: "406 CertificateStateException"},
	{do: `DeleteCertificate {"certificateId":"{CERT#}"}`, want: "409 DeleteConflictException", again: "409 DeleteConflictException"},
	{do: `TransferCertificate {"certificateId":"{CERT#}","targetAwsAccount":"` + otherAccount + `"}`, want: "409 TransferConflictException", again: "409 TransferConflictException"},
	{do: `DetachPrincipalPolicy {"policyName":"policy","principal":"{CERT}"}`}, {do: `DetachPrincipalPolicy {"policyName":"no","principal":"{CERT}"}`, want: notFound, again: notFound},
	{do: `DetachThingPrincipal {"thingName":"thing","principal":"{CERT}"}`, again: notFound},
	{do: `TransferCertificate {"certificateId":"{CERT#}","targetAwsAccount":"` + otherAccount + `"}`, again: "406 CertificateStateException"}, {do: `ListOutgoingCertificates`},
	{do: `CancelCertificateTransfer {"certificateId":"{CERT#}"}`, again: "410 TransferAlreadyCompletedException"},
	{do: `TransferCertificate {"certificateId":"{CERT#}","targetAwsAccount":"` + otherAccount + `"}`, again: "406 CertificateStateException"},
	{do: `b/RejectCertificateTransfer {"certificateId":"{CERT#}"}`, again: notFound},
	{do: `RejectCertificateTransfer {"certificateId":"{CERT#}"}`, want: "410 TransferAlreadyCompletedException", again: "410 TransferAlreadyCompletedException"},
	{do: `TransferCertificate {"certificateId":"{CERT#}","targetAwsAccount":"` + otherAccount + `"}`, again: "406 CertificateStateException"},
	{do: `b/AcceptCertificateTransfer {"certificateId":"{CERT#}"}`, again: "410 TransferAlreadyCompletedException"},
	{do: `AcceptCertificateTransfer {"certificateId":"{CERT#}"}`, want: notFound, again: notFound}, {do: `CancelCertificateTransfer {"certificateId":"{CERT#}"}`, want: notFound, again: notFound},
	{do: `TransferCertificate {"certificateId":"{CERT#}","targetAwsAccount":"` + otherAccount + `"}`, want: notFound, again: notFound},
	{do: `b/DeleteCertificate {"certificateId":"{CERT#}"}`, again: notFound}, {do: `DeleteCertificate {"certificateId":"{CERT#}"}`, want: notFound, again: notFound},

	{do: `GetRegistrationCode`}, {do: `DeleteRegistrationCode`, again: notFound}, {do: `GetRegistrationCode`, keep: "CODE=RegistrationCode"},
	{do: `RegisterCACertificate {"setAsActive":true,"caCertificate":{CAPEM},"verificationCertificate":{WRONGPROOF}}`, want: "400 RegistrationCodeValidationException", again: "400 RegistrationCodeValidationException"},
	{do: `RegisterCACertificate {"setAsActive":true,"caCertificate":{CAPEM},"verificationCertificate":{OTHERPROOF}}`, want: "400 CertificateValidationException", again: "400 CertificateValidationException"},
	{do: `RegisterCACertificate {"setAsActive":true,"caCertificate":{CAPEM},"verificationCertificate":{PROOF}}`, keep: "CA=CertificateId", again: exists},
	{do: `DescribeCACertificate {"certificateId":"{CA}"}`}, {do: `ListCACertificates`}, {do: `UpdateCACertificate {"certificateId":"{CA}","newAutoRegistrationStatus":"ENABLE"}`},
	{do: `RegisterCertificate {"certificatePem":{LEAF},"status":"PENDING_ACTIVATION"}`, want: "406 CertificateStateException", again: "406 CertificateStateException"},
	{do: `RegisterCertificate {"certificatePem":{LEAF}}`, again: exists}, {do: `ListCertificatesByCA {"caCertificateId":"{CA}"}`},
	{do: `RegisterCertificate {"certificatePem":{STRANGER}}`, want: "400 CertificateValidationException", again: "400 CertificateValidationException"},
	{do: `RegisterCACertificate {"certificateMode":"SNI_ONLY","setAsActive":true,"caCertificate":{TWIN}}`, keep: "TWINID=CertificateId", again: exists},
	{do: `RegisterCertificate {"certificatePem":{LEAF2}}`, want: "409 CertificateConflictException", again: "409 CertificateConflictException"},
	{do: `RegisterCertificateWithoutCA {"certificatePem":{STRANGER},"status":"PENDING_ACTIVATION"}`, want: "406 CertificateStateException", again: "406 CertificateStateException"},
	{do: `RegisterCertificateWithoutCA {"certificatePem":{STRANGER}}`, again: exists},
	{do: `DeleteCACertificate {"certificateId":"{CA}"}`, want: "406 CertificateStateException", again: "406 CertificateStateException"},
	{do: `UpdateCACertificate {"certificateId":"{CA}","newStatus":"INACTIVE"}`}, {do: `DeleteCACertificate {"certificateId":"{CA}"}`, again: notFound},

	{do: `CreateCertificateProvider {"certificateProviderName":"provider","lambdaFunctionArn":"{FN}","accountDefaultForOperations":["CreateCertificateFromCsr"]}`},
	{do: `CreateCertificateProvider {"certificateProviderName":"provider","lambdaFunctionArn":"{FN}mute","accountDefaultForOperations":["CreateCertificateFromCsr"]}`, want: exists, again: exists},
	{do: `CreateCertificateProvider {"certificateProviderName":"second","lambdaFunctionArn":"{FN}","accountDefaultForOperations":["CreateCertificateFromCsr"]}`, want: limit, again: limit},
	{do: `DescribeCertificateProvider {"certificateProviderName":"provider"}`}, {do: `ListCertificateProviders`},
	{do: `UpdateCertificateProvider {"certificateProviderName":"provider","lambdaFunctionArn":"{FN}"}`}, {do: `DeleteCertificateProvider {"certificateProviderName":"provider"}`, again: notFound},

	{do: `DescribeDefaultAuthorizer`, want: notFound, again: notFound}, {do: `ClearDefaultAuthorizer`, want: notFound, again: notFound},
	{do: `CreateAuthorizer {"authorizerName":"auth","authorizerFunctionArn":"{FN}","signingDisabled":true,"status":"ACTIVE"}`, again: exists},
	{do: `DescribeAuthorizer {"authorizerName":"auth"}`}, {do: `ListAuthorizers`}, {do: `UpdateAuthorizer {"authorizerName":"auth","enableCachingForHttp":true}`},
	{do: `TestInvokeAuthorizer {"authorizerName":"auth","mqttContext":{"username":"u"}}`}, {do: `SetDefaultAuthorizer {"authorizerName":"auth"}`, again: exists},
	{do: `CreateAuthorizer {"authorizerName":"mute","authorizerFunctionArn":"{FN}mute","signingDisabled":true}`, again: exists},
	{do: `TestInvokeAuthorizer {"authorizerName":"mute"}`, want: "400 InvalidResponseException", again: "400 InvalidResponseException"},
	{do: `DescribeDefaultAuthorizer`}, {do: `DeleteAuthorizer {"authorizerName":"auth"}`, want: "409 DeleteConflictException", again: "409 DeleteConflictException"},
	{do: `ClearDefaultAuthorizer`, again: notFound}, {do: `UpdateAuthorizer {"authorizerName":"auth","status":"INACTIVE"}`}, {do: `DeleteAuthorizer {"authorizerName":"auth"}`, again: notFound},
	{do: `CreateDomainConfiguration {"domainConfigurationName":"domain","domainName":"d.example"}`, again: exists}, {do: `DescribeDomainConfiguration {"domainConfigurationName":"domain"}`},
	{do: `CreateDomainConfiguration {"domainConfigurationName":"cert","domainName":"e.example","serverCertificateArns":["` + acm + `no"]}`, want: "400 CertificateValidationException", again: "400 CertificateValidationException"},
	{do: `CreateDomainConfiguration {"domainConfigurationName":"quota10"}`, want: limit, again: limit}, {do: `ListDomainConfigurations`}, {do: `UpdateDomainConfiguration {"domainConfigurationName":"domain","domainConfigurationStatus":"DISABLED"}`},
	{do: `DeleteDomainConfiguration {"domainConfigurationName":"domain"}`, again: notFound},
	{do: `CreateRoleAlias {"roleAlias":"alias","roleArn":"` + role + `"}`, again: exists}, {do: `DescribeRoleAlias {"roleAlias":"alias"}`}, {do: `ListRoleAliases`},
	{do: `UpdateRoleAlias {"roleAlias":"alias","credentialDurationSeconds":900}`}, {do: `DeleteRoleAlias {"roleAlias":"alias"}`, again: notFound},

	{do: `CreateProvisioningTemplate {"templateName":"template","enabled":true,"provisioningRoleArn":"` + role + `","templateBody":"{\"Resources\":{}}"}`, again: exists},
	{do: `DescribeProvisioningTemplate {"templateName":"template"}`}, {do: `ListProvisioningTemplates`}, {do: `UpdateProvisioningTemplate {"templateName":"template","description":"d"}`},
	{do: `CreateProvisioningTemplateVersion {"templateName":"template","templateBody":"{\"Resources\":{}}"}`}, {do: `DescribeProvisioningTemplateVersion {"templateName":"template","versionId":2}`},
	{do: `CreateProvisioningTemplateVersion {"templateName":"no","templateBody":"{\"Resources\":{}}"}`, want: notFound, again: notFound},
	{do: `DescribeProvisioningTemplateVersion {"templateName":"template","versionId":9}`, want: notFound, again: notFound},
	{do: `ListProvisioningTemplateVersions {"templateName":"template"}`}, {do: `ListProvisioningTemplateVersions {"templateName":"no"}`, want: notFound, again: notFound},
	{do: `DescribeProvisioningTemplate {"templateName":"template"}`},
	{do: `CreateProvisioningTemplateVersion {"templateName":"template","templateBody":"{\"Resources\":{}}"}`},
	{do: `CreateProvisioningTemplateVersion {"templateName":"template","templateBody":"{\"Resources\":{}}"}`, want: "409 VersionsLimitExceededException", again: "409 VersionsLimitExceededException"},
	{do: `DeleteProvisioningTemplateVersion {"templateName":"template","versionId":2}`, again: notFound},
	{do: `DeleteProvisioningTemplateVersion {"templateName":"template","versionId":1}`, want: "409 DeleteConflictException", again: "409 DeleteConflictException"},
	{do: `CreateProvisioningClaim {"templateName":"template"}`}, {do: `CreateProvisioningClaim {"templateName":"no"}`, want: notFound, again: notFound},
	{do: `DeleteProvisioningTemplate {"templateName":"template"}`, again: notFound},
	{do: `RegisterThing {"templateBody":"{\"Resources\":{\"t\":{\"Type\":\"AWS::IoT::Thing\",\"Properties\":{\"ThingName\":\"made\"}}}}"}`},
	{do: `RegisterThing {"templateBody":"{\"Resources\":{\"t\":{\"Type\":\"AWS::IoT::Thing\",\"Properties\":{\"ThingName\":\"other\",\"ThingTypeName\":\"no\"}}}}"}`,
		want: "400 ResourceRegistrationFailureException", again: "400 ResourceRegistrationFailureException"},
	{do: `StartThingRegistrationTask {"templateBody":"{\"Parameters\":{\"N\":{\"Type\":\"String\"}},\"Resources\":{\"t\":{\"Type\":\"AWS::IoT::Thing\",\"Properties\":{\"ThingName\":{\"Ref\":\"N\"}}}}}","inputFileBucket":"bulk","inputFileKey":"things","roleArn":"` + role + `"}`,
		keep: "TASK=TaskId", again: badRequest},
	{do: `StopThingRegistrationTask {"taskId":"{TASK}"}`, again: "*"}, {do: `DescribeThingRegistrationTask {"taskId":"{TASK}"}`}, {do: `ListThingRegistrationTasks`},
	{do: `StopThingRegistrationTask {"taskId":"no"}`, want: notFound, again: notFound}, {do: `DescribeThingRegistrationTask {"taskId":"no"}`, want: notFound, again: notFound},
	{do: `ListThingRegistrationTaskReports {"taskId":"{TASK}","reportType":"RESULTS"}`},

	{do: `CreateTopicRule {"ruleName":"rule","topicRulePayload":{"sql":"SELECT * FROM 'a'","actions":[{"republish":{"roleArn":"` + role + `","topic":"b"}}]}}`, again: exists},
	{do: `GetTopicRule {"ruleName":"rule"}`}, {do: `ListTopicRules`}, {do: `DisableTopicRule {"ruleName":"rule"}`}, {do: `EnableTopicRule {"ruleName":"rule"}`},
	{do: `ReplaceTopicRule {"ruleName":"rule","topicRulePayload":{"sql":"SELECT * FROM 'c'","actions":[{"republish":{"roleArn":"` + role + `","topic":"b"}}]}}`},
	{do: `ReplaceTopicRule {"ruleName":"rule","topicRulePayload":{"sql":"SELEKT","actions":[{"republish":{"roleArn":"` + role + `","topic":"b"}}]}}`, want: "400 SqlParseException", again: "400 SqlParseException"},
	{do: `DeleteTopicRule {"ruleName":"rule"}`, again: "401 UnauthorizedException"},
	{do: `CreateTopicRuleDestination {"destinationConfiguration":{"httpUrlConfiguration":{"confirmationUrl":"https://127.0.0.1/x"}}}`, keep: "DEST=TopicRuleDestination.Arn", again: exists},
	{do: `GetTopicRuleDestination {"arn":"{DEST}"}`}, {do: `ListTopicRuleDestinations`}, {do: `UpdateTopicRuleDestination {"arn":"{DEST}","status":"IN_PROGRESS"}`},
	{do: `ConfirmTopicRuleDestination {"confirmationToken":"no"}`, want: badRequest, again: badRequest}, // its success: the tests of api
	{do: `DeleteTopicRuleDestination {"arn":"{DEST}"}`, again: "401 UnauthorizedException"},

	{do: `data/Publish {"topic":"kept","retain":true,"qos":1,"payload":"YQ=="}`}, {do: `data/GetRetainedMessage {"topic":"kept"}`}, {do: `data/ListRetainedMessages`},
	{do: `data/GetRetainedMessage {"topic":"no"}`, want: notFound, again: notFound},
	{do: `data/UpdateThingShadow {"thingName":"thing","payload":"eyJzdGF0ZSI6eyJkZXNpcmVkIjp7ImEiOjF9fX0="}`}, {do: `data/GetThingShadow {"thingName":"thing"}`},
	{do: `data/UpdateThingShadow {"thingName":"thing","payload":"{OLDVERSION}"}`, want: "409 ConflictException", again: "409 ConflictException"},
	{do: `data/UpdateThingShadow {"thingName":"thing","payload":"{TOOLARGE}"}`, want: "413 RequestEntityTooLargeException", again: "413 RequestEntityTooLargeException"},
	{do: `data/ListNamedShadowsForThing {"thingName":"thing"}`}, {do: `data/GetThingShadow {"thingName":"no"}`, want: notFound, again: notFound},
	{do: `data/DeleteThingShadow {"thingName":"thing"}`, again: notFound},
	{do: `GetThingConnectivityData {"thingName":"thing"}`}, {do: `GetThingConnectivityData {"thingName":"no"}`, want: notFound, again: notFound},
	{do: `data/GetConnection {"clientId":"device"}`}, {do: `data/GetConnection {"clientId":"no"}`, want: notFound, again: notFound},
	{do: `data/ListSubscriptions {"clientId":"device"}`}, {do: `data/ListSubscriptions {"clientId":"no"}`, want: notFound, again: notFound},
	{do: `data/SendDirectMessage {"clientId":"device","topic":"direct","payload":"YQ=="}`}, {do: `data/SendDirectMessage {"clientId":"no","topic":"direct"}`, want: notFound, again: notFound},
	{do: `data/DeleteConnection {"clientId":"device","cleanSession":true}`, again: notFound},

	{do: `data/SendDirectMessage {"clientId":"device2","topic":"direct","payload":"{PAYLOAD}"}`, want: "413 RequestEntityTooLargeException", again: "413 RequestEntityTooLargeException"},
	{do: `AttachPolicy {"policyName":"quota10","target":"{KEYS}"}`, want: limit, again: limit}, {do: `AttachPrincipalPolicy {"policyName":"quota10","principal":"{KEYS}"}`, want: limit, again: limit},
	{do: `RegisterCACertificate {"certificateMode":"SNI_ONLY","caCertificate":{TWIN10}}`, want: limit, again: limit},
	{do: `iam/AttachRolePolicy {"roleName":"r","policyArn":"arn:aws:iam::123456789012:policy/quota20"}`, want: limitIAM, again: limitIAM}, {do: `iam/AttachUserPolicy {"userName":"u","policyArn":"arn:aws:iam::123456789012:policy/quota20"}`, want: limitIAM, again: limitIAM},
	{do: `iam/PutRolePolicy {"roleName":"r","policyName":"quota50","policyDocument":"` + doc + `"}`, want: limitIAM, again: limitIAM}, {do: `iam/PutUserPolicy {"userName":"u","policyName":"quota50","policyDocument":"` + doc + `"}`, want: limitIAM, again: limitIAM},
	{do: `iam/TagRole {"roleName":"r","tags":[{TAGS30}]}`}, {do: `iam/TagRole {"roleName":"r","tags":[{TAGS51B}]}`, want: limitIAM, again: limitIAM},

	{do: `DeleteThingType {"thingTypeName":"type"}`, later: 8 * time.Minute, again: notFound},
	{do: `DeleteThingGroup {"thingGroupName":"child"}`}, {do: `DeleteBillingGroup {"billingGroupName":"billing"}`}, {do: `DeleteThing {"thingName":"thing"}`},
	{do: `DeletePolicyVersion {"policyName":"policy","policyVersionId":"3"}`, again: notFound}, {do: `DeletePolicy {"policyName":"policy"}`, again: notFound},

	{do: `sts/GetCallerIdentity`}, {do: `sts/GetSessionToken`},
	{do: `iam/CreateUser {"userName":"user"}`, again: entity}, {do: `iam/GetUser {"userName":"user"}`}, {do: `iam/GetUser {"userName":"no"}`, want: noEntity, again: noEntity}, {do: `iam/ListUsers`},
	{do: `iam/CreateRole {"roleName":"role","assumeRolePolicyDocument":"` + trustAll + `"}`, again: entity}, {do: `iam/GetRole {"roleName":"role"}`}, {do: `iam/ListRoles`},
	{do: `iam/CreateRole {"roleName":"bad","assumeRolePolicyDocument":"{}"}`, want: "400 MalformedPolicyDocument", again: "400 MalformedPolicyDocument"},
	{do: `iam/GetRole {"roleName":"no"}`, want: noEntity, again: noEntity}, {do: `iam/ListInstanceProfilesForRole {"roleName":"role"}`}, {do: `iam/ListInstanceProfilesForRole {"roleName":"no"}`, want: noEntity, again: noEntity},
	{do: `iam/UpdateAssumeRolePolicy {"roleName":"role","policyDocument":"` + trustAll + `"}`}, {do: `iam/UpdateAssumeRolePolicy {"roleName":"no","policyDocument":"` + trustAll + `"}`, want: noEntity, again: noEntity},
	{do: `iam/UpdateAssumeRolePolicy {"roleName":"role","policyDocument":"{}"}`, want: "400 MalformedPolicyDocument", again: "400 MalformedPolicyDocument"},
	{do: `iam/TagRole {"roleName":"role","tags":[{"key":"k","value":"v"}]}`}, {do: `iam/ListRoleTags {"roleName":"role"}`}, {do: `iam/UntagRole {"roleName":"role","tagKeys":["k"]}`},
	{do: `iam/TagRole {"roleName":"no","tags":[{"key":"k","value":"v"}]}`, want: noEntity, again: noEntity}, {do: `iam/UntagRole {"roleName":"no","tagKeys":["k"]}`, want: noEntity, again: noEntity},
	{do: `iam/ListRoleTags {"roleName":"no"}`, want: noEntity, again: noEntity},
	{do: `iam/CreatePolicy {"policyName":"managed","policyDocument":"` + doc + `"}`, keep: "MANAGED=Policy.Arn", again: entity}, {do: `iam/GetPolicy {"policyArn":"{MANAGED}"}`},
	{do: `iam/CreatePolicy {"policyName":"bad","policyDocument":"{}"}`, want: "400 MalformedPolicyDocument", again: "400 MalformedPolicyDocument"},
	{do: `iam/GetPolicyVersion {"policyArn":"{MANAGED}","versionId":"v1"}`}, {do: `iam/ListPolicyVersions {"policyArn":"{MANAGED}"}`}, {do: `iam/ListPolicies {"scope":"Local"}`},
	{do: `iam/GetPolicy {"policyArn":"{MANAGED}x"}`, want: noEntity, again: noEntity}, {do: `iam/GetPolicyVersion {"policyArn":"{MANAGED}","versionId":"v9"}`, want: noEntity, again: noEntity},
	{do: `iam/ListPolicyVersions {"policyArn":"{MANAGED}x"}`, want: noEntity, again: noEntity},
	{do: `iam/AttachUserPolicy {"userName":"user","policyArn":"{MANAGED}"}`}, {do: `iam/ListAttachedUserPolicies {"userName":"user"}`}, {do: `iam/AttachRolePolicy {"roleName":"role","policyArn":"{MANAGED}"}`},
	{do: `iam/AttachUserPolicy {"userName":"user","policyArn":"{MANAGED}x"}`, want: noEntity, again: noEntity}, {do: `iam/AttachRolePolicy {"roleName":"no","policyArn":"{MANAGED}"}`, want: noEntity, again: noEntity},
	{do: `iam/ListAttachedRolePolicies {"roleName":"role"}`}, {do: `iam/ListAttachedRolePolicies {"roleName":"no"}`, want: noEntity, again: noEntity}, {do: `iam/ListAttachedUserPolicies {"userName":"no"}`, want: noEntity, again: noEntity},
	{do: `iam/PutUserPolicy {"userName":"user","policyName":"inline","policyDocument":"` + doc + `"}`}, {do: `iam/GetUserPolicy {"userName":"user","policyName":"inline"}`}, {do: `iam/ListUserPolicies {"userName":"user"}`},
	{do: `iam/PutUserPolicy {"userName":"no","policyName":"inline","policyDocument":"` + doc + `"}`, want: noEntity, again: noEntity},
	{do: `iam/PutUserPolicy {"userName":"user","policyName":"inline","policyDocument":"{}"}`, want: "400 MalformedPolicyDocument", again: "400 MalformedPolicyDocument"},
	{do: `iam/GetUserPolicy {"userName":"user","policyName":"no"}`, want: noEntity, again: noEntity}, {do: `iam/ListUserPolicies {"userName":"no"}`, want: noEntity, again: noEntity},
	{do: `iam/PutRolePolicy {"roleName":"role","policyName":"inline","policyDocument":"` + doc + `"}`}, {do: `iam/GetRolePolicy {"roleName":"role","policyName":"inline"}`}, {do: `iam/ListRolePolicies {"roleName":"role"}`},
	{do: `iam/PutRolePolicy {"roleName":"no","policyName":"inline","policyDocument":"` + doc + `"}`, want: noEntity, again: noEntity},
	{do: `iam/PutRolePolicy {"roleName":"role","policyName":"inline","policyDocument":"{}"}`, want: "400 MalformedPolicyDocument", again: "400 MalformedPolicyDocument"},
	{do: `iam/GetRolePolicy {"roleName":"role","policyName":"no"}`, want: noEntity, again: noEntity}, {do: `iam/ListRolePolicies {"roleName":"no"}`, want: noEntity, again: noEntity},
	{do: `iam/CreateAccessKey {"userName":"user"}`, keep: "KEY=AccessKey.AccessKeyId"}, {do: `iam/CreateAccessKey {"userName":"user"}`, want: "409 LimitExceeded", again: "409 LimitExceeded"},
	{do: `iam/CreateAccessKey {"userName":"no"}`, want: noEntity, again: noEntity}, {do: `iam/ListAccessKeys {"userName":"user"}`}, {do: `iam/ListAccessKeys {"userName":"no"}`, want: noEntity, again: noEntity},
	{do: `iam/UpdateAccessKey {"userName":"user","accessKeyId":"{KEY}","status":"Inactive"}`}, {do: `iam/UpdateAccessKey {"userName":"user","accessKeyId":"AKIAIOSFODNN7EXAMPLE","status":"Inactive"}`, want: noEntity, again: noEntity},
	{do: `sts/AssumeRole {"roleArn":"arn:aws:iam::123456789012:role/role","roleSessionName":"session"}`},
	{do: `sts/AssumeRole {"roleArn":"arn:aws:iam::123456789012:role/role","roleSessionName":"session","policy":"{}"}`, want: "400 MalformedPolicyDocument", again: "400 MalformedPolicyDocument"},
	{do: `iam/DeleteUser {"userName":"user"}`, want: "409 DeleteConflict", again: "409 DeleteConflict"}, {do: `iam/DeleteRole {"roleName":"role"}`, want: "409 DeleteConflict", again: "409 DeleteConflict"},
	{do: `iam/DeletePolicy {"policyArn":"{MANAGED}"}`, want: "409 DeleteConflict", again: "409 DeleteConflict"},
	{do: `iam/DeleteAccessKey {"userName":"user","accessKeyId":"{KEY}"}`, again: noEntity},
	{do: `iam/DetachUserPolicy {"userName":"user","policyArn":"{MANAGED}"}`, again: noEntity}, {do: `iam/DetachRolePolicy {"roleName":"role","policyArn":"{MANAGED}"}`, again: noEntity},
	{do: `iam/DeleteUserPolicy {"userName":"user","policyName":"inline"}`, again: noEntity}, {do: `iam/DeleteRolePolicy {"roleName":"role","policyName":"inline"}`, again: noEntity},
	{do: `iam/DeletePolicy {"policyArn":"{MANAGED}"}`, again: noEntity}, {do: `iam/DeleteRole {"roleName":"role"}`, again: noEntity}, {do: `iam/CreateUser {"userName":"guest"}`, again: entity}, {do: `iam/DeleteUser {"userName":"guest"}`, again: noEntity},
	{do: `sts/AssumeRoleWithWebIdentity {"roleArn":"arn:aws:iam::123456789012:role/role","roleSessionName":"session","webIdentityToken":"token"}`, want: "400 InvalidIdentityToken", again: "400 InvalidIdentityToken"},
}

// TestEveryDeedTwice does what is in the table.
func TestEveryDeedTwice(t *testing.T) {
	w := newWorld(t)
	w.h.ahead.Store(-int64(4 * time.Minute)) // signatures may be five minutes off, either way
	for _, d := range deeds {
		w.h.ahead.Add(int64(d.later))
		line := w.fill(d.do)
		first, err := w.call(line)
		if got := outcome(err); got != d.want {
			t.Errorf("%.200s\n\tgives %q, want %q\n\t%v", line, got, d.want, err)
			continue
		}
		if d.keep != "" && err == nil {
			w.keep(t, d.keep, first.members)
		}
		second, err := w.call(line)
		if got := outcome(err); got != d.again && d.again != "*" {
			t.Errorf("%.200s\n\tagain gives %q, want %q\n\t%v", line, got, d.again, err)
		}
		if asks.MatchString(d.do) && !moves.MatchString(d.do) && err == nil && !reflect.DeepEqual(first.members, second.members) {
			t.Errorf("%.200s\n\tgives %v\n\tand then %v", line, first.members, second.members)
		}
	}
}

// outcome is "" for success, else the error.
func outcome(err error) string {
	if err == nil {
		return ""
	}
	return exception(err)
}

// asks are operations that only read; the answers of those that move do so by
// themselves.
var (
	asks  = regexp.MustCompile(`^(iam/|data/)?(Describe|List|Get)`)
	moves = regexp.MustCompile(`RegistrationTask|TopicRuleDestination|^data/(GetConnection|ListNamedShadows)`)
)

// world is a server with what the deeds need.
type world struct {
	*caller
	values map[string]string // what deeds write in braces
	ca     factory
}

func (w *world) fill(line string) string {
	pairs := []string{"{CERT#}", certificateID(w.values["CERT"])}
	for name, value := range w.values {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(line)
}

// keep takes a member of an answer.
func (w *world) keep(t *testing.T, what string, members map[string]any) {
	t.Helper()
	name, path, _ := strings.Cut(what, "=")
	var at any = members
	for _, part := range strings.Split(path, ".") {
		inner, _ := at.(map[string]any)
		at = inner[part]
	}
	text, ok := at.(string)
	if !ok {
		t.Fatalf("the answer has no %s: %v", path, members)
	}
	w.values[name] = text
	if name == "CODE" { // proofs of possession are over it
		w.values["PROOF"], w.values["OTHERPROOF"] = quote(w.ca.leaf(t, text)), quote(newFactory(t, "another").leaf(t, text))
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	says := httptest.NewServer(&lambda{answer: vouches(`"iot:*"`, "*")})
	t.Cleanup(says.Close)
	mute := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	t.Cleanup(mute.Close)
	c := newCaller(t, func(c *Config) {
		c.Functions = map[string]string{authFunction: says.URL, authFunction + "mute": mute.URL}
	})
	c.others["b"] = c.account(t, otherAccount).client
	device := c.h.connected(t, c.h.device(t, everything), mqtt.V5, mqtt.Connect{ClientID: "device", CleanStart: true})
	device.subscribe(t, "direct", mqtt.QoS0)
	c.h.connected(t, c.h.device(t, everything), mqtt.V5, mqtt.Connect{ClientID: "device2", CleanStart: true})
	c.must(t, `iam/CreateRole {"roleName":"r","assumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":{\"Service\":\"iot.amazonaws.com\"}}}"}`)
	c.must(t, `iam/PutRolePolicy {"roleName":"r","policyName":"all","policyDocument":"`+strings.ReplaceAll(doc, "iot:*", "*")+`"}`)
	c.bulkFile(t)
	c.must(t, `iam/CreateUser {"userName":"u"}`)
	ca, stranger := newFactory(t, "factory"), newFactory(t, "stranger")
	tags := make([]string, 51)
	for i := range tags {
		tags[i] = fmt.Sprintf(`{"key":"k%d","value":"v"}`, i)
	}
	w := &world{caller: c, ca: ca, values: map[string]string{
		"FN": authFunction, "CSR": quote(newCSR(t)), "CAPEM": quote(ca.pem), "WRONGPROOF": quote(ca.leaf(t, "wrong")),
		"LEAF": quote(ca.leaf(t, "d1")), "LEAF2": quote(ca.leaf(t, "d2")), "TWIN": quote(newFactory(t, "factory").pem),
		"STRANGER": quote(stranger.leaf(t, "s")), "TAGS51": strings.Join(tags, ","),
		"OLDVERSION": base64.StdEncoding.EncodeToString([]byte(`{"version":99,"state":{"desired":{"a":2}}}`)),
		"TOOLARGE":   base64.StdEncoding.EncodeToString([]byte(`{"state":{"desired":{"a":"` + strings.Repeat("x", 9000) + `"}}}`)),
		"PAYLOAD":    base64.StdEncoding.EncodeToString(make([]byte, 129<<10)), "TWIN10": quote(newFactory(t, "crowd").pem),
		"TAGS30": strings.Join(iamTags(0, 30), ","), "TAGS51B": strings.Join(iamTags(30, 51), ","),
	}}
	w.fillQuotas(t)
	return w
}

func iamTags(from, to int) []string {
	all := []string{}
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf(`{"key":"k%d","value":"v"}`, i))
	}
	return all
}

// fillQuotas makes as much as quotas allow.
func (w *world) fillQuotas(t *testing.T) {
	t.Helper()
	out := w.must(t, `CreateCertificateFromCsr {"certificateSigningRequest":`+quote(newCSR(t))+`}`)
	w.values["KEYS"] = out.members["CertificateArn"].(string)
	for i := range 50 {
		n := fmt.Sprint(i)
		for upTo, lines := range map[int][]string{
			10: {
				`CreatePolicy {"policyName":"quota` + n + `","policyDocument":"` + doc + `"}`, `AttachPolicy {"policyName":"quota` + n + `","target":"{KEYS}"}`,
				`RegisterCACertificate {"certificateMode":"SNI_ONLY","caCertificate":` + quote(newFactory(t, "crowd").pem) + `}`,
			},
			9: {`CreateDomainConfiguration {"domainConfigurationName":"quota` + n + `"}`},
			20: {
				`iam/CreatePolicy {"policyName":"quota` + n + `","policyDocument":"` + doc + `"}`, `iam/AttachRolePolicy {"roleName":"r","policyArn":"arn:aws:iam::123456789012:policy/quota` + n + `"}`,
				`iam/AttachUserPolicy {"userName":"u","policyArn":"arn:aws:iam::123456789012:policy/quota` + n + `"}`,
			},
			49: {`iam/PutRolePolicy {"roleName":"r","policyName":"quota` + n + `","policyDocument":"` + doc + `"}`},
			50: {`iam/PutUserPolicy {"userName":"u","policyName":"quota` + n + `","policyDocument":"` + doc + `"}`},
		} {
			for _, line := range lines {
				if i < upTo {
					w.must(t, w.fill(line))
				}
			}
		}
	}
	w.must(t, `CreatePolicy {"policyName":"quota10","policyDocument":"`+doc+`"}`)
	w.must(t, `iam/CreatePolicy {"policyName":"quota20","policyDocument":"`+doc+`"}`)
}

// bulkFile puts a file of things into S3, so long that its task is under way for
// a while.
func (c *caller) bulkFile(t *testing.T) {
	t.Helper()
	var lines strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&lines, "{\"N\":\"bulk-%d\"}\n", i)
	}
	for _, put := range [][2]string{{"/bulk", ""}, {"/bulk/things", lines.String()}} {
		if status, text := c.object(t, "PUT", put[0], put[1]); status != 200 {
			t.Fatalf("%s: %d %s", put[0], status, text)
		}
	}
}

// TestTheTablesAreComplete: an operation that is built is in the tables of this
// file and of sdk_test.go, with its errors and its pages.
func TestTheTablesAreComplete(t *testing.T) {
	built := map[string]bool{}
	for _, covered := range start(t).front().Coverage() {
		built[covered.Service+"."+covered.Operation] = covered.Implemented
	}
	done, failed, paged := tabled()
	for _, s := range contractServices {
		prefix, known := sdkPrefix[s.Name]
		if !known {
			continue
		}
		for i := range s.Operations {
			op := &s.Operations[i]
			if name := prefix + op.Name; built[s.Name+"."+op.Name] {
				if !done[name] && untabled[name] == "" {
					t.Errorf("no deed has success with %s", name)
				}
				checkErrors(t, s, op, name, failed)
				if hasPages(op) && !paged[name] && untabled[name+" pages"] == "" {
					t.Errorf("%s has pages, and no list reads them", name)
				}
			}
		}
	}
}

// everywhere are errors that are not an operation's own.
var everywhere = map[string]string{
	"InvalidRequestException":     "made from the model for every operation (contract_test.go)",
	"InvalidInputException":       "the same, in IAM's words",
	"ThrottlingException":         "for callers beyond the quotas, of which there are none here",
	"UnauthorizedException":       "the callers that are refused have AccessDeniedException",
	"ServiceUnavailableException": "there is one server: it answers or does not",
	"InternalFailureException":    "a mistake of ours", "InternalException": "a mistake of ours", "InternalServerException": "a mistake of ours",
	"ServiceFailureException":              "a mistake of ours",
	"ConflictingResourceUpdateException":   "every change is one transaction, and waits for the one before",
	"ConcurrentModificationException":      "the same, in IAM's words",
	"UnmodifiableEntityException":          "there are no roles of services",
	"MethodNotAllowedException":            "no path of a known operation is another's",
	"UnsupportedDocumentEncodingException": "documents are bytes; what is no UTF-8 is an invalid request",
	"RegionDisabledException":              "there is one region",
	"PackedPolicyTooLargeException":        "session policies are not packed",
}

// untabled are operations, errors and pages that other tests have, or nobody can
// provoke.
var untabled = map[string]string{
	"ConfirmTopicRuleDestination":                                    "its token goes to port 443 of a host (internal/api)",
	"sts/AssumeRoleWithWebIdentity":                                  "nobody here vouches for web identities: it is always refused",
	"sts/AssumeRoleWithWebIdentity MalformedPolicyDocumentException": "the same", "sts/AssumeRoleWithWebIdentity IDPRejectedClaimException": "the same",
	"sts/AssumeRoleWithWebIdentity IDPCommunicationErrorException": "the same", "sts/AssumeRoleWithWebIdentity ExpiredTokenException": "the same",
	"sts/AssumeRole ExpiredTokenException": "of callers: contract_test.go",

	// No quota is kept, or none that the operation could be beyond.
	"CreateAuthorizer LimitExceededException": "no quota", "UpdateAuthorizer LimitExceededException": "no quota", "CreateRoleAlias LimitExceededException": "no quota",
	"CreateProvisioningTemplate LimitExceededException": "no quota", "SetV2LoggingLevel LimitExceededException": "no quota",
	"DetachPolicy LimitExceededException": "it makes nothing", "GetEffectivePolicies LimitExceededException": "it makes nothing",
	"ListAttachedPolicies LimitExceededException": "it makes nothing", "ListTargetsForPolicy LimitExceededException": "it makes nothing",
	"TestAuthorization LimitExceededException": "it makes nothing",
	"iam/CreatePolicy LimitExceededException":  "no quota", "iam/CreateRole LimitExceededException": "no quota", "iam/CreateUser LimitExceededException": "no quota",
	"iam/DeleteAccessKey LimitExceededException": "it makes nothing", "iam/DeletePolicy LimitExceededException": "it makes nothing",
	"iam/DeleteRole LimitExceededException": "it makes nothing", "iam/DeleteRolePolicy LimitExceededException": "it makes nothing",
	"iam/DeleteUser LimitExceededException": "it makes nothing", "iam/DeleteUserPolicy LimitExceededException": "it makes nothing",
	"iam/DetachRolePolicy LimitExceededException": "it makes nothing", "iam/DetachUserPolicy LimitExceededException": "it makes nothing",
	"iam/UpdateAccessKey LimitExceededException": "it makes nothing", "iam/UpdateAssumeRolePolicy LimitExceededException": "no quota",

	// What the model has, and the rules do not.
	"DeleteThing ResourceNotFoundException": "deleting what is not there is a success", "DeletePolicyVersion DeleteConflictException": "the default version is InvalidRequest",
	"DeleteCertificateProvider DeleteConflictException": "nothing hangs on one", "DeleteRoleAlias DeleteConflictException": "nothing hangs on one",
	"DeleteProvisioningTemplate DeleteConflictException": "nothing hangs on one",
	"GetThingConnectivityData IndexNotReadyException":    "the broker knows", "ListBillingGroups ResourceNotFoundException": "it names nothing",
	"ListPrincipalPolicies ResourceNotFoundException": "a principal that nobody knows has none", "ListPrincipalThings ResourceNotFoundException": "the same",
	"ListPrincipalThingsV2 ResourceNotFoundException": "the same", "RegisterCACertificate ResourceNotFoundException": "a template is looked for when a device comes",
	"data/ListNamedShadowsForThing ResourceNotFoundException": "a thing that nobody knows has none",
	"iam/CreateUser NoSuchEntityException":                    "it names nothing", "iam/AttachRolePolicy PolicyNotAttachableException": "all policies can be attached",
	"iam/AttachUserPolicy PolicyNotAttachableException":        "all policies can be attached",
	"UpdateDomainConfiguration CertificateValidationException": "it cannot change certificates",
	"data/DeleteConnection ForbiddenException":                 "of devices", "data/GetConnection ForbiddenException": "of devices",
	"data/ListSubscriptions ForbiddenException": "of devices", "data/SendDirectMessage ForbiddenException": "of devices",
	"data/SendDirectMessage GatewayTimeoutException": "a client that does not confirm (internal/broker)",

	"ListCertificateProviders pages": "there is at most one", "ListTagsForResource pages": "it has no size of a page, and there are at most fifty",
	"ListThingRegistrationTaskReports pages": "a report is one file", "iam/ListInstanceProfilesForRole pages": "there are none",
	"iam/ListPolicyVersions pages": "there are at most five",
}

// sdkPrefix says how lines name the operations of services that AWS's client for
// Go is here for; boto3 covers SageMaker (test/e2e).
var sdkPrefix = map[string]string{"iot": "", "iot-data": "data/", "iam": "iam/", "sts": "sts/"}

// tabled gives what the tables have: operations that succeed, those that fail by
// "operation exception", and those that are read in pages.
func tabled() (done, failed, paged map[string]bool) {
	done, failed, paged = map[string]bool{}, map[string]bool{}, map[string]bool{}
	operation := func(line string) string {
		name, _, _ := strings.Cut(line, " ")
		return strings.TrimPrefix(name, "b/")
	}
	note := func(line, outcome string) {
		if outcome == "" {
			done[operation(line)] = true
			return
		}
		_, name, _ := strings.Cut(outcome, " ")
		failed[operation(line)+" "+name] = true
	}
	for _, d := range deeds {
		note(d.do, d.want)
		note(d.do, d.again)
	}
	for outcome, lines := range declared {
		for _, line := range lines {
			note(line, outcome)
		}
	}
	for _, line := range lists {
		paged[operation(line)] = true
	}
	return done, failed, paged
}

func checkErrors(t *testing.T, s *wire.Service, op *wire.Operation, name string, failed map[string]bool) {
	t.Helper()
	for _, e := range op.Errors {
		code := e
		if i := slices.IndexFunc(s.Errors, func(shape wire.ErrorShape) bool { return shape.Name == e }); i >= 0 && s.Errors[i].Code != "" && s.Protocol == wire.Query {
			code = s.Errors[i].Code
		}
		if !failed[name+" "+code] && everywhere[e] == "" && untabled[name+" "+e] == "" {
			t.Errorf("nothing provokes %s of %s", code, name)
		}
	}
}

func hasPages(op *wire.Operation) bool {
	if op.Out == nil {
		return false
	}
	token := func(v any) bool {
		for _, p := range parts(reflect.TypeOf(v).Elem()) {
			if slices.Contains([]string{"nextToken", "NextToken", "marker", "nextMarker", "Marker"}, p.name) {
				return true
			}
		}
		return false
	}
	return token(op.In) && token(op.Out)
}
