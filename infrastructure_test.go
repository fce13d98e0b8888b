package thingd

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// stage is a call of a tool that keeps infrastructure.
type stage struct {
	do   string
	keep string // NAME=Member of the answer, as deeds have it
	want string // the error; "" is success
	has  string // JSON that the answer must contain: members may be missing here, not differ

	later time.Duration // the clock is put forward before
}

const (
	tagged     = `"tags":[{"key":"team","value":"ops"}]`
	hasTag     = `{"Tags":[{"Key":"team","Value":"ops"}]}`
	trustIoT   = `{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"iot.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}`
	escapedIoT = `%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22iot.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D`
)

// infrastructure are the lives of resources in the order in which Terraform
// calls: create, read with tags, update, read, delete, read. The kinds of
// resources that are one call each are in families; here is what has links,
// states, and deletions with conditions. A read of what is gone must give the very
// exception by which the tool knows that it is gone.
var infrastructure = map[string][]stage{
	"thing type": {
		{do: `CreateThingType {"thingTypeName":"n","thingTypeProperties":{"thingTypeDescription":"d","searchableAttributes":["a","b"]},` + tagged + `}`},
		{do: `DescribeThingType {"thingTypeName":"n"}`, has: `{"ThingTypeName":"n","ThingTypeArn":"` + arnPrefix + `thingtype/n",
			"ThingTypeProperties":{"ThingTypeDescription":"d","SearchableAttributes":["a","b"]},"ThingTypeMetadata":{"Deprecated":false}}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `thingtype/n"}`, has: hasTag},
		{do: `DeprecateThingType {"thingTypeName":"n"}`},
		{do: `DescribeThingType {"thingTypeName":"n"}`, has: `{"ThingTypeMetadata":{"Deprecated":true}}`},
		{do: `DeprecateThingType {"thingTypeName":"n","undoDeprecate":true}`},
		{do: `DescribeThingType {"thingTypeName":"n"}`, has: `{"ThingTypeMetadata":{"Deprecated":false}}`},
		{do: `DeprecateThingType {"thingTypeName":"n"}`},
		{do: `DeleteThingType {"thingTypeName":"n"}`, want: badRequest}, // the tool tries again for six minutes
		{do: `DeleteThingType {"thingTypeName":"n"}`, later: 6 * time.Minute},
		{do: `DescribeThingType {"thingTypeName":"n"}`, want: notFound},
	},
	"thing groups and members": {
		{do: `CreateThingGroup {"thingGroupName":"root",` + tagged + `}`},
		{do: `CreateThingGroup {"thingGroupName":"parent","parentGroupName":"root"}`},
		{do: `CreateThingGroup {"thingGroupName":"n","parentGroupName":"parent","thingGroupProperties":{"thingGroupDescription":"d","attributePayload":{"attributes":{"a":"1"}}}}`},
		{do: `DescribeThingGroup {"thingGroupName":"n"}`, has: `{"ThingGroupArn":"` + arnPrefix + `thinggroup/n","Version":1,"ThingGroupMetadata":{"ParentGroupName":"parent",
			"RootToParentThingGroups":[{"GroupName":"root","GroupArn":"` + arnPrefix + `thinggroup/root"},{"GroupName":"parent","GroupArn":"` + arnPrefix + `thinggroup/parent"}]},
			"ThingGroupProperties":{"ThingGroupDescription":"d","AttributePayload":{"Attributes":{"a":"1"}}}}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `thinggroup/root"}`, has: hasTag},
		{do: `UpdateThingGroup {"thingGroupName":"n","expectedVersion":1,"thingGroupProperties":{"thingGroupDescription":"","attributePayload":{"attributes":{}}}}`, has: `{"Version":2}`},
		{do: `CreateThing {"thingName":"t"}`},
		{do: `AddThingToThingGroup {"thingName":"t","thingGroupName":"n","overrideDynamicGroups":true}`},
		{do: `ListThingGroupsForThing {"thingName":"t"}`, has: `{"ThingGroups":[{"GroupName":"n","GroupArn":"` + arnPrefix + `thinggroup/n"}]}`},
		{do: `RemoveThingFromThingGroup {"thingName":"t","thingGroupName":"n"}`},
		{do: `ListThingGroupsForThing {"thingName":"t"}`, has: `{"ThingGroups":[]}`},
		{do: `ListThingGroupsForThing {"thingName":"gone"}`, want: notFound},
		{do: `DeleteThingGroup {"thingGroupName":"parent"}`, want: badRequest}, // the child goes first
		{do: `DeleteThingGroup {"thingGroupName":"n"}`}, {do: `DeleteThingGroup {"thingGroupName":"parent"}`},
		{do: `DescribeThingGroup {"thingGroupName":"n"}`, want: notFound},
	},
	"billing group with tags": {
		{do: `CreateBillingGroup {"billingGroupName":"n",` + tagged + `}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `billinggroup/n"}`, has: hasTag},
		{do: `UpdateBillingGroup {"billingGroupName":"n","expectedVersion":1,"billingGroupProperties":{}}`, has: `{"Version":2}`},
		{do: `DeleteBillingGroup {"billingGroupName":"n"}`}, {do: `DescribeBillingGroup {"billingGroupName":"n"}`, want: notFound},
	},
	"certificate, its policies and things": {
		{do: `CreateCertificateFromCsr {"setAsActive":true,"certificateSigningRequest":{CSR}}`, keep: "CERT=CertificateArn"},
		{do: `DescribeCertificate {"certificateId":"{CERT#}"}`, has: `{"CertificateDescription":{"CertificateArn":"{CERT}","Status":"ACTIVE","CertificateMode":"DEFAULT","OwnedBy":"123456789012"}}`},
		{do: `CreatePolicy {"policyName":"p","policyDocument":"` + doc + `",` + tagged + `}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `policy/p"}`, has: hasTag},
		{do: `AttachPolicy {"policyName":"p","target":"{CERT}"}`},
		{do: `ListAttachedPolicies {"target":"{CERT}","recursive":false}`, has: `{"Policies":[{"PolicyName":"p","PolicyArn":"` + arnPrefix + `policy/p"}]}`},
		{do: `CreateThing {"thingName":"t"}`},
		{do: `AttachThingPrincipal {"thingName":"t","principal":"{CERT}","thingPrincipalType":"EXCLUSIVE_THING"}`},
		{do: `ListThingPrincipalsV2 {"thingName":"t"}`, has: `{"ThingPrincipalObjects":[{"Principal":"{CERT}","ThingPrincipalType":"EXCLUSIVE_THING"}]}`},
		{do: `ListThingPrincipals {"thingName":"t"}`, has: `{"Principals":["{CERT}"]}`},
		{do: `DeleteThing {"thingName":"t"}`, want: badRequest},
		{do: `DeletePolicy {"policyName":"p"}`, want: "409 DeleteConflictException"},
		{do: `UpdateCertificate {"certificateId":"{CERT#}","newStatus":"INACTIVE"}`},
		{do: `DescribeCertificate {"certificateId":"{CERT#}"}`, has: `{"CertificateDescription":{"Status":"INACTIVE"}}`},
		{do: `DeleteCertificate {"certificateId":"{CERT#}"}`, want: "409 DeleteConflictException"},
		{do: `DetachThingPrincipal {"thingName":"t","principal":"{CERT}"}`},
		{do: `ListThingPrincipalsV2 {"thingName":"t"}`, has: `{"ThingPrincipalObjects":[]}`},
		{do: `DetachPolicy {"policyName":"p","target":"{CERT}"}`},
		{do: `ListAttachedPolicies {"target":"{CERT}"}`, has: `{"Policies":[]}`},
		{do: `DeleteThing {"thingName":"t"}`}, {do: `ListThingPrincipalsV2 {"thingName":"t"}`, want: notFound},
		{do: `DeleteCertificate {"certificateId":"{CERT#}"}`}, {do: `DescribeCertificate {"certificateId":"{CERT#}"}`, want: notFound},
		{do: `ListAttachedPolicies {"target":"{CERT}"}`, has: `{"Policies":[]}`},
		{do: `DeletePolicy {"policyName":"p"}`}, {do: `GetPolicy {"policyName":"p"}`, want: notFound},
	},
	"CA certificate": {
		{do: `RegisterCACertificate {"caCertificate":{CA},"certificateMode":"SNI_ONLY","setAsActive":true,"allowAutoRegistration":true,` + tagged + `,
			"registrationConfig":{"roleArn":"` + role + `","templateBody":"{\"Parameters\":{},\"Resources\":{}}"}}`, keep: "ID=CertificateId"},
		{do: `DescribeCACertificate {"certificateId":"{ID}"}`, has: `{"CertificateDescription":{"CertificateArn":"` + arnPrefix + `cacert/{ID}","CertificateId":"{ID}","Status":"ACTIVE",
			"AutoRegistrationStatus":"ENABLE","CertificateMode":"SNI_ONLY","CertificatePem":{CA},"CustomerVersion":1},
			"RegistrationConfig":{"RoleArn":"` + role + `","TemplateBody":"{\"Parameters\":{},\"Resources\":{}}"}}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `cacert/{ID}"}`, has: hasTag},
		{do: `UpdateCACertificate {"certificateId":"{ID}","newStatus":"ACTIVE","newAutoRegistrationStatus":"DISABLE","removeAutoRegistration":true}`},
		{do: `DescribeCACertificate {"certificateId":"{ID}"}`, has: `{"CertificateDescription":{"Status":"ACTIVE","AutoRegistrationStatus":"DISABLE"}}`},
		{do: `DeleteCACertificate {"certificateId":"{ID}"}`, want: "406 CertificateStateException"},
		{do: `UpdateCACertificate {"certificateId":"{ID}","newStatus":"INACTIVE"}`}, {do: `DeleteCACertificate {"certificateId":"{ID}"}`},
		{do: `DescribeCACertificate {"certificateId":"{ID}"}`, want: notFound},
	},
	"role alias with tags": {
		{do: `CreateRoleAlias {"roleAlias":"n","roleArn":"` + role + `","credentialDurationSeconds":900,` + tagged + `}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `rolealias/n"}`, has: hasTag},
		{do: `DeleteRoleAlias {"roleAlias":"n"}`}, {do: `DescribeRoleAlias {"roleAlias":"n"}`, want: notFound},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `rolealias/n"}`, want: notFound},
	},
	"topic rule": {
		{do: `CreateTopicRule {"ruleName":"n","tags":"team=ops","topicRulePayload":{"sql":"SELECT 1","awsIotSqlVersion":"2016-03-23","ruleDisabled":false,"actions":[],
			"errorAction":{"sqs":{"roleArn":"` + role + `","queueUrl":"https://sqs/q","useBase64":true}}}}`},
		{do: `GetTopicRule {"ruleName":"n"}`, has: `{"RuleArn":"` + arnPrefix + `rule/n","Rule":{"RuleName":"n","Actions":[],"RuleDisabled":false,
			"ErrorAction":{"Sqs":{"RoleArn":"` + role + `","QueueUrl":"https://sqs/q","UseBase64":true}}}}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `rule/n"}`, has: hasTag},
		{do: `DisableTopicRule {"ruleName":"n"}`}, {do: `GetTopicRule {"ruleName":"n"}`, has: `{"Rule":{"RuleDisabled":true}}`},
		{do: `DeleteTopicRule {"ruleName":"n"}`}, {do: `GetTopicRule {"ruleName":"n"}`, want: "401 UnauthorizedException"}, // AWS's own, and the tool knows it
	},
	"topic rule destination": {
		{do: `CreateTopicRuleDestination {"destinationConfiguration":{"vpcConfiguration":{"roleArn":"` + role + `","subnetIds":["subnet-1"],"securityGroups":["sg-1"],"vpcId":"vpc-1"}}}`, keep: "ARN=TopicRuleDestination.Arn"},
		{do: `GetTopicRuleDestination {"arn":"{ARN}"}`, has: `{"TopicRuleDestination":{"Arn":"{ARN}","Status":"ENABLED",
			"VpcProperties":{"RoleArn":"` + role + `","SubnetIds":["subnet-1"],"SecurityGroups":["sg-1"],"VpcId":"vpc-1"}}}`},
		{do: `UpdateTopicRuleDestination {"arn":"{ARN}","status":"DISABLED"}`}, {do: `GetTopicRuleDestination {"arn":"{ARN}"}`, has: `{"TopicRuleDestination":{"Status":"DISABLED"}}`},
		{do: `DeleteTopicRuleDestination {"arn":"{ARN}"}`}, {do: `GetTopicRuleDestination {"arn":"{ARN}"}`, want: "401 UnauthorizedException"},
	},
	"provisioning template": {
		{do: `CreateProvisioningTemplate {"templateName":"n","provisioningRoleArn":"` + role + `","templateBody":"{\"Resources\":{}}","enabled":true,"type":"FLEET_PROVISIONING",` + tagged + `,
			"preProvisioningHook":{"targetArn":"arn:aws:lambda:us-east-1:123456789012:function:f","payloadVersion":"2020-04-01"}}`},
		{do: `DescribeProvisioningTemplate {"templateName":"n"}`, has: `{"TemplateArn":"` + arnPrefix + `provisioningtemplate/n","DefaultVersionId":1,"Enabled":true,"Type":"FLEET_PROVISIONING",
			"PreProvisioningHook":{"TargetArn":"arn:aws:lambda:us-east-1:123456789012:function:f","PayloadVersion":"2020-04-01"}}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `provisioningtemplate/n"}`, has: hasTag},
		{do: `CreateProvisioningTemplateVersion {"templateName":"n","templateBody":"{\"Parameters\":{},\"Resources\":{}}","setAsDefault":true}`, has: `{"VersionId":2,"IsDefaultVersion":true}`},
		{do: `UpdateProvisioningTemplate {"templateName":"n","removePreProvisioningHook":true}`},
		{do: `DescribeProvisioningTemplate {"templateName":"n"}`, has: `{"DefaultVersionId":2,"TemplateBody":"{\"Parameters\":{},\"Resources\":{}}"}`},
		{do: `DeleteProvisioningTemplateVersion {"templateName":"n","versionId":1}`}, // the tool deletes the older ones
		{do: `DeleteProvisioningTemplate {"templateName":"n"}`}, {do: `DescribeProvisioningTemplate {"templateName":"n"}`, want: notFound},
	},
	"authorizer": {
		{do: `CreateAuthorizer {"authorizerName":"n","authorizerFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","signingDisabled":false,"status":"ACTIVE","tokenKeyName":"k",
			"tokenSigningPublicKeys":{"one":{KEY}},"enableCachingForHttp":true,` + tagged + `}`},
		{do: `DescribeAuthorizer {"authorizerName":"n"}`, has: `{"AuthorizerDescription":{"AuthorizerArn":"` + arnPrefix + `authorizer/n","Status":"ACTIVE","SigningDisabled":false,"TokenKeyName":"k",
			"TokenSigningPublicKeys":{"one":{KEY}},"EnableCachingForHttp":true}}`},
		{do: `ListTagsForResource {"resourceArn":"` + arnPrefix + `authorizer/n"}`, has: hasTag},
		{do: `DeleteAuthorizer {"authorizerName":"n"}`, want: "409 DeleteConflictException"},
		{do: `UpdateAuthorizer {"authorizerName":"n","status":"INACTIVE"}`}, {do: `DeleteAuthorizer {"authorizerName":"n"}`},
		{do: `DescribeAuthorizer {"authorizerName":"n"}`, want: notFound},
	},
	"domain configuration": {
		{do: `CreateDomainConfiguration {"domainConfigurationName":"n","domainName":"n.example","serviceType":"DATA",` + tagged + `}`, keep: "ARN=DomainConfigurationArn"},
		{do: `ListTagsForResource {"resourceArn":"{ARN}"}`, has: hasTag},
		{do: `UpdateDomainConfiguration {"domainConfigurationName":"n","domainConfigurationStatus":"DISABLED"}`},
		{do: `DescribeDomainConfiguration {"domainConfigurationName":"n"}`, has: `{"DomainConfigurationArn":"{ARN}","DomainConfigurationStatus":"DISABLED"}`},
		{do: `DeleteDomainConfiguration {"domainConfigurationName":"n"}`}, {do: `DescribeDomainConfiguration {"domainConfigurationName":"n"}`, want: notFound},
	},
	"endpoints, events and logging": {
		{do: `DescribeEndpoint {"endpointType":"iot:Data-ATS"}`, has: `{"EndpointAddress":"localhost"}`}, {do: `DescribeEndpoint`, has: `{"EndpointAddress":"localhost"}`},
		{do: `UpdateEventConfigurations {"eventConfigurations":{"THING":{"enabled":true},"JOB":{"enabled":false}}}`},
		{do: `DescribeEventConfigurations`, has: `{"EventConfigurations":{"THING":{"Enabled":true},"THING_GROUP":{"Enabled":false},"THING_TYPE":{"Enabled":false},
			"THING_GROUP_MEMBERSHIP":{"Enabled":false},"THING_GROUP_HIERARCHY":{"Enabled":false},"THING_TYPE_ASSOCIATION":{"Enabled":false},"JOB":{"Enabled":false},
			"JOB_EXECUTION":{"Enabled":false},"POLICY":{"Enabled":false},"CERTIFICATE":{"Enabled":false},"CA_CERTIFICATE":{"Enabled":false}}}`},
		{do: `SetV2LoggingOptions {"roleArn":"` + role + `","defaultLogLevel":"WARN","disableAllLogs":false}`},
		{do: `GetV2LoggingOptions`, has: `{"RoleArn":"` + role + `","DefaultLogLevel":"WARN","DisableAllLogs":false}`},
		{do: `SetV2LoggingOptions {"roleArn":"` + role + `","defaultLogLevel":"DISABLED","disableAllLogs":true}`},
		{do: `GetV2LoggingOptions`, has: `{"DefaultLogLevel":"DISABLED","DisableAllLogs":true}`},
	},
	"IAM role": {
		{do: `iam/CreateRole {"roleName":"n","path":"/p/","description":"d","maxSessionDuration":7200,"assumeRolePolicyDocument":"` + trustIoT + `",` + tagged + `}`},
		{do: `iam/GetRole {"roleName":"n"}`, has: `{"Role":{"Arn":"arn:aws:iam::123456789012:role/p/n","RoleName":"n","Path":"/p/","Description":"d","MaxSessionDuration":7200,
			"AssumeRolePolicyDocument":"` + escapedIoT + `","Tags":[{"Key":"team","Value":"ops"}]}}`},
		{do: `iam/PutRolePolicy {"roleName":"n","policyName":"inline","policyDocument":"` + doc + `"}`}, {do: `iam/ListRolePolicies {"roleName":"n"}`, has: `{"PolicyNames":["inline"]}`},
		{do: `iam/GetRolePolicy {"roleName":"n","policyName":"inline"}`, has: `{"RoleName":"n","PolicyName":"inline"}`},
		{do: `iam/CreatePolicy {"policyName":"m","description":"d","policyDocument":"` + doc + `",` + tagged + `}`, keep: "ARN=Policy.Arn"},
		{do: `iam/GetPolicy {"policyArn":"{ARN}"}`, has: `{"Policy":{"Arn":"{ARN}","PolicyName":"m","Path":"/","DefaultVersionId":"v1","AttachmentCount":0,"Description":"d","Tags":[{"Key":"team","Value":"ops"}]}}`},
		{do: `iam/GetPolicyVersion {"policyArn":"{ARN}","versionId":"v1"}`, has: `{"PolicyVersion":{"VersionId":"v1","IsDefaultVersion":true}}`},
		{do: `iam/AttachRolePolicy {"roleName":"n","policyArn":"{ARN}"}`},
		{do: `iam/ListAttachedRolePolicies {"roleName":"n"}`, has: `{"AttachedPolicies":[{"PolicyArn":"{ARN}","PolicyName":"m"}]}`},
		{do: `iam/UpdateAssumeRolePolicy {"roleName":"n","policyDocument":"` + trustAll + `"}`}, {do: `iam/TagRole {"roleName":"n","tags":[{"key":"more","value":"x"}]}`},
		{do: `iam/UntagRole {"roleName":"n","tagKeys":["team"]}`}, {do: `iam/GetRole {"roleName":"n"}`, has: `{"Role":{"Tags":[{"Key":"more","Value":"x"}]}}`},
		{do: `iam/DeleteRole {"roleName":"n"}`, want: "409 DeleteConflict"}, {do: `iam/ListInstanceProfilesForRole {"roleName":"n"}`, has: `{"InstanceProfiles":[]}`},
		{do: `iam/DetachRolePolicy {"roleName":"n","policyArn":"{ARN}"}`}, {do: `iam/DeleteRolePolicy {"roleName":"n","policyName":"inline"}`}, {do: `iam/DeleteRole {"roleName":"n"}`},
		{do: `iam/GetRole {"roleName":"n"}`, want: noEntity}, {do: `iam/GetRolePolicy {"roleName":"n","policyName":"inline"}`, want: noEntity},
		{do: `iam/ListPolicyVersions {"policyArn":"{ARN}"}`, has: `{"Versions":[{"VersionId":"v1","IsDefaultVersion":true}]}`},
		{do: `iam/DeletePolicy {"policyArn":"{ARN}"}`}, {do: `iam/GetPolicy {"policyArn":"{ARN}"}`, want: noEntity},
	},
}

func publicKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// TestInfrastructureTools walks through the lives above.
func TestInfrastructureTools(t *testing.T) {
	for name, steps := range infrastructure {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{caller: newCaller(t), values: map[string]string{
				"CSR": quote(newCSR(t)), "CA": quote(newFactory(t, "factory").pem), "KEY": quote(publicKey(t)),
			}}
			w.h.ahead.Store(-int64(4 * time.Minute)) // signatures may be five minutes off, either way
			for _, s := range steps {
				w.h.ahead.Add(int64(s.later))
				line := w.fill(s.do)
				out, err := w.call(line)
				if got := outcome(err); got != s.want {
					t.Fatalf("%s\n\tgives %q, want %q\n\t%v", line, got, s.want, err)
				}
				if s.keep != "" {
					w.keep(t, s.keep, out.members)
				}
				if s.has == "" {
					continue
				}
				var want any
				must(t, json.Unmarshal([]byte(w.fill(s.has)), &want))
				if lacks := lacking(want, out.members, ""); lacks != "" {
					t.Errorf("%s\n\t%s", line, lacks)
				}
			}
		})
	}
}

// lacking says where got differs from want; objects may have more members than
// want has.
func lacking(want, got any, at string) string {
	members, ok := want.(map[string]any)
	if !ok {
		return lackingInList(want, got, at)
	}
	have, ok := got.(map[string]any)
	if !ok {
		return fmt.Sprintf("%s is %v", at, got)
	}
	for name, value := range members {
		if lacks := lacking(value, have[name], at+"."+name); lacks != "" {
			return lacks
		}
	}
	return ""
}

func lackingInList(want, got any, at string) string {
	elements, ok := want.([]any)
	if !ok {
		if reflect.DeepEqual(want, got) {
			return ""
		}
		return fmt.Sprintf("%s is %v, want %v", at, got, want)
	}
	have, ok := got.([]any)
	if !ok || len(have) != len(elements) {
		return fmt.Sprintf("%s is %v, want %v", at, got, want)
	}
	for i, element := range elements {
		if lacks := lacking(element, have[i], fmt.Sprint(at, "[", i, "]")); lacks != "" {
			return lacks
		}
	}
	return ""
}
